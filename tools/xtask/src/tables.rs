//! `cargo tables`: the tables of the documentation that mirror tests. Written here, and compared by `cargo verify`, so that no page
//! names a test that is gone, and no test of a fault is without a promise.

mod listed;
mod sources;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use services::output::say;

use crate::dashboard::workspace;
use crate::error::Error;
use crate::step::Step;
use listed::Tests;
use sources::{Fault, Faults, Promises, Targets};

/// Options of `cargo tables`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Compare, and change nothing.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Writes the tables, or compares them.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let root = workspace();
    let tests = listed::of_workspace().await?;
    let promises = Promises::read(&root)?;
    let faults = Faults::read(&root)?;
    let targets = Targets::read(&root)?;
    let invariants = invariants().await?;
    let complaints: Vec<String> = [
        promises.check(&tests, &targets, &invariants),
        faults.check(&tests),
        targets.check(&root)?,
    ]
    .concat();
    if !complaints.is_empty() {
        return Err(complaints.join("\n  ").into());
    }
    let page = |name: &str| root.join("docs").join(name);
    let write = |file: &str, name: &str, table: Table| {
        put(&page(file), name, &table.to_string(), options.check)
    };
    write(
        "guarantees.md",
        "tests",
        promises.table(&targets, &invariants),
    )?;
    write("simulation.md", "invariants", invariant_table(&invariants))?;
    write("fuzzing.md", "targets", targets.table())?;
    for (name, rows) in faults.tables() {
        write("faults.md", name, fault_table(rows, &tests))?;
    }
    Ok(())
}

/// What the simulation holds every step against.
struct Invariant {
    name: String,
    promise: String,
    broken: String,
}

/// As `cargo simulate --list` prints them: `name (promise): what is broken`.
async fn invariants() -> Result<Vec<Invariant>, Error> {
    let list = ["run", "--quiet", "--bin", "simulation", "--", "--list"];
    let listed = Step::cargo("invariants").arguments(list).output().await?;
    let parse = |line: &str| {
        let (name, rest) = line.split_once(" (")?;
        let (promise, broken) = rest.split_once("): ")?;
        let [name, promise, broken] = [name, promise, broken].map(str::to_owned);
        Some(Invariant {
            name,
            promise,
            broken,
        })
    };
    let parsed: Option<Vec<Invariant>> = listed.lines().map(parse).collect();
    parsed
        .filter(|all| !all.is_empty())
        .ok_or_else(|| format!("these are no invariants: {listed}").into())
}

impl Promises {
    fn check(&self, tests: &Tests, targets: &Targets, invariants: &[Invariant]) -> Vec<String> {
        let names: BTreeSet<&str> = self.promise.iter().map(|it| it.name.as_str()).collect();
        let stories = names.iter().filter(|name| !tests.is_story(name));
        let without = stories.map(|name| {
            format!("no story bears the name {name}, or it runs only when it is asked for")
        });
        let named: BTreeSet<&str> = self.promise.iter().flat_map(|it| it.names()).collect();
        let lost = named
            .iter()
            .filter(|name| !tests.has(name) && !targets.has(name))
            .map(|name| format!("tests/promises.toml: there is no test {name}"));
        let strays = self.of_faults.iter().flat_map(|place| {
            let below = tests.below(place);
            if below.is_empty() {
                return vec![format!("{place}: no test is there")];
            }
            let strays = below.into_iter().filter(|test| !named.contains(test));
            strays
                .map(|test| format!("{place}: {test} holds no promise"))
                .collect()
        });
        let unknown = invariants
            .iter()
            .filter(|it| !names.contains(it.promise.as_str()))
            .map(|it| format!("{} is of no promise: {}", it.name, it.promise));
        without.chain(lost).chain(strays).chain(unknown).collect()
    }

    fn table(&self, targets: &Targets, invariants: &[Invariant]) -> Table {
        let mut table = Table::new(&["promise", "tests", "in the simulation"]);
        for promise in &self.promise {
            let tests = promise.names().map(|name| match targets.has(name) {
                true => format!("the fuzz target `{name}`"),
                false => format!("`{name}`"),
            });
            let simulated = invariants.iter().filter(|it| it.promise == promise.name);
            table.row(&[
                &format!("`{}`", promise.name),
                &tests.collect::<Vec<_>>().join(", "),
                &simulated
                    .map(|it| format!("`{}`", it.name))
                    .collect::<Vec<_>>()
                    .join(", "),
            ]);
        }
        table
    }
}

impl Faults {
    fn check(&self, tests: &Tests) -> Vec<String> {
        let named: BTreeSet<&str> = self
            .tables()
            .into_iter()
            .flat_map(|(_, rows)| rows.iter().flat_map(|row| &row.tests))
            .map(String::as_str)
            .collect();
        let lost = named
            .iter()
            .filter(|name| !tests.has(name))
            .map(|name| format!("tests/faults.toml: there is no test {name}"));
        let strays = tests
            .below("e2e/e2e/faults_")
            .into_iter()
            .filter(|test| !named.contains(test))
            .map(|test| format!("tests/faults.toml lacks {test}"));
        lost.chain(strays).collect()
    }
}

fn fault_table(rows: &[Fault], tests: &Tests) -> Table {
    let mut table = Table::new(&["fault", "story", "what is seen"]);
    for row in rows {
        let stories = row.tests.iter().map(|name| match tests.package(name) {
            None | Some("e2e") => format!("`{name}`"),
            Some(package) => format!("`{name}` (`{package}`)"),
        });
        let stories = stories.collect::<Vec<_>>().join(", ");
        table.row(&[&row.fault, &stories, &row.seen]);
    }
    table
}

