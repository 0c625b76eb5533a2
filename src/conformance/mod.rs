//! The suite that every store must pass: the contract of [`store`](crate::store), clause by clause, as cases.
//!
//! A backend says how to make a store ([`Harness`]) and calls [`conformance!`](crate::conformance!), which makes a
//! test of each case. Nothing waives a case: a store keeps the contract or it does not. Only R18 asks nothing of a
//! store that is not durable ([`Harness::crash_image`]).
//!
//! ```
//! use stocktake::conformance::Harness;
//! use stocktake::memory::MemoryStore;
//!
//! struct InMemory;
//!
//! impl Harness for InMemory {
//!     type Store = MemoryStore;
//!
//!     async fn fresh(&self) -> MemoryStore {
//!         MemoryStore::new()
//!     }
//!
//!     async fn second_handle(&self, store: &MemoryStore) -> MemoryStore {
//!         store.clone()
//!     }
//!
//!     async fn crash_image(&self, _: &MemoryStore) -> Option<MemoryStore> {
//!         None // what it holds is gone with its process
//!     }
//! }
//!
//! stocktake::conformance!(InMemory);
//! ```
//!
//! # What a case is
//!
//! Each case begins with an empty store and knows it only by the two traits. It is named after what it shows, and
//! told by the clauses that it holds; when the store breaks one, the [`Failure`] says which, at which step, and what differs. A store
//! that is busy ([`StoreError::is_retryable`](crate::store::StoreError::is_retryable)) is asked again, a hundred
//! times at most.
//!
//! What a case writes never stands alone. The suite first commits decoys: a neighbour's records of every kind under the very
//! ids that the case uses, and in the case's own organisation a second site, whose documents have lines with the ids of
//! the case's lines. A list or a total that is of too much is told wherever it is asked for.
//!
//! # What a backend provides
//!
//! Three stores, by [`Harness`]: an empty one, as an application opens it; another handle of a store, with nothing shared
//! that two processes would not share; and what is found after a crash ([`Harness::crash_image`]), taken while the first
//! store is still open. Most stores are made by a path or a schema of a name of its own, so that cases run side by side.
//!
//! Races are run by real tasks on several threads that begin at one barrier, so many rounds as the variable
//! `STOCKTAKE_RACE_ROUNDS` says, 50 without it. Nothing sleeps and nothing reads a clock. What is random is made
//! from a seed that the failure tells; `STOCKTAKE_SEED` sets it.
//!
//! Four things of storage suites elsewhere have no case here, because this contract has no such notion: kinds or
//! queues that a worker chooses from, payloads of jobs (a job holds ids only), unique jobs other than by id, and
//! levels as of a past position (the ledger is read from the beginning instead).
//!
#![doc = include_str!("cases.md")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "the suite's own small numbers, rows and tables: a slip of its own fails the case"
)]
#![allow(
    clippy::wildcard_imports,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "a case is one story, told in the words of `samples`"
)]

mod atomicity;
mod case;
mod checks;
mod concurrency;
mod decoys;
mod difference;
mod differential;
mod edges;
mod everything;
mod files;
mod filters;
#[cfg(all(test, feature = "codec"))]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panics"
)]
mod frozen;
mod harness;
mod idempotency;
mod leases;
mod ledger;
mod lists;
mod mending;
mod names;
mod purging;
mod questions;
mod queue;
mod queued;
mod races;
mod random_commits;
mod records;
mod sampler;
mod samples;
mod seed;
mod services;
mod shelves;
mod since;
mod sorting;
mod tenancy;
mod values;
mod versions;
mod views;
mod visibility;

use self::case::table;

pub use self::case::{Case, Failure, run};
pub use self::files::check_file_store;
pub use self::harness::Harness;

/// Every case, in the order of their names.
pub fn cases() -> &'static [Case] {
    CASES
}

