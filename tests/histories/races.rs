//! What happens at once: two or more callers on the same things, in every order of their storage calls and
//! as real tasks on several threads.
//!
//! A [`Race`](race::Race) is run twice over. `Race::explore` drives its callers on one thread, one storage call at a
//! time, through every schedule with a bounded number of preemptions. `Race::parallel` lets them go at a
//! barrier on a runtime of several threads, `STOCKTAKE_RACE_ROUNDS` times.

mod callers;
mod counting;
mod crowds;
mod left_over;
mod making;
mod postings;
mod race;
mod serials;
mod stock;
mod world;
