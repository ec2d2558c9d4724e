//! Which tests there are, as the built test programs list them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;
use crate::step::Step;

/// The package and the target of the end-to-end stories.
const STORIES: &str = "e2e/e2e/";

/// A test that a program lists.
struct Test {
    /// `package/target/path`.
    place: String,
    name: String,
    package: String,
    /// It runs only when it is asked for.
    is_ignored: bool,
}

/// All there are.
pub(super) struct Tests(Vec<Test>);

impl Tests {
    /// Tells whether there is one of this name anywhere.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|test| test.name == name)
    }

    /// Tells whether an end-to-end story bears this name, and is run whenever tests are run.
    pub(super) fn is_story(&self, name: &str) -> bool {
        let stories = self.0.iter().filter(|test| test.place.starts_with(STORIES));
        stories
            .filter(|test| !test.is_ignored)
            .any(|test| test.name == name)
    }

    /// The package of a test; that of the stories first.
    pub(super) fn package(&self, name: &str) -> Option<&str> {
        let of_name = || self.0.iter().filter(|test| test.name == name);
        let story = of_name().find(|test| test.place.starts_with(STORIES));
        Some(&story.or_else(|| of_name().next())?.package)
    }

    /// The names of those whose place begins so.
    pub(super) fn below(&self, place: &str) -> Vec<&str> {
        let below = self.0.iter().filter(|test| test.place.starts_with(place));
        below.map(|test| test.name.as_str()).collect()
    }

    fn add(&mut self, package: &str, target: &str, path: &str, is_ignored: bool) {
        self.0.push(Test {
            place: format!("{package}/{target}/{path}"),
            name: path.rsplit("::").next().unwrap_or(path).to_owned(),
            package: package.to_owned(),
            is_ignored,
        });
    }

    #[cfg(test)]
    pub(super) fn of(tests: &[(&str, &str, &str, bool)]) -> Self {
        let mut all = Self(Vec::new());
        for (package, target, path, is_ignored) in tests {
            all.add(package, target, path, *is_ignored);
        }
        all
    }
}

/// What cargo says of something that it has built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: Option<String>,
    target: Option<Target>,
    executable: Option<String>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds all test programs, where they are not built already, and asks each what it runs.
pub(super) async fn of_workspace() -> Result<Tests, Error> {
    let build = [
        "test",
        "--workspace",
        "--all-targets",
        "--no-run",
        "--quiet",
        "--message-format=json",
    ];
    let messages = Step::cargo("list of the tests")
        .arguments(build)
        .output()
        .await?;
    let mut tests = Tests(Vec::new());
    for message in messages.lines() {
        let artifact: Artifact = serde_json::from_str(message)?;
        let (Some(manifest), Some(target), Some(program), Some(Profile { test: true })) = (
            artifact.manifest_path,
            artifact.target,
            artifact.executable,
            artifact.profile,
        ) else {
            continue;
        };
        if target
            .kind
            .iter()
            .any(|kind| kind == "bench" || kind == "example")
        {
            continue;
        }
        let package = package(Path::new(&manifest))?;
        let ignored = list(&program, &["--ignored"])?;
        for path in list(&program, &[])? {
            tests.add(&package, &target.name, &path, ignored.contains(&path));
        }
    }
    Ok(tests)
}

fn package(manifest: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(manifest)?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    Ok(name.ok_or("a package has a name")?.to_owned())
}

fn list(program: &str, more: &[&str]) -> Result<Vec<String>, Error> {
    let listed = Command::new(program)
        .args(["--list", "--format", "terse"])
        .args(more)
        .output()?;
    if !listed.status.success() {
        return Err(format!("{program} lists no tests").into());
    }
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}
