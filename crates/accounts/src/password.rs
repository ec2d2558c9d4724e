//! Passwords: as they are typed, and as they are kept (Argon2id).
//!
//! Hashing takes some 20 ms and 19 MiB on purpose. It blocks: a server calls [`PasswordHasher`] on threads for blocking work,
//! and at most as many at once as it has memory and cores for (a semaphore in front).

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use auth_base::random::Random;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::text::composed;

/// Bytes of a password, before and after it is composed.
pub const LONGEST: usize = 1024;

/// Bytes of a hash, as it is kept.
const LONGEST_HASH: usize = 255;

/// What a stored hash may cost at most: a row that somebody made up must not take the machine's memory.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

/// The text is no password: it is empty or longer than 1 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has 1 to 1024 bytes")]
pub struct InvalidPassword;

/// A password as somebody typed it: composed (NFC), so that every keyboard gives the same one. Wiped on drop, redacted in
/// `Debug`, never compared but by its hash.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed. Blanks count, also at its ends.
    ///
    /// # Errors
    /// [`InvalidPassword`].
    pub fn new(typed: &str) -> Result<Self, InvalidPassword> {
        if !(1..=LONGEST).contains(&typed.len()) {
            return Err(InvalidPassword);
        }
        let composed = Zeroizing::new(composed(typed));
        match composed.len() <= LONGEST {
            true => Ok(Self(composed)),
            false => Err(InvalidPassword),
        }
    }

    /// Reveals it. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// The text is no hash that this program makes and checks: Argon2id in PHC form, within bounds of what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no Argon2id hash of a password")]
pub struct InvalidHash;

/// A password as it is kept: Argon2id in PHC form (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`). Redacted in `Debug`.
#[derive(Clone)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// Takes a hash from where it is kept.
    ///
    /// # Errors
    /// [`InvalidHash`], also for one whose check would cost too much.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        if text.len() > LONGEST_HASH {
            return Err(InvalidHash);
        }
        read(text).map(|_| Self(text.into()))
    }

    /// The text that is kept. Who has it may guess the password as fast as his machines can.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// In constant time, for hashes of equal length.
impl PartialEq for PasswordHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for PasswordHash {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(redacted)")
    }
}

fn read(text: &str) -> Result<phc::PasswordHash, InvalidHash> {
    let hash = phc::PasswordHash::new(text).map_err(|_| InvalidHash)?;
    let params = argon2::Params::try_from(&hash).map_err(|_| InvalidHash)?;
    let is_ours =
        hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some();
    let is_cheap = params.m_cost() <= MOST_MEMORY_KIB
        && params.t_cost() <= MOST_PASSES
        && params.p_cost() <= MOST_LANES;
    match is_ours && is_cheap {
        true => Ok(hash),
        false => Err(InvalidHash),
    }
}

/// The password could not be hashed: there was no memory for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashingFailed;

/// Hashes and checks passwords. Its calls block for some 20 ms. Clones share what it holds.
#[derive(Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    random: Arc<dyn Random>,
    /// Checked for who has no account, so that it costs the same.
    nobody: PasswordHash,
}

impl PasswordHasher {
    /// Makes a hasher with the costs that are recommended (m 19456 KiB, t 2, p 1). Salts come from `random`.
    ///
    /// # Errors
    /// [`HashingFailed`]: one password is hashed to begin with.
    pub fn new(random: Arc<dyn Random>) -> Result<Self, HashingFailed> {
        let argon2 = Argon2::default();
        let mut nobody = Zeroizing::new([0; 32]);
        random.fill(&mut *nobody);
        let nobody = hash(&argon2, &*random, &*nobody)?;
        Ok(Self {
            argon2,
            random,
            nobody,
        })
    }

    /// Hashes a password with a new salt. It blocks.
    ///
    /// # Errors
    /// [`HashingFailed`].
    pub fn hash(&self, password: &Password) -> Result<PasswordHash, HashingFailed> {
        hash(&self.argon2, &*self.random, password.expose().as_bytes())
    }

