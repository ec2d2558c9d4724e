//! The four peers, each of which can be stopped and started again while the others go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_base::error_chain::chain;
use hmac_propagation::queue::PeerName;
use mesh_view::control::PeerControl;
use peer_kit::application::{Application, ApplicationError};
use peer_kit::config::source::Source;
use peer_kit::config::{Config, Defaults};
use peer_kit::process::Failure;
use peer_kit::shutdown::Stop;
use services::http::exchange_with;
use services::mesh::{Mode, PLACES, Place};
use services::output::complain;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use url::Url;

use crate::backends::Backends;
use crate::options::Error;
use crate::tokens::Tokens;

/// A peer is ready within this time, or the demo gives up.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Readiness is asked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The peers of this process.
pub(crate) struct Peers {
    /// Handed to the dashboards, whose buttons stop and start peers.
    control: Arc<Control>,
    slots: Vec<Slot>,
    backends: Backends,
    /// Issues what the peers ask for, where they do.
    tokens: Option<Tokens>,
}

struct Slot {
    place: Place,
    config: Config,
    running: Mutex<Option<Running>>,
    /// Whether it was started and not stopped since.
    wanted: AtomicBool,
}

/// Does not keep the peers alive: they keep it.
struct Control(Weak<Peers>);

struct Running {
    stop: Stop,
    task: JoinHandle<Result<(), ApplicationError>>,
}

impl Peers {
    /// Configures them all; none runs yet.
    pub(crate) fn new(
        backends: Backends,
        ports: [u16; 4],
        tokens: Option<Tokens>,
    ) -> Result<Arc<Self>, Error> {
        let mut slots = Vec::new();
        for (place, mut variables) in PLACES.into_iter().zip(backends.environments(ports)?) {
            if let Some(tokens) = &tokens {
                variables.extend(tokens.variables());
            }
            let config = Config::load(&Source::from_pairs(variables), defaults(place.name))?;
            slots.push(Slot {
                place,
                config,
                running: Mutex::default(),
                wanted: AtomicBool::new(false),
            });
        }
        Ok(Arc::new_cyclic(|peers| Self {
            control: Arc::new(Control(Weak::clone(peers))),
            slots,
            backends,
            tokens,
        }))
    }

