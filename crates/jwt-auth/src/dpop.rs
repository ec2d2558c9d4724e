//! Proofs of possession (DPoP, RFC 9449): the sender of a request shows that it holds the key its token is bound to.
//!
//! | to | take |
//! |---|---|
//! | make a proof for a request | [`DpopProver`] |
//! | verify one | [`DpopVerifier`], at a token endpoint or at a resource ([`ProofPurpose`]) |
//! | compare URLs | [`Htu`], the normal form of the claim `htu` |
//! | ask for fresh proofs | [`DpopNonces`], which keeps no state |
//! | know why a proof was refused | [`DpopError`]: the step, the error code, the status |

mod error;
mod htu;
mod nonces;
mod prover;
mod verifier;

pub use self::error::DpopError;
pub use self::htu::{Htu, InvalidHtu, MAX_URL_BYTES};
pub use self::nonces::DpopNonces;
pub use self::prover::{DpopProver, ProvenRequest};
pub use self::verifier::{
    DpopVerifier, KEPT_SECONDS, MAX_PROOF_BYTES, PROOF_SECONDS, ProofPurpose, ProofRequest,
    VerifiedProof, access_token_hash,
};