    /// Tells whether the password is the one that was hashed. Without a hash (an unknown person, one without a password) it is
    /// `false` after the same work, so that time tells nobody who has an account. It blocks.
    ///
    /// # Errors
    /// [`HashingFailed`]: nothing is known about the password.
    pub fn verify(
        &self,
        password: &Password,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, HashingFailed> {
        let is_known = hash.is_some();
        let hash = read(hash.unwrap_or(&self.nobody).expose()).map_err(|_| HashingFailed)?;
        let checked = self
            .argon2
            .verify_password(password.expose().as_bytes(), &hash);
        match checked {
            Ok(()) => Ok(is_known),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(HashingFailed),
        }
    }

    /// Tells whether a hash was made at other costs than new ones, so that the next right password should be hashed again.
    pub fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let params = read(hash.expose()).map(|hash| argon2::Params::try_from(&hash));
        let costs = |params: &argon2::Params| (params.m_cost(), params.t_cost(), params.p_cost());
        match params {
            Ok(Ok(params)) => costs(&params) != costs(self.argon2.params()),
            _ => true,
        }
    }
}

fn hash(
    argon2: &Argon2<'_>,
    random: &dyn Random,
    plain: &[u8],
) -> Result<PasswordHash, HashingFailed> {
    let mut salt = [0; argon2::RECOMMENDED_SALT_LEN];
    random.fill(&mut salt);
    let hash: phc::PasswordHash = argon2
        .hash_password_with_salt(plain, &salt)
        .map_err(|_| HashingFailed)?;
    Ok(PasswordHash(hash.to_string().into()))
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_base::random::SystemRandom;

    use super::*;

    fn hasher() -> PasswordHasher {
        PasswordHasher::new(Arc::new(SystemRandom)).unwrap()
    }

    #[test]
    fn a_password_is_known_again_however_it_was_typed() {
        let hasher = hasher();
        let password = |typed: &str| Password::new(typed).unwrap();
        let hash = hasher.hash(&password("gr\u{fc}n und blau")).unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let is = |typed: &str, hash| hasher.verify(&password(typed), hash).unwrap();
        assert!(is("gru\u{308}n und blau", Some(&hash)));
        assert!(!is("gr\u{fc}n und blau ", Some(&hash)));
        assert!(!is("gr\u{fc}n und blau", None));
        let again = hasher.hash(&password("gr\u{fc}n und blau")).unwrap();
        assert_ne!(again, hash, "each has a salt of its own");
        assert_eq!(PasswordHash::parse(hash.expose()), Ok(hash.clone()));
        assert!(!hasher.is_outdated(&hash));
        let nobody = &hasher.nobody;
        assert!(!hasher.is_outdated(nobody), "it costs what others cost");
        let shown = format!("{hash:?} {:?} {hasher:?}", password("blau"));
        assert!(!shown.contains("blau") && !shown.contains("argon2id"));
    }

    #[test]
    fn a_password_is_neither_empty_nor_endless() {
        assert!(Password::new("").is_err());
        assert!(Password::new(&"a".repeat(1024)).is_ok());
        assert!(Password::new(&"a".repeat(1025)).is_err());
        // Composed it is longer than it was.
        let grows = "\u{958}".repeat(341);
        assert!(Password::new(&grows).is_err());
    }

    #[test]
    fn a_row_that_somebody_made_up_is_no_hash() {
        let rest = "$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
        let cheap = format!("$argon2id$v=19$m=4096,t=1,p=1{rest}");
        let cheap = PasswordHash::parse(&cheap).unwrap();
        assert!(hasher().is_outdated(&cheap));
        for wrong in [
            "",
            "plain",
            &format!("$argon2i$v=19$m=4096,t=1,p=1{rest}"),
            &format!("$argon2id$v=19$m=4194304,t=1,p=1{rest}"),
            &format!("$argon2id$v=19$m=4096,t=1000,p=1{rest}"),
            "$argon2id$v=19$m=4096,t=1,p=1$c2FsdHNhbHRzYWx0",
        ] {
            assert_eq!(PasswordHash::parse(wrong), Err(InvalidHash), "{wrong}");
        }
    }
}
