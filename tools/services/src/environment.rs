//! The one place where the servers' addresses are read from the environment.

/// Reads a variable; empty counts as absent.
#[expect(
    clippy::disallowed_methods,
    reason = "addresses of shared servers reach test processes this way only"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
