//! One test for each case of a conformance suite, addressable by its name.

/// Makes a test of each case, in a module named for the implementation.
///
/// A suite lists its cases once, in a macro of its own ([`crate::management_cases`]); an adapter names itself and says how it
/// is made, for each case anew: `management_cases!(sqlite, source().await);` gives
/// `sqlite::a_revoke_tells_its_targets` and all the others. A case is a `pub async fn` of a part of the suite that takes what
/// is under test by value, and panics where the contract is broken.
#[macro_export]
macro_rules! cases {
    (
        $flavor:tt $implementation:ident, $make:expr, $suite:ident {
            $($part:ident { $($case:ident),* $(,)? })*
        }
    ) => {
        mod $implementation {
            use super::*;

            $($(
                #[tokio::test $flavor]
                async fn $case() {
                    $crate::$suite::$part::$case($make).await;
                }
            )*)*
        }
    };
    ($implementation:ident, $make:expr, $suite:ident $parts:tt) => {
        $crate::cases!(
            (flavor = "multi_thread", worker_threads = 2) $implementation, $make, $suite $parts
        );
    };
}
