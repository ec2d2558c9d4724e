//! What an idle peer costs, and how soon it is there.

use crate::mesh::{Options, Peer};

/// The bound of the contract; it holds for optimised programs.
const RESIDENT_KIB: u64 = 40 * 1024;

#[tokio::test]
async fn an_idle_peer_is_small_and_soon_there() {
    let mut mesh = Options::default().start_without_peers().await;
    for peer in Peer::ALL {
        mesh.launch(peer).await;
        let ready = mesh.until_ready(peer).await;
        let resident = resident_kib(mesh.process_id(peer));
        println!("{}: ready after {ready:.2?}, {resident} KiB resident", peer.name());
        if !cfg!(debug_assertions) {
            assert!(resident < RESIDENT_KIB, "{} takes {resident} KiB", peer.name());
        }
    }
}

fn resident_kib(process_id: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or_default()
}