    /// Their places and addresses, in order.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (Place, Url)> {
        self.slots
            .iter()
            .map(|slot| (slot.place, url(&slot.config)))
    }

    /// What issues tokens, where the peers ask for them.
    pub(crate) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Where an operator may look besides the peers.
    pub(crate) fn consoles(&self) -> Vec<(&'static str, String)> {
        self.backends.consoles()
    }

    /// Starts a peer that does not run; it listens when this returns.
    pub(crate) async fn start(&self, name: &str) -> Result<(), Error> {
        let slot = self.slot(name)?;
        let mut running = slot.running.lock().await;
        if running
            .as_ref()
            .is_some_and(|running| !running.task.is_finished())
        {
            return Ok(());
        }
        let application = self.build(slot).await?;
        *running = Some(Running {
            stop: application.stop(),
            task: tokio::spawn(application.run_until_stopped()),
        });
        slot.wanted.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Stops a peer in good order; what it holds stays.
    pub(crate) async fn stop(&self, name: &str) -> Result<(), Error> {
        let slot = self.slot(name)?;
        let mut running = slot.running.lock().await;
        slot.wanted.store(false, Ordering::SeqCst);
        if let Some(running) = running.take() {
            running.stop.ask();
            running.task.await??;
        }
        Ok(())
    }

    /// Stops all of them at once, each within its own bound.
    pub(crate) async fn stop_all(&self) {
        let mut ending = Vec::new();
        for slot in &self.slots {
            if let Some(running) = slot.running.lock().await.take() {
                running.stop.ask();
                ending.push((slot.place.name, running.task));
            }
        }
        for (name, task) in ending {
            if !matches!(task.await, Ok(Ok(()))) {
                complain(format_args!("{name} did not end well"));
            }
        }
    }

    /// Waits until a peer says that it is ready.
    pub(crate) async fn until_ready(&self, name: &str) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let answer = self.request("GET", name, "/readyz", None).await;
            if matches!(answer, Ok((200, _))) {
                return Ok(());
            }
            if start.elapsed() > READY_WITHIN {
                return Err(format!("{name} is not ready: {answer:?}").into());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a peer ends that nobody asked to.
    pub(crate) async fn one_fails(&self) -> Error {
        loop {
            for slot in &self.slots {
                let mut running = slot.running.lock().await;
                let Some(ended) = running.take_if(|running| running.task.is_finished()) else {
                    continue;
                };
                return match ended.task.await {
                    Ok(Ok(())) => format!("{} has ended", slot.place.name).into(),
                    Ok(Err(error)) => error.into(),
                    Err(error) => error.into(),
                };
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Sends a JSON request to a peer; returns status and body.
    pub(crate) async fn request(
        &self,
        method: &'static str,
        name: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), Error> {
        let url = url(&self.slot(name)?.config).join(path)?;
        let header = match &self.tokens {
            Some(tokens) => Some(tokens.header(name, method, path).await?),
            None => None,
        };
        Ok(exchange_with(method, url, header, body).await?)
    }

    /// Each peer as its own program has it, on the backends of this one.
    async fn build(&self, slot: &Slot) -> Result<Application, Failure> {
        let config = slot.config.clone();
        let mut backends = match &self.backends {
            Backends::Embedded { memory, .. } => memory.backends(&config),
            Backends::Servers(_) => match slot.place.name {
                "consumer" => consumer::backends(&config)?,
                "leptos-axum" => leptos_axum::backends(&config)?,
                "leptos-actix" => leptos_actix::backends(&config)?,
                _ => authority::backends(&config)?,
            },
        };
        backends.control = Some(self.control.clone());
        match slot.place.name {
            "consumer" => consumer::start(config, backends).await,
            "leptos-axum" => leptos_axum::start(config, backends).await,
            "leptos-actix" => leptos_actix::start(config, backends).await,
            _ => authority::start(config, backends).await,
        }
    }

    fn slot(&self, name: &str) -> Result<&Slot, Error> {
        let found = self.slots.iter().find(|slot| slot.place.name == name);
        found.ok_or_else(|| format!("there is no peer {name}").into())
    }
}

#[async_trait]
impl PeerControl for Control {
    fn running(&self, peer: &PeerName) -> Option<bool> {
        let peers = self.0.upgrade()?;
        let slot = peers.slot(peer.as_str()).ok()?;
        Some(slot.wanted.load(Ordering::SeqCst))
    }

    async fn stop(&self, peer: &PeerName) -> Result<(), String> {
        let peers = self.0.upgrade().ok_or("the demo is ending")?;
        peers
            .stop(peer.as_str())
            .await
            .map_err(|error| chain(&*error))
    }

    async fn start(&self, peer: &PeerName) -> Result<(), String> {
        let peers = self.0.upgrade().ok_or("the demo is ending")?;
        peers
            .start(peer.as_str())
            .await
            .map_err(|error| chain(&*error))
    }
}

/// What a place's program is when nothing is said.
fn defaults(name: &str) -> &'static Defaults {
    match name {
        "consumer" => &consumer::DEFAULTS,
        "leptos-axum" => &leptos_axum::DEFAULTS,
        "leptos-actix" => &leptos_actix::DEFAULTS,
        _ => &authority::DEFAULTS,
    }
}

/// Where a peer listens. Built from an address, which is always a URL.
fn url(config: &Config) -> Url {
    let url = Url::parse(&format!("http://{}", config.listen));
    url.unwrap_or_else(|_| unreachable!("an address makes a URL"))
}

/// The words for what a peer can do.
pub(crate) fn mode(place: &Place) -> &'static str {
    match place.mode {
        Mode::Full => "full mode",
        Mode::ReceiveOnly => "receive-only",
    }
}
