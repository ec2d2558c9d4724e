//! A connection between the gateway and the accounts service that a test can cut, or on which answers get lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Duration, sleep};

const PASSES: u8 = 0;
const IS_CUT: u8 = 1;
const LOSES_ANSWERS: u8 = 2;
const HOLDS_ROTATIONS: u8 = 3;

/// It listens until its test ends.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    mode: Arc<AtomicU8>,
    /// Let go, one by one.
    held: Arc<Semaphore>,
    requests: Arc<AtomicUsize>,
}

impl Link {
    pub(crate) async fn to(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Self {
            address: listener.local_addr().unwrap(),
            mode: Arc::default(),
            held: Arc::new(Semaphore::new(0)),
            requests: Arc::default(),
        };
        let shared = link.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let link = shared.clone();
                tokio::spawn(async move { link.carry(stream, service).await });
            }
        });
        link
    }

    /// Ends every connection from now on.
    pub(crate) fn cut(&self) {
        self.mode.store(IS_CUT, Ordering::SeqCst);
    }

    /// Hands requests on, and loses what is answered.
    pub(crate) fn lose_answers(&self) {
        self.mode.store(LOSES_ANSWERS, Ordering::SeqCst);
    }

    /// Hands requests on, and holds what is answered to a rotation until [`Self::let_go`].
    pub(crate) fn hold_rotations(&self) {
        self.mode.store(HOLDS_ROTATIONS, Ordering::SeqCst);
    }

    /// Hands on what it holds.
    pub(crate) fn let_go(&self) {
        self.mend();
        self.held.add_permits(16);
    }

    pub(crate) fn mend(&self) {
        self.mode.store(PASSES, Ordering::SeqCst);
    }

    /// How often something was asked.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    async fn carry(&self, mut caller: TcpStream, service: SocketAddr) -> Option<()> {
        let mut service = TcpStream::connect(service).await.ok()?;
        let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        let mut rotates = false;
        loop {
            tokio::select! {
                read = caller.read(&mut asked) => {
                    let read = read.ok().filter(|read| *read > 0)?;
                    if self.mode.load(Ordering::SeqCst) == IS_CUT {
                        return None;
                    }
                    rotates = asked[..read].windows(16).any(|it| it == b"/refresh/rotate ");
                    if asked[..read].windows(9).any(|it| it == b" HTTP/1.1") {
                        self.requests.fetch_add(1, Ordering::SeqCst);
                    }
                    service.write_all(&asked[..read]).await.ok()?;
                }
                read = service.read(&mut answered) => {
                    let read = read.ok().filter(|read| *read > 0)?;
                    let mode = self.mode.load(Ordering::SeqCst);
                    if mode == HOLDS_ROTATIONS && rotates {
                        self.held.acquire().await.ok()?.forget();
                    } else if matches!(mode, IS_CUT | LOSES_ANSWERS) {
                        // What was asked is done by now, and nobody hears of it.
                        sleep(Duration::from_millis(1)).await;
                        return None;
                    }
                    caller.write_all(&answered[..read]).await.ok()?;
                }
            }
        }
    }
}
