//! Every relative link of the documentation leads somewhere: to a file or folder of the repository, and to a heading of it.

#![expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

/// The pages: those at the root, and all below `docs`.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root().join("docs")];
    let at_root = root()
        .read_dir()
        .expect("the root is readable")
        .flatten()
        .map(|entry| entry.path());
    pages.extend(at_root.filter(|path| is_page(path)));
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_page(&path) {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The page without its blocks and spans of code, in which nothing is a link.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        if !fenced && !is_fence {
            let parts = line.split('`').enumerate();
            // In a link's text a span of code stands for itself, so its place is kept.
            lines.push(
                parts
                    .map(|(n, part)| if n % 2 == 0 { part } else { "code" })
                    .collect::<String>(),
            );
        }
    }
    lines.join("\n")
}

/// What stands in the round brackets of links and pictures.
fn links(prose: &str) -> Vec<&str> {
    let after = prose.split("](").skip(1);
    after
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.trim())
        .collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor = anchor(title.trim());
        let before = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *before == 0 {
            anchor
        } else {
            format!("{anchor}-{before}")
        });
        *before += 1;
    }
    anchors
}

fn anchor(title: &str) -> String {
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}

/// Takes `..` and `.` out of a path.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::CurDir => {}
            part => whole.push(part),
        }
        whole
    })
}

/// What is wrong with the links of one page.
fn complaints(path: &Path, page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let prose = prose(page);
    for link in links(&prose) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link
            .split_once('#')
            .map_or((link, None), |(file, anchor)| (file, Some(anchor)));
        let target = match file {
            "" => path.to_owned(),
            file => normal(&path.parent().unwrap_or(path).join(file)),
        };
        let shown = path.strip_prefix(root()).unwrap_or(path).display();
        if !target.exists() || !target.starts_with(root()) {
            complaints.push(format!("{shown}: {link} leads nowhere"));
        } else if let Some(anchor) = anchor {
            let whole = if file.is_empty() {
                page.to_owned()
            } else {
                fs::read_to_string(&target).unwrap_or_default()
            };
            if !anchors(&whole).contains(anchor) {
                complaints.push(format!("{shown}: {link} names no heading"));
            }
        }
    }
    complaints
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 10, "{pages:?}");
    let read = |path: &PathBuf| {
        (
            path.clone(),
            fs::read_to_string(path).expect("a page is UTF-8"),
        )
    };
    let complaints: Vec<String> = pages
        .iter()
        .map(read)
        .flat_map(|(path, page)| complaints(&path, &page))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let (mut reached, mut next) = (BTreeSet::new(), vec![root().join("README.md")]);
    while let Some(path) = next.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        if path.is_dir() {
            next.extend(
                path.read_dir()
                    .expect("a folder")
                    .flatten()
                    .map(|entry| entry.path()),
            );
        } else if is_page(&path) {
            let page = prose(&fs::read_to_string(&path).expect("a page is UTF-8"));
            let files = links(&page)
                .into_iter()
                .map(|link| link.split('#').next().unwrap_or_default().to_owned());
            let files = files.filter(|file| !file.is_empty() && !file.contains("://"));
            next.extend(
                files
                    .map(|file| normal(&path.parent().unwrap_or(&path).join(file)))
                    .filter(|p| p.exists()),
            );
        }
    }
    let lost: Vec<PathBuf> = pages()
        .into_iter()
        .filter(|page| !reached.contains(page))
        .collect();
    assert!(lost.is_empty(), "nothing leads to {lost:?}");
}

/// Names in backquotes that look like a test's: words joined by at least two underscores.
fn named_tests(page: &str) -> BTreeSet<&str> {
    let spans = page.split('`').skip(1).step_by(2);
    let is_name = |span: &&str| {
        span.matches('_').count() > 1
            && span
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    spans.filter(is_name).collect()
}

fn sources(folder: &Path, found: &mut String) {
    for entry in folder.read_dir().expect("a folder is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(&path).expect("a source is UTF-8"));
        }
    }
}

#[test]
fn the_tests_that_the_security_model_names_exist() {
    let mut all = String::new();
    for folder in ["crates", "poc", "tests"] {
        sources(&root().join(folder), &mut all);
    }
    let page =
        fs::read_to_string(root().join("docs/security-model.md")).expect("the page is readable");
    let named = named_tests(&page);
    assert!(named.len() > 20, "{named:?}");
    let lost: Vec<&&str> = named
        .iter()
        .filter(|name| !all.contains(&format!("fn {name}(")))
        .collect();
    assert!(
        lost.is_empty(),
        "docs/security-model.md names tests that are not there: {lost:?}"
    );
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let page = "# A `b`: c, d?\n\n## Twice\n## Twice\n\n[x](nowhere.md) [y](README.md#nothing) [z](#a-b-c-d) [w](#twice-1)\n\n\
                `[code](no-link.md)` [ok](https://example.org/x)\n```\n[fenced](no-link.md)\n# no heading\n```\n";
    let path = root().join("README.md");
    let readme = [
        "README.md: nowhere.md leads nowhere",
        "README.md: README.md#nothing names no heading",
    ];
    assert_eq!(complaints(&path, page), readme);
    assert!(!anchors(page).contains("no-heading"));
}
