-- The tables of the opponent: what the library keeps, in one column each.
CREATE TABLE product (organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, article TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL, description TEXT COLLATE "C", barcode TEXT COLLATE "C", brand UUID, brand_name TEXT COLLATE "C", category UUID, category_name TEXT COLLATE "C",
    supplier UUID, unit_cost BIGINT, is_stock BIGINT NOT NULL, PRIMARY KEY (organisation, id));
CREATE UNIQUE INDEX product_article ON product (organisation, article);
CREATE TABLE level (organisation UUID NOT NULL, site UUID NOT NULL, product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL,
    place TEXT COLLATE "C" NOT NULL, batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, quantity BIGINT NOT NULL,
    reserved BIGINT NOT NULL, stocked BIGINT NOT NULL, value BIGINT NOT NULL, sequence BIGINT NOT NULL,
    known_at BIGINT, updated_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, site, product, variant, place, batch, serial));
CREATE TABLE layer (organisation UUID NOT NULL, site UUID NOT NULL, product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL,
    place TEXT COLLATE "C" NOT NULL, batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL, received_at BIGINT NOT NULL,
    number BIGINT NOT NULL, quantity BIGINT NOT NULL, unit_cost BIGINT NOT NULL,
    PRIMARY KEY (organisation, site, product, variant, place, batch, serial, received_at, number))
   ;
CREATE TABLE event (organisation UUID NOT NULL, site UUID NOT NULL, position BIGINT NOT NULL, id UUID NOT NULL,
    product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL, place TEXT COLLATE "C" NOT NULL, batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL, change BIGINT NOT NULL, before BIGINT NOT NULL,
    after BIGINT NOT NULL, unit_cost BIGINT NOT NULL, value_change BIGINT NOT NULL, occurred_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL, recorded_by UUID NOT NULL, document UUID, item UUID, round BIGINT,
    PRIMARY KEY (organisation, site, position));
CREATE UNIQUE INDEX event_id ON event (organisation, id);
CREATE UNIQUE INDEX event_key ON event (organisation, site, product, variant, place, batch, serial, sequence);
CREATE TABLE ledger (organisation UUID NOT NULL, site UUID NOT NULL, last BIGINT NOT NULL,
    PRIMARY KEY (organisation, site));
CREATE TABLE take (organisation UUID NOT NULL, id UUID NOT NULL, version BIGINT NOT NULL, site UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL, description TEXT COLLATE "C" NOT NULL, last_line BIGINT NOT NULL, created_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, id));
CREATE TABLE item (organisation UUID NOT NULL, take UUID NOT NULL, line BIGINT NOT NULL, id UUID NOT NULL,
    version BIGINT NOT NULL, site UUID NOT NULL, product UUID NOT NULL, variant TEXT COLLATE "C" NOT NULL, place TEXT COLLATE "C" NOT NULL,
    batch TEXT COLLATE "C" NOT NULL, serial TEXT COLLATE "C" NOT NULL, article TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, description TEXT COLLATE "C",
    barcode TEXT COLLATE "C", brand UUID, brand_name TEXT COLLATE "C", category UUID, category_name TEXT COLLATE "C", supplier UUID, unit_cost BIGINT,
    counted BIGINT, expected BIGINT, sequence BIGINT, counted_at BIGINT, counted_by UUID,
    adjustment_minor BIGINT NOT NULL, posted BIGINT, event UUID, updated_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, take, line, id));
CREATE UNIQUE INDEX item_id ON item (organisation, take, id);
CREATE TABLE total (organisation UUID NOT NULL, take UUID NOT NULL, counted BIGINT NOT NULL, part BIGINT NOT NULL,
    items BIGINT NOT NULL,
    adjustment_minor BIGINT NOT NULL, PRIMARY KEY (organisation, take, counted, part));
CREATE TABLE entry (organisation UUID NOT NULL, take UUID NOT NULL, item UUID NOT NULL, number BIGINT NOT NULL,
    id UUID NOT NULL, entered BIGINT NOT NULL, counted BIGINT, book BIGINT NOT NULL, at BIGINT NOT NULL,
    by UUID NOT NULL, device TEXT COLLATE "C", PRIMARY KEY (organisation, take, item, number));
CREATE TABLE command (organisation UUID NOT NULL, id TEXT COLLATE "C" NOT NULL, digest UUID NOT NULL, outcome TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL, PRIMARY KEY (organisation, id));
CREATE INDEX command_at ON command (organisation, at);
