//! The stores, clients and clock that the servers under test share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::ManualClock;
use auth_base::nonce_store::MemoryNonceStore;
use auth_base::nonce_store::NonceStore;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::client_address::TrustedProxies;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteCondition,
    WriteOutcome,
};
use hmac_auth::layer::OnlyClients;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::sign::Signer;
use hmac_auth::verify::{BadSignatureReport, Verifier};

use crate::http_layer::raw::{Framing, RawRequest};
use crate::http_layer::setup::Setup;

pub(super) const NOW_MS: i64 = 1_760_000_000_000;
pub(super) const SKEW_MS: i64 = 300_000;
pub(super) const BODY_LIMIT: usize = 2048;
/// More than any framework's extractors take by themselves.
pub(super) const LARGE: usize = 3 * 1024 * 1024;

/// Everything a case can look at.
pub(super) struct World {
    /// A server that trusts no proxy.
    pub(super) direct: SocketAddr,
    /// A server that trusts proxies on 127.0.0.0/8.
    pub(super) proxied: SocketAddr,
    /// A server that gives a body no more than a moment.
    pub(super) impatient: SocketAddr,
    /// A server that takes large bodies.
    pub(super) roomy: SocketAddr,
    pub(super) credentials: Arc<Credentials>,
    pub(super) nonces: Arc<Nonces>,
    pub(super) reports: Arc<Mutex<Vec<BadSignatureReport>>>,
    clock: Arc<ManualClock>,
}

impl World {
    /// Clients: `billing` and `reporting` with nothing special, `expired`, `confined` to 10.0.0.0/8, `local` to this
    /// machine, and `rotated`, whose previous secret is within its grace.
    #[expect(clippy::expect_used, reason = "constants of the suite")]
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let store = MemoryCredentialStore::with_clock(clock.clone());
        let anywhere = AllowedIps::default;
        let rules = |rule: &str| AllowedIps::parse([rule]).expect("a rule");
        for (client, of, expires_at, rules) in [
            ("billing", "billing", None, anywhere()),
            ("reporting", "reporting", None, anywhere()),
            ("expired", "expired", Some(NOW_MS - 1), anywhere()),
            ("confined", "confined", None, rules("10.0.0.0/8")),
            ("local", "local", None, rules("127.0.0.1")),
            ("rotated", "rotated-old", None, anywhere()),
            ("rotated", "rotated", None, anywhere()),
        ] {
            put(&store, client, secret(of), expires_at, rules);
        }
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            direct: nowhere,
            proxied: nowhere,
            impatient: nowhere,
            roomy: nowhere,
            credentials: Arc::new(Credentials {
                inner: store,
                away: AtomicBool::new(false),
            }),
            nonces: Arc::new(Nonces {
                inner: MemoryNonceStore::with_clock(clock.clone()),
                away: AtomicBool::new(false),
                asked: AtomicUsize::new(0),
            }),
            reports: Arc::default(),
            clock,
        }
    }

    #[expect(clippy::expect_used, reason = "constants of the suite")]
    pub(super) fn setup(&self) -> Setup {
        let reports = Arc::clone(&self.reports);
        let verifier = Verifier::new(self.credentials.clone(), self.nonces.clone())
            .clock(self.clock.clone())
            .max_skew(Duration::from_millis(SKEW_MS.unsigned_abs()))
            .rotation_grace(Duration::from_secs(60))
            .on_bad_signature(Arc::new(move |report| {
                let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
                reports.push(report.clone());
            }));
        Setup {
            verifier,
            body_limit: BODY_LIMIT,
            // Long enough for a busy machine: no case on this server is to meet it.
            body_timeout: Duration::from_secs(60),
            only: OnlyClients::new(["billing"]).expect("a client id"),
        }
    }

    #[expect(clippy::expect_used, reason = "constants of the suite")]
    pub(super) fn setup_behind_proxy(&self) -> Setup {
        let network = "127.0.0.0/8".parse().expect("a network");
        let setup = self.setup();
        Setup {
            verifier: setup
                .verifier
                .trusted_proxies(TrustedProxies::new(vec![network])),
            ..setup
        }
    }

    pub(super) fn setup_impatient(&self) -> Setup {
        Setup {
            body_timeout: Duration::from_millis(50),
            ..self.setup()
        }
    }

    pub(super) fn setup_roomy(&self) -> Setup {
        Setup {
            body_limit: LARGE,
            ..self.setup()
        }
    }

    /// A request signed as it should be.
    pub(super) fn signed(
        &self,
        client: &str,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> RawRequest {
        self.signed_with(client, &secret(client), method, target, body, NOW_MS)
    }

    /// A request signed with another secret or at another time.
    #[expect(clippy::expect_used, reason = "constants of the suite")]
    pub(super) fn signed_with(
        &self,
        client: &str,
        secret_hash: &SecretHash,
        method: &str,
        target: &str,
        body: &[u8],
        now_ms: i64,
    ) -> RawRequest {
        let client_id = ClientId::parse(client).expect("a client id");
        let signed = Signer::new(client_id, secret_hash.clone())
            .clock(Arc::new(ManualClock::new(now_ms)))
            .sign(method, target, body)
            .expect("a target");
        let headers = signed
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        RawRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.into(),
            body: body.to_owned(),
            framing: Framing::Length,
        }
    }

    pub(super) fn reported(&self) -> Vec<BadSignatureReport> {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.clone()
    }
}

