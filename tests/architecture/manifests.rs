//! Versions stand in one place, in order, and each says what it is for; no crate depends on what it does not name.

use std::collections::BTreeSet;
use std::fs;

use crate::{Member, arrows, members, none, root, sources};

/// Dependencies that turn on features of others, so that programs and tests share one build.
const FOR_FEATURES: &[(&str, &str)] = &[("e2e", "proptest")];

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

/// Complains about dependencies that no word of a crate's texts names.
fn unnamed<'a>(
    name: &str,
    member: &Member,
    texts: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words: BTreeSet<&str> = texts
        .into_iter()
        .flat_map(|text| text.split(|letter| !is_of_word(letter)))
        .collect();
    let dependencies = member.normal.iter().chain(&member.dev);
    let dependencies = dependencies.filter(|it| !FOR_FEATURES.contains(&(name, it)));
    let unnamed = dependencies.filter(|it| !words.contains(it.replace('-', "_").as_str()));
    unnamed
        .map(|it| format!("{name} depends on {it} and does not name it"))
        .collect()
}

/// As `cargo machete` looks for them, with nothing to install.
#[test]
fn no_crate_depends_on_what_it_does_not_name() {
    let sources = sources();
    let guides = root().join("docs/using").read_dir().expect("the guides");
    let guides: Vec<String> = guides
        .flatten()
        .map(|guide| fs::read_to_string(guide.path()).expect("a guide is readable"))
        .collect();
    none(members().into_iter().flat_map(|(name, member)| {
        let folder = format!("{}/", member.folder);
        let own = sources.iter().filter(|(path, _)| path.starts_with(&folder));
        // The programs of the guides are compiled with the stories.
        let guides = guides.iter().filter(|_| name == arrows::STORIES);
        let texts = own.map(|(_, text)| text).chain(guides);
        unnamed(&name, &member, texts.map(String::as_str))
    }));
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
fn the_checker_sees_what_nobody_names() {
    let member = Member {
        normal: BTreeSet::from(["serde-json".to_owned(), "url".to_owned()]),
        dev: BTreeSet::from(["tokio".to_owned()]),
        ..Member::default()
    };
    assert_eq!(
        unnamed(
            "a",
            &member,
            ["use serde_json::Value;", "let my_url = 1; #[tokio::test]"]
        ),
        ["a depends on url and does not name it"]
    );
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
