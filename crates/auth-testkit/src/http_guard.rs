//! The behaviour of routes that tokens protect, run over a real socket, so that two frameworks' adapters cannot drift apart.
//!
//! # Implementing
//! From your adapter's `tests/`, call [`crate::http_guard_cases`] with a function that starts your server on `127.0.0.1:0`
//! with the given [`Guards`] and returns its address. The server must speak plain HTTP/1.1, and serve:
//!
//! | route | what stands before it | answer |
//! |---|---|---|
//! | any method `/internal` | the layer of [`Guards::internal`] | 200 with the subject |
//! | any method `/nested/internal` | the same, *inside* of a router nested (or scope mounted) at `/nested` | the same |
//! | any method `/access`, `/nested/access` | the layer of [`Guards::access`], in the same two ways | 200 with the client's id |
//! | GET `/more` | the layer of [`Guards::access`] | the handler asks for the scope `orders:list`, and answers as `/access` |
//! | GET `/forgotten/internal`, `/forgotten/access` | nothing, but the handler extracts who called | never 200 |
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

mod call;
mod cases;
mod issuer;

use std::net::SocketAddr;

use jwt_auth::{AccessGuard, InternalGuard};

pub use self::cases::*;

/// What stands before the routes.
#[derive(Clone)]
pub struct Guards {
    /// Before `/internal`: asks for the scope `user.request` and for one of the permissions `ADMIN` and `AUDITOR`.
    pub internal: InternalGuard,
    /// Before `/access`: asks for the scope `orders:read`.
    pub access: AccessGuard,
}

/// Starts servers, and issues what opens their routes.
pub struct World<F> {
    serve: F,
}

impl<F, S> World<F>
where
    F: Fn(Guards) -> S,
    S: Future<Output = SocketAddr>,
{
    /// Starts servers with `serve`.
    pub fn new(serve: F) -> Self {
        Self { serve }
    }

    /// A server with guards of `issuer`.
    async fn start(&self, issuer: &issuer::Issuer) -> SocketAddr {
        (self.serve)(issuer.guards()).await
    }
}

/// Makes a test of each case. The expression starts a server: `http_guard_cases!(axum, serve);`.
#[macro_export]
macro_rules! http_guard_cases {
    ($implementation:ident, $serve:expr) => {
        $crate::cases! {
            $implementation, $crate::http_guard::World::new($serve), http_guard {
                an_internal_token_opens_the_route_it_is_for,
                an_internal_token_is_refused_with_its_code,
                an_internal_token_says_what_a_caller_may,
                a_nested_route_has_the_whole_target,
                an_access_token_opens_its_route,
                a_bound_token_comes_with_its_proof,
                an_access_token_is_refused_with_a_challenge,
                a_handler_may_ask_for_more,
                a_forgotten_layer_is_no_open_door,
                no_key_is_a_fault_of_the_server,
                no_header_is_a_fault_of_the_server,
                a_store_that_is_away_accepts_nobody,
            }
        }
    };
}
