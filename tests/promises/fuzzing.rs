//! Properties, fuzz targets, their folders of the corpus and the rows of `docs/fuzzing.md` are one and the same set.

use std::collections::BTreeSet;
use std::fs;

use cargo_metadata::MetadataCommand;
use hmac_testkit::hostile::PROPERTIES;

use crate::{is_name, none, read, root};

/// The property of a configuration stands in `kit`, which the testkit does not know.
const BESIDE: &str = "configuration";

/// A set under the name of the place it was read from.
type Set = (&'static str, BTreeSet<String>);

/// The names of a folder's files with this extension, or of its folders without one.
fn entries(folder: &str, extension: Option<&str>) -> BTreeSet<String> {
    let entries = root()
        .join(folder)
        .read_dir()
        .expect("a folder is readable")
        .flatten();
    let paths = entries.map(|entry| entry.path());
    let of_kind = paths.filter(|path| match extension {
        Some(extension) => path.extension().is_some_and(|it| it == extension),
        None => path.is_dir(),
    });
    of_kind
        .map(|path| {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// The `[[bin]]` of `fuzz/Cargo.toml` that are made of the target of their name.
fn binaries() -> BTreeSet<String> {
    let manifest = root().join("fuzz/Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let targets = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bin());
    let of_its_name = targets.filter(|target| {
        target
            .src_path
            .ends_with(format!("fuzz/fuzz_targets/{}.rs", target.name))
    });
    of_its_name.map(|target| target.name.clone()).collect()
}

/// The first column of the page's table.
fn rows(page: &str) -> BTreeSet<String> {
    let cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_name(name))
        .collect()
}

/// What is missing or too much anywhere, measured by the first.
fn check((first, names): &Set, others: &[Set]) -> Vec<String> {
    let differ = others.iter().flat_map(|(place, found)| {
        let missing = names
            .difference(found)
            .map(move |name| format!("{place} lacks {name} of {first}"));
        let extra = found
            .difference(names)
            .map(move |name| format!("{place} has {name}, {first} has not"));
        missing.chain(extra)
    });
    differ.collect()
}

#[test]
fn every_property_has_its_fuzz_target_and_its_corpus() {
    let properties = PROPERTIES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain([BESIDE.to_owned()]);
    let properties: Set = ("the list of properties", properties.collect());
    let others = [
        (
            "fuzz/fuzz_targets",
            entries("fuzz/fuzz_targets", Some("rs")),
        ),
        ("fuzz/corpus", entries("fuzz/corpus", None)),
        ("fuzz/Cargo.toml", binaries()),
        ("docs/fuzzing.md", rows(&read("docs/fuzzing.md"))),
    ];
    none(check(&properties, &others));
}

#[test]
fn every_fuzz_target_tries_the_property_of_its_name() {
    none(
        entries("fuzz/fuzz_targets", Some("rs"))
            .into_iter()
            .filter_map(|name| {
                let path = root()
                    .join("fuzz/fuzz_targets")
                    .join(&name)
                    .with_extension("rs");
                let text = fs::read_to_string(&path).expect("a target is readable");
                (!text.contains(&format!("::{name}(bytes)")))
                    .then(|| format!("{}: no {name}", path.display()))
            }),
    );
}

#[test]
fn the_checker_sees_what_is_missing_and_what_is_too_much() {
    let set = |place, names: &[&str]| (place, names.iter().map(|&name| name.to_owned()).collect());
    let properties = set("properties", &["event", "path"]);
    let others = [
        set("targets", &["event", "gone", "path"]),
        set("corpus", &["event"]),
    ];
    assert_eq!(
        check(&properties, &others),
        [
            "targets has gone, properties has not",
            "corpus lacks path of properties"
        ]
    );
    assert_eq!(
        rows("| target | input |\n|---|---|\n| `event` | a |\n| other |\n").len(),
        1
    );
}
