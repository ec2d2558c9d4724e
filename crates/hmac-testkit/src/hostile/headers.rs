//! Signed requests: what a verifier makes of the headers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, ManualClock};
use auth_base::nonce_store::MemoryNonceStore;
use auth_base::secret::Secret;
use futures_util::FutureExt;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::canonical::{
    hash_body, normalize_received_target, normalize_target, sign_request, signing_payload,
};
use hmac_auth::client_address::TrustedProxies;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
use hmac_auth::header;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_auth::rejection::Rejection;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::signed_head::parse_timestamp;
use hmac_auth::verify::{RequestHead, Verified, Verifier};

const NOW_MS: i64 = 1_700_000_000_000;
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const RULE: &str = "192.0.2.0/24";

/// Takes a request: method and target in the first line, then the headers, an empty line, the body. It is accepted only with
/// the one signature that its client's secret gives; and the same request with that signature is accepted once, and
/// not with another body, a header twice or a target that would go elsewhere.
///
/// The clients are `orders`, `expired` and `restricted` (to `192.0.2.0/24`, behind a proxy); the time is 1700000000000.
///
/// # Panics
/// Where that does not hold.
pub fn headers(bytes: &[u8]) {
    let request = Request::read(bytes);
    let world = World::new();
    let outcome = world.verify(&request);
    world.check(&request, &outcome);
    if let Some(signed) = request.signed() {
        a_signed_request_is_accepted_once(&signed);
    }
}

fn a_signed_request_is_accepted_once(signed: &Request) {
    let world = World::new();
    let first = world.verify(signed);
    world.check(signed, &first);
    if first.is_ok() {
        assert!(
            matches!(world.verify(signed), Err(Rejection::ReplayedNonce)),
            "accepted twice"
        );
    }
    let elsewhere = normalize_received_target(&signed.target).is_err();
    assert!(
        !(elsewhere && first.is_ok()),
        "accepted for {:?}",
        signed.target
    );
    // Whatever else is wrong with it, it is not the signature.
    assert_eq!(
        matches!(first, Err(Rejection::BadSignature)),
        elsewhere,
        "{first:?}"
    );

    let mut longer = signed.clone();
    longer.body.push(b' ');
    assert!(
        World::new().verify(&longer).is_err(),
        "accepted with another body"
    );
    for name in [
        header::CLIENT_ID,
        header::SIGNATURE,
        header::TIMESTAMP,
        header::NONCE,
    ] {
        let mut twice = signed.clone();
        twice.headers.extend(
            signed
                .one(name)
                .map(|value| (name.to_ascii_uppercase(), value.to_vec())),
        );
        assert!(
            World::new().verify(&twice).is_err(),
            "accepted with {name} twice"
        );
        let mut without = signed.clone();
        without
            .headers
            .retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        assert!(
            World::new().verify(&without).is_err(),
            "accepted without {name}"
        );
    }
}

#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    fn read(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|&byte| byte == b'\n');
        let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let (method, target) = first.split_once(' ').unwrap_or((&first, ""));
        let mut headers = Vec::new();
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let mut parts = line.splitn(2, |&byte| byte == b':');
            let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
            headers.push((name, parts.next().unwrap_or_default().to_vec()));
        }
        let body = lines.collect::<Vec<_>>().join(&b'\n');
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body,
        }
    }

    /// The value of a header that is there once.
    fn one(&self, name: &str) -> Option<&[u8]> {
        let mut values = self
            .headers
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = values.next()?.1.trim_ascii();
        values.next().is_none().then_some(value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.one(name)?).ok()
    }

    /// The only signature that may be accepted, computed from what is public.
    fn signature(&self) -> Option<String> {
        let path = normalize_target(&self.target).ok()?;
        let timestamp_ms = parse_timestamp(self.text(header::TIMESTAMP)?)?;
        let body_hash = hash_body(&self.body);
        let payload = signing_payload(
            &self.method,
            &path,
            timestamp_ms,
            self.text(header::NONCE)?,
            &body_hash,
        );
        Some(sign_request(
            &secret_hash(self.text(header::CLIENT_ID)?.trim()),
            &payload,
        ))
    }

    /// The same request, signed.
    fn signed(&self) -> Option<Self> {
        let signature = self.signature()?.into_bytes();
        let mut signed = self.clone();
        signed
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case(header::SIGNATURE));
        signed
            .headers
            .push((header::SIGNATURE.to_owned(), signature));
        // What has no target that can be signed, no time near ours, no client of ours or no place to come from is refused for
        // that, before its signature is looked at.
        let client = signed.text(header::CLIENT_ID)?.trim();
        let known =
            matches!(client, "orders") || (client == "restricted" && World::new().lets_in(&signed));
        let near = parse_timestamp(signed.text(header::TIMESTAMP)?)?.abs_diff(NOW_MS) <= 300_000;
        let nonce = signed.text(header::NONCE)?;
        let plain = (1..=256).contains(&nonce.len()) && !nonce.chars().any(char::is_control);
        (known && near && plain).then_some(signed)
    }
}

