//! Which tests there are, told from the tokens of the sources: a helper that bears a test's name is none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::root;

/// Attributes under which a function is a test.
const RUNNERS: [&str; 3] = ["test", "tokio::test", "actix_web::test"];

/// Words that may stand between the attributes of a function and its `fn`.
const BEFORE_FN: [&str; 3] = ["pub", "async", "unsafe"];

/// Where the conformance suites are.
const SUITES: &str = "crates/hmac-testkit/src/";

/// A function that a run of the tests runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) name: String,
    /// Its file, seen from the root.
    pub(crate) place: String,
    /// It is run only when it is asked for.
    pub(crate) ignored: bool,
}

/// All there are.
pub(crate) struct Tests(Vec<Test>);

impl Tests {
    /// The tests of these files, each given with its path, and the cases of the conformance suites among them.
    pub(crate) fn of(sources: &[(String, String)]) -> Self {
        let mut all = Vec::new();
        for (place, text) in sources {
            let tokens = tokens(place, text);
            if place.starts_with(SUITES) {
                let case = |name| Test {
                    name,
                    place: place.clone(),
                    ignored: false,
                };
                all.extend(cases(tokens.clone()).into_iter().map(case));
            }
            collect(tokens, place, &mut all);
        }
        Self(all)
    }

    pub(crate) fn of_workspace() -> Self {
        let mut sources = Vec::new();
        for folder in ["crates", "poc", "tests", "tools"] {
            read(&root().join(folder), &mut sources);
        }
        Self::of(&sources)
    }

    /// Whether a test of this name stands in a file whose path begins so.
    pub(crate) fn has(&self, name: &str, beginning: &str) -> bool {
        self.below(beginning).any(|test| test.name == name)
    }

    /// Whether one of this name stands there and is run whenever tests are run.
    pub(crate) fn always_runs(&self, name: &str, beginning: &str) -> bool {
        self.below(beginning)
            .any(|test| test.name == name && !test.ignored)
    }

    /// The tests of the files whose path begins so.
    pub(crate) fn below(&self, beginning: &str) -> impl Iterator<Item = &Test> {
        self.0
            .iter()
            .filter(move |test| test.place.starts_with(beginning))
    }
}

fn read(folder: &Path, sources: &mut Vec<(String, String)>) {
    let entries = folder.read_dir().expect("a folder is readable").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.ends_with("target") {
            read(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let place = path
                .strip_prefix(root())
                .expect("below the root")
                .display()
                .to_string();
            sources.push((place, fs::read_to_string(&path).expect("a source is UTF-8")));
        }
    }
}

fn tokens(place: &str, text: &str) -> TokenStream {
    text.parse()
        .unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// Looks for functions under a runner's attribute, whatever other attributes stand between; also within modules and macros.
fn collect(tokens: TokenStream, place: &str, found: &mut Vec<Test>) {
    let mut attributes: Vec<String> = Vec::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let is_inner = trees.next_if(|tree| is_punct(tree, '!')).is_some();
                if let Some(TokenTree::Group(attribute)) =
                    trees.next_if(is_group(Delimiter::Bracket))
                    && !is_inner
                {
                    attributes.push(path(attribute.stream()));
                }
            }
            TokenTree::Ident(word) if word == "fn" => {
                let is_test = attributes
                    .iter()
                    .any(|attribute| RUNNERS.contains(&attribute.as_str()));
                if let Some(TokenTree::Ident(name)) = trees.peek()
                    && is_test
                {
                    let ignored = attributes.iter().any(|attribute| attribute == "ignore");
                    found.push(Test {
                        name: name.to_string(),
                        place: place.to_owned(),
                        ignored,
                    });
                }
                attributes.clear();
            }
            TokenTree::Ident(word) if BEFORE_FN.iter().any(|before| word == before) => {
                // As in `pub(crate)`.
                trees.next_if(is_group(Delimiter::Parenthesis));
            }
            TokenTree::Group(group) => {
                attributes.clear();
                collect(group.stream(), place, found);
            }
            _ => attributes.clear(),
        }
    }
}

/// An attribute's path: `tokio::test` of `tokio::test(start_paused = true)`.
fn path(attribute: TokenStream) -> String {
    let path = attribute
        .into_iter()
        .take_while(|tree| matches!(tree, TokenTree::Ident(_)) || is_punct(tree, ':'));
    path.map(|tree| tree.to_string()).collect()
}

