//! The four peers in one process: what `cargo demo` runs. The same code as the peers' own programs, but for the adapters
//! under it: an in-process broker, stores in memory and SQLite by default, real servers when asked.

mod backends;
mod clients;
mod front_door;
mod options;
mod peers;
mod tokens;
mod tour;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use auth_base::error_chain::chain;
use clap::Parser as _;
use peer_kit::shutdown::Stop;
use services::mesh::PLACES;
use services::output::{OutputGone, complain, say};
use tokio::runtime::Builder;

use crate::backends::Backends;
use crate::front_door::FrontDoor;
use crate::options::{Error, Options};
use crate::peers::Peers;
use crate::tokens::Tokens;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let outcome = runtime.block_on(run(&options));
    runtime.shutdown_timeout(Duration::from_millis(200));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    if !error.is::<OutputGone>() {
        complain(format_args!("error: {}", chain(error)));
    }
    ExitCode::FAILURE
}

async fn run(options: &Options) -> Result<(), Error> {
    peer_kit::tls::install_provider();
    let stop = Stop::default();
    stop.on_signals()?;
    let start = Instant::now();
    let tokens = Tokens::of(options)?;
    let ports = services::mesh::ports(!options.free_ports)?;
    let backends = tokio::select! {
        backends = Backends::bring_up(options.services, ports) => backends?,
        () = stop.asked() => return Ok(()),
    };
    let peers = Peers::new(backends, ports, tokens)?;
    let front_door = FrontDoor::start(&peers, options.free_ports).await?;
    let outcome = tokio::select! {
        outcome = show(options, &peers, front_door.as_ref(), start) => outcome,
        () = stop.asked() => Ok(()),
    };
    let said = say("\nStopping ...");
    let closed = match front_door {
        Some(front_door) => front_door.stop().await,
        None => Ok(()),
    };
    peers.stop_all().await;
    outcome.and(closed).and(Ok(said?))
}

/// Starts the peers, loads the clients, and says what to look at; ends when a peer does, or after the check.
async fn show(
    options: &Options,
    peers: &Peers,
    front_door: Option<&FrontDoor>,
    start: Instant,
) -> Result<(), Error> {
    for place in &PLACES {
        peers.start(place.name).await?;
    }
    for place in &PLACES {
        peers.until_ready(place.name).await?;
    }
    clients::load(peers).await?;
    say(format_args!(
        "The mesh is up after {:.1} s.\n",
        start.elapsed().as_secs_f64()
    ))?;
    tour::explain(peers, front_door)?;
    if options.check {
        return tour::take(peers).await;
    }
    say("\nCtrl-C stops everything and leaves nothing behind.")?;
    Err(peers.one_fails().await)
}
