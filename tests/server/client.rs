//! A small HTTP client: one connection for each request, and nothing hidden.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    address: SocketAddr,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// The body; of a file that is no text, as much as is one.
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &'static str, path: &str) -> Self {
        Self {
            address,
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a bearer token.
    pub(crate) fn by(self, token: &str) -> Self {
        let value = format!("Bearer {token}");
        self.header("Authorization", &value)
    }

    /// With an idempotency key.
    pub(crate) fn once(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Its method and the path that it is described under.
    pub(crate) fn call(&self) -> String {
        let path = self.path.split('?').next().unwrap();
        let template = crate::described::template(self.address, path);
        format!("{} {}", self.method.to_lowercase(), template.unwrap())
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    pub(crate) fn text(self, body: &str) -> Self {
        self.bytes(body.as_bytes())
    }

    pub(crate) fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("Content-Type", "application/json")
    }

    /// With another type of its body.
    pub(crate) fn content_type(mut self, kind: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Content-Type");
        self.header("Content-Type", kind)
    }

    /// Sends it, and reads the whole answer, which must be one that is described.
    #[track_caller]
    pub(crate) fn send(&self) -> Answer {
        let answer = Answer::of(&self.exchanged().unwrap());
        crate::described::check(self.address, self.method, &self.path, &answer);
        answer
    }

    /// Sends it, and does not mind when the server dies over it.
    pub(crate) fn send_in_vain(&self) {
        drop(self.exchanged());
    }

    fn exchanged(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let mut head = format!("{} {} HTTP/1.1\r\nHost: test\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "Content-Length: {}\r\n", self.body.len()).unwrap();
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(&self.body)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Sends it, and wants this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Answer {
        let answer = self.send();
        let asked = format!("{} {}", self.method, self.path);
        assert_eq!(answer.status, status, "{asked}: {}", answer.text);
        answer
    }

    /// Sends it, and wants this status and a JSON body.
    #[track_caller]
    pub(crate) fn gives(&self, status: u16) -> Value {
        self.expect(status).json()
    }

    /// Sends it, and wants this status and this code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.gives(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        body
    }
}

/// The parts of a body that comes in parts; it must be whole.
fn joined(mut body: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    loop {
        let end = body.windows(2).position(|it| it == b"\r\n").unwrap();
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return joined;
        }
        joined.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
    }
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        let end = end.expect("an answer has a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        });
        let headers: BTreeMap<String, String> = headers.collect();
        let body = &bytes[end + 4..];
        let body = match headers.get("transfer-encoding").map(String::as_str) {
            Some("chunked") => joined(body),
            None => body.to_vec(),
            Some(other) => panic!("{other}"),
        };
        Self {
            status: status.parse().unwrap(),
            text: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
            headers,
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
