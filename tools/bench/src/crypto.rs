//! Signing and verifying without a store.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_base::clock::SystemClock;
use auth_base::nonce_store::NonceStore;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
use hmac_auth::header::Headers;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::sign::{SignedHeaders, Signer};
use hmac_auth::verify::{RequestHead, Verifier};

use crate::error::Error;
use crate::table::{Table, median};

const ROUNDS: u32 = 100_000;
const BODY: [u8; 128] = [b'x'; 128];

/// Accepts every nonce: what is left is the price of verifying itself.
struct NoNonces;

#[async_trait::async_trait]
impl NonceStore for NoNonces {
    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<bool, StoreError> {
        Ok(true)
    }
}

struct Pairs<'a>(&'a SignedHeaders);

impl Headers for Pairs<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .pairs()
            .into_iter()
            .filter(move |(n, _)| *n == name)
            .map(|(_, value)| value.as_bytes())
    }
}

/// Measures both, beside one HMAC-SHA256 of as many bytes.
pub(crate) async fn measure(runs: usize, table: &mut Table) -> Result<(), Error> {
    let client = ClientId::parse("client")?;
    let hash = hash_client_secret(&Secret::new("a-secret-of-sixteen"), None);
    let credentials = holding(&client, &hash);
    let signer = Signer::new(client, hash);
    let verifier =
        Verifier::new(Arc::new(credentials), Arc::new(NoNonces)).clock(Arc::new(SystemClock));
    let (mut signing, mut verifying, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(signer.sign("POST", "/api/echo", black_box(&BODY))?);
        }
        signing.push(micros(start));
        let signed = signer.sign("POST", "/api/echo", &BODY)?;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let headers = Pairs(&signed);
            let head = RequestHead {
                method: "POST",
                target: "/api/echo",
                headers: &headers,
                peer_address: None,
            };
            black_box(verifier.verify(head, black_box(&BODY)).await?);
        }
        verifying.push(micros(start));
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(hash_client_secret(
                black_box(&Secret::new("x".repeat(128))),
                Some(black_box(&Secret::new("k".repeat(64)))),
            ));
        }
        floor.push(micros(start));
    }
    let (signing, verifying, floor) = (median(signing), median(verifying), median(floor));
    let row = |figure: f64| {
        (
            format!("{figure:.2} us"),
            format!("{floor:.2} us (one HMAC-SHA256 of 128 bytes)"),
            format!("{:.2}", figure / floor),
        )
    };
    let (ours, below, ratio) = row(signing);
    table.add("sign a request, 128-byte body", ours, below, ratio);
    let (ours, below, ratio) = row(verifying);
    table.add("verify without a store, 128-byte body", ours, below, ratio);
    Ok(())
}

/// A store that holds one client.
fn holding(client: &ClientId, hash: &SecretHash) -> MemoryCredentialStore {
    let credentials = MemoryCredentialStore::new();
    let write = CredentialWrite {
        change: CredentialChange {
            secret_hash: Some(hash.clone()),
            ..CredentialChange::default()
        },
        condition: WriteCondition::Always,
        now_ms: 0,
        backup_ttl: Duration::from_secs(1),
    };
    credentials.write_now(client, &write);
    credentials
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}
