//! Verifies inbound requests: the order of checks of wire contract 1.3.
//!
//! Four things to note:
//! - The first check that fails decides, so the order below is part of the contract.
//! - The MAC is checked before the nonce store is asked: a forged request costs no round trip.
//! - A header that comes twice counts as missing; a target that routing and signing could read differently is refused.
//! - Nothing is accepted when a store fails.

use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::nonce_store::NonceStore;

use crate::canonical::{SigningHead, hash_body, normalize_received_target, read_hex};
use crate::client_address::TrustedProxies;
use crate::credential::{ClientId, Credential};
use crate::credential_store::CredentialStore;
use crate::header::{self, Headers};
use crate::nonce_budget::NonceBudget;
use crate::previous_use::{PreviousSecretUse, PreviousSecretUses};
use crate::rejection::Rejection;
use crate::secret_hash::SecretHash;
use crate::signed_head::SignedHead;

/// How far the clocks of instances that share a nonce store may be apart, or one may be set back: so long a nonce is
/// remembered past the window of its timestamp.
pub const CLOCKS_APART: Duration = Duration::from_secs(60);
/// How many bytes of nonces one client may have kept, unless [`Verifier::nonce_bytes_per_client`] says otherwise: some 4,000
/// calls in a second.
pub const NONCE_BYTES_PER_CLIENT: u64 = 256 * 1024 * 1024;

/// The head of a request, as any framework can give it.
#[derive(Debug)]
pub struct RequestHead<'a, H> {
    /// The method, in any case.
    pub method: &'a str,
    /// The request target as received: path and query (or an absolute URL).
    pub target: &'a str,
    /// The headers.
    pub headers: &'a H,
    /// The address of the connection's other end; `None` for a Unix socket.
    pub peer_address: Option<IpAddr>,
}

impl<H> Clone for RequestHead<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

/// A head only borrows, whatever the headers are.
impl<H> Copy for RequestHead<'_, H> {}

/// Which of a client's secrets signed a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretUsed {
    /// The current one.
    Current,
    /// The previous one, within the rotation grace.
    Previous,
}

impl SecretUsed {
    /// Finds out which of two hashes made `signature` over `parts`; `None` when neither did.
    pub fn of(
        current: &SecretHash,
        previous: Option<&SecretHash>,
        parts: &[&[u8]],
        signature: &[u8; 32],
    ) -> Option<Self> {
        if current.signed(parts, signature) {
            return Some(Self::Current);
        }
        let previous = previous?;
        previous.signed(parts, signature).then_some(Self::Previous)
    }
}

/// The proof that a request was accepted.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Who signed.
    pub client_id: ClientId,
    /// With which secret.
    pub secret_used: SecretUsed,
    /// Where the request came from, if known.
    pub client_address: Option<IpAddr>,
}

/// What a hook learns of a bad signature; never the expected one.
#[derive(Clone, Debug)]
pub struct BadSignatureReport {
    /// Who was claimed.
    pub client_id: ClientId,
    /// The method.
    pub method: String,
    /// The path that was signed.
    pub path: String,
    /// The timestamp, epoch milliseconds.
    pub timestamp_ms: i64,
    /// The nonce.
    pub nonce: String,
    /// Where from.
    pub client_address: Option<IpAddr>,
}

/// Told of every bad signature; it can never change the outcome.
pub type BadSignatureHook = Arc<dyn Fn(&BadSignatureReport) + Send + Sync>;

/// Verifies requests of one track.
#[derive(Clone)]
pub struct Verifier {
    credentials: Arc<dyn CredentialStore>,
    nonces: Arc<dyn NonceStore>,
    clock: Arc<dyn Clock>,
    max_skew: Duration,
    rotation_grace: Option<Duration>,
    trusted_proxies: TrustedProxies,
    on_bad_signature: Option<BadSignatureHook>,
    previous_uses: PreviousSecretUses,
    nonce_budget: NonceBudget,
}

