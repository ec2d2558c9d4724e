//! What `cargo demo` runs: four peers in one process, the printed tour, a peer that stops and catches up.

use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::mesh::program;

/// Takes the tour over the given services.
async fn takes_the_tour(services: &str) {
    let mut mesh = Command::new(program("mesh"));
    mesh.args(["--services", services, "--free-ports", "--check"])
        .kill_on_drop(true);
    let output = timeout(Duration::from_secs(120), mesh.output())
        .await
        .expect("it ends")
        .expect("it starts");
    let (printed, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{printed}\n{failed}");
    assert!(printed.contains("the consumer caught up"), "{printed}");
    assert!(printed.trim_end().ends_with("Stopping ..."), "{printed}");
}

#[tokio::test]
async fn the_demo_shows_the_mesh_with_nothing_installed() {
    takes_the_tour("embedded").await;
}

#[tokio::test]
async fn the_demo_runs_on_local_servers() {
    takes_the_tour("local").await;
}
