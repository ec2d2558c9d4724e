//! `docs/faults.md`: what it names is a test, and every story of the files `tests/e2e/faults*` stands there.

use crate::declared::Tests;
use crate::{is_name, none, read};

/// A test that the page names, and the crate it says it belongs to; without one it is a story.
type Named<'a> = (&'a str, Option<&'a str>);

/// Names in backquotes, each with the crate that follows it in brackets.
fn named(page: &str) -> Vec<Named<'_>> {
    let parts: Vec<&str> = page.split('`').collect();
    let spans = (1..parts.len())
        .step_by(2)
        .filter(|at| is_test_name(parts[*at]));
    spans
        .map(|at| match parts[at + 1..] {
            [" (", of, after, ..] if after.starts_with(')') => (parts[at], Some(of)),
            _ => (parts[at], None),
        })
        .collect()
}

/// Names that stand outside backquotes, where nobody would look for them.
fn bare(page: &str) -> impl Iterator<Item = &str> {
    let prose = page.split('`').step_by(2);
    let words = prose.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    words.filter(|word| is_test_name(word))
}

/// Other words in backquotes are one word: a status, a command.
fn is_test_name(text: &str) -> bool {
    is_name(text) && text.contains('_')
}

fn check(page: &str, tests: &Tests) -> Vec<String> {
    let named = named(page);
    let lost = named.iter().filter_map(|(name, of)| {
        let folder = of.map_or_else(|| "tests/e2e/".to_owned(), |of| format!("crates/{of}/"));
        (!tests.has(name, &folder)).then(|| format!("there is no test {name} in {folder}"))
    });
    let bare = bare(page).map(|name| format!("{name} stands outside backquotes"));
    let strays = tests.below("tests/e2e/faults").filter_map(|test| {
        let stands = named.contains(&(test.name.as_str(), None));
        (!stands).then(|| format!("{}: {} does not stand there", test.place, test.name))
    });
    lost.chain(bare)
        .chain(strays)
        .map(|complaint| format!("docs/faults.md: {complaint}"))
        .collect()
}

#[test]
fn the_page_of_faults_names_every_story_and_no_other() {
    let tests = Tests::of_workspace();
    assert!(
        tests.below("tests/e2e/faults").count() > 10,
        "the stories are read"
    );
    let page = read("docs/faults.md");
    assert!(named(&page).len() > 30, "the page is read");
    none(check(&page, &tests));
}

#[test]
fn the_checker_sees_what_the_page_lacks_and_what_is_gone() {
    let source = |place: &str, name: &str| (place.to_owned(), format!("#[test] fn {name}() {{}}"));
    let tests = Tests::of(&[
        source("tests/e2e/faults_links.rs", "links_come_back"),
        source("tests/e2e/drift.rs", "drift_is_found"),
        source(
            "crates/hmac-propagation-amqp/tests/silence.rs",
            "nothing_hangs",
        ),
    ]);
    let found = |page: &str| check(page, &tests).len();
    let whole = "`links_come_back` | `sent`, `RESEND_AFTER_MS`\n`nothing_hangs` (`hmac-propagation-amqp`), `drift_is_found`";
    assert_eq!(check(whole, &tests), [""; 0]);
    assert_eq!(found("`drift_is_found`"), 1, "a story does not stand there");
    assert_eq!(
        found("`links_come_back`, `links_are_gone`"),
        1,
        "a name of nothing"
    );
    assert_eq!(
        found("`links_come_back`, `nothing_hangs`"),
        1,
        "a crate's test without its crate"
    );
    assert_eq!(
        found("`links_come_back`, `nothing_hangs` (`hmac-auth-redis`)"),
        1,
        "another crate's"
    );
    assert_eq!(found("links_come_back"), 2, "outside backquotes");
}
