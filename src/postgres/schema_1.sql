-- Quantities and costs are whole millionths, times are microseconds since 1970 (UTC), flags are 0 or 1. Texts are
-- ordered by their bytes. A part of a key that a stock key does not have is an empty text. What is BYTEA is a record,
-- as MessagePack. Every key and index begins with the organisation, so that tables can be spread by it; only the index by which
-- jobs are leased goes across. `changed` is the id of the transaction that wrote the row last, as all 64 bits of it.
--
-- What PostgreSQL knows nothing of seems small to it, and one index as good as another that begins with the organisation:
-- it would look for an event by its id among all of them. So an index is there only for who gives a value of what it is for
-- (IS NOT NULL follows from any value), and where two are left, the one that was made later, which it takes, is that by which
-- a row is found, not that by which rows are listed.
--
-- Levels and lines are written again and again: where their pages have room for that, the indexes of levels need not be, and
-- lines stay where they are. Which transaction has changed a line last is in an index, so the indexes of lines are.

CREATE TABLE stk_site (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);

-- What articles are sorted by and looked for in is folded. A query that means one of the orders says that it is there.
CREATE TABLE stk_product (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, article_order TEXT COLLATE "C" NOT NULL,
    name_order TEXT COLLATE "C" NOT NULL, search TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL, changed BIGINT NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE UNIQUE INDEX stk_product_article_order ON stk_product (organisation, article_order, id) WHERE article_order IS NOT NULL;
CREATE UNIQUE INDEX stk_product_name_order ON stk_product (organisation, name_order, id) WHERE name_order IS NOT NULL;

CREATE TABLE stk_supplier (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);

-- External ids of sites (kind 0) and article ids of products (kind 1). Those of one likeness differ by case or width only.
CREATE TABLE stk_catalogue_name (
    organisation UUID NOT NULL, kind BIGINT NOT NULL, name TEXT COLLATE "C" NOT NULL, holder UUID NOT NULL,
    likeness TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organisation, kind, name)
);
CREATE INDEX stk_catalogue_name_likeness ON stk_catalogue_name (organisation, kind, likeness, name)
    WHERE likeness IS NOT NULL;
CREATE UNIQUE INDEX stk_catalogue_name_holder ON stk_catalogue_name (organisation, kind, holder)
    WHERE holder IS NOT NULL;

-- Barcodes (kind 0) and categories (kind 1) of products.
CREATE TABLE stk_product_code (
    organisation UUID NOT NULL, kind BIGINT NOT NULL, value TEXT COLLATE "C" NOT NULL, product UUID NOT NULL,
    PRIMARY KEY (organisation, kind, value, product)
);
CREATE INDEX stk_product_code_product ON stk_product_code (organisation, product) WHERE product IS NOT NULL;

CREATE TABLE stk_stock_level (
    organisation UUID NOT NULL, site UUID NOT NULL, product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL,
    place TEXT COLLATE "C" NOT NULL, batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, quantity BIGINT NOT NULL, reserved BIGINT NOT NULL, stocked BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, body BYTEA NOT NULL, changed BIGINT NOT NULL,
    PRIMARY KEY (organisation, site, product, variant, place, batch, serial)
) WITH (fillfactor = 50);

-- Where a serial number is on hand: of a product (of_product 1), or of all products (0, under no product).
CREATE TABLE stk_serial_mark (
    organisation UUID NOT NULL, serial TEXT COLLATE "C" NOT NULL, of_product BIGINT NOT NULL, product UUID NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, serial, of_product, product)
);

CREATE TABLE stk_stock_event (
    organisation UUID NOT NULL, site UUID NOT NULL, product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL,
    place TEXT COLLATE "C" NOT NULL, batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL, id UUID NOT NULL, sequence BIGINT NOT NULL, change BIGINT NOT NULL,
    on_hand BIGINT NOT NULL, recorded_at BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, site, position)
);
CREATE UNIQUE INDEX stk_stock_event_id ON stk_stock_event (organisation, id) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX stk_stock_event_key
    ON stk_stock_event (organisation, site, product, variant, place, batch, serial, sequence) WHERE product IS NOT NULL;

