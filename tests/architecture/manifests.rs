//! Versions stand in one place, in order, and each says what it is for.

use std::fs;

use crate::{members, none, root};

/// Complains about a member that names a version of its own.
fn own_versions(path: &str, manifest: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut in_dependencies = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            in_dependencies = section.contains("dependencies");
            // `[dependencies.x]` would hide what it names from the check below.
            if section.contains("dependencies.") {
                complaints.push(format!("{path}: write `{line}` as one line"));
            }
        } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
            let inherited =
                line.contains(".workspace = true") || line.contains("workspace = true,");
            if !inherited && !line.contains("{ workspace = true }") {
                complaints.push(format!(
                    "{path}: `{line}` must stand in [workspace.dependencies]"
                ));
            }
        }
    }
    complaints
}

/// Complains about foreign dependencies out of order or without a word on what they are for.
fn order_and_purpose(manifest: &str) -> Vec<String> {
    let lines = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1);
    let mut complaints = Vec::new();
    let mut last = String::new();
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let Some((name, rest)) = line.split_once(" = ") else {
            // A heading begins a new alphabet: our own crates, then foreign ones.
            if line.starts_with('#') {
                last.clear();
            }
            continue;
        };
        if name < last.as_str() {
            complaints.push(format!("Cargo.toml: {name} stands after {last}"));
        }
        if !rest.contains("path = ") && !rest.contains(" # ") {
            complaints.push(format!("Cargo.toml: {name} does not say what it is for"));
        }
        name.clone_into(&mut last);
    }
    complaints
}

#[test]
fn versions_stand_in_one_place() {
    let paths = members()
        .into_values()
        .map(|member| format!("{}/Cargo.toml", member.folder));
    none(
        paths
            .flat_map(|path| own_versions(&path, &fs::read_to_string(root().join(&path)).unwrap())),
    );
}

#[test]
fn dependencies_are_in_order_and_say_what_they_are_for() {
    none(order_and_purpose(
        &fs::read_to_string(root().join("Cargo.toml")).unwrap(),
    ));
}

#[test]
fn the_checker_sees_own_versions_and_disorder() {
    let manifest = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\n\
                    b = { workspace = true, features = [\"x\"] }\nc = \"1\"\n[dev-dependencies.d]\nversion = \"1\"\n";
    assert_eq!(own_versions("m", manifest).len(), 3);
    let manifest = "[workspace.dependencies]\n# Ours.\nz = { path = \"z\" }\n# Foreign.\nb = \"1\" # why\n\
                    a = \"1\" # why\nc = \"1\"\n[other]\n0 = 1\n";
    assert_eq!(
        order_and_purpose(manifest),
        [
            "Cargo.toml: a stands after b",
            "Cargo.toml: c does not say what it is for"
        ]
    );
}
