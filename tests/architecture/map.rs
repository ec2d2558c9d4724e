//! `docs/architecture.md` names every crate and no other.

use std::collections::BTreeSet;
use std::fs;

use crate::{members, none, root};

/// Folders that the code map's rows begin with, in backquotes.
fn mapped(document: &str) -> BTreeSet<String> {
    let rows = document
        .lines()
        .skip_while(|line| *line != "## Code map")
        .skip(1);
    rows.take_while(|line| !line.starts_with("## "))
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect()
}

fn check(document: &str, folders: &BTreeSet<String>) -> Vec<String> {
    let mapped = mapped(document);
    let missing = folders
        .difference(&mapped)
        .map(|folder| format!("docs/architecture.md does not name {folder}"));
    let extra = mapped
        .difference(folders)
        .map(|folder| format!("docs/architecture.md names {folder}, which is no crate"));
    missing.chain(extra).collect()
}

#[test]
fn the_map_names_every_crate_and_no_other() {
    let document = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    none(check(
        &document,
        &members()
            .into_values()
            .map(|member| member.folder)
            .collect(),
    ));
}

#[test]
fn a_crate_is_called_as_its_folder() {
    let wrong = members().into_iter().filter(|(name, member)| {
        member.folder.rsplit('/').next() != Some(name)
            && (name.as_str(), member.folder.as_str()) != ("e2e", "tests")
    });
    none(wrong.map(|(name, member)| format!("{name} stands in {}", member.folder)));
}

#[test]
fn the_checker_sees_what_is_missing_and_what_is_gone() {
    let document = "# A\n| `x/before` | b |\n## Code map\n| folder |\n|---|\n| `crates/a` | b |\n| `crates/gone` |\n## Next\n";
    let folders = BTreeSet::from(["crates/a".to_owned(), "crates/new".to_owned()]);
    assert_eq!(
        check(document, &folders),
        [
            "docs/architecture.md does not name crates/new",
            "docs/architecture.md names crates/gone, which is no crate"
        ]
    );
}
