//! What the library does, operation by operation.
//!
//! Documentation, messages of tests and the README name operations by these numbers. Five documents that people
//! in the field work by are behind them: stock takes (S1), inventory counts and adjustments (S2), inventory orders (S3),
//! stocktake lists (S4) and stock import (S5). S6 is what stands under them or goes beyond. "Not yet" marks what is planned and not
//! there.
//!
//! # S1: stock takes
//!
//! A take is a document of one site with a line for each of its stock keys. People count lines; posting brings the book to what was
//! counted.
//!
//! | id | operation | where |
//! | --- | --- | --- |
//! | S1.1 | The takes of a site, in pages that hold while takes are added | [`StockTakes::list`](crate::service::StockTakes::list) |
//! | S1.2 | Begin a take: a queued job adds a line for every stocked key, and what is there already can be counted meanwhile | [`StockTakes::create`](crate::service::StockTakes::create) |
//! | S1.3 | A take with its totals | [`StockTakes::get`](crate::service::StockTakes::get) |
//! | S1.4 | Change the description, until posting begins | [`StockTakes::update`](crate::service::StockTakes::update), [`amend`](crate::service::StockTakes::amend) |
//! | S1.5 | Remove a take, unless it is posting; the ledger stays as it is | [`StockTakes::remove`](crate::service::StockTakes::remove) |
//! | S1.6 | Post by a queued job: the take is closed for counting at once, progress can be read | [`StockTakes::post`](crate::service::StockTakes::post) |
//! | S1.7 | Post before the call returns | [`StockTakes::submit`](crate::service::StockTakes::submit) |
//! | S1.8 | The lines of a take, by brand, category, supplier, text, and whether they are counted | [`StockTakes::items`](crate::service::StockTakes::items) |
//! | S1.9 | The same with the totals of what is listed | [`StockTakes::view`](crate::service::StockTakes::view), [`totals`](crate::service::StockTakes::totals) |
//! | S1.10 | Count a line, or un-count it, until posting begins | [`StockTakes::count`](crate::service::StockTakes::count), [`count_lines`](crate::service::StockTakes::count_lines) |
//! | S1.11 | Delete a line, until posting begins | [`StockTakes::delete_item`](crate::service::StockTakes::delete_item) |
//! | S1.12 | The lines as a file, CSV or XLSX, by a queued job; asked again, it is the same job while no line has changed | [`Exports::stock_take`](crate::service::Exports::stock_take) |
//!
//! # S2: inventory counts and stock adjustments
//!
//! A count is a site's one running count: whoever counts names what was found, and each line is compared with the book. An
//! adjustment is a single correction with its reason; large ones wait for somebody who approves.
//!
//! | id | operation | where |
//! | --- | --- | --- |
//! | S2.1 | The counts of a site, and one of them, with what is missing and what is in excess | [`InventoryCounts::list`](crate::service::InventoryCounts::list), [`get`](crate::service::InventoryCounts::get) |
//! | S2.2 | Start a count; a site has one at a time | [`InventoryCounts::start`](crate::service::InventoryCounts::start) |
//! | S2.3 | Count an item: the difference and its value are told, a significant one is flagged, and counting it again keeps the history | [`InventoryCounts::count`](crate::service::InventoryCounts::count) |
//! | S2.4 | The items of a count: all, those that differ, those that are flagged | [`InventoryCounts::items`](crate::service::InventoryCounts::items) |
//! | S2.5 | Complete a count, with or without bringing the book to what was counted | [`InventoryCounts::complete`](crate::service::InventoryCounts::complete), [`queue_completion`](crate::service::InventoryCounts::queue_completion) |
//! | S2.6 | Cancel a count: nothing is posted | [`InventoryCounts::cancel`](crate::service::InventoryCounts::cancel) |
//! | S2.7 | What the counts of a span of time came to, and how accurate they were | [`InventoryCounts::summary`](crate::service::InventoryCounts::summary) |
//! | S2.8 | Adjustments of a site, of a product, and those that wait for approval | [`StockAdjustments::list`](crate::service::StockAdjustments::list), [`of_product`](crate::service::StockAdjustments::of_product), [`pending`](crate::service::StockAdjustments::pending) |
//! | S2.9 | Adjust stock; by quantity, value or type it is applied at once or waits | [`StockAdjustments::create`](crate::service::StockAdjustments::create), [`ApprovalPolicy`](crate::domain::ApprovalPolicy) |
//! | S2.10 | Approve or reject what waits, once, and never one's own | [`StockAdjustments::approve`](crate::service::StockAdjustments::approve), [`reject`](crate::service::StockAdjustments::reject) |
//!
//! # S3: inventory orders
//!
//! | id | operation | where |
//! | --- | --- | --- |
//! | S3.1 | The orders of a site, searched by their number | [`InventoryOrders::list`](crate::service::InventoryOrders::list) |
//! | S3.2 | Create an order to a supplier | [`InventoryOrders::create`](crate::service::InventoryOrders::create) |
//! | S3.3 | Read, change, remove an order; one that anything arrived of stays | [`InventoryOrders::get`](crate::service::InventoryOrders::get), [`update`](crate::service::InventoryOrders::update), [`amend`](crate::service::InventoryOrders::amend), [`remove`](crate::service::InventoryOrders::remove) |
//! | S3.4 | Its lines: list, add, change, delete; the subtotal is always theirs | [`InventoryOrders::items`](crate::service::InventoryOrders::items), [`add_item`](crate::service::InventoryOrders::add_item), [`update_item`](crate::service::InventoryOrders::update_item), [`delete_item`](crate::service::InventoryOrders::delete_item) |
//! | S3.5 | Submit it, also again: a queued job sends it to the supplier | [`InventoryOrders::submit`](crate::service::InventoryOrders::submit) |
//! | S3.6 | Receive it, whole or in parts, and close what never comes | [`InventoryOrders::receive`](crate::service::InventoryOrders::receive), [`close_short`](crate::service::InventoryOrders::close_short) |
//! | S3.7 | Its lines as a file, by a queued job | [`Exports::inventory_order`](crate::service::Exports::inventory_order) |
//!
//! # S4: stocktake lists
//!
//! The same takes in the words of another document: a list is put together first, then started, counted by article and finished.
//!
//! | id | operation | where |
//! | --- | --- | --- |
//! | S4.1 | Lists by state, one list, and a finished one with the value of its stock at standard cost, by FIFO and by account | [`StockTakes::list`](crate::service::StockTakes::list), [`get`](crate::service::StockTakes::get) |
//! | S4.2 | Create a list; an annual one gets every stocked article | [`StockTakes::create_list`](crate::service::StockTakes::create_list) |
//! | S4.3 | Copy a list, also a finished one: the same articles, nothing counted | [`StockTakes::copy`](crate::service::StockTakes::copy) |
//! | S4.4 | Change a list, and remove it | [`StockTakes::update`](crate::service::StockTakes::update), [`remove`](crate::service::StockTakes::remove) |
//! | S4.5 | Add and remove articles, stock places, or all, before it is started | [`StockTakes::add_articles`](crate::service::StockTakes::add_articles), [`add_stock_place`](crate::service::StockTakes::add_stock_place), [`add_all_articles`](crate::service::StockTakes::add_all_articles), [`remove_article`](crate::service::StockTakes::remove_article), [`remove_stock_place`](crate::service::StockTakes::remove_stock_place) |
//! | S4.6 | Start a list that has a line | [`StockTakes::start`](crate::service::StockTakes::start) |
//! | S4.7 | Count an article by what can be read off it: set a quantity, or add to it | [`StockTakes::inventory`](crate::service::StockTakes::inventory) |
//! | S4.8 | Finish: what nobody counted is left alone, or counted as zero | [`StockTakes::submit`](crate::service::StockTakes::submit), [`PostingOptions`](crate::domain::PostingOptions) |
//! | S4.9 | Reopen a finished take: new events take its posting back, what was counted stays | [`StockTakes::reopen`](crate::service::StockTakes::reopen) |
//! | S4.10 | The articles of a take, sorted by any column of the document, and what changed since | [`StockTakes::items`](crate::service::StockTakes::items), [`view`](crate::service::StockTakes::view), [`article`](crate::service::StockTakes::article) |
//! | S4.11 | What the site stocks, and whether it is in the take | [`StockTakes::search_articles`](crate::service::StockTakes::search_articles) |
//! | S4.12 | Print the count sheet, or the receipt of a finished take; what is large is mailed (feature `pdf`) | [`service`](crate::service) |
//! | S4.13 | The numeric error codes of the document | the example `server` |
//! | S4.14 | 200 requests a minute and store | the example `server` |
//! | S4.15 | JSON and XML | the example `server` |
//!
//! # S5: stock import
//!
//! | id | operation | where |
//! | --- | --- | --- |
//! | S5.1 | Import absolute quantities by location, article and variant | [`StockImports::begin`](crate::service::StockImports::begin), [`ImportMode::Absolute`](crate::domain::ImportMode::Absolute) |
//! | S5.2 | Import changes | [`ImportMode::Adjustment`](crate::domain::ImportMode::Adjustment) |
//! | S5.3 | Delist keys: no level, in no take, and not the same as zero | [`ImportMode::Remove`](crate::domain::ImportMode::Remove) |
//! | S5.4 | Unknown articles are made or refused, as the caller says; an unknown location refuses all | [`StockImports::begin`](crate::service::StockImports::begin) |
//! | S5.5 | How many values there were, at once; a queued job applies them | [`StockImports::get`](crate::service::StockImports::get) |
//! | S5.6 | Every mistake of a body by its path in it | [`documents`](crate::documents) |
//!
//! # S6: under the documents, and beyond
//!
//! | id | what | where |
//! | --- | --- | --- |
//! | S6.1 | What else moves stock: receipts, issues, transfers, returns, reversals, one or many at once | [`Stock::record`](crate::service::Stock::record), [`Movement`](crate::service::Movement) |
//! | S6.2 | What moves while it is counted is not overwritten | [`MovementPolicy`](crate::domain::MovementPolicy) |
//! | S6.3 | The same key with the same request gives the first result; absolute values may say what they replace | [`Caller::with_key`](crate::service::Caller::with_key) |
//! | S6.4 | Posting in parts that a crash does not break, up to millions of lines | [`Worker`](crate::jobs::Worker) |
//! | S6.5 | What a posting, a receipt or an import would do, before it does | not yet |
//! | S6.6 | Tolerances and approval for counted lines | not yet; a manager's completion approves |
//! | S6.7 | Counting in teams: blind counts, rounds, devices that were away | in part: every act of counting is kept, a count may state when it was made ([`CountRequest`](crate::service::CountRequest)), sheets are blind |
//! | S6.8 | A key is in one running count at a time | not yet |
//! | S6.9 | Taking back what was posted, quantity and value | takes ([`reopen`](crate::service::StockTakes::reopen)) and movements ([`Movement::Reversal`](crate::service::Movement::Reversal)); the other documents not yet |
//! | S6.10 | Every level and value is proved from the ledger, and mended | [`Stock::verify`](crate::service::Stock::verify), [`Stock::rebuild`](crate::service::Stock::rebuild); as of a time not yet |
//! | S6.11 | The ledger of a site in one order without gaps, from a position on | [`Stock::ledger`](crate::service::Stock::ledger), [`Stock::ledger_back`](crate::service::Stock::ledger_back) |
//! | S6.12 | Which keys are due to be counted, and how accurate counts are | not yet, but for the summary of counts |
//! | S6.13 | Counts, levels and order lines from spreadsheets | not yet |
//! | S6.14 | A store of one's own | [`store`](crate::store), the feature `conformance` |
//! | S6.15 | A new cost without a movement | [`Movement::Revalue`](crate::service::Movement::Revalue) |
//! | S6.16 | What a scanned text means | in part: article ids and barcodes ([`ArticleName`](crate::service::ArticleName)) |
//! | S6.17 | Counting and receiving in packs | not yet |
//! | S6.18 | Stock between sites, with what is on its way | not yet |
//! | S6.19 | When batches expire | not yet |
//! | S6.20 | Lines for the host's books | not yet |
//! | S6.21 | A command in the host's own transaction | in part: a change set (`sqlite::commit_in`, `PostgresStore::commit_in`) |
//! | S6.22 | What people wait for, as a feed | not yet |