/// A request whose head passed checks 1 to 10 and whose body is still to come.
#[must_use = "a request is not accepted before its body was checked"]
pub struct PendingVerification {
    client_id: ClientId,
    client_address: Option<IpAddr>,
    timestamp_ms: i64,
    head: SigningHead,
    signature: [u8; 32],
    secret_hash: SecretHash,
    /// The previous hash, when the grace still runs.
    previous: Option<SecretHash>,
}

impl PendingVerification {
    /// Who the request claims to come from. Good enough to refuse it early, never to accept it.
    pub fn claimed_client_id(&self) -> &ClientId {
        &self.client_id
    }

    fn secret_used(&self, body: &[u8]) -> Option<SecretUsed> {
        let body_hash = hash_body(body);
        let payload = [self.head.as_bytes(), body_hash.as_bytes()];
        SecretUsed::of(
            &self.secret_hash,
            self.previous.as_ref(),
            &payload,
            &self.signature,
        )
    }
}

impl Verifier {
    /// Builds a verifier over the two stores: 5 minutes of skew, no rotation grace, no trusted proxy.
    pub fn new(credentials: Arc<dyn CredentialStore>, nonces: Arc<dyn NonceStore>) -> Self {
        Self {
            credentials,
            nonces,
            clock: Arc::new(SystemClock),
            max_skew: Duration::from_millis(300_000),
            rotation_grace: None,
            trusted_proxies: TrustedProxies::default(),
            on_bad_signature: None,
            previous_uses: PreviousSecretUses::default(),
            nonce_budget: NonceBudget::new(NONCE_BYTES_PER_CLIENT),
        }
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Accepts timestamps this far from the clock, either way.
    pub fn max_skew(mut self, max_skew: Duration) -> Self {
        self.max_skew = max_skew;
        self
    }

    /// Accepts the previous secret for this long after a rotation (wire contract 1.5), as long as the store still keeps
    /// it; `None` is not at all.
    pub fn rotation_grace(mut self, grace: impl Into<Option<Duration>>) -> Self {
        self.rotation_grace = grace.into();
        self
    }

    /// Believes `x-forwarded-for` from these proxies.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Refuses a client with [`Rejection::TooManyRequests`] while its nonces that have not expired take so many bytes
    /// (some 180 each, for 5 to 11 minutes) of what this verifier and its clones have made the store keep.
    pub fn nonce_bytes_per_client(mut self, bytes: u64) -> Self {
        self.nonce_budget = NonceBudget::new(bytes);
        self
    }

    /// Tells `hook` of every bad signature. A hook that panics changes nothing.
    pub fn on_bad_signature(mut self, hook: BadSignatureHook) -> Self {
        self.on_bad_signature = Some(hook);
        self
    }

    /// Runs checks 1 to 10, which need no body. A layer calls this before it reads the body.
    ///
    /// A request that can have no good signature (it is not 64 hex characters, or the target is refused) ends here too, after
    /// check 10.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn check_head<H: Headers>(
        &self,
        head: RequestHead<'_, H>,
    ) -> Result<PendingVerification, Rejection> {
        let signed = SignedHead::read(head.headers)?;
        let now_ms = self.clock.now_ms();
        self.check_skew(signed.timestamp_ms, now_ms)?;
        let client_id = signed.client_id.ok_or(Rejection::UnknownClient)?;
        let found = self
            .credentials
            .find(&client_id)
            .await
            .map_err(Rejection::Store)?;
        let stored = found.ok_or(Rejection::UnknownClient)?;
        let previous = stored.previous_within(self.rotation_grace, now_ms).cloned();
        let credential = stored.credential;
        if credential.is_expired(now_ms) {
            return Err(Rejection::ClientExpired);
        }
        let client_address = self.client_address(head.peer_address, head.headers);
        check_address(&credential, client_address)?;

        let target = normalize_received_target(head.target);
        let signature = read_hex(signed.signature);
        let path = target.as_deref().unwrap_or(head.target);
        let pending = PendingVerification {
            head: SigningHead::new(head.method, path, signed.timestamp_ms, signed.nonce),
            signature: signature.unwrap_or_default(),
            timestamp_ms: signed.timestamp_ms,
            client_id,
            client_address,
            previous,
            secret_hash: credential.secret_hash,
        };
        if target.is_err() || signature.is_none() {
            return Err(self.bad_signature(&pending));
        }
        Ok(pending)
    }

