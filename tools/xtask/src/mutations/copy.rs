//! The copy that is broken: the crates and the simulation, as a workspace of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Paths, seen from the root, to their text.
pub(super) type Files = BTreeMap<PathBuf, String>;

/// Reads what is copied.
pub(super) fn files(root: &Path) -> Result<Files, Error> {
    let mut files = Files::new();
    for folder in ["crates", "tools/simulation"] {
        read(root, &root.join(folder), &mut files)?;
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        files.insert(file.into(), fs::read_to_string(root.join(file))?);
    }
    for (path, text) in &mut files {
        if path.ends_with("Cargo.toml") {
            *text = manifest(text);
        }
    }
    Ok(files)
}

fn read(root: &Path, folder: &Path, files: &mut Files) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_wanted = |extension| extension == "rs" || extension == "toml";
        if path.is_dir() {
            read(root, &path, files)?;
        } else if path.extension().is_some_and(is_wanted) {
            let text = fs::read_to_string(&path)?;
            files.insert(path.strip_prefix(root)?.to_owned(), text);
        }
    }
    Ok(())
}

/// A manifest without what only tests use; the root's has the simulation as its one member, and those it stands on.
fn manifest(text: &str) -> String {
    let mut kept = String::new();
    let mut is_for_tests = false;
    for line in text.lines() {
        if line.starts_with('[') {
            is_for_tests = line.starts_with("[dev-dependencies");
        }
        match line {
            _ if is_for_tests || line.starts_with("exclude = ") => continue,
            _ if line.starts_with("members = ") => {
                kept.push_str("members = [\"tools/simulation\"]");
            }
            _ => kept.push_str(line),
        }
        kept.push('\n');
    }
    kept
}

/// Writes what has changed, and removes what is no longer there, so that cargo builds no more than it must.
pub(super) fn write(to: &Path, files: &Files) -> Result<(), Error> {
    let mut old = Files::new();
    for folder in ["crates", "tools"] {
        if to.join(folder).is_dir() {
            read(to, &to.join(folder), &mut old)?;
        }
    }
    for path in old.keys().filter(|path| !files.contains_key(*path)) {
        fs::remove_file(to.join(path))?;
    }
    for (path, text) in files {
        // Cargo takes out of the lockfile what the copy does not need.
        let is_there = to.join(path).is_file() && path.ends_with("Cargo.lock");
        if old.get(path) == Some(text) || is_there {
            continue;
        }
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_keeps_what_a_build_uses() {
        let text = "[workspace]\nmembers = [\"a\", \"b\"]\nexclude = [\"c\"]\n[dependencies]\na = 1\n[dev-dependencies]\nb = 1\n[lib]\nc = 1\n";
        assert_eq!(
            manifest(text),
            "[workspace]\nmembers = [\"tools/simulation\"]\n[dependencies]\na = 1\n[lib]\nc = 1\n"
        );
    }
}