-- The last position of each site's ledger.
CREATE TABLE stk_ledger (
    organisation UUID NOT NULL, site UUID NOT NULL, last BIGINT NOT NULL,
    PRIMARY KEY (organisation, site)
);

CREATE TABLE stk_stock_take (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, site UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL, began_at BIGINT NOT NULL, epoch BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX stk_stock_take_age ON stk_stock_take (organisation, site, began_at, id) WHERE site IS NOT NULL;

-- What lines show of their products, under an id that follows from what it says.
CREATE TABLE stk_product_snapshot (
    organisation UUID NOT NULL, product UUID NOT NULL, id UUID NOT NULL, article_order TEXT COLLATE "C" NOT NULL,
    search TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (organisation, product, id)
);

CREATE TABLE stk_stock_take_item (
    organisation UUID NOT NULL, take UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, line BIGINT NOT NULL,
    site UUID NOT NULL, product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL, place TEXT COLLATE "C" NOT NULL,
    batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL,
    article_order TEXT COLLATE "C" NOT NULL, name_order TEXT COLLATE "C" NOT NULL, place_order TEXT COLLATE "C" NOT NULL,
    snapshot UUID NOT NULL, brand UUID, category UUID, counted BIGINT, adjustment_minor BIGINT NOT NULL,
    left_over BIGINT NOT NULL, updated_at BIGINT NOT NULL, body BYTEA NOT NULL, changed BIGINT NOT NULL,
    PRIMARY KEY (organisation, take, line, id)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX stk_stock_take_item_id ON stk_stock_take_item (organisation, take, id);
CREATE INDEX stk_stock_take_item_changed ON stk_stock_take_item (organisation, take, changed, line, id)
    WHERE changed IS NOT NULL;
CREATE INDEX stk_stock_take_item_left_over ON stk_stock_take_item (organisation, take, line, id) WHERE left_over = 1;
CREATE INDEX stk_stock_take_item_counted ON stk_stock_take_item (organisation, take, line, id) WHERE counted IS NOT NULL;
CREATE INDEX stk_stock_take_item_uncounted ON stk_stock_take_item (organisation, take, line, id) WHERE counted IS NULL;
CREATE INDEX stk_stock_take_item_article_order ON stk_stock_take_item (organisation, take, article_order, line, id)
    WHERE article_order IS NOT NULL;
CREATE INDEX stk_stock_take_item_name_order ON stk_stock_take_item (organisation, take, name_order, line, id)
    WHERE name_order IS NOT NULL;
CREATE INDEX stk_stock_take_item_place_order
    ON stk_stock_take_item (organisation, take, place_order, article_order, line, id) WHERE place_order IS NOT NULL;
CREATE INDEX stk_stock_take_item_batch ON stk_stock_take_item (organisation, take, batch, line, id) WHERE batch <> '';
CREATE INDEX stk_stock_take_item_serial ON stk_stock_take_item (organisation, take, serial, line, id) WHERE serial <> '';

CREATE TABLE stk_stock_take_total (
    organisation UUID NOT NULL, take UUID NOT NULL, counted BIGINT NOT NULL, part BIGINT NOT NULL,
    items BIGINT NOT NULL, adjustment_high BIGINT NOT NULL, adjustment_low BIGINT NOT NULL, versions BIGINT NOT NULL,
    PRIMARY KEY (organisation, take, counted, part)
);

CREATE TABLE stk_count_entry (
    organisation UUID NOT NULL, document UUID NOT NULL, item UUID NOT NULL, number BIGINT NOT NULL, id UUID NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (organisation, document, item, number)
);

CREATE TABLE stk_inventory_count (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, site UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL, began_at BIGINT NOT NULL, epoch BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX stk_inventory_count_age ON stk_inventory_count (organisation, site, began_at, id) WHERE site IS NOT NULL;

CREATE TABLE stk_open_count (
    organisation UUID NOT NULL, site UUID NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, site)
);

CREATE TABLE stk_inventory_count_item (
    organisation UUID NOT NULL, inventory_count UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL,
    created_at BIGINT NOT NULL, discrepancy BIGINT NOT NULL, significant BIGINT NOT NULL, missing_minor BIGINT NOT NULL,
    excess_minor BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, inventory_count, created_at, id)
);
CREATE UNIQUE INDEX stk_inventory_count_item_id ON stk_inventory_count_item (organisation, inventory_count, id);

CREATE TABLE stk_inventory_count_total (
    organisation UUID NOT NULL, inventory_count UUID NOT NULL, part BIGINT NOT NULL, items BIGINT NOT NULL,
    discrepancies BIGINT NOT NULL, missing_high BIGINT NOT NULL, missing_low BIGINT NOT NULL,
    excess_high BIGINT NOT NULL, excess_low BIGINT NOT NULL,
    PRIMARY KEY (organisation, inventory_count, part)
);

CREATE TABLE stk_inventory_count_entry (
    organisation UUID NOT NULL, document UUID NOT NULL, item UUID NOT NULL, number BIGINT NOT NULL, id UUID NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (organisation, document, item, number)
);

CREATE TABLE stk_stock_adjustment (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, site UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL, began_at BIGINT NOT NULL, product UUID NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX stk_stock_adjustment_age ON stk_stock_adjustment (organisation, site, began_at, id) WHERE site IS NOT NULL;
CREATE INDEX stk_stock_adjustment_product ON stk_stock_adjustment (organisation, site, product, began_at, id)
    WHERE product IS NOT NULL;

CREATE TABLE stk_inventory_order (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, site UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL, began_at BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX stk_inventory_order_age ON stk_inventory_order (organisation, site, began_at, id) WHERE site IS NOT NULL;

CREATE TABLE stk_inventory_order_item (
    organisation UUID NOT NULL, inventory_order UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL,
    line BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, inventory_order, line, id)
);
CREATE UNIQUE INDEX stk_inventory_order_item_id ON stk_inventory_order_item (organisation, inventory_order, id);

CREATE TABLE stk_stock_import (
    organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, id)
);

CREATE TABLE stk_import_chunk (
    organisation UUID NOT NULL, stock_import UUID NOT NULL, number BIGINT NOT NULL, version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (organisation, stock_import, number)
);

CREATE TABLE stk_export (
    organisation UUID NOT NULL, job UUID NOT NULL, version BIGINT NOT NULL, expires_at BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, job)
);
CREATE INDEX stk_export_expiry ON stk_export (organisation, expires_at, job);