/// The one list of cases: what is tested, and what [`cases`] gives. Each is told by its clause, its file and its
/// name.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($as:ident $($with:tt)*) => {
        $crate::__conformance_each! { $as ($($with)*)
            "R16 R3" values::c01_insert_get_round_trips_every_field,
            "R4" values::c02_get_missing_is_none,
            "R3 R2" values::c03_insert_duplicate_id_is_duplicate_and_keeps_original,
            "R3" values::c04_delete_needs_version_then_get_is_none,
            "R3" versions::r03_lines_that_come_back_begin_above_those_that_were_deleted,
            "R3" versions::r03_a_line_that_comes_back_beside_its_deletion,
            "R3" versions::r03_an_update_makes_the_version_one_higher_also_when_nothing_differs,
            "R16" values::c05_decimal_and_money_round_trip_exactly,
            "R16" values::c06_timestamp_micros_and_text_round_trip,
            "R16 R7" values::r16_outcomes_entries_and_events_round_trip,
            "R1 R2 R7 R17" atomicity::c07_conflict_on_last_expectation_applies_nothing,
            "R1 R7" atomicity::c08_duplicate_event_late_in_batch_applies_nothing,
            "R2 R8" atomicity::c09_guard_failure_applies_nothing,
            "R4" concurrency::c10_thousand_line_posting_is_seen_whole_or_not,
            "R1 Q1 Q2" atomicity::c11_entity_events_levels_jobs_commit_together,
            "R12 Q1" atomicity::c12_failed_commit_leaves_no_job_and_no_idempotency_record,
            "R2 Q4" atomicity::r02_a_lost_lease_goes_before_conflicts,
            "R15" atomicity::r15_the_largest_change_set_is_accepted,
            "R17" names::r17_unique_names,
            "R9" names::r09_product_ids_stand_in_their_order,
            "R4" names::r04_products_are_found_by_barcode_and_counted_by_category,
            "R3" concurrency::c13_stale_version_is_conflict_and_version_steps_by_one,
            "R3" concurrency::c14_two_counters_same_line_one_wins,
            "R8" services::c15_concurrent_posts_exactly_one_wins,
            "R8" services::c16_post_vs_item_edit_never_edits_after_lock,
            "R3" services::c17_post_vs_sale_keeps_both,
            "R3" concurrency::c18_parallel_deltas_lose_no_increment,
            "R2" services::c19_two_sales_of_last_unit_one_wins,
            "R2" services::c20_must_not_exist_race_one_open_count_per_site,
            "R2" concurrency::r02_one_of_many_inserts_wins,
            "R4" concurrency::r04_opposite_orders_do_not_block,
            "R4" concurrency::c21_load_is_one_snapshot,
            "R4" views::r04_a_view_of_many_lines_answers_each_in_order,
            "R14" visibility::c22_commit_cancel_safety,
            "R5" visibility::c23_read_your_writes_same_and_other_handle,
            "R4" visibility::c24_no_dirty_read_monotonic_reads,
            "R18" visibility::c25_a_crash_keeps_what_was_acknowledged,
            "R8" concurrency::r08_no_guarded_commit_applies_after_its_epoch,
            "R8" concurrency::r08_no_commit_guarded_on_a_site_applies_after_it_changed,
            "R8" concurrency::r08_no_commit_guarded_on_a_count_applies_after_its_epoch,
            "R10" ledger::c26_backdated_event_does_not_reorder_seq,
            "R10" visibility::c27_seq_strictly_increasing_no_late_small_seq,
            "R4 R10" visibility::c28_sum_of_deltas_equals_level_anytime,
            "R10" ledger::r10_positions_are_gap_free_for_each_site,
            "R7" ledger::c29_level_at_seq_matches_replay,
            "R7" ledger::r07_events_of_a_key_stand_by_sequence,
            "R7" ledger::c30_event_immutable_and_id_unique,
            "R7" ledger::c31_removed_is_not_zero,
            "R9 R11" lists::c32_page_walk_complete_disjoint_with_equal_sort_keys,
            "R9" lists::c32_equal_lines_are_walked_once_each,
            "R9" lists::r09_every_list_is_turned_round,
            "R9" lists::c33_page_bounds_and_clamp,
            "R9" lists::c34_cursor_walk_stable_under_insert_and_delete,
            "R9" filters::c35_filters_or_within_and_across_search_literal,
            "R11 R21" lists::c36_totals_match_filtered_items,
            "R9 R6" lists::c42_cursor_of_other_scope_is_invalid,
            "R9" sorting::r09_sorted_by_every_column_with_ties,
            "R9" views::r09_serial_marks_stand_by_number_then_product,
            "R2" views::r02_one_mark_of_a_serial_number,
            "R9" sorting::r09_documents_are_listed_by_age_then_id,
            "R6" tenancy::c37_foreign_get_is_none_same_as_missing,
            "R6 R11" tenancy::c38_foreign_list_and_totals_never_leak,
            "R6 R2" tenancy::c39_foreign_update_delete_is_not_found_no_effect,
            "R6" tenancy::c40_item_under_wrong_parent_is_none,
            "R6 R12 Q10" tenancy::c41_same_id_in_two_orgs_coexist_and_keys_isolated,
            "R12" idempotency::c43_replay_returns_first_result_no_effect,
            "R12" idempotency::c44_same_key_other_payload_is_mismatch,
            "R12 R13" visibility::c45_concurrent_same_key_one_effect,
            "R13" idempotency::c46_resolve_after_unknown_outcome_is_definitive,
            "R12 R20" idempotency::c47_purge_respects_retention,
            "R2" idempotency::c48_error_kinds_exact_and_text_clean,
            "R20" purging::r20_expired_exports_go_with_their_parts,
            "R6" tenancy::r06_organisations_that_have_a_site,
            "R21" values::r21_what_is_kept_beside_follows_from_every_commit,
            "R22" mending::r22_mending_what_is_right_changes_nothing,
            "R22" mending::r22_mending_among_commits_loses_none,
            "R12" idempotency::r12_the_command_is_checked_before_anything_else,
            "R19" since::r19_every_change_after_a_token_is_told,
            "R19" since::r19_what_changed_comes_in_pages,
            "R19 R11" since::r19_a_view_is_the_list_with_its_totals,
            "R19" since::r19_who_asks_again_misses_no_commit,
            "R19" since::r19_an_article_changes_with_its_level_and_its_product,
            "Q1" queue::c49_job_visible_only_after_commit,
            "Q3" leases::c50_claim_is_exclusive_under_contention,
            "Q5" leases::c51_expired_lease_is_reclaimed,
            "Q4" leases::c52_stale_token_cannot_complete_fail_or_extend,
            "Q4" leases::c53_reaper_cannot_overwrite_completed_or_reclaimed,
            "Q3 Q5" leases::c54_extend_keeps_exclusive,
            "Q6" queue::c55_attempt_counted_at_claim_poison_worker_goes_dead,
            "Q9" queue::c56_max_attempts_goes_dead_listed_and_requeued_once,
            "Q7 Q8" queue::c57_backoff_not_before_and_future_job_not_claimed,
            "Q2 R12" queue::c58_complete_is_atomic_with_effects_and_replay_is_noop,
            "Q5 Q7" queue::c59_claim_predicate_each_column,
            "Q4" leases::c60_clock_jumps_forward_and_back_never_break_fencing,
            "Q1 Q2" queue::c61_unique_key_active_states_and_rolled_back_holder,
            "Q8" queue::c62_no_starvation_behind_undecodable_or_long_jobs,
            "Q10 Q9" queue::c63_job_status_is_scoped,
            "Q6" purging::q06_handing_back_costs_no_attempt,
            "Q11" purging::q11_only_the_kinds_that_a_worker_can_do,
            "Q11" queue::q11_open_jobs_are_listed_until_they_end,
            "Q11" queue::q11_jobs_that_are_over_are_listed_as_they_ended,
            "Q12" purging::q12_jobs_that_have_ended_are_purged,
            "R16 Q9" queued::c64_payload_round_trip_and_limits,
            "Q2" queued::q02_enqueue_is_idempotent_by_id,
            "Q9" queue::q09_settling_and_refusing_end_a_job_for_good,
            "R16" differential::r16_random_commands_give_what_the_reference_gives,
        }
    };
}

