//! The behaviour of an HTTP layer, run over a real socket, so that two frameworks' adapters cannot drift apart.
//!
//! # Implementing
//! From your adapter's `tests/`, call [`crate::http_layer_cases`] with a function that starts your server on `127.0.0.1:0`
//! with the given [`Setup`] and returns its address. The server must speak plain HTTP/1.1, know the peer's address, and serve:
//!
//! | route | what stands before it | answer |
//! |---|---|---|
//! | any method `/echo` and everything below it | the layer | see below |
//! | any method `/nested/echo` | the layer, *inside* of a router nested (or scope mounted) at `/nested` | the same |
//! | any method `/only` | the layer, then the restriction to [`Setup::only`] | the same |
//! | POST `/text`, `/json`, `/form` | the layer | 200 with the length of what the framework's own extractor of a text, a JSON string or the first field of a form gave, and [`echo_headers`] |
//! | GET `/forgotten` | nothing, but the handler extracts who signed | never 200 |
//! | GET `/only-forgotten` | the restriction without the layer | never 200 |
//!
//! The answer is 200 with the request's body, and [`echo_headers`] of what the extractor gave.

mod cases;
mod expect;
mod raw;
mod setup;
mod world;

use std::net::SocketAddr;

pub use crate::http_layer::setup::{Setup, echo_headers};
use crate::http_layer::world::World;

/// The names of all cases.
pub fn names() -> Vec<&'static str> {
    cases::names()
}

/// Runs one case against the servers that `serve` starts: a plain one, one that trusts a proxy on this machine, one that
/// does not wait for bodies, and one that takes large ones.
///
/// # Panics
/// When the case fails; the text names every request that did.
pub async fn check<F, S>(serve: S, name: &str)
where
    S: Fn(Setup) -> F,
    F: Future<Output = SocketAddr>,
{
    let mut world = World::new();
    world.direct = serve(world.setup()).await;
    world.proxied = serve(world.setup_behind_proxy()).await;
    world.impatient = serve(world.setup_impatient()).await;
    world.roomy = serve(world.setup_roomy()).await;
    let failures = cases::run(&world, name).await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Makes a test of each case. The expression starts a server: `http_layer_cases!(axum, serve);`.
#[macro_export]
macro_rules! http_layer_cases {
    ($implementation:ident, $serve:expr) => {
        $crate::http_layer_cases! {
            $implementation, $serve,
            heads_are_refused_in_order,
            credentials_are_refused_in_order,
            bad_signatures_are_refused,
            ambiguous_requests_are_refused,
            bodies_that_are_too_large_are_refused,
            every_method_is_accepted,
            every_body_is_restored,
            extractors_take_what_the_layer_lets_in,
            a_nested_route_verifies_the_whole_path,
            what_the_client_encoded_stays_encoded,
            a_timestamp_at_the_edge_is_accepted,
            a_nonce_is_accepted_once,
            repeated_headers_are_refused,
            unreadable_headers_are_refused,
            a_connection_carries_several_requests,
            a_slow_body_is_given_up,
            a_client_that_leaves_harms_nobody,
            an_upgrade_is_answered_at_once,
            a_target_that_is_no_ascii_is_refused,
            a_restricted_route_knows_its_clients,
            a_forgotten_layer_is_no_open_door,
            an_allow_list_sees_the_connection,
            a_trusted_proxy_is_believed_from_the_right,
            a_store_that_is_away_accepts_nobody,
            a_forged_request_costs_no_round_trip,
            the_hook_is_told_of_bad_signatures_only,
            rotation_refuses_nobody,
        }
    };
    ($implementation:ident, $serve:expr, $($case:ident,)*) => {
        mod $implementation {
            use super::*;

            #[test]
            fn every_case_has_a_test() {
                assert_eq!($crate::http_layer::names(), [$(stringify!($case)),*]);
            }

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::http_layer::check($serve, stringify!($case)).await;
                }
            )*
        }
    };
}
