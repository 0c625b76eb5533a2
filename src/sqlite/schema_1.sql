-- Quantities and costs are whole millionths, times are microseconds since 1970 (UTC), ids are 16 bytes. A part of a
-- key that a stock key does not have is an empty text. A body is a record as MessagePack. `changed` is the number of the
-- commit that wrote the row last (see stk_change).

CREATE TABLE stk_site (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;

-- What articles are sorted by and looked for in is folded.
CREATE TABLE stk_product (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, article_order TEXT NOT NULL,
    name_order TEXT NOT NULL, search TEXT NOT NULL, body BLOB NOT NULL, changed INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stk_product_article_order ON stk_product (organisation, article_order, id);
CREATE UNIQUE INDEX stk_product_name_order ON stk_product (organisation, name_order, id);

CREATE TABLE stk_supplier (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;

-- External ids of sites (kind 0) and article ids of products (kind 1). Those of one likeness differ by case or width only.
CREATE TABLE stk_catalogue_name (
    organisation BLOB NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, holder BLOB NOT NULL, likeness TEXT NOT NULL,
    PRIMARY KEY (organisation, kind, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stk_catalogue_name_holder ON stk_catalogue_name (organisation, kind, holder);
CREATE INDEX stk_catalogue_name_likeness ON stk_catalogue_name (organisation, kind, likeness, name);

-- Barcodes (kind 0) and categories (kind 1) of products.
CREATE TABLE stk_product_code (
    organisation BLOB NOT NULL, kind INTEGER NOT NULL, value TEXT NOT NULL, product BLOB NOT NULL,
    PRIMARY KEY (organisation, kind, value, product)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_product_code_product ON stk_product_code (organisation, product);

CREATE TABLE stk_stock_level (
    organisation BLOB NOT NULL, site BLOB NOT NULL, product BLOB NOT NULL, variant TEXT NOT NULL, place TEXT NOT NULL,
    batch TEXT NOT NULL, serial TEXT NOT NULL, version INTEGER NOT NULL, quantity INTEGER NOT NULL,
    reserved INTEGER NOT NULL, stocked INTEGER NOT NULL, updated_at INTEGER NOT NULL, body BLOB NOT NULL, changed INTEGER NOT NULL,
    PRIMARY KEY (organisation, site, product, variant, place, batch, serial)
) STRICT, WITHOUT ROWID;

-- Where a serial number is on hand: of a product (of_product 1), or of all products (0, under no product).
CREATE TABLE stk_serial_mark (
    organisation BLOB NOT NULL, serial TEXT NOT NULL, of_product INTEGER NOT NULL, product BLOB NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, serial, of_product, product)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_stock_event (
    organisation BLOB NOT NULL, site BLOB NOT NULL, product BLOB NOT NULL, variant TEXT NOT NULL, place TEXT NOT NULL,
    batch TEXT NOT NULL, serial TEXT NOT NULL, position INTEGER NOT NULL, id BLOB NOT NULL, sequence INTEGER NOT NULL,
    change INTEGER NOT NULL, on_hand INTEGER NOT NULL, recorded_at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, site, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stk_stock_event_id ON stk_stock_event (organisation, id);
CREATE UNIQUE INDEX stk_stock_event_key
    ON stk_stock_event (organisation, site, product, variant, place, batch, serial, sequence);
CREATE TRIGGER stk_stock_event_stays BEFORE UPDATE ON stk_stock_event
BEGIN SELECT RAISE(ABORT, 'ledger events are never changed'); END;
CREATE TRIGGER stk_stock_event_remains BEFORE DELETE ON stk_stock_event
BEGIN SELECT RAISE(ABORT, 'ledger events are never deleted'); END;

-- The last position of each site's ledger.
CREATE TABLE stk_ledger (
    organisation BLOB NOT NULL, site BLOB NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (organisation, site)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_stock_take (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, site BLOB NOT NULL, state TEXT NOT NULL,
    began_at INTEGER NOT NULL, epoch INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_stock_take_age ON stk_stock_take (organisation, site, began_at, id);

-- What lines show of their products, under an id that follows from what it says.
CREATE TABLE stk_product_snapshot (
    organisation BLOB NOT NULL, product BLOB NOT NULL, id BLOB NOT NULL, article_order TEXT NOT NULL,
    search TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, product, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_stock_take_item (
    organisation BLOB NOT NULL, take BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, line INTEGER NOT NULL,
    site BLOB NOT NULL, product BLOB NOT NULL, variant TEXT NOT NULL, place TEXT NOT NULL, batch TEXT NOT NULL,
    serial TEXT NOT NULL, article_order TEXT NOT NULL, name_order TEXT NOT NULL, place_order TEXT NOT NULL,
    snapshot BLOB NOT NULL, brand BLOB, category BLOB, counted INTEGER,
    adjustment_minor INTEGER NOT NULL, left_over INTEGER NOT NULL, updated_at INTEGER NOT NULL, body BLOB NOT NULL, changed INTEGER NOT NULL,
    PRIMARY KEY (organisation, take, line, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stk_stock_take_item_id ON stk_stock_take_item (organisation, take, id);
CREATE INDEX stk_stock_take_item_changed ON stk_stock_take_item (organisation, take, changed, line, id);
CREATE INDEX stk_stock_take_item_left_over ON stk_stock_take_item (organisation, take, line, id) WHERE left_over = 1;
CREATE INDEX stk_stock_take_item_counted ON stk_stock_take_item (organisation, take, line, id) WHERE counted IS NOT NULL;
CREATE INDEX stk_stock_take_item_uncounted ON stk_stock_take_item (organisation, take, line, id) WHERE counted IS NULL;
CREATE INDEX stk_stock_take_item_article_order ON stk_stock_take_item (organisation, take, article_order, line, id);
CREATE INDEX stk_stock_take_item_name_order ON stk_stock_take_item (organisation, take, name_order, line, id);
CREATE INDEX stk_stock_take_item_place_order
    ON stk_stock_take_item (organisation, take, place_order, article_order, line, id);
CREATE INDEX stk_stock_take_item_batch ON stk_stock_take_item (organisation, take, batch, line, id) WHERE batch <> '';
CREATE INDEX stk_stock_take_item_serial ON stk_stock_take_item (organisation, take, serial, line, id) WHERE serial <> '';

-- How many commits of an organisation there were that rows are marked with as changed.
CREATE TABLE stk_change (
    organisation BLOB NOT NULL PRIMARY KEY, last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_stock_take_total (
    organisation BLOB NOT NULL, take BLOB NOT NULL, counted INTEGER NOT NULL, part INTEGER NOT NULL,
    items INTEGER NOT NULL, adjustment_high INTEGER NOT NULL, adjustment_low INTEGER NOT NULL,
    versions INTEGER NOT NULL,
    PRIMARY KEY (organisation, take, counted, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_count_entry (
    organisation BLOB NOT NULL, document BLOB NOT NULL, item BLOB NOT NULL, number INTEGER NOT NULL, id BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (organisation, document, item, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_inventory_count (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, site BLOB NOT NULL, state TEXT NOT NULL,
    began_at INTEGER NOT NULL, epoch INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_inventory_count_age ON stk_inventory_count (organisation, site, began_at, id);

CREATE TABLE stk_open_count (
    organisation BLOB NOT NULL, site BLOB NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, site)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_inventory_count_item (
    organisation BLOB NOT NULL, inventory_count BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL,
    created_at INTEGER NOT NULL, discrepancy INTEGER NOT NULL, significant INTEGER NOT NULL,
    missing_minor INTEGER NOT NULL, excess_minor INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, inventory_count, created_at, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stk_inventory_count_item_id ON stk_inventory_count_item (organisation, inventory_count, id);

CREATE TABLE stk_inventory_count_total (
    organisation BLOB NOT NULL, inventory_count BLOB NOT NULL, part INTEGER NOT NULL, items INTEGER NOT NULL,
    discrepancies INTEGER NOT NULL, missing_high INTEGER NOT NULL, missing_low INTEGER NOT NULL,
    excess_high INTEGER NOT NULL, excess_low INTEGER NOT NULL,
    PRIMARY KEY (organisation, inventory_count, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_inventory_count_entry (
    organisation BLOB NOT NULL, document BLOB NOT NULL, item BLOB NOT NULL, number INTEGER NOT NULL, id BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (organisation, document, item, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_stock_adjustment (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, site BLOB NOT NULL, state TEXT NOT NULL,
    began_at INTEGER NOT NULL, product BLOB NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_stock_adjustment_age ON stk_stock_adjustment (organisation, site, began_at, id);
CREATE INDEX stk_stock_adjustment_product ON stk_stock_adjustment (organisation, site, product, began_at, id);

CREATE TABLE stk_inventory_order (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, site BLOB NOT NULL, state TEXT NOT NULL,
    began_at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_inventory_order_age ON stk_inventory_order (organisation, site, began_at, id);

CREATE TABLE stk_inventory_order_item (
    organisation BLOB NOT NULL, inventory_order BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL,
    line INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, inventory_order, line, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stk_inventory_order_item_id ON stk_inventory_order_item (organisation, inventory_order, id);

CREATE TABLE stk_stock_import (
    organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stk_import_chunk (
    organisation BLOB NOT NULL, stock_import BLOB NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (organisation, stock_import, number)
) STRICT;

CREATE TABLE stk_export (
    organisation BLOB NOT NULL, job BLOB NOT NULL, version INTEGER NOT NULL, expires_at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (organisation, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_export_expiry ON stk_export (organisation, expires_at, job);

CREATE TABLE stk_export_chunk (
    organisation BLOB NOT NULL, job BLOB NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (organisation, job, number)
) STRICT;

-- The highest version that a line of a take had when it was deleted: those that come later begin above it.
CREATE TABLE stk_retired (
    organisation BLOB NOT NULL, take BLOB NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (organisation, take)
) STRICT, WITHOUT ROWID;

-- Without a digest: settled as never applied.
CREATE TABLE stk_command (
    organisation BLOB NOT NULL, id TEXT NOT NULL, digest BLOB, outcome BLOB, at INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_command_at ON stk_command (organisation, at);

CREATE TABLE stk_job (
    organisation BLOB NOT NULL, id BLOB NOT NULL, site BLOB NOT NULL, kind TEXT NOT NULL,
    task BLOB NOT NULL, requested_by BLOB NOT NULL,
    state TEXT NOT NULL, worker TEXT, leased_until INTEGER, due_at INTEGER, attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL, leases INTEGER NOT NULL, run_at INTEGER NOT NULL, progress_done INTEGER NOT NULL,
    progress_total INTEGER NOT NULL, last_error TEXT, created_at INTEGER NOT NULL, finished_at INTEGER,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stk_job_due ON stk_job (due_at, id, organisation, kind) WHERE due_at IS NOT NULL;
CREATE INDEX stk_job_unfinished ON stk_job (organisation, kind) WHERE due_at IS NOT NULL;
CREATE INDEX stk_job_open ON stk_job (organisation, created_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX stk_job_dead ON stk_job (organisation, created_at, id) WHERE state = 'dead';
CREATE INDEX stk_job_ended ON stk_job (organisation, finished_at, id) WHERE finished_at IS NOT NULL;
