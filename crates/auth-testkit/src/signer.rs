//! What every [`Signer`] must do; [`crate::signer_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::sync::Arc;

use jwt_auth::{Algorithm, Signer};

/// Makes a test of each case. The expression makes a signer: `signer_cases!(memory, signer());`.
#[macro_export]
macro_rules! signer_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, signer {
                a_signature_is_that_of_the_key,
                a_signature_is_of_one_input,
                the_algorithm_is_that_of_the_key,
                any_input_is_signed,
                many_sign_at_once,
            }
        }
    };
}

/// What `sign` answers, `key` verifies.
pub async fn a_signature_is_that_of_the_key(signer: impl Signer) {
    let signature = signer.sign(b"header.claims").await.expect("signed");
    let verified = signer.key().verify(b"header.claims", &signature);
    verified.expect("the signer's key verifies what it signed");
}

/// A signature says nothing about another input.
pub async fn a_signature_is_of_one_input(signer: impl Signer) {
    let signature = signer.sign(b"header.claims").await.expect("signed");
    assert!(signer.key().verify(b"header.claimt", &signature).is_err());
    let other = signer.sign(b"header.claimt").await.expect("signed");
    assert_ne!(signature, other);
}

/// The name of the algorithm, which headers carry, is one of the key's own.
pub async fn the_algorithm_is_that_of_the_key(signer: impl Signer) {
    let named = Algorithm::parse(signer.key().alg());
    assert_eq!(named, Some(signer.key().algorithm()));
}

/// An input may be empty, of any bytes, and as large as a token.
pub async fn any_input_is_signed(signer: impl Signer) {
    for input in [vec![], vec![0], vec![0xff; 33], vec![b'a'; 8 * 1024]] {
        let signature = signer.sign(&input).await.expect("signed");
        let verified = signer.key().verify(&input, &signature);
        verified.expect("the signer's key verifies what it signed");
    }
}

/// Callers do not get each other's signatures.
pub async fn many_sign_at_once(signer: impl Signer) {
    let signer = Arc::new(signer);
    let callers = (0..32_u8).map(|caller| {
        let signer = Arc::clone(&signer);
        tokio::spawn(async move {
            let signature = signer.sign(&[caller]).await.expect("signed");
            let verified = signer.key().verify(&[caller], &signature);
            verified.expect("each caller gets its own signature");
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no caller fails");
    }
}
