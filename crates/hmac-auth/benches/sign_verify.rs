//! What a signature costs: sign a request, verify one with stores that answer at once, a 128-byte body each. The floor is
//! the bare arithmetic: the body's SHA-256 and the HMAC-SHA256 of the payload.
//!
//! `cargo bench -p hmac-auth`

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up must stop"
)]

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::ManualClock;
use auth_base::nonce_store::NonceStore;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{ClientId, Credential};
use hmac_auth::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteOutcome,
};
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::sign::Signer;
use hmac_auth::verify::{RequestHead, Verifier};
use sha2::{Digest, Sha256};

const BODY: &[u8; 128] = &[b'x'; 128];
const TARGET: &str = "/api/echo?page=2&size=50";

/// Knows one client and has seen no nonce: no store, as far as cost goes.
struct Nothing(StoredCredential);

#[async_trait]
impl CredentialStore for Nothing {
    async fn find(&self, _: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        Ok(Some(self.0.clone()))
    }
    async fn write(&self, _: &ClientId, _: CredentialWrite) -> Result<WriteOutcome, StoreError> {
        Ok(WriteOutcome::NotFound)
    }
    async fn delete(&self, _: &ClientId) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn forget_previous(&self, _: &ClientId) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn list(&self, _: Option<&str>, _: usize) -> Result<CredentialPage, StoreError> {
        Ok(CredentialPage::default())
    }
}

#[async_trait]
impl NonceStore for Nothing {
    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<bool, StoreError> {
        Ok(true)
    }
}

fn hash() -> SecretHash {
    hash_client_secret(&Secret::new("plain-text-secret"), None)
}

/// These stores never wait, so one poll is enough.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn floor(criterion: &mut Criterion) {
    let (key, payload) = (hash(), [b'x'; 150]);
    criterion.bench_function(
        "floor: sha256 of 128 bytes + hmac-sha256 of 150",
        |bencher| {
            bencher.iter(|| {
                let body = Sha256::digest(black_box(BODY));
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("any length");
                mac.update(black_box(&payload));
                (body, mac.finalize().into_bytes())
            });
        },
    );
    criterion.bench_function("floor: 16 random bytes", |bencher| {
        bencher.iter(|| {
            let mut nonce = [0; 16];
            auth_base::random::Random::fill(&auth_base::random::SystemRandom, &mut nonce);
            nonce
        });
    });
}

fn sign(criterion: &mut Criterion) {
    let client_id = ClientId::parse("orders").expect("a client id");
    let signer = Signer::new(client_id, hash());
    criterion.bench_function("sign, 128-byte body", |bencher| {
        bencher.iter(|| signer.sign(black_box("POST"), black_box(TARGET), black_box(BODY)));
    });
}

fn verify(criterion: &mut Criterion) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let client_id = ClientId::parse("orders").expect("a client id");
    let credential = Credential {
        secret_hash: hash(),
        created_at: 0,
        updated_at: 0,
        expires_at: None,
        allowed_ips: AllowedIps::default(),
    };
    let stores = Arc::new(Nothing(StoredCredential {
        credential,
        previous: None,
        rotated_at: None,
    }));
    let verifier = Verifier::new(stores.clone(), stores).clock(clock.clone());
    let signed = Signer::new(client_id, hash())
        .clock(clock)
        .sign("POST", TARGET, BODY)
        .expect("a target");
    let headers = signed.pairs();
    let head = RequestHead {
        method: "POST",
        target: TARGET,
        headers: &headers,
        peer_address: None,
    };
    criterion.bench_function("verify, 128-byte body, no store", |bencher| {
        bencher.iter(|| {
            ready(verifier.verify(black_box(head), black_box(BODY))).expect("a good signature")
        });
    });
    let forged = [
        ("x-client-id", "orders"),
        headers[1],
        ("x-nonce", "other"),
        headers[3],
    ];
    let head = RequestHead {
        method: "POST",
        target: TARGET,
        headers: &forged,
        peer_address: None,
    };
    criterion.bench_function("refuse a forged request", |bencher| {
        bencher.iter(|| {
            ready(verifier.verify(black_box(head), black_box(BODY))).expect_err("a bad signature")
        });
    });
}

criterion_group!(benches, floor, sign, verify);
criterion_main!(benches);