struct World {
    verifier: Verifier,
    proxies: TrustedProxies,
}

impl World {
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_MS));
        let credentials = MemoryCredentialStore::with_clock(clock.clone());
        let rules = AllowedIps::parse_lenient([RULE]);
        for (name, expires_at, allowed_ips) in [
            ("orders", None, AllowedIps::default()),
            ("expired", Some(NOW_MS - 1), AllowedIps::default()),
            ("restricted", None, rules),
        ] {
            let change = CredentialChange {
                secret_hash: Some(secret_hash(name)),
                expires_at: Change::Set(expires_at),
                allowed_ips: Change::Set(allowed_ips),
            };
            let (condition, backup_ttl) = (WriteCondition::Always, Duration::ZERO);
            let write = CredentialWrite {
                change,
                condition,
                now_ms: NOW_MS,
                backup_ttl,
            };
            if let Ok(client_id) = ClientId::parse(name) {
                credentials.write_now(&client_id, &write);
            }
        }
        let proxies = TrustedProxies::new(vec![PROXY.into()]);
        let nonces = MemoryNonceStore::with_clock(clock.clone());
        let verifier = Verifier::new(Arc::new(credentials), Arc::new(nonces))
            .clock(clock)
            .trusted_proxies(proxies.clone());
        Self { verifier, proxies }
    }

    #[expect(
        clippy::expect_used,
        reason = "the stores are in memory, so nothing waits"
    )]
    fn verify(&self, request: &Request) -> Result<Verified, Rejection> {
        let head = RequestHead {
            method: &request.method,
            target: &request.target,
            headers: &request.headers,
            peer_address: Some(PROXY),
        };
        let verified = self.verifier.verify(head, &request.body);
        verified
            .now_or_never()
            .expect("stores in memory answer at once")
    }

    /// What an accepted request has; what a refused one is told.
    fn check(&self, request: &Request, outcome: &Result<Verified, Rejection>) {
        match outcome {
            Ok(verified) => {
                let client = verified.client_id.as_str();
                assert!(
                    matches!(client, "orders" | "restricted"),
                    "{client} is accepted"
                );
                assert_eq!(request.text(header::CLIENT_ID).map(str::trim), Some(client));
                assert_eq!(
                    request.text(header::SIGNATURE),
                    request.signature().as_deref(),
                    "unsigned"
                );
                assert!(
                    client == "orders" || self.lets_in(request),
                    "{:?}",
                    verified.client_address
                );
            }
            Err(rejection) => {
                assert!(!rejection.is_internal(), "{rejection:?}");
                assert!(matches!(rejection.status(), 401 | 403));
            }
        }
    }

    fn lets_in(&self, request: &Request) -> bool {
        let values = request
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(header::FORWARDED_FOR));
        let address = self
            .proxies
            .client_address(Some(PROXY), values.map(|(_, value)| value.as_slice()));
        matches!(address, Some(IpAddr::V4(address)) if address.octets()[..3] == [192, 0, 2])
    }
}

fn secret_hash(client: &str) -> SecretHash {
    hash_client_secret(&Secret::new(format!("secret of {client}")), None)
}
