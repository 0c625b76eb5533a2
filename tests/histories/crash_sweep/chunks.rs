//! Takes of more lines than one commit takes.

use stocktake::domain::PostingOptions;

use super::shops::{THREE_CHUNKS, TWO_CHUNKS, large, large_counted, large_submitted};
use super::sweep::{Commanded, Sweep};
use super::takes::{create_and_work, post_and_work, reopen, submit};

#[test]
fn submitting_in_chunks_survives_a_crash_at_every_call() {
    let prepare = || large_counted(THREE_CHUNKS);
    let command: Commanded = |world| submit(world, PostingOptions::default());
    Sweep::of("submit in chunks", prepare, command).long().run();
}

#[test]
fn posting_in_chunks_survives_a_crash_at_every_call() {
    let prepare = || large_counted(TWO_CHUNKS);
    Sweep::of("post in chunks", prepare, post_and_work)
        .long()
        .run();
}

#[test]
fn populating_in_chunks_survives_a_crash_at_every_call() {
    let prepare = || large(TWO_CHUNKS);
    Sweep::of("populate in chunks", prepare, create_and_work)
        .long()
        .run();
}

#[test]
fn reopening_in_chunks_survives_a_crash_at_every_call() {
    let prepare = || large_submitted(TWO_CHUNKS);
    Sweep::of("reopen in chunks", prepare, reopen).long().run();
}