    /// Runs checks 11 and 12 over the whole body.
    ///
    /// # Errors
    /// [`Rejection::BadSignature`], [`Rejection::TooManyRequests`], [`Rejection::ReplayedNonce`] or [`Rejection::Store`];
    /// and [`Rejection::TimestampSkew`] when the body took so long that the timestamp is out of the window by now: its nonce
    /// may be forgotten.
    pub async fn check_body(
        &self,
        pending: PendingVerification,
        body: &[u8],
    ) -> Result<Verified, Rejection> {
        let Some(secret_used) = pending.secret_used(body) else {
            return Err(self.bad_signature(&pending));
        };
        let now_ms = self.clock.now_ms();
        self.check_skew(pending.timestamp_ms, now_ms)?;
        let (client_id, nonce) = (&pending.client_id, pending.head.nonce());
        if !self.nonce_budget.has_room(client_id, now_ms) {
            return Err(Rejection::TooManyRequests);
        }
        let ttl = self.nonce_ttl(pending.timestamp_ms, now_ms);
        let fresh = self
            .nonces
            .remember(client_id.as_str(), nonce, pending.timestamp_ms, ttl)
            .await
            .map_err(Rejection::Store)?;
        if !fresh {
            return Err(Rejection::ReplayedNonce);
        }
        self.nonce_budget.count(client_id, nonce, now_ms, ttl);
        if secret_used == SecretUsed::Previous {
            self.previous_uses.record(&pending.client_id, now_ms);
        }
        Ok(Verified {
            client_id: pending.client_id,
            secret_used,
            client_address: pending.client_address,
        })
    }

    /// Verifies a request that is already whole.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn verify<H: Headers>(
        &self,
        head: RequestHead<'_, H>,
        body: &[u8],
    ) -> Result<Verified, Rejection> {
        let pending = self.check_head(head).await?;
        self.check_body(pending, body).await
    }

    /// Tells whether a client still signs with its previous secret, and when it last did. Clones of a verifier share
    /// this.
    pub fn previous_secret_use(&self, client_id: &ClientId) -> Option<PreviousSecretUse> {
        self.previous_uses.of(client_id)
    }

    /// The same of all clients that did since this process started.
    pub fn previous_secret_uses(&self) -> &PreviousSecretUses {
        &self.previous_uses
    }

    fn check_skew(&self, timestamp_ms: i64, now_ms: i64) -> Result<(), Rejection> {
        if u128::from(now_ms.abs_diff(timestamp_ms)) > self.max_skew.as_millis() {
            return Err(Rejection::TimestampSkew);
        }
        Ok(())
    }

    /// Until the timestamp is out of the window, and [`CLOCKS_APART`] more.
    fn nonce_ttl(&self, timestamp_ms: i64, now_ms: i64) -> Duration {
        let ahead =
            Duration::from_millis(timestamp_ms.saturating_sub(now_ms).max(0).unsigned_abs());
        let behind =
            Duration::from_millis(now_ms.saturating_sub(timestamp_ms).max(0).unsigned_abs());
        let remaining = self.max_skew.saturating_add(ahead).saturating_sub(behind);
        remaining.saturating_add(CLOCKS_APART)
    }

    fn client_address<H: Headers>(
        &self,
        peer_address: Option<IpAddr>,
        headers: &H,
    ) -> Option<IpAddr> {
        self.trusted_proxies
            .client_address(peer_address, headers.values(header::FORWARDED_FOR))
    }

    pub(crate) fn bad_signature(&self, pending: &PendingVerification) -> Rejection {
        if let Some(hook) = &self.on_bad_signature {
            let report = BadSignatureReport {
                client_id: pending.client_id.clone(),
                method: pending.head.method().to_owned(),
                path: pending.head.path().to_owned(),
                timestamp_ms: pending.timestamp_ms,
                nonce: pending.head.nonce().to_owned(),
                client_address: pending.client_address,
            };
            if catch_unwind(AssertUnwindSafe(|| hook(&report))).is_err() {
                tracing::warn!(client_id = %report.client_id, "the hook for bad signatures panicked");
            }
        }
        Rejection::BadSignature
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("max_skew", &self.max_skew)
            .field("rotation_grace", &self.rotation_grace)
            .field("trusted_proxies", &self.trusted_proxies)
            .finish_non_exhaustive()
    }
}

