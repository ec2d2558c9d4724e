//! One test for each case of a conformance suite, addressable by its name.

/// Makes a test of each case, in a module named for the implementation.
///
/// A suite lists its cases once, in a macro of its own; an adapter names itself and says how it is made, for each case anew:
/// `signer_cases!(memory, signer());` gives `memory::a_signature_is_that_of_the_key` and all the others. A case is a
/// `pub async fn` that takes what is under test by value, and panics where the contract is broken.
#[macro_export]
macro_rules! cases {
    ($implementation:ident, $make:expr, $suite:ident { $($case:ident),* $(,)? }) => {
        mod $implementation {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::$suite::$case($make).await;
                }
            )*
        }
    };
}