/// Makes something of each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_each {
    (tests ($harness:expr) $($clause:literal $file:ident::$case:ident,)+) => {$(
        #[test]
        fn $case() {
            $crate::conformance::assert_holds(&$harness, stringify!($case));
        }
    )+};
    (table () $($clause:literal $file:ident::$case:ident,)+) => {
        table! { $($clause $file::$case,)+ }
    };
}

/// Makes a test of each case for a store, given its [`Harness`](crate::conformance::Harness).
///
/// Call it in a module of its own in a test file, with the feature `conformance`; nothing else is needed.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        $crate::__conformance_cases! { tests $harness }
    };
}

static CASES: &[Case] = crate::__conformance_cases! { table };

/// Runs the case of this name on a runtime of its own, and panics when it fails: the body of the tests that
/// [`conformance!`](crate::conformance!) makes.
///
/// # Panics
///
/// When the case fails, with what the store did wrong.
#[doc(hidden)]
#[allow(clippy::panic, reason = "it is the body of a test")]
pub fn assert_holds(harness: &impl Harness, name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    let found = cases().iter().find(|case| case.name() == name);
    match (runtime, found) {
        (Ok(runtime), Some(case)) => {
            if let Err(failure) = runtime.block_on(run(case, harness)) {
                panic!("{failure}");
            }
        }
        (Err(error), _) => panic!("there is no runtime to test in: {error}"),
        (_, None) => panic!("there is no case {name}"),
    }
}
