//! The one place of this crate that reads the environment.

/// Reads a variable; empty counts as absent.
#[expect(
    clippy::disallowed_methods,
    reason = "addresses of shared servers reach test processes this way only"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
