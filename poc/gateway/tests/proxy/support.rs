//! A proxy before peers that note what arrives, and a caller that sends bytes.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use gateway::proxy::{
    Caller, LocalOperator, Proxy, ProxyError, Refusal, Request, Settings, Upstream, Who,
};
use jwt_auth::{Algorithm, InternalContext, Jwks, MemorySigner, PrivateKey, Signer as _};
use mesh_api::permission::Role;
use peer_kit::shutdown::Stop;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::upstream::{self, Seen, WITHIN};

/// The proxy, and the peers `one` (with its pages) and `two`.
pub(crate) struct Proxied {
    pub(crate) address: SocketAddr,
    pub(crate) probes: SocketAddr,
    pub(crate) one: upstream::Upstream,
    pub(crate) two: upstream::Upstream,
    pub(crate) stop: Stop,
    pub(crate) served: JoinHandle<Result<(), ProxyError>>,
    keys: Jwks,
}

/// Ends a caller's right when a test says so. It believes what comes through other proxies, as whoever reads cookies does.
struct Ending(LocalOperator, CancellationToken);

#[async_trait]
impl Who for Ending {
    async fn identify(&self, request: Request<'_>) -> Result<Caller, Refusal> {
        let is_forwarded = false;
        let request = Request {
            is_forwarded,
            ..request
        };
        let mut caller = self.0.identify(request).await?;
        caller.ended = self.1.clone();
        Ok(caller)
    }
}

impl Proxied {
    /// As an operator.
    pub(crate) async fn start() -> Self {
        Self::with(Role::Operator, |_| {}, &CancellationToken::new()).await
    }

    /// In another role, told otherwise, and until `ended`.
    pub(crate) async fn with(
        role: Role,
        change: impl FnOnce(&mut Settings),
        ended: &CancellationToken,
    ) -> Self {
        let (one, two) = (
            upstream::Upstream::start().await,
            upstream::Upstream::start().await,
        );
        let named = |name, upstream: &upstream::Upstream| -> Upstream {
            format!("{name}=http://{}", upstream.address)
                .parse()
                .unwrap()
        };
        let listens = vec!["127.0.0.1:0".parse().unwrap()];
        let operator = LocalOperator::new(role, "me", &listens).unwrap();
        let mut settings = Settings::new(vec![named("one", &one), named("two", &two)], listens);
        settings.probes = Some("127.0.0.1:0".parse().unwrap());
        settings.requests_per_second = NonZeroU32::new(10_000).unwrap();
        change(&mut settings);
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        let signer = MemorySigner::new(&key).unwrap();
        let keys = Jwks::new([signer.key().clone()]);
        let who = Arc::new(Ending(operator, ended.clone()));
        let proxy = Proxy::bind(settings, who, Arc::new(signer)).await.unwrap();
        Self {
            address: proxy.dashboards()[0].1,
            probes: proxy.probes().unwrap(),
            one,
            two,
            stop: proxy.stop(),
            served: tokio::spawn(proxy.run_until_stopped()),
            keys,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and reads whatever comes until the other side ends, which they ask for.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        send(self.address, bytes.as_ref()).await
    }

    /// A GET with further header lines, each with its end.
    pub(crate) async fn get(&self, target: &str, headers: &str) -> String {
        let host = self.address;
        self.send(format!(
            "GET {target} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n"
        ))
        .await
    }

    /// Reads the token of a request as the peer `audience` would.
    pub(crate) async fn token(
        &self,
        seen: &Seen,
        audience: &str,
        method: &str,
        uri: &str,
    ) -> Result<InternalContext, String> {
        seen.token(self.keys.clone(), audience, method, uri).await
    }
}

/// Sends bytes, and reads until the other side ends.
pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(WITHIN, stream.read_to_end(&mut answer)).await;
    assert!(
        read.is_ok(),
        "no end after {}",
        String::from_utf8_lossy(&answer)
    );
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until there is `wanted` in it.
pub(crate) async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut answer = Vec::new();
    let reading = timeout(WITHIN, async {
        while !String::from_utf8_lossy(&answer).contains(wanted) {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "it ends");
        }
    });
    let found = reading.await.is_ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(found, "no {wanted} in {answer}");
    answer
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.unwrap_or_else(|| panic!("no status in {answer:?}"))
}

/// Whether an answer is the house's problem with this status and code.
pub(crate) fn is_problem(answer: &str, wanted: u16, code: &str) {
    assert_eq!(status(answer), wanted, "{answer}");
    assert!(
        answer.contains(&format!("\"error\":\"{code}\"")),
        "{answer}"
    );
    assert!(
        answer.contains("content-type: application/json"),
        "{answer}"
    );
    assert!(answer.contains("x-request-id: "), "{answer}");
}
