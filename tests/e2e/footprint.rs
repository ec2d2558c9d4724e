//! What an idle peer costs, and how soon it is there.

use std::time::Duration;

use services::proxy::Mode;

use crate::mesh::{Dependency, Mesh, Options, Peer};

/// The bound of the contract; it holds for optimised programs.
const RESIDENT_KIB: u64 = 40 * 1024;

/// What an idle peer with a broken dependency may take of one processor.
const IDLE: f64 = 0.02;

/// The time over which that is measured.
const MEASURED: Duration = Duration::from_secs(10);

/// Ticks of `/proc` in a second: the same on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// What breaks on which peer, at once.
type Broken = [(Peer, Dependency, Mode); 4];

const GONE: Broken = [
    (Peer::Authority, Dependency::Broker, Mode::Refusing),
    (Peer::Consumer, Dependency::Broker, Mode::Silent),
    (Peer::LeptosAxum, Dependency::Redis, Mode::Refusing),
    (Peer::LeptosActix, Dependency::Sql, Mode::Refusing),
];

const SILENT: Broken = [
    (Peer::Authority, Dependency::Broker, Mode::Silent),
    (Peer::Consumer, Dependency::Redis, Mode::Refusing),
    (Peer::LeptosAxum, Dependency::Redis, Mode::Silent),
    (Peer::LeptosActix, Dependency::Sql, Mode::Silent),
];

/// Peers that log as much as they do for a user; in the other stories they log everything.
fn as_usual() -> Options {
    Options::default().everyone("RUST_LOG", "info")
}

#[tokio::test]
async fn an_idle_peer_is_small_and_soon_there() {
    let mut mesh = as_usual().start_without_peers().await;
    for peer in Peer::ALL {
        mesh.launch(peer).await;
        let ready = mesh.until_ready(peer).await;
        let resident = resident_kib(mesh.process_id(peer));
        println!(
            "{}: ready after {ready:.2?}, {resident} KiB resident",
            peer.name()
        );
        if !cfg!(debug_assertions) {
            assert!(
                resident < RESIDENT_KIB,
                "{} takes {resident} KiB",
                peer.name()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_a_broken_dependency_idles() {
    let options = as_usual()
        .linked(&Peer::ALL)
        .everyone("SYNC_INTERVAL_MS", "5000");
    let mesh = options.start().await;
    let usual = measure(&mesh).await;
    println!("nothing broken: {usual:.3?}");
    for broken in [GONE, SILENT] {
        for (peer, dependency, mode) in broken {
            mesh.link(peer, dependency).set(mode);
            if mode == Mode::Refusing {
                mesh.link(peer, dependency).cut();
            }
        }
        for (peer, dependency, _) in broken {
            mesh.until_missing(peer, dependency.name()).await;
        }
        // Something that waits for what is broken: a hot loop would be about it.
        mesh.ensure(
            Peer::Authority,
            "waits",
            "a secret that has to wait",
            &Peer::Authority.others(),
        )
        .await;
        let shares = measure(&mesh).await;
        for ((peer, dependency, mode), share) in broken.into_iter().zip(shares) {
            println!(
                "{} with {} {mode:?}: {:.2} % of a processor",
                peer.name(),
                dependency.name(),
                share * 100.0
            );
            assert!(share < IDLE, "{} takes {:.1} %", peer.name(), share * 100.0);
        }
        for (peer, _, _) in broken {
            mesh.heal(peer);
            mesh.until_ready(peer).await;
        }
    }
}

/// How much of one processor each peer takes.
async fn measure(mesh: &Mesh) -> [f64; 4] {
    let before = Peer::ALL.map(|peer| ticks(mesh.process_id(peer)));
    tokio::time::sleep(MEASURED).await;
    let after = Peer::ALL.map(|peer| ticks(mesh.process_id(peer)));
    std::array::from_fn(|peer| {
        (after[peer] - before[peer]) / TICKS_A_SECOND / MEASURED.as_secs_f64()
    })
}

/// The processor time of a process so far, its system calls included.
fn ticks(process_id: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).expect("a process");
    // The name, which may hold spaces, ends with the last parenthesis.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields[number - 3].parse::<f64>().expect("a number");
    field(14) + field(15)
}

fn resident_kib(process_id: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0 kB");
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .unwrap_or_default()
}
