//! The program itself, as a process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A process that listens. It dies with the test.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// The program, next to the test that runs.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = profile.join("examples").join("server");
    assert!(program.exists(), "cargo build --example server");
    program
}

impl Program {
    /// Starts it, and reads where it listens.
    pub(crate) fn start(seed: &Path, arguments: &[&OsStr]) -> Self {
        let mut child = Command::new(program())
            .args(["--listen", "127.0.0.1:0", "--seed"])
            .arg(seed)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        let address = address.parse().unwrap();
        Self { child, address }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let told = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap()
    }

    /// Ends it without a word (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What has ended already can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
