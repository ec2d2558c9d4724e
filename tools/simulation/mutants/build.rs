//! Copies the sources of `hmac-propagation` and puts every mutation of `list/` in, behind a switch.
//!
//! A mutation's file: what breaks, in one sentence; then, as often as needed, `=== <file>`, the original text, `===>`, and the
//! replacement, in which `MUTATED` stands for "this mutation is on".

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

type Sources = BTreeMap<PathBuf, String>;

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by its environment where to write"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let (from, list) = (
        Path::new("../../../crates/hmac-propagation/src"),
        Path::new("list"),
    );
    println!("cargo::rerun-if-changed={}", from.display());
    println!("cargo::rerun-if-changed={}", list.display());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    let mut sources = Sources::new();
    read(from, from, &mut sources)?;
    let pristine = sources.clone();
    let mut files: Vec<PathBuf> = fs::read_dir(list)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    files.sort();
    let mut table = String::new();
    for (place, file) in files.iter().enumerate() {
        let name = file
            .file_stem()
            .and_then(|name| name.to_str())
            .ok_or("a mutation's name is text")?;
        let text = fs::read_to_string(file)?;
        let (breaks, edits) = text
            .split_once("\n=== ")
            .ok_or_else(|| format!("{name}: no edit"))?;
        for edit in edits.split("\n=== ") {
            apply(name, place, edit, &pristine, &mut sources)?;
        }
        let breaks = breaks.trim();
        table.push_str(&format!("    ({name:?}, {breaks:?}),\n"));
    }
    for (path, text) in &sources {
        let path = out.join("propagation").join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    let head =
        "/// Every mutation: its name, and what it breaks.\npub const ALL: &[(&str, &str)] = &[\n";
    fs::write(out.join("table.rs"), format!("{head}{table}];\n"))?;
    Ok(())
}

/// Reads the sources without their inner documentation and tests, which an included file may not have or does not need.
fn read(root: &Path, folder: &Path, sources: &mut Sources) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, sources)?;
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let inner = path.parent() == Some(root) && path.ends_with("lib.rs");
        let kept = text
            .lines()
            .take_while(|line| *line != "#[cfg(test)]")
            .filter(|line| !(inner && line.starts_with("//!")));
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        sources.insert(path.strip_prefix(root)?.to_owned(), kept);
    }
    Ok(())
}

fn apply(
    name: &str,
    place: usize,
    edit: &str,
    pristine: &Sources,
    sources: &mut Sources,
) -> Result<(), String> {
    let (file, edit) = edit
        .split_once('\n')
        .ok_or_else(|| format!("{name}: no original"))?;
    let (original, replacement) = edit
        .split_once("\n===>\n")
        .ok_or_else(|| format!("{name}: no replacement"))?;
    let replacement = replacement.trim_end_matches('\n');
    let path = PathBuf::from(file.trim());
    let found = pristine
        .get(&path)
        .map_or(0, |text| text.matches(original).count());
    if found != 1 {
        return Err(format!(
            "mutation {name}: its original is {found} times in {file}, not once:\n{original}"
        ));
    }
    let source = sources
        .get_mut(&path)
        .ok_or_else(|| format!("{name}: no file {file}"))?;
    if source.matches(original).count() != 1 {
        return Err(format!(
            "mutation {name}: another mutation has changed its original in {file}:\n{original}"
        ));
    }
    let mutated = format!("crate::mutation::is({place})");
    *source = source.replacen(original, &replacement.replace("MUTATED", &mutated), 1);
    Ok(())
}
