//! The programs of this repository, built beside the test that runs.

use std::path::PathBuf;

/// Where a program is.
///
/// # Panics
/// When it was not built.
#[expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    let folder = own
        .parent()
        .and_then(|deps| deps.parent())
        .expect("the target folder");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: build it first, by `cargo build --workspace`",
        path.display()
    );
    path
}
