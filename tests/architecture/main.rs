//! The shape of the house, checked: arrows between crates, foreign dependencies, the map, sizes of files and functions.
//!
//! Each checker is a pure function from what it reads to a list of complaints, so that its own tests can show that it
//! catches a violation.

#![expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]

mod arrows;
mod circles;
mod foreign;
mod fuzzing;
mod manifests;
mod map;
mod redaction;
mod sizes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The workspace's root folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

/// The graph that is built on this machine.
fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let version = Command::new("rustc")
            .arg("-vV")
            .output()
            .expect("rustc runs");
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .expect("rustc names its host");
        MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .other_options(vec!["--filter-platform".to_owned(), host.to_owned()])
            .exec()
            .expect("cargo metadata")
    })
}

/// One crate of the workspace and the crates its manifest names.
#[derive(Debug, Clone, Default)]
struct Member {
    /// The folder, seen from the root: `crates/hmac-auth`.
    folder: String,
    /// Dependencies of the crate itself, build dependencies included.
    normal: BTreeSet<String>,
    /// Dependencies of its tests, examples and benches.
    dev: BTreeSet<String>,
}

/// The workspace's crates by name.
fn members() -> BTreeMap<String, Member> {
    metadata()
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.to_string(), member(package)))
        .collect()
}

fn member(package: &Package) -> Member {
    let folder = package
        .manifest_path
        .parent()
        .and_then(|folder| folder.strip_prefix(root()).ok());
    let mut member = Member {
        folder: folder.expect("a member lies in the workspace").to_string(),
        ..Member::default()
    };
    // A package of nothing but tests needs everything for tests, whatever its manifest calls it.
    let for_tests = package.name == arrows::STORIES;
    for dependency in &package.dependencies {
        let for_tests = for_tests || dependency.kind == DependencyKind::Development;
        let names = if for_tests {
            &mut member.dev
        } else {
            &mut member.normal
        };
        names.insert(dependency.name.clone());
    }
    member
}

/// Every Rust file of the workspace's crates, with its path seen from the root.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for member in members().values() {
        collect(&root().join(&member.folder), &mut files);
    }
    files.sort();
    files.dedup();
    let from_root = |file: &PathBuf| {
        file.strip_prefix(root())
            .expect("below the root")
            .display()
            .to_string()
    };
    files
        .iter()
        .map(|file| {
            (
                from_root(file),
                fs::read_to_string(file).expect("a source is UTF-8"),
            )
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in folder
        .read_dir()
        .expect("a folder of the workspace")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Fails with all complaints at once.
fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