fn check_address(credential: &Credential, address: Option<IpAddr>) -> Result<(), Rejection> {
    if credential.allowed_ips.is_empty() {
        return Ok(());
    }
    let address = address.ok_or(Rejection::MissingClientIp)?;
    if credential.allowed_ips.allow(address) {
        Ok(())
    } else {
        Err(Rejection::ClientIpNotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use auth_base::clock::ManualClock;
    use auth_base::nonce_store::MemoryNonceStore;
    use auth_base::secret::Secret;
    use auth_base::store_error::StoreError;
    use proptest::prelude::*;

    use super::*;
    use crate::allowed_ips::AllowedIps;
    use crate::credential::{Change, CredentialChange};
    use crate::credential_store::StoredCredential;
    use crate::credential_store::{CredentialPage, CredentialWrite, WriteCondition, WriteOutcome};
    use crate::memory::MemoryCredentialStore;
    use crate::secret_hash::hash_client_secret;
    use crate::sign::Signer;

    const NOW: i64 = 1_700_000_000_000;
    const BODY: &[u8] = br#"{"hello":"world"}"#;

    type Pairs = Vec<(String, String)>;

    struct Bench {
        clock: Arc<ManualClock>,
        credentials: MemoryCredentialStore,
        nonces: MemoryNonceStore,
        verifier: Verifier,
    }

    impl Bench {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::new(NOW));
            let credentials = MemoryCredentialStore::with_clock(clock.clone());
            let nonces = MemoryNonceStore::with_clock(clock.clone());
            let verifier = Verifier::new(Arc::new(credentials.clone()), Arc::new(nonces.clone()))
                .clock(clock.clone());
            let bench = Self {
                clock,
                credentials,
                nonces,
                verifier,
            };
            bench.change(CredentialChange {
                secret_hash: Some(hash("one")),
                ..CredentialChange::default()
            });
            bench
        }

        fn change(&self, change: CredentialChange) {
            let write = CredentialWrite {
                change,
                condition: WriteCondition::Always,
                now_ms: self.clock.now_ms(),
                backup_ttl: Duration::from_secs(600),
            };
            self.credentials.write_now(&orders(), &write);
        }

        fn rotate(&self, plain: &str) {
            self.change(CredentialChange {
                secret_hash: Some(hash(plain)),
                ..CredentialChange::default()
            });
        }

        fn signed(&self, plain: &str) -> Pairs {
            let signer = Signer::new(orders(), hash(plain)).clock(self.clock.clone());
            pairs(&signer.sign("POST", "/things?x=1", BODY).unwrap())
        }

        async fn verify(&self, headers: &Pairs) -> Result<Verified, Rejection> {
            self.verify_from(headers, Some("10.0.0.1")).await
        }

        async fn verify_from(
            &self,
            headers: &Pairs,
            peer: Option<&str>,
        ) -> Result<Verified, Rejection> {
            self.verifier.verify(request(headers, peer), BODY).await
        }

        async fn code(&self, headers: &Pairs) -> &'static str {
            self.verify(headers)
                .await
                .map_or_else(|rejection| rejection.code(), |_| "OK")
        }
    }

    fn request<'a>(headers: &'a Pairs, peer: Option<&str>) -> RequestHead<'a, Pairs> {
        RequestHead {
            method: "POST",
            target: "/things?x=1",
            headers,
            peer_address: peer.map(|peer| peer.parse().unwrap()),
        }
    }

    fn pairs(signed: &crate::sign::SignedHeaders) -> Pairs {
        signed
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn orders() -> ClientId {
        ClientId::parse("orders").unwrap()
    }

    fn hash(plain: &str) -> SecretHash {
        hash_client_secret(&Secret::new(plain), None)
    }

    fn with(headers: &Pairs, name: &str, value: &str) -> Pairs {
        let mut headers: Pairs = headers.clone();
        headers.retain(|(own, _)| own != name);
        headers.push((name.to_owned(), value.to_owned()));
        headers
    }

    #[tokio::test]
    async fn what_was_signed_is_accepted() {
        let bench = Bench::new();
        let verified = bench.verify(&bench.signed("one")).await.unwrap();
        assert_eq!(verified.client_id, orders());
        assert_eq!(verified.secret_used, SecretUsed::Current);
        assert_eq!(verified.client_address, Some("10.0.0.1".parse().unwrap()));
    }

    /// Two instances, of which one is behind by most of a minute; and one whose clock steps back.
    #[tokio::test]
    async fn a_nonce_is_accepted_once_though_clocks_differ() {
        let bench = Bench::new();
        let behind = Arc::new(ManualClock::new(NOW - 59_000));
        let other = Verifier::new(
            Arc::new(bench.credentials.clone()),
            Arc::new(bench.nonces.clone()),
        )
        .clock(behind.clone());
        let headers = bench.signed("one");
        bench.verify(&headers).await.unwrap();
        for _ in 0..6 {
            let replayed = other
                .verify(request(&headers, Some("10.0.0.1")), BODY)
                .await;
            assert_eq!(replayed.unwrap_err().code(), "REPLAYED_NONCE");
            bench.clock.advance(59_500);
            behind.advance(59_500);
        }
        let stepped = Bench::new();
        let headers = stepped.signed("one");
        stepped.verify(&headers).await.unwrap();
        stepped.clock.advance(301_500);
        stepped.verify(&stepped.signed("one")).await.unwrap();
        stepped.clock.advance(-30_000);
        assert_eq!(stepped.code(&headers).await, "REPLAYED_NONCE");
    }

    #[tokio::test]
    async fn one_client_does_not_fill_the_nonce_store() {
        let mut bench = Bench::new();
        // 128 bytes, 6 of the id and 32 of the nonce each.
        bench.verifier = bench.verifier.clone().nonce_bytes_per_client(3 * 166);
        let first = bench.signed("one");
        assert_eq!(bench.code(&first).await, "OK");
        for _ in 0..9 {
            // Who only repeats what was recorded takes no room from the client.
            assert_eq!(bench.code(&first).await, "REPLAYED_NONCE");
        }
        for _ in 0..2 {
            assert_eq!(bench.code(&bench.signed("one")).await, "OK");
        }
        let rejection = bench.verify(&bench.signed("one")).await.unwrap_err();
        assert_eq!(rejection.code_and_status(), ("TOO_MANY_REQUESTS", 429));
        assert_eq!(bench.nonces.len(), 3);
        let forged = with(&bench.signed("one"), "x-nonce", "n");
        assert_eq!(bench.code(&forged).await, "BAD_SIGNATURE");
        bench.clock.advance(300_000 + 2 * 60_000);
        assert_eq!(bench.code(&bench.signed("one")).await, "OK");
    }

    #[tokio::test]
    async fn the_first_check_that_fails_decides() {
        let bench = Bench::new();
        let mut headers = with(
            &with(&Vec::new(), "x-timestamp", "soon"),
            "x-client-id",
            " ",
        );
        assert_eq!(bench.code(&headers).await, "MISSING_CLIENT_ID");
        headers = with(&headers, "x-client-id", "nobody");
        assert_eq!(bench.code(&headers).await, "MISSING_SIGNATURE");
        headers = with(&headers, "x-signature", "0");
        headers.retain(|(name, _)| name != "x-timestamp");
        assert_eq!(bench.code(&headers).await, "MISSING_TIMESTAMP");
        headers = with(&headers, "x-timestamp", "soon");
        assert_eq!(bench.code(&headers).await, "MISSING_NONCE");
        headers = with(&headers, "x-nonce", "n");
        assert_eq!(bench.code(&headers).await, "INVALID_TIMESTAMP");
        headers = with(&headers, "x-timestamp", &(NOW - 300_001).to_string());
        assert_eq!(bench.code(&headers).await, "TIMESTAMP_SKEW");
        headers = with(&headers, "x-timestamp", &(NOW - 300_000).to_string());
        assert_eq!(bench.code(&headers).await, "UNKNOWN_CLIENT");
        headers = with(&headers, "x-client-id", "orders");
        bench.change(CredentialChange {
            expires_at: Change::Set(Some(NOW - 1)),
            allowed_ips: Change::Set(AllowedIps::parse(["10.9.0.0/16"]).unwrap()),
            ..CredentialChange::default()
        });
        assert_eq!(bench.code(&headers).await, "CLIENT_EXPIRED");
        bench.change(CredentialChange {
            expires_at: Change::Set(Some(NOW)),
            ..CredentialChange::default()
        });
        let rejection = bench.verify_from(&headers, None).await.unwrap_err();
        assert_eq!(rejection.code_and_status(), ("MISSING_CLIENT_IP", 403));
        assert_eq!(bench.code(&headers).await, "CLIENT_IP_NOT_ALLOWED");
        let rejection = bench
            .verify_from(&headers, Some("10.9.1.1"))
            .await
            .unwrap_err();
        assert_eq!(rejection.code_and_status(), ("BAD_SIGNATURE", 401));
        let signed = bench.signed("one");
        bench
            .verify_from(&signed, Some("::ffff:10.9.1.1"))
            .await
            .unwrap();
        let rejection = bench
            .verify_from(&signed, Some("10.9.1.1"))
            .await
            .unwrap_err();
        assert_eq!(rejection.code(), "REPLAYED_NONCE");
    }

    #[tokio::test]
    async fn a_header_given_twice_is_refused() {
        let bench = Bench::new();
        for (name, code) in [
            ("X-Client-Id", "MISSING_CLIENT_ID"),
            ("x-signature", "MISSING_SIGNATURE"),
            ("x-timestamp", "MISSING_TIMESTAMP"),
            ("x-nonce", "MISSING_NONCE"),
        ] {
            let mut headers = bench.signed("one");
            headers.push((name.to_owned(), "x".to_owned()));
            assert_eq!(bench.code(&headers).await, code);
        }
    }

    #[tokio::test]
    async fn an_id_nobody_can_have_is_unknown_and_one_with_spaces_is_trimmed() {
        let bench = Bench::new();
        let headers = with(&bench.signed("one"), "x-client-id", &"x".repeat(129));
        assert_eq!(bench.code(&headers).await, "UNKNOWN_CLIENT");
        let headers = with(&bench.signed("one"), "x-client-id", "  orders ");
        assert_eq!(bench.code(&headers).await, "OK");
    }

    #[tokio::test]
    async fn an_allow_list_without_one_readable_rule_denies() {
        let bench = Bench::new();
        bench.change(CredentialChange {
            allowed_ips: Change::Set(AllowedIps::parse_lenient(["localhost"])),
            ..CredentialChange::default()
        });
        assert_eq!(
            bench.code(&bench.signed("one")).await,
            "CLIENT_IP_NOT_ALLOWED"
        );
    }

    #[tokio::test]
    async fn a_forged_request_costs_no_round_trip() {
        let bench = Bench::new();
        assert_eq!(bench.code(&bench.signed("wrong")).await, "BAD_SIGNATURE");
        let upper = bench.signed("one")[3].1.to_uppercase();
        assert_eq!(
            bench
                .code(&with(&bench.signed("one"), "x-signature", &upper))
                .await,
            "BAD_SIGNATURE"
        );
        assert_eq!(
            bench
                .code(&with(&bench.signed("one"), "x-signature", "short"))
                .await,
            "BAD_SIGNATURE"
        );
        assert!(bench.nonces.is_empty());
    }

    #[tokio::test]
    async fn a_target_that_would_be_routed_elsewhere_is_a_bad_signature() {
        let bench = Bench::new();
        let signer = Signer::new(orders(), hash("one")).clock(bench.clock.clone());
        let headers = pairs(&signer.sign("GET", "/a/../b", b"").unwrap());
        let head = RequestHead {
            method: "GET",
            target: "/a/../b",
            headers: &headers,
            peer_address: None,
        };
        let rejection = bench.verifier.check_head(head).await.err().unwrap();
        assert_eq!(rejection.code(), "BAD_SIGNATURE");
        let head = RequestHead {
            target: "/b",
            ..head
        };
        bench.verifier.verify(head, b"").await.unwrap();
    }

    #[tokio::test]
    async fn a_nonce_is_accepted_once_for_as_long_as_its_timestamp_is() {
        let bench = Bench::new();
        bench.clock.advance(300_000);
        let from_the_future = bench.signed("one");
        bench.clock.set(NOW);
        assert_eq!(bench.code(&from_the_future).await, "OK");
        for _ in 0..600 {
            bench.clock.advance(1_000);
            assert_eq!(bench.code(&from_the_future).await, "REPLAYED_NONCE");
        }
        bench.clock.advance(1);
        assert_eq!(bench.code(&from_the_future).await, "TIMESTAMP_SKEW");
    }

    #[tokio::test]
    async fn a_body_that_dawdles_past_the_window_is_refused() {
        let bench = Bench::new();
        let headers = bench.signed("one");
        let pending = bench
            .verifier
            .check_head(request(&headers, None))
            .await
            .unwrap();
        bench.clock.advance(300_001);
        let rejection = bench.verifier.check_body(pending, BODY).await.unwrap_err();
        assert_eq!(rejection.code(), "TIMESTAMP_SKEW");
    }

    #[tokio::test]
    async fn the_previous_secret_counts_within_the_grace_only() {
        let mut bench = Bench::new();
        bench.rotate("two");
        assert_eq!(bench.code(&bench.signed("one")).await, "BAD_SIGNATURE");
        bench.verifier = bench
            .verifier
            .clone()
            .rotation_grace(Duration::from_secs(60));
        assert_eq!(
            bench
                .verify(&bench.signed("one"))
                .await
                .unwrap()
                .secret_used,
            SecretUsed::Previous
        );
        assert_eq!(
            bench
                .verify(&bench.signed("two"))
                .await
                .unwrap()
                .secret_used,
            SecretUsed::Current
        );
        bench.clock.advance(60_000);
        assert_eq!(bench.code(&bench.signed("one")).await, "OK");
        let seen = PreviousSecretUse {
            count: 2,
            last_seen_ms: NOW + 60_000,
        };
        assert_eq!(bench.verifier.previous_secret_use(&orders()), Some(seen));
        bench.clock.advance(1);
        assert_eq!(bench.code(&bench.signed("one")).await, "BAD_SIGNATURE");
        assert_eq!(bench.verifier.previous_secret_use(&orders()), Some(seen));
    }

    #[tokio::test]
    async fn retiring_the_previous_secret_ends_the_grace_at_once() {
        let mut bench = Bench::new();
        bench.verifier = bench
            .verifier
            .clone()
            .rotation_grace(Duration::from_secs(60));
        bench.rotate("two");
        bench.credentials.forget_previous_now(&orders());
        assert_eq!(bench.code(&bench.signed("one")).await, "BAD_SIGNATURE");
    }

    #[tokio::test]
    async fn a_hook_is_told_and_cannot_change_the_outcome() {
        let mut bench = Bench::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = told.clone();
        bench.verifier = bench
            .verifier
            .clone()
            .on_bad_signature(Arc::new(move |report| {
                ear.lock().unwrap().push(report.clone());
                std::panic::resume_unwind(Box::new("a hook of bad manners"));
            }));
        assert_eq!(bench.code(&bench.signed("wrong")).await, "BAD_SIGNATURE");
        assert_eq!(bench.code(&bench.signed("one")).await, "OK");
        let told = told
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].method.as_str(), told[0].path.as_str()),
            ("POST", "/things?x=1")
        );
        assert_eq!(
            (told[0].timestamp_ms, told[0].client_id.as_str()),
            (NOW, "orders")
        );
    }

    /// Fails in the way it is told to.
    struct BrokenStore(fn() -> StoreError, AtomicU32);

    #[async_trait]
    impl CredentialStore for BrokenStore {
        async fn find(&self, _: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            Err((self.0)())
        }
        async fn write(
            &self,
            _: &ClientId,
            _: CredentialWrite,
        ) -> Result<WriteOutcome, StoreError> {
            Err((self.0)())
        }
        async fn delete(&self, _: &ClientId) -> Result<bool, StoreError> {
            Err((self.0)())
        }
        async fn forget_previous(&self, _: &ClientId) -> Result<bool, StoreError> {
            Err((self.0)())
        }
        async fn list(&self, _: Option<&str>, _: usize) -> Result<CredentialPage, StoreError> {
            Err((self.0)())
        }
    }

    #[async_trait]
    impl NonceStore for BrokenStore {
        async fn remember(
            &self,
            _: &str,
            _: &str,
            _: i64,
            _: Duration,
        ) -> Result<bool, StoreError> {
            Err((self.0)())
        }
    }

    #[tokio::test]
    async fn nothing_is_accepted_when_a_store_fails() {
        let bench = Bench::new();
        let unavailable = || StoreError::Unavailable(Box::new(std::io::Error::other("away")));
        let broken = Arc::new(BrokenStore(unavailable, AtomicU32::new(0)));
        for verifier in [
            Verifier::new(Arc::new(bench.credentials.clone()), broken.clone()),
            Verifier::new(broken.clone(), Arc::new(bench.nonces.clone())),
        ] {
            let headers = bench.signed("one");
            let verifier = verifier.clock(bench.clock.clone());
            let rejection = verifier
                .verify(request(&headers, None), BODY)
                .await
                .unwrap_err();
            assert_eq!(rejection.code_and_status(), ("INTERNAL_ERROR", 503));
        }
        let stale = with(&bench.signed("one"), "x-timestamp", "5");
        let verifier = Verifier::new(broken.clone(), broken.clone()).clock(bench.clock.clone());
        let rejection = verifier
            .verify(request(&stale, None), BODY)
            .await
            .unwrap_err();
        assert_eq!(rejection.code(), "TIMESTAMP_SKEW");
        assert_eq!(broken.1.load(Ordering::SeqCst), 1);
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    proptest! {
        #[test]
        fn any_request_is_refused_without_a_panic(
            method: String, target: String, values in proptest::array::uniform4(".{0,80}"), body: Vec<u8>,
        ) {
            let bench = Bench::new();
            let names = [header::CLIENT_ID, header::TIMESTAMP, header::NONCE, header::SIGNATURE];
            let mut headers: Vec<_> = names.into_iter().zip(values).collect();
            headers[0].1 = "orders".to_owned();
            headers[1].1 = NOW.to_string();
            let head = RequestHead { method: &method, target: &target, headers: &headers, peer_address: None };
            prop_assert!(block_on(bench.verifier.verify(head, &body)).is_err());
        }

        #[test]
        fn what_is_signed_is_accepted_and_any_one_bit_change_is_not(
            method in "(GET|post|Delete)", path in "/[a-z0-9é][a-z0-9/é]{0,12}", body: Vec<u8>,
            part in 0usize..6, position: prop::sample::Index, bit in 0u8..8,
        ) {
            let bench = Bench::new();
            let signer = Signer::new(orders(), hash("one")).clock(bench.clock.clone());
            let headers = pairs(&signer.sign(&method, &path, &body).unwrap());
            let head = RequestHead { method: &method, target: &path, headers: &headers, peer_address: None };
            prop_assert!(block_on(bench.verifier.verify(head, &body)).is_ok());
            let mut parts: Vec<Vec<u8>> = headers.iter().map(|(_, value)| value.clone().into_bytes()).collect();
            parts.push(path.clone().into_bytes());
            parts.push(body);
            if parts[part].is_empty() {
                return Ok(());
            }
            let at = position.index(parts[part].len());
            parts[part][at] ^= 1 << bit;
            let target = String::from_utf8_lossy(&parts[4]).into_owned();
            let changed: Vec<_> = headers.iter().map(|(name, _)| name).zip(&parts[..4]).collect();
            let head = RequestHead { method: &method, target: &target, headers: &changed, peer_address: None };
            prop_assert!(block_on(bench.verifier.verify(head, &parts[5])).is_err(), "part {} at {}", part, at);
        }
    }
}
