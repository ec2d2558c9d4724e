//! The table: what is refused with which code, and the stories that take more than one request.

mod refusals;
mod stories;

use crate::http_layer::expect::refuses;
use crate::http_layer::world::World;

/// The names of all cases.
pub(super) fn names() -> Vec<&'static str> {
    let refusals = refusals::TABLE.iter().map(|(name, _)| *name);
    refusals
        .chain(stories::TABLE.iter().map(|(name, _)| *name))
        .collect()
}

/// Runs the case of this name; returns a line for each request that failed.
pub(super) async fn run(world: &World, name: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for (_, rows) in refusals::TABLE.iter().filter(|(own, _)| *own == name) {
        for (row, request, code, status) in rows(world) {
            if let Err(text) = refuses(world.direct, &request, code, status).await {
                failures.push(format!("{row}: {text}"));
            }
        }
    }
    for (_, story) in stories::TABLE.iter().filter(|(own, _)| *own == name) {
        failures.extend(story(world).await.err());
    }
    failures
}
