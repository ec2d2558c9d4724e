//! The clock of one peer steps, as it does when a machine wakes up or somebody sets it, while changes and signed calls go on. Who calls that
//! peer meanwhile is refused, for its time cannot be vouched for; no change is lost, and none is overtaken by an older one.
//!
//! A library takes the peer's clock in its hand (`faketime`), so these stories need processes of their own.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::mesh::{Options, Peer, Traffic};

const SOURCE: Peer = Peer::Authority;
const TARGET: Peer = Peer::Consumer;

/// Where the clock is in turn, in seconds from the true time: all of it within what an event may be ahead (24 h), and each step beyond
/// every lease and pause.
const STEPS: [&str; 4] = ["-3600", "+7200", "-7200", "+0"];

/// A client that is rotated right before and right after each step.
const RESTLESS: &str = "restless";

fn secret(rotation: usize) -> String {
    format!("the secret of the restless {rotation:04}")
}

/// The clocks that this story sets, by peer.
struct Clocks {
    folder: TempDir,
    library: String,
}

impl Clocks {
    fn new() -> Self {
        let shown = Command::new("faketime")
            .args(["-m", "-f", "+0", "sh", "-c", "echo \"$LD_PRELOAD\""])
            .output();
        let shown = shown.expect("faketime is installed (apt-get install faketime)");
        let library = String::from_utf8(shown.stdout)
            .expect("a path")
            .trim()
            .to_owned();
        assert!(
            library.contains("libfaketime"),
            "faketime names its library: {library:?}"
        );
        Self {
            folder: TempDir::new().expect("a folder"),
            library,
        }
    }

    /// Gives a peer a clock of this story.
    fn give(&self, options: Options, peer: Peer) -> Options {
        self.set(peer, "+0");
        options
            .only(peer, "LD_PRELOAD", &self.library)
            .only(peer, "FAKETIME_TIMESTAMP_FILE", &self.file(peer))
            // The clock of timers goes on.
            .only(peer, "FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .only(peer, "FAKETIME_CACHE_DURATION", "1")
    }

    fn set(&self, peer: Peer, offset: &str) {
        let written = self.folder.path().join("next");
        fs::write(&written, format!("{offset}\n")).expect("the clock is written");
        fs::rename(written, self.file(peer)).expect("the clock is set");
    }

    fn file(&self, peer: Peer) -> String {
        self.folder
            .path()
            .join(peer.name())
            .to_str()
            .expect("a path")
            .to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_of_the_clock_loses_nothing() {
    let clocks = Clocks::new();
    // A peer whose clock is wrong takes no tokens, as it takes no signed calls: nothing would be changed meanwhile.
    let options = Options::default().open();
    let options = options.everyone("RESEND_AFTER_MS", "2000");
    let mesh = clocks
        .give(clocks.give(options, SOURCE), TARGET)
        .start()
        .await;
    let mut traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    let caller = traffic.caller(&mesh);
    mesh.ensure(SOURCE, RESTLESS, &secret(0), &SOURCE.others())
        .await;
    traffic.one_more_client();
    let mut rotations = 0;
    for peer in [SOURCE, TARGET] {
        for step in STEPS {
            // One change just before the step, of which the event may still be on its way, and one after it.
            rotations += 1;
            mesh.rotate(SOURCE, RESTLESS, &secret(rotations)).await;
            clocks.set(peer, step);
            rotations += 1;
            mesh.rotate(SOURCE, RESTLESS, &secret(rotations)).await;
            match step {
                "+0" => mesh.until_let_in(&[peer], &caller).await,
                _ => mesh.until_refused(&[peer], &caller, "TIMESTAMP_SKEW").await,
            }
            traffic.until_more(10).await;
        }
    }
    let last = mesh.secrets.hash(SOURCE, &secret(rotations));
    mesh.until_converged(RESTLESS, &Peer::ALL, Some(&last))
        .await;
    mesh.revoke(SOURCE, RESTLESS, &SOURCE.others()).await;
    let seen = traffic.converges(&mesh).await;
    assert_eq!(seen.refused, 0, "a change needs no clock that is right");
    seen.only(&[200, 401]);
}