/// The cases of a conformance suite: what its `suite` calls with something made by `make`, and the rows of `stories!`.
fn cases(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).map(|at| &trees[at]);
        let TokenTree::Ident(word) = tree else {
            continue;
        };
        if word == "suite" && before(1).is_some_and(|tree| is_word(tree, "fn")) {
            let body = trees[at..]
                .iter()
                .find(|tree| is_group(Delimiter::Brace)(tree));
            found.extend(body.into_iter().flat_map(called));
        }
        if let [TokenTree::Punct(bang), TokenTree::Group(rows), ..] = &trees[at + 1..]
            && word == "stories"
            && bang.as_char() == '!'
        {
            let rows = rows
                .stream()
                .into_iter()
                .filter(|tree| matches!(tree, TokenTree::Ident(_)));
            found.extend(rows.map(|row| row.to_string()));
        }
    }
    found
}

/// The functions that a body calls with something that `make` makes; another module's `suite` is no case.
fn called(body: &TokenTree) -> Vec<String> {
    let TokenTree::Group(body) = body else {
        return Vec::new();
    };
    let trees: Vec<TokenTree> = body.stream().into_iter().collect();
    let calls = trees.windows(2).filter_map(|pair| match pair {
        [TokenTree::Ident(name), TokenTree::Group(with)] if name != "suite" => {
            let is_made = with.stream().into_iter().any(|tree| is_word(&tree, "make"));
            is_made.then(|| name.to_string())
        }
        _ => None,
    });
    calls.collect()
}

fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(it) if it == word)
}

fn is_punct(tree: &TokenTree, punct: char) -> bool {
    matches!(tree, TokenTree::Punct(it) if it.as_char() == punct)
}

fn is_group(delimiter: Delimiter) -> impl Fn(&TokenTree) -> bool {
    move |tree| matches!(tree, TokenTree::Group(it) if it.delimiter() == delimiter)
}

#[test]
fn only_what_is_run_is_a_test() {
    let found = |place: &str, text: &str| {
        let tests = Tests::of(&[(place.to_owned(), text.to_owned())]);
        tests
            .0
            .into_iter()
            .map(|test| (test.name, test.ignored))
            .collect::<Vec<_>>()
    };
    let test = |name: &str| vec![(name.to_owned(), false)];
    let story = |text: &str| found("tests/e2e/a.rs", text);
    assert_eq!(story("#[test] fn a() {}"), test("a"));
    assert_eq!(
        story(
            "#[tokio::test(start_paused = true)]\n/// Why.\n#[expect(dead_code)]\npub(crate) async fn a() {}"
        ),
        test("a")
    );
    assert_eq!(
        story("#[should_panic] #[actix_web::test] async fn a() {}"),
        test("a")
    );
    assert_eq!(
        story("#![allow(x)] mod tests { #[cfg(unix)] #[test] fn a() {} fn b() {} }"),
        test("a")
    );
    assert_eq!(
        story("proptest! { #![config(cases(1))] #[test] fn a(b: u8) {} }"),
        test("a")
    );
    assert_eq!(
        story("#[tokio::test] #[ignore = \"why\"] async fn a() {}"),
        [("a".to_owned(), true)]
    );

    assert_eq!(story("async fn a(world: &World) {}"), [], "a helper");
    assert_eq!(
        story("#[cfg(test)] fn a() {}"),
        [],
        "compiled for tests, and none"
    );
    assert_eq!(
        story("#[test] const A: u8 = 1; fn a() {}"),
        [],
        "the attribute is another's"
    );
    assert_eq!(
        story("#[test] struct A; fn a() {}"),
        [],
        "the attribute is another's"
    );
    assert_eq!(
        story("// #[test] fn a() {}\nconst A: &str = \"#[test] fn a() {}\";"),
        [],
        "a text"
    );
    assert_eq!(
        story("macro_rules! m { ($a:ident) => { #[test] fn $a() {} }; }"),
        [],
        "has no name yet"
    );

    let suite = "pub async fn suite(make: impl AsyncFn() -> S) { a(&make().await).await; more::suite(&make).await; more::b(make().await).await; c(); }\nasync fn d() { e(make()) }";
    let cases = found("crates/hmac-testkit/src/broker.rs", suite);
    assert_eq!(cases, [test("a"), test("b")].concat());
    assert_eq!(story(suite), [], "no suite of the testkit");
    let table =
        "macro_rules! stories { ($($s:ident),*) => { x };}\nstories![a, b];\nasync fn a() {}";
    assert_eq!(
        found("crates/hmac-testkit/src/http_layer/cases/stories.rs", table),
        [test("a"), test("b")].concat()
    );
}
