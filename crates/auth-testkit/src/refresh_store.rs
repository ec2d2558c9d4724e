//! What every `accounts::RefreshStore` must do; [`crate::refresh_store_cases`] makes a test of each case.

mod beginning;
mod races;
mod recording;
mod revocation;
mod rotation;
mod world;

pub use beginning::*;
pub use races::*;
pub use recording::*;
pub use revocation::*;
pub use rotation::*;

/// Makes a test of each case. The expression makes [`crate::replicas::Replicas`] without accounts and families:
/// `refresh_store_cases!(memory, Replicas::of_clones(MemoryAccounts::new()));`.
#[macro_export]
macro_rules! refresh_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, refresh_store {
                a_family_begins_once,
                nobody_begins_without_an_account,
                a_sign_in_that_races_a_change_begins_nothing,
                an_id_is_one_familys,
                what_is_begun_is_found,
                a_token_is_followed_by_its_successor,
                an_unknown_token_is_not_found,
                within_the_grace_the_same_successor_is_handed_out,
                who_names_the_same_successor_again_gets_it,
                the_grace_outlives_the_idle_time,
                the_loser_gets_the_successor_only_while_it_is_unused,
                a_replay_after_the_grace_kills_the_family,
                a_grace_of_zero_has_one_winner,
                an_idle_token_expires,
                a_family_ends_however_much_it_is_used,
                a_disabled_subject_is_refused,
                a_clock_that_was_set_back_signs_nobody_out,
                a_successor_that_is_taken_changes_nothing,
                what_is_seen_is_kept,
                a_successor_is_recorded_in_a_second_call,
                a_successor_that_was_named_is_known,
                a_late_record_wakes_no_dead_family,
                nothing_is_recorded_beside_a_chain,
                one_family_is_revoked,
                all_families_of_a_subject_are_revoked,
                all_families_but_one_are_revoked,
                sessions_are_told,
                one_session_more_ends_the_oldest,
                what_has_ended_is_swept,
                a_family_of_many_tokens_is_swept_in_pieces,
                used_tokens_that_expired_are_swept,
                fifty_at_once_get_one_successor,
                fifty_at_once_without_grace_kill_the_family,
                many_who_begin_one_family_begin_it_once,
                what_was_revoked_rotates_no_more,
                many_sessions_at_once_do_not_touch_each_other,
            }
        }
    };
}
