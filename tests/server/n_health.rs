//! The health of a server that can read and not write.

use serde_json::json;

use crate::app::StoreChoice;
use crate::shop::{Shop, new_file};

#[test]
fn fault_n6_a_server_whose_writes_fail_is_not_well() {
    let path = new_file();
    let shop = Shop::open(StoreChoice::Sqlite(path.clone()));
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON stk_command BEGIN SELECT RAISE(FAIL, 'the disk is full'); END",
    )
    .unwrap();
    // Reads go well, and no write does.
    shop.take_list().expect(200);
    let new = json!({"description": "a"});
    assert!(shop.post("/inventory/stock-takes", &new).send().status >= 500);
    let told = shop.nobody("GET", "/healthz").refused(503, "unhealthy");
    assert!(
        told["error"]["message"]
            .as_str()
            .unwrap()
            .contains("written")
    );
    file.execute_batch("DROP TRIGGER full").unwrap();
    shop.nobody("GET", "/healthz").expect(200);
    shop.post("/inventory/stock-takes", &new).expect(201);
}
