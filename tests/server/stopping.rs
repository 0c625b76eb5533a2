//! Starting and stopping the program itself.

use std::process::Command;

use serde_json::json;

use crate::client::Request;
use crate::program::{Program, program};
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

#[test]
fn the_program_prints_where_it_listens_and_stops_on_sigterm() {
    let server = Program::start(&seed(), &[]);
    let health = Request::new(server.address, "GET", "/healthz").by(MANAGER);
    assert_eq!(health.gives(200), json!({"status": "ok"}));
    assert!(server.terminate().success());
}

#[test]
fn the_program_says_what_is_wrong_with_its_arguments() {
    for (arguments, what) in [
        (vec!["--db", "/no/such/folder/stock.db"], "stock.db"),
        (vec!["--listen"], "needs a value"),
        (vec!["--what"], "unknown argument"),
        (vec!["--seed", "no such file"], "no such file"),
        (vec!["--db", "a", "--postgres", "b"], "once"),
        (vec!["--lease", "0"], "one or more"),
        (vec!["--limit=no"], "one or more"),
    ] {
        let output = Command::new(program()).args(&arguments).output().unwrap();
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(what), "{arguments:?}: {told}");
    }
}