impl Targets {
    /// The list, the programs, their entries in the manifest and the folders of the corpus are one and the same set.
    fn check(&self, root: &Path) -> Result<Vec<String>, Error> {
        let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml"))?;
        let bins = manifest
            .lines()
            .filter_map(|line| {
                line.strip_prefix("path = \"fuzz_targets/")?
                    .strip_suffix(".rs\"")
            })
            .map(str::to_owned);
        let listed: BTreeSet<String> = self.target.iter().map(|it| it.name.clone()).collect();
        let places = [
            ("fuzz/fuzz_targets", stems(&root.join("fuzz/fuzz_targets"))?),
            ("fuzz/corpus", stems(&root.join("fuzz/corpus"))?),
            ("fuzz/Cargo.toml", bins.collect()),
        ];
        let differ = places.iter().filter(|(_, found)| *found != listed);
        Ok(differ
            .map(|(place, found)| format!("{place} has {found:?}, fuzz/targets.toml {listed:?}"))
            .collect())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["target", "input", "what must hold"]);
        for target in &self.target {
            table.row(&[&format!("`{}`", target.name), &target.input, &target.holds]);
        }
        table
    }
}

fn stems(folder: &Path) -> Result<BTreeSet<String>, Error> {
    let stem = |entry: std::io::Result<fs::DirEntry>| {
        Ok(entry?
            .path()
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned())
    };
    fs::read_dir(folder)?.map(stem).collect()
}

fn invariant_table(invariants: &[Invariant]) -> Table {
    let mut table = Table::new(&["name", "what is broken", "of"]);
    for it in invariants {
        table.row(&[&format!("`{}`", it.name), &it.broken, &it.promise]);
    }
    table
}

/// A table in Markdown.
pub(crate) struct Table(String);

impl Table {
    /// Begins with the names of its columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(columns);
        table
            .0
            .push_str(&format!("|{}\n", "---|".repeat(columns.len())));
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[&str]) {
        for cell in cells {
            let space = if cell.is_empty() { "" } else { " " };
            self.0.push_str(&format!("| {cell}{space}"));
        }
        self.0.push_str("|\n");
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes what stands between `<!-- table: name -->` and `<!-- end of table -->` of a page, or says that it is another.
pub(crate) fn put(page: &Path, name: &str, table: &str, check: bool) -> Result<(), Error> {
    let text = fs::read_to_string(page)?;
    let begin = format!("<!-- table: {name} -->\n");
    let place = || {
        let (before, rest) = text.split_once(&begin)?;
        let (old, after) = rest.split_once("<!-- end of table -->")?;
        Some((before, old, after))
    };
    let (before, old, after) =
        place().ok_or_else(|| format!("{} has no {begin}", page.display()))?;
    if old == table {
        return Ok(());
    }
    if check {
        return Err(format!(
            "the table {name} of {} is not what is tested; `cargo tables` and `cargo mutations` write it:\n{table}",
            page.display()
        )
        .into());
    }
    let text = format!("{before}{begin}{table}<!-- end of table -->{after}");
    fs::write(page, text)?;
    Ok(say(format_args!(
        "── the table {name} of {} is written ──",
        page.display()
    ))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promises(name: &str, tests: &[&str]) -> Promises {
        Promises {
            of_faults: vec!["e2e/e2e/faults_".to_owned()],
            promise: vec![sources::Promise {
                name: name.to_owned(),
                tests: tests.iter().map(|&test| test.to_owned()).collect(),
            }],
        }
    }

    #[test]
    fn a_promise_without_its_story_and_a_story_without_a_promise_are_seen() {
        let tests = Tests::of(&[
            ("e2e", "e2e", "faults_a::kept", false),
            ("e2e", "e2e", "b::slept", true),
            ("hmac-auth-redis", "outage", "elsewhere", false),
        ]);
        let targets = Targets { target: Vec::new() };
        let found =
            |name: &str, others: &[&str]| promises(name, others).check(&tests, &targets, &[]).len();
        assert_eq!(found("kept", &["elsewhere"]), 0);
        assert_eq!(found("kept", &["gone"]), 1);
        assert_eq!(
            found("slept", &["kept"]),
            1,
            "it runs only when it is asked for"
        );
        assert_eq!(found("elsewhere", &["kept"]), 1, "it is no story");
        assert_eq!(
            found("elsewhere", &[]),
            2,
            "and one of a fault holds no promise"
        );
    }

    #[test]
    fn a_table_is_put_where_it_belongs() {
        let folder = std::env::temp_dir().join(format!("tables-{}", std::process::id()));
        fs::write(
            &folder,
            "a\n<!-- table: x -->\nold\n<!-- end of table -->\nb\n",
        )
        .unwrap();
        let mut table = Table::new(&["one", "two"]);
        table.row(&["1", ""]);
        let table = table.to_string();
        assert!(put(&folder, "x", &table, true).is_err());
        assert!(put(&folder, "y", &table, false).is_err());
        put(&folder, "x", &table, false).unwrap();
        put(&folder, "x", &table, true).unwrap();
        let written = fs::read_to_string(&folder).unwrap();
        fs::remove_file(&folder).unwrap();
        assert_eq!(
            written,
            "a\n<!-- table: x -->\n| one | two |\n|---|---|\n| 1 | |\n<!-- end of table -->\nb\n"
        );
    }
}
