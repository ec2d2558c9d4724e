//! A TCP proxy that breaks what passes through it, for tests of faults: it delays, cuts, swallows, and tells who watches.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use crate::error::Error;

/// How a proxy treats what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Open,
    /// Everything passes so much later, each way.
    Slow(Duration),
    /// Connections are accepted and stay open, and nothing passes, not even their end.
    Silent,
    /// New connections are closed at once.
    Refusing,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What is done with bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They go on.
    Pass,
    /// The first so many of them go on, then the connection is reset.
    CutAfter(usize),
    /// They go no further; nothing else passes before [`Proxy::set`].
    Swallow,
    /// They go on, and then nothing else passes before [`Proxy::set`].
    PassAndFreeze,
}

/// Sees all bytes before they pass.
pub type Watcher = Arc<dyn Fn(Way, &[u8]) -> Verdict + Send + Sync>;

#[derive(Clone, Copy)]
struct Rules {
    mode: Mode,
    /// Connections before this one are reset.
    cut_before: u64,
    /// Nothing passes through connections before this one any more, in whatever mode.
    dead_before: u64,
}

/// A proxy on 127.0.0.1, with a thread of its own. Its connections end when it is dropped.
pub struct Proxy {
    port: u16,
    rules: Arc<watch::Sender<Rules>>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts one before the server of `url`, in the mode [`Mode::Open`].
    ///
    /// # Errors
    /// [`Error::Unexpected`] when the URL has no port; [`Error::Io`] when it cannot listen.
    pub fn start(url: &str, watcher: Option<Watcher>) -> Result<Self, Error> {
        let port = Url::parse(url).ok().and_then(|url| url.port());
        let port = port.ok_or_else(|| Error::Unexpected("a URL without a port".to_owned()))?;
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("a proxy"))?;
        listener
            .set_nonblocking(true)
            .map_err(Error::io("a proxy"))?;
        let port = listener.local_addr().map_err(Error::io("a proxy"))?.port();
        let (rules, seen) = watch::channel(Rules {
            mode: Mode::Open,
            cut_before: 0,
            dead_before: 0,
        });
        let (rules, connections) = (Arc::new(rules), Arc::new(AtomicU64::new(0)));
        let serving = Serving {
            server,
            watcher,
            rules: seen,
            sender: Arc::downgrade(&rules),
            connections: Arc::clone(&connections),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(Error::io("a proxy"))?;
        // A thread of its own: a test that waits for a process blocks its runtime, and the network must go on.
        std::thread::spawn(move || runtime.block_on(serving.run(listener)));
        Ok(Self {
            port,
            rules,
            connections,
        })
    }

    /// The same URL, through this proxy.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when it is none.
    pub fn through(&self, url: &str) -> Result<String, Error> {
        let unexpected = |_| Error::Unexpected("not a URL".to_owned());
        let mut url = Url::parse(url).map_err(unexpected)?;
        let host = Ipv4Addr::LOCALHOST.to_string();
        url.set_host(Some(&host))
            .map_err(|error| Error::Unexpected(error.to_string()))?;
        url.set_port(Some(self.port))
            .map_err(|()| Error::Unexpected("a URL without a port".to_owned()))?;
        Ok(url.to_string())
    }

    /// How many connections it has served so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Treats everything so from now on; what was held back passes when the mode lets it.
    pub fn set(&self, mode: Mode) {
        self.rules.send_modify(|rules| rules.mode = mode);
    }

    /// Resets every connection that is open.
    pub fn cut(&self) {
        let next = self.connections();
        self.rules.send_modify(|rules| rules.cut_before = next);
    }

    /// Forgets every connection that is open, as a firewall that was restarted: neither end is told, nothing passes any more, and
    /// new ones are served.
    pub fn forget(&self) {
        let next = self.connections();
        self.rules.send_modify(|rules| rules.dead_before = next);
    }
}

