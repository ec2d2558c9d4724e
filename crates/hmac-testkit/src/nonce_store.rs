//! What every `NonceStore` must do; [`crate::nonce_store_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

pub mod nonces;

/// Makes a test of each case. The expression borrows two handles to one empty store: two instances over the same server,
/// where there is one: `nonce_store_cases!(memory, &stores());`.
#[macro_export]
macro_rules! nonce_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, nonce_store {
                nonces {
                    a_nonce_is_accepted_once,
                    one_of_many_callers_is_accepted,
                    a_nonce_belongs_to_its_client_and_timestamp,
                    any_time_to_live_is_at_least_a_second,
                }
            }
        }
    };
}
