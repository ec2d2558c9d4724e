//! Keys in PEM (RFC 7468), as they come in variables of the environment, where line breaks get lost.
//!
//! Errors name the variable that holds the key, and tell nothing of the key.

use std::borrow::Cow;

use rustls_pki_types::pem::{self, PemObject as _, SectionKind};
use zeroize::{Zeroize as _, Zeroizing};

use crate::private_key::{InvalidPrivateKey, PrivateKey};
use crate::public_jwk::{InvalidJwk, PublicJwk};

/// A PEM may have so many bytes.
pub const MAX_PEM_BYTES: usize = 8 * 1024;

/// A variable holds no usable key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct InvalidPem {
    /// The variable, as the operator knows it.
    pub variable: String,
    /// What is wrong with its value.
    pub problem: PemProblem,
}

/// What is wrong with a PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemProblem {
    /// There is no value, or a blank one.
    #[error("is not set")]
    Unset,
    /// It is over [`MAX_PEM_BYTES`].
    #[error("has more than {MAX_PEM_BYTES} bytes")]
    TooLarge,
    /// There is no PEM in it, or one that is cut.
    #[error("holds no whole PEM (line breaks may be written as \\n)")]
    NoPem,
    /// There is more than one key in it.
    #[error("holds more than one PEM section")]
    Several,
    /// A public key where a private one is needed: a public key cannot sign.
    #[error("holds a public key, and a private one is needed")]
    PublicKey,
    /// A private key where a public one is enough.
    #[error("holds a private key, and a public one is enough")]
    PrivateKey,
    /// A private key in a form other than PKCS#8.
    #[error("holds a private key that is no PKCS#8 (openssl pkcs8 -topk8 -nocrypt makes one)")]
    NotPkcs8,
    /// Something that is no key.
    #[error("holds a PEM that is no key")]
    NoKey,
    /// The private key in it is not taken.
    #[error("holds a private key that is not taken: {0}")]
    Private(InvalidPrivateKey),
    /// The public key in it is not taken.
    #[error("holds a public key that is not taken: {0}")]
    Public(InvalidJwk),
}

/// Reads the private key that the variable called `variable` holds.
///
/// # Errors
/// [`InvalidPem`], which names the variable.
pub fn read_private_key(variable: &str, value: Option<&str>) -> Result<PrivateKey, InvalidPem> {
    let read = section(value).and_then(|(kind, der)| match kind {
        SectionKind::PrivateKey => PrivateKey::from_pkcs8(&der).map_err(PemProblem::Private),
        SectionKind::PublicKey | SectionKind::Certificate => Err(PemProblem::PublicKey),
        other => Err(misplaced(other)),
    });
    read.map_err(|problem| named(variable, problem))
}

/// Reads the public key that the variable called `variable` holds.
///
/// # Errors
/// [`InvalidPem`], which names the variable.
pub fn read_public_key(variable: &str, value: Option<&str>) -> Result<PublicJwk, InvalidPem> {
    let read = section(value).and_then(|(kind, der)| match kind {
        SectionKind::PublicKey => PublicJwk::from_spki(&der).map_err(PemProblem::Public),
        SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey => {
            Err(PemProblem::PrivateKey)
        }
        other => Err(misplaced(other)),
    });
    read.map_err(|problem| named(variable, problem))
}

/// Gives a PEM its line breaks back: `\n` and `\r` written in two characters, with any number of backslashes, and a pair of
/// quotation marks around the whole, as some readers of `.env` files leave them.
pub fn repair(text: &str) -> Cow<'_, str> {
    let mut text = text.trim();
    for mark in ['"', '\''] {
        let inner = text.strip_prefix(mark).and_then(|it| it.strip_suffix(mark));
        text = inner.map_or(text, str::trim);
    }
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        repaired.push_str(before);
        let after = after.trim_start_matches('\\');
        rest = match after.strip_prefix(['n', 'r']) {
            Some(behind) => {
                repaired.push('\n');
                behind
            }
            None => after,
        };
    }
    repaired.push_str(rest);
    Cow::Owned(repaired)
}

/// The one section of a PEM.
fn section(value: Option<&str>) -> Result<(SectionKind, Zeroizing<Vec<u8>>), PemProblem> {
    let text = value.filter(|text| !text.trim().is_empty());
    let text = text.ok_or(PemProblem::Unset)?;
    if text.len() > MAX_PEM_BYTES {
        return Err(PemProblem::TooLarge);
    }
    let mut repaired = repair(text);
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(repaired.as_bytes());
    let first = sections.next().map(wiped_on_drop);
    let next = sections.next().map(wiped_on_drop);
    if let Cow::Owned(copy) = &mut repaired {
        copy.zeroize();
    }
    match (first, next) {
        (Some(Ok(only)), None) => Ok(only),
        (Some(Ok(_)), Some(_)) => Err(PemProblem::Several),
        // An encrypted key is a section of a kind that is not read.
        (None, _) if text.contains("BEGIN ENCRYPTED PRIVATE KEY") => Err(PemProblem::NotPkcs8),
        _ => Err(PemProblem::NoPem),
    }
}

fn wiped_on_drop(
    section: Result<(SectionKind, Vec<u8>), pem::Error>,
) -> Result<(SectionKind, Zeroizing<Vec<u8>>), pem::Error> {
    section.map(|(kind, der)| (kind, Zeroizing::new(der)))
}

fn misplaced(kind: SectionKind) -> PemProblem {
    match kind {
        SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey => PemProblem::NotPkcs8,
        _ => PemProblem::NoKey,
    }
}

fn named(variable: &str, problem: PemProblem) -> InvalidPem {
    InvalidPem {
        variable: variable.to_owned(),
        problem,
    }
}
