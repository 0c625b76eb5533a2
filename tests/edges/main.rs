//! Inputs at the edges, one small case for each kind of fault that people's reports and attacks have found in libraries
//! of this field. A test is named after its kind (a letter) and its case (a number).

#[path = "../certain/mod.rs"]
mod certain;
#[path = "../stores/mod.rs"]
mod stores;

mod shops;

mod a_sum_of_values;
mod a_taking_back;
mod b_named_events;
mod c_movement_policies;
mod counted;
mod d_bounds;
mod d_corners;
mod e_conflicts;
mod f_changed_since;
mod g_clocks;
mod h_controls;
mod i_catalogue;
mod j_names;
mod jobs_and_files;
mod k_unknown_cost;
mod l_first_results;
mod l_shown;
mod m_rebuild;
mod m_verify;
mod n_limits;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod o_damaged;
mod o_errors;
mod p_opening;
mod room;
