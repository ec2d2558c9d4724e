//! `cargo mutations`: mutation testing of the propagation. In a copy of the sources it is broken on purpose, in every way that
//! `tools/simulation/mutations` lists, and the deterministic simulation must see each.
//!
//! A mutation's file says in one sentence what breaks; then, as often as needed, `=== <file>`, the original, `===>`, and the
//! replacement, in which `MUTATED` stands for "this mutation is on". One build holds them all. The copy is a workspace of its own,
//! so that a source which has changed under a mutation breaks no other build.

mod copy;
mod edit;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::dashboard::{target_folder, workspace};
use crate::error::Error;
use crate::step::Step;
use crate::tables::{self, Table};

/// Where the mutations are, in the workspace.
const LIST: &str = "tools/simulation/mutations";

/// The sources that are broken, in the workspace and in its copy.
const BROKEN: &str = "crates/hmac-propagation/src";

/// The page with the table of all.
const PAGE: &str = "docs/simulation.md";

/// Options of `cargo mutations`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the mutation of this name; the table stays as it is.
    #[arg(long)]
    only: Option<String>,
    /// Tell the story of this seed under it, step by step.
    #[arg(long, requires = "only")]
    seed: Option<u64>,
    /// Seeds in which each mutation must be caught.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) seeds: u64,
    /// Compare the table of docs/simulation.md with what was seen, and change nothing.
    #[arg(long)]
    pub(crate) check: bool,
}

impl Options {
    /// What `cargo verify` runs.
    pub(crate) fn check() -> Self {
        Self {
            only: None,
            seed: None,
            seeds: 10_000,
            check: true,
        }
    }
}

/// A committed mutation.
struct Mutation {
    name: String,
    /// What breaks, in one sentence.
    breaks: String,
    edits: String,
}

/// Builds the copy, and runs every mutation until a seed catches it.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let (from, copy) = (workspace(), target_folder()?.join("mutations"));
    let mutations = read(&from.join(LIST))?;
    write_copy(&from, &copy, &mutations)?;
    let mut step = Step::cargo("mutations");
    if options.check {
        step = step.patiently();
    }
    step = step
        .arguments(["run", "--quiet", "--bin", "mutations", "--manifest-path"])
        .arguments([copy.join("Cargo.toml"), "--target-dir".into()])
        .arguments([copy.join("target"), "--".into()])
        .arguments(["--seeds", &options.seeds.to_string()])
        // Whoever breaks the sources on purpose is not told what is odd in them.
        .variable("RUSTFLAGS", "--cap-lints=allow");
    if let Some(name) = &options.only {
        step = step.arguments(["--only", name]);
    }
    if let Some(seed) = options.seed {
        return step.arguments(["--seed", &seed.to_string()]).run().await;
    }
    if options.check {
        step = step.arguments(["--quiet"]);
    }
    let seen = step.output().await?;
    if options.only.is_some() {
        return Ok(());
    }
    let by: BTreeMap<&str, &str> = seen
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let mut table = Table::new(&["name", "what it breaks", "caught first by"]);
    for Mutation { name, breaks, .. } in &mutations {
        let by = by
            .get(name.as_str())
            .ok_or_else(|| format!("{name} was not run"))?;
        table.row(&[&format!("`{name}`"), breaks, &format!("`{by}`")]);
    }
    tables::put(
        &from.join(PAGE),
        "mutations",
        &table.to_string(),
        options.check,
    )
}

fn read(list: &Path) -> Result<Vec<Mutation>, Error> {
    let mut mutations = Vec::new();
    for entry in fs::read_dir(list)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path)?;
        let (breaks, edits) = text
            .split_once("\n=== ")
            .ok_or_else(|| format!("{name}: no edit"))?;
        mutations.push(Mutation {
            name: name.into_owned(),
            breaks: breaks.trim().to_owned(),
            edits: edits.to_owned(),
        });
    }
    mutations.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutations)
}

/// Copies what the simulation is built of, and puts the mutations in.
fn write_copy(from: &Path, to: &Path, mutations: &[Mutation]) -> Result<(), Error> {
    let mut files = copy::files(from)?;
    let mut table = String::new();
    let pristine = files.clone();
    for (
        place,
        Mutation {
            name,
            breaks,
            edits,
        },
    ) in mutations.iter().enumerate()
    {
        for edit in edits.split("\n=== ") {
            edit::apply(place, edit, Path::new(BROKEN), &pristine, &mut files)
                .map_err(|reason| format!("mutation {name}: {reason}"))?;
        }
        table.push_str(&format!("    ({name:?}, {breaks:?}),\n"));
    }
    let part = |name: &str| fs::read_to_string(from.join(LIST).join(name));
    let switch = format!(
        "{}\n/// Every mutation: its name, and what it breaks.\npub const ALL: &[(&str, &str)] = &[\n{table}];\n",
        part("switch.rs")?
    );
    let broken = Path::new(BROKEN);
    if let Some(root) = files.get_mut(&broken.join("lib.rs")) {
        root.push_str("\npub mod mutation;\n");
    }
    files.insert(broken.join("mutation.rs"), switch);
    let runner = Path::new("tools/simulation/src/bin/mutations.rs");
    files.insert(runner.to_owned(), part("runner.rs")?);
    copy::write(to, &files)
}
