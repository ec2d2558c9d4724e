//! A guide, read as a newcomer reads it: from top to bottom, block by block.

use std::fs;
use std::path::Path;

/// A file of a project, as a guide gives it.
pub(crate) struct Program {
    /// Where it belongs: `orders/src/main.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A guide and how far it has been read.
pub(crate) struct Page {
    name: String,
    text: String,
    /// The blocks that are still to be followed, the last one first.
    ahead: Vec<Block>,
}

struct Block {
    section: String,
    language: String,
    text: String,
}

impl Page {
    /// Opens a page of `docs/using`.
    pub(crate) fn open(name: &str) -> Self {
        let path = root().join("docs/using").join(name);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::new(name, &text)
    }

    fn new(name: &str, text: &str) -> Self {
        let mut ahead = blocks(text);
        ahead.reverse();
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            ahead,
        }
    }

    /// The next block, which must be commands.
    pub(crate) fn commands(&mut self) -> String {
        self.next("sh")
    }

    /// The next block, which must be what a `Cargo.toml` holds from `[dependencies]` on.
    pub(crate) fn dependencies(&mut self) -> String {
        let text = self.next("toml");
        assert!(
            text.starts_with("[dependencies]\n"),
            "{}: {text}",
            self.name
        );
        text
    }

    /// The next block, which must be a program; its first line says where it belongs.
    pub(crate) fn program(&mut self) -> Program {
        let text = self.next("rust,no_run");
        let path = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("// "));
        let path = path
            .unwrap_or_else(|| panic!("{}: whose program is this?\n{text}", self.name))
            .to_owned();
        Program { path, text }
    }

    /// Goes on at a section.
    pub(crate) fn turn_to(&mut self, section: &str) {
        while self
            .ahead
            .last()
            .is_some_and(|block| block.section != section)
        {
            self.ahead.pop();
        }
        assert!(
            !self.ahead.is_empty(),
            "{} has no block in `{section}`",
            self.name
        );
    }

    /// What the page promises in these words is about to be tried.
    pub(crate) fn says(&self, words: &str) {
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains(words),
            "{} does not say `{words}` any more: follow what it says now",
            self.name
        );
    }

    /// Nothing was left out.
    pub(crate) fn is_done(&self) {
        if let Some(block) = self.ahead.last() {
            panic!("{}: nobody followed\n{}", self.name, block.text);
        }
    }

    fn next(&mut self, language: &str) -> String {
        let block = self
            .ahead
            .pop()
            .unwrap_or_else(|| panic!("{} ends before its {language}", self.name));
        assert_eq!(
            block.language, language,
            "{}, next block:\n{}",
            self.name, block.text
        );
        block.text
    }
}

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut section = String::new();
    let mut open = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), blocks.last_mut().filter(|_| open)) {
            (Some(_), Some(_)) => open = false,
            (Some(language), None) => {
                open = true;
                let (section, language) = (section.clone(), language.to_owned());
                blocks.push(Block {
                    section,
                    language,
                    text: String::new(),
                });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut section);
                }
            }
        }
    }
    blocks
}

#[test]
fn a_page_is_read_in_its_order() {
    let text = "# A page\n\n```sh\nfirst\nsecond\n```\n\n## 1. Begin\nIt says\nthis.\n```toml\n[dependencies]\n```\n\
                ## 2. Go on\n```rust,no_run\n// a/src/main.rs\n## no heading\n```\n";
    let mut page = Page::new("page.md", text);
    page.says("It says this.");
    assert_eq!(page.commands(), "first\nsecond\n");
    page.turn_to("2. Go on");
    let program = page.program();
    assert_eq!(
        (&*program.path, &*program.text),
        ("a/src/main.rs", "// a/src/main.rs\n## no heading\n")
    );
    page.is_done();
    let mut again = Page::new("page.md", text);
    again.commands();
    assert_eq!(again.dependencies(), "[dependencies]\n");
}

#[test]
#[should_panic(expected = "nobody followed\nleft out")]
fn a_block_that_was_left_out_is_seen() {
    Page::new("page.md", "```sh\nleft out\n```\n").is_done();
}