CREATE TABLE stk_export_chunk (
    organisation UUID NOT NULL, job UUID NOT NULL, number BIGINT NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (organisation, job, number)
);

-- The highest version that a line of a take had when it was deleted: those that come later begin above it.
CREATE TABLE stk_retired (
    organisation UUID NOT NULL, take UUID NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (organisation, take)
);

-- Without a digest: settled as never applied.
CREATE TABLE stk_command (
    organisation UUID NOT NULL, id TEXT COLLATE "C" NOT NULL, digest UUID, outcome BYTEA, at BIGINT NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX stk_command_at ON stk_command (organisation, at) WHERE at IS NOT NULL;

CREATE TABLE stk_job (
    organisation UUID NOT NULL, id UUID NOT NULL, site UUID NOT NULL, kind TEXT COLLATE "C" NOT NULL,
    task BYTEA NOT NULL, requested_by BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL, worker TEXT, leased_until BIGINT, due_at BIGINT,
    attempts BIGINT NOT NULL, max_attempts BIGINT NOT NULL, leases BIGINT NOT NULL, run_at BIGINT NOT NULL,
    progress_done BIGINT NOT NULL, progress_total BIGINT NOT NULL, last_error TEXT, created_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX stk_job_due ON stk_job (due_at, id, organisation, kind) WHERE due_at IS NOT NULL;
CREATE INDEX stk_job_unfinished ON stk_job (organisation, kind) WHERE due_at IS NOT NULL;
CREATE INDEX stk_job_open ON stk_job (organisation, created_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX stk_job_dead ON stk_job (organisation, created_at, id) WHERE state = 'dead';
CREATE INDEX stk_job_ended ON stk_job (organisation, finished_at, id) WHERE finished_at IS NOT NULL;

-- What commits hold where there are no advisory locks: to share a document is to hold one of its parts, to change it
-- is to hold them all.
CREATE TABLE stk_hold (
    organisation UUID NOT NULL, id UUID NOT NULL, part BIGINT NOT NULL,
    PRIMARY KEY (organisation, id, part)
);
