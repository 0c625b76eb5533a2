//! Starting and stopping the program itself.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::client::Request;
use crate::shop::{MANAGER, Shop, seed, stores};

#[test]
fn a_server_that_is_told_to_stop_answers_what_it_was_asked() {
    for store in stores() {
        let mut shop = Shop::open(store);
        shop.post("/inventory/stock-takes", &json!({"description": "a"}))
            .expect(201);
        shop.close();
        assert!(std::net::TcpStream::connect(shop.address).is_err());
    }
}

/// The program, next to the test that runs.
fn program() -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = profile.join("examples").join("server");
    assert!(program.exists(), "cargo build --example server");
    program
}

/// Starts the program, and reads where it listens.
fn start(arguments: &[&std::ffi::OsStr]) -> (Child, SocketAddr) {
    let mut server = Command::new(program())
        .args(["--listen", "127.0.0.1:0", "--seed"])
        .arg(seed())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    (server, address.parse().unwrap())
}

#[test]
fn the_program_prints_where_it_listens_and_stops_on_sigterm() {
    let (mut server, address) = start(&[]);
    let health = Request::new(address, "GET", "/healthz").by(MANAGER);
    assert_eq!(health.gives(200), json!({"status": "ok"}));
    let told = Command::new("kill")
        .args(["-TERM", &server.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    assert!(server.wait().unwrap().success());
}

#[test]
fn the_program_says_what_is_wrong_with_its_arguments() {
    for (arguments, what) in [
        (vec!["--db", "/no/such/folder/stock.db"], "stock.db"),
        (vec!["--listen"], "needs a value"),
        (vec!["--what"], "unknown argument"),
        (vec!["--seed", "no such file"], "no such file"),
        (vec!["--db", "a", "--postgres", "b"], "once"),
    ] {
        let output = Command::new(program()).args(&arguments).output().unwrap();
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(what), "{arguments:?}: {told}");
    }
}