/// The hash of the secret that belongs to `name`.
pub(super) fn secret(name: &str) -> SecretHash {
    hash_client_secret(&Secret::new(format!("secret-of-{name}")), None)
}

#[expect(clippy::expect_used, reason = "constants of the suite")]
fn put(
    store: &MemoryCredentialStore,
    client: &str,
    secret_hash: SecretHash,
    expires_at: Option<i64>,
    allowed_ips: AllowedIps,
) {
    let write = CredentialWrite {
        change: CredentialChange {
            secret_hash: Some(secret_hash),
            expires_at: Change::Set(expires_at),
            allowed_ips: Change::Set(allowed_ips),
        },
        condition: WriteCondition::Always,
        now_ms: NOW_MS,
        backup_ttl: Duration::from_secs(600),
    };
    store.write_now(&ClientId::parse(client).expect("a client id"), &write);
}

/// Credentials that can be away.
pub(super) struct Credentials {
    inner: MemoryCredentialStore,
    pub(super) away: AtomicBool,
}

impl Credentials {
    fn reach(&self) -> Result<&MemoryCredentialStore, StoreError> {
        reach(&self.away).map(|()| &self.inner)
    }
}

#[async_trait]
impl CredentialStore for Credentials {
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        self.reach()?.find(client_id).await
    }

    async fn write(
        &self,
        client_id: &ClientId,
        write: CredentialWrite,
    ) -> Result<WriteOutcome, StoreError> {
        self.reach()?.write(client_id, write).await
    }

    async fn delete(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        self.reach()?.delete(client_id).await
    }

    async fn forget_previous(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        self.reach()?.forget_previous(client_id).await
    }

    async fn list(&self, cursor: Option<&str>, limit: usize) -> Result<CredentialPage, StoreError> {
        self.reach()?.list(cursor, limit).await
    }
}

/// Nonces that can be away and count how often they were asked.
pub(super) struct Nonces {
    inner: MemoryNonceStore,
    pub(super) away: AtomicBool,
    pub(super) asked: AtomicUsize,
}

#[async_trait]
impl NonceStore for Nonces {
    async fn remember(
        &self,
        owner: &str,
        nonce: &str,
        timestamp_ms: i64,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        reach(&self.away)?;
        self.inner.remember(owner, nonce, timestamp_ms, ttl).await
    }
}

fn reach(away: &AtomicBool) -> Result<(), StoreError> {
    if away.load(Ordering::SeqCst) {
        return Err(StoreError::Unavailable(
            "the suite took the store away".into(),
        ));
    }
    Ok(())
}
