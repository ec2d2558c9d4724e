//! What the tables are made of, besides the tests there are.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// `tests/promises.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promises {
    /// Tests of faults, as `package/target/beginning of their path`: each must hold a promise.
    pub(super) of_faults: Vec<String>,
    pub(super) promise: Vec<Promise>,
}

/// A section of `docs/guarantees.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promise {
    /// Also the name of a story.
    pub(super) name: String,
    /// The other tests that hold it.
    pub(super) tests: Vec<String>,
}

impl Promise {
    /// All tests that hold it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name)
            .chain(&self.tests)
            .map(String::as_str)
    }
}

/// `tests/faults.toml`: a table for each part of the system.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Faults {
    rabbitmq: Vec<Fault>,
    redis: Vec<Fault>,
    mariadb: Vec<Fault>,
    links: Vec<Fault>,
    peers: Vec<Fault>,
}

/// A row of `docs/faults.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    pub(super) fault: String,
    pub(super) tests: Vec<String>,
    pub(super) seen: String,
}

impl Faults {
    /// The tables by their names in the page.
    pub(super) fn tables(&self) -> [(&'static str, &[Fault]); 5] {
        [
            ("rabbitmq", &self.rabbitmq),
            ("redis", &self.redis),
            ("mariadb", &self.mariadb),
            ("links", &self.links),
            ("peers", &self.peers),
        ]
    }
}

/// `fuzz/targets.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Targets {
    pub(super) target: Vec<Target>,
}

/// A row of `docs/fuzzing.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) input: String,
    /// What must hold for any bytes.
    pub(super) holds: String,
}

impl Targets {
    /// Tells whether there is a target of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.target.iter().any(|target| target.name == name)
    }
}

impl Promises {
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        read(root, "tests/promises.toml")
    }
}

impl Faults {
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        read(root, "tests/faults.toml")
    }
}

impl Targets {
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        read(root, "fuzz/targets.toml")
    }
}

fn read<T: DeserializeOwned>(root: &Path, file: &str) -> Result<T, Error> {
    let text = fs::read_to_string(root.join(file))?;
    toml::from_str(&text).map_err(|error| format!("{file}: {error}").into())
}