struct Serving {
    server: SocketAddr,
    watcher: Option<Watcher>,
    rules: watch::Receiver<Rules>,
    sender: Weak<watch::Sender<Rules>>,
    connections: Arc<AtomicU64>,
}

impl Serving {
    /// Serves until the proxy is dropped.
    async fn run(self, listener: std::net::TcpListener) {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let mut rules = self.rules.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                // Nothing is waited for but the proxy's end.
                _ = rules.wait_for(|_| false) => return,
            };
            let Ok((client, _)) = accepted else { continue };
            if self.rules.borrow().mode == Mode::Refusing {
                reset(&client);
                continue;
            }
            let passage = Passage {
                number: self.connections.fetch_add(1, Ordering::SeqCst),
                rules: self.rules.clone(),
                sender: self.sender.clone(),
                watcher: self.watcher.clone(),
            };
            tokio::spawn(passage.carry(client, self.server));
        }
    }
}

/// One connection through the proxy.
#[derive(Clone)]
struct Passage {
    number: u64,
    rules: watch::Receiver<Rules>,
    sender: Weak<watch::Sender<Rules>>,
    watcher: Option<Watcher>,
}

/// The connection is to be reset.
struct Cut;

impl Passage {
    async fn carry(mut self, mut client: TcpStream, server: SocketAddr) {
        if self.may_pass().await.is_err() {
            return reset(&client);
        }
        let Ok(mut server) = TcpStream::connect(server).await else {
            return reset(&client);
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let outcome = {
            let ((from_client, to_client), (from_server, to_server)) =
                (client.split(), server.split());
            tokio::try_join!(
                self.clone().pump(Way::ToServer, from_client, to_server),
                self.clone().pump(Way::ToClient, from_server, to_client),
            )
        };
        if outcome.is_err() {
            reset(&client);
            reset(&server);
        }
    }

    async fn pump(
        mut self,
        way: Way,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Cut> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let mut rules = self.rules.clone();
            let number = self.number;
            let read = tokio::select! {
                read = from.read(&mut buffer) => read.unwrap_or_default(),
                _ = rules.wait_for(|rules| number < rules.cut_before) => return Err(Cut),
            };
            let mode = self.may_pass().await?;
            if let Mode::Slow(delay) = mode {
                tokio::time::sleep(delay).await;
            }
            if read == 0 {
                // What else could be done about an end that is gone already.
                let _ = to.shutdown().await;
                return Ok(());
            }
            let bytes = &buffer[..read];
            match self
                .watcher
                .as_ref()
                .map_or(Verdict::Pass, |watch| watch(way, bytes))
            {
                Verdict::Pass => to.write_all(bytes).await.map_err(|_| Cut)?,
                Verdict::CutAfter(count) => {
                    let _ = to.write_all(&bytes[..count.min(read)]).await;
                    return Err(Cut);
                }
                Verdict::Swallow => self.freeze(),
                Verdict::PassAndFreeze => {
                    self.freeze();
                    to.write_all(bytes).await.map_err(|_| Cut)?;
                }
            }
        }
    }

    fn freeze(&self) {
        if let Some(sender) = self.sender.upgrade() {
            sender.send_modify(|rules| rules.mode = Mode::Silent);
        }
    }

    /// Waits until something may pass; `Err` when the connection is cut, or the proxy is gone.
    async fn may_pass(&mut self) -> Result<Mode, Cut> {
        let number = self.number;
        let decided = |rules: &Rules| {
            number < rules.cut_before || (number >= rules.dead_before && rules.mode != Mode::Silent)
        };
        let rules = *self.rules.wait_for(decided).await.map_err(|_| Cut)?;
        if number < rules.cut_before {
            Err(Cut)
        } else {
            Ok(rules.mode)
        }
    }
}

/// Closes with a reset instead of an end.
fn reset(stream: &TcpStream) {
    // A socket that is gone already needs none.
    let _ = stream.set_zero_linger();
}
