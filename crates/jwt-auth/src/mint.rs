//! What everybody has who makes tokens: a key, a clock, and randomness for names.

use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::{Random, SystemRandom};

use crate::claims::now_seconds;
use crate::encoding;
use crate::signer::Signer;

/// Clones share the key.
#[derive(Clone)]
pub(crate) struct Mint {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Mint {
    /// On the system's clock and randomness.
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            signer,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// `iat` of a token that is made now.
    pub(crate) fn iat(&self) -> i64 {
        now_seconds(self.clock.now_ms())
    }

    /// `jti` of another token: 16 random bytes.
    pub(crate) fn jti(&self) -> String {
        let mut jti = [0; 16];
        self.random.fill(&mut jti);
        encoding::encode(jti)
    }
}
