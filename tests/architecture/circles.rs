//! No circle among the modules of a crate, and no module that reaches up through the crate's root.
//!
//! An arrow goes from a file to the file whose names it takes, by `use` or by a path in its code. What stands in unit tests and in
//! documentation is no arrow.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::{members, none, sources};

/// The path of a module: empty for the crate's root.
type Module = Vec<String>;

/// From a file's module to another, with the names that are taken.
type Arrows = BTreeMap<(Module, Module), BTreeSet<String>>;

/// The module that a file of `src/` holds; `None` for programs beside the library.
fn module(path: &str, has_library: bool) -> Option<Module> {
    let path = path.strip_suffix(".rs")?;
    match path {
        "lib" => Some(Module::new()),
        "main" => (!has_library).then(Module::new),
        _ if path.starts_with("bin/") => None,
        _ => Some(path.split('/').map(str::to_owned).collect()),
    }
}

/// Reads the paths of one file.
struct Reader<'a> {
    /// All files' modules.
    files: &'a BTreeSet<Module>,
    /// The file's own module.
    file: &'a Module,
    /// Where the reader is: the file's module, and modules written out in it.
    here: Module,
    arrows: &'a mut Arrows,
}

impl Reader<'_> {
    /// Notes where a path leads, if that is another file of the crate.
    fn follow(&mut self, segments: &[String]) {
        let Some(first) = segments.first() else {
            return;
        };
        let mut at = self.here.clone();
        let mut rest = segments;
        match first.as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            _ => {
                at.push(first.clone());
                if !self.files.contains(&at) {
                    return;
                }
                at.pop();
            }
        }
        while let Some((word, more)) = rest.split_first() {
            match word.as_str() {
                "crate" | "self" => {}
                "super" => drop(at.pop()),
                _ => break,
            }
            rest = more;
        }
        for word in rest {
            at.push(word.clone());
        }
        let depth = at.len();
        // What stands in no file of its own stands in the file of the module above it.
        while !self.files.contains(&at) && at.pop().is_some() {}
        let name = segments[segments.len() - (depth - at.len()).min(segments.len())..].first();
        if at != *self.file {
            let names = self.arrows.entry((self.file.clone(), at)).or_default();
            names.extend(name.cloned());
        }
    }

    fn follow_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.follow_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.follow(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.follow(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.follow(&[before, &["*".to_owned()]].concat()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.follow_tree(before, tree);
                }
            }
        }
    }

    /// Paths of a macro's call: words with colons between them.
    fn follow_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for tree in tokens {
            match tree {
                TokenTree::Punct(colon) if colon.as_char() == ':' => colons += 1,
                TokenTree::Ident(word) if colons == 2 && !path.is_empty() => {
                    path.push(word.to_string());
                    colons = 0;
                }
                other => {
                    // An exported macro stands in the root, wherever it is written.
                    if !matches!(&other, TokenTree::Punct(call) if call.as_char() == '!') {
                        self.follow_path(&path);
                    }
                    (path, colons) = (Vec::new(), 0);
                    match other {
                        TokenTree::Ident(word) => path.push(word.to_string()),
                        TokenTree::Group(group) => self.follow_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.follow_path(&path);
    }

    /// A single word is a name of the file itself.
    fn follow_path(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.follow(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_some() && !is_for_tests(&module.attrs) {
            self.here.push(module.ident.to_string());
            visit::visit_item_mod(self, module);
            self.here.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.follow_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words = path.segments.iter().map(|it| it.ident.to_string());
        self.follow_path(&words.collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.follow_tokens(call.tokens.clone());
    }

    /// Whom a name is shown to is no arrow.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let mut found = attributes.iter().filter(|it| it.path().is_ident("cfg"));
    found.any(|it| {
        it.parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
    })
}

/// Everything that ties a crate's files, given by their paths in `src/`.
fn arrows(files: &[(&str, &str)]) -> Arrows {
    let has_library = files.iter().any(|(path, _)| *path == "lib.rs");
    let texts: BTreeMap<Module, &str> = files
        .iter()
        .filter_map(|(path, text)| Some((module(path, has_library)?, *text)))
        .collect();
    let modules: BTreeSet<Module> = texts.keys().cloned().collect();
    let mut arrows = Arrows::new();
    for (file, text) in &texts {
        let parsed = syn::parse_file(text).expect("a source of the workspace");
        let mut reader = Reader {
            files: &modules,
            file,
            here: file.clone(),
            arrows: &mut arrows,
        };
        reader.visit_file(&parsed);
    }
    arrows
}

/// The files that can be reached from one.
fn reached(arrows: &Arrows, from: &Module) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(at) = open.pop() {
        let next = arrows.keys().filter(|(start, _)| *start == at);
        for (_, end) in next {
            if found.insert(end.clone()) {
                open.push(end.clone());
            }
        }
    }
    found
}

/// Each circle as the arrows in it.
fn circles(arrows: &Arrows) -> Vec<String> {
    let files: BTreeSet<&Module> = arrows.keys().map(|(from, _)| from).collect();
    let reach: BTreeMap<&Module, BTreeSet<Module>> = files
        .iter()
        .map(|&file| (file, reached(arrows, file)))
        .collect();
    let mut told: BTreeSet<&Module> = BTreeSet::new();
    let mut found = Vec::new();
    for (&file, reached) in &reach {
        if !reached.contains(file) || told.contains(file) {
            continue;
        }
        let is_in = |other: &Module| {
            reached.contains(other) && reach.get(other).is_some_and(|back| back.contains(file))
        };
        told.extend(files.iter().filter(|other| is_in(other)));
        let ties = arrows
            .iter()
            .filter(|((from, to), _)| is_in(from) && is_in(to));
        let ties = ties.map(|((from, to), names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("  {} -> {}: {}", name(from), name(to), names.join(", "))
        });
        found.push(ties.collect::<Vec<_>>().join("\n"));
    }
    found
}

/// Modules that take a name from the crate's root.
fn through_the_root(arrows: &Arrows) -> Vec<String> {
    let up = arrows
        .iter()
        .filter(|((from, to), _)| to.is_empty() && !from.is_empty());
    up.map(|((from, _), names)| format!("  {} takes {names:?} from the crate's root", name(from)))
        .collect()
}

fn name(module: &Module) -> String {
    match module.is_empty() {
        true => "the root".to_owned(),
        false => module.join("::"),
    }
}

/// What is wrong with each crate.
fn complaints() -> Vec<(String, Vec<String>)> {
    let sources = sources();
    let mut found = Vec::new();
    for (name, member) in members() {
        let folder = format!("{}/src/", member.folder);
        let files: Vec<(&str, &str)> = sources
            .iter()
            .filter_map(|(path, text)| Some((path.strip_prefix(&folder)?, text.as_str())))
            .collect();
        let arrows = arrows(&files);
        let wrong = [circles(&arrows), through_the_root(&arrows)].concat();
        if !wrong.is_empty() {
            found.push((name, wrong));
        }
    }
    found
}

#[test]
fn no_circle_among_the_modules_of_a_crate() {
    let tied = complaints().into_iter();
    none(tied.map(|(name, wrong)| format!("{name}:\n{}", wrong.join("\n\n"))));
}

#[test]
fn the_checker_sees_a_circle_and_a_way_through_the_root() {
    let found = |files: &[(&str, &str)]| circles(&arrows(files));
    let root = ("lib.rs", "mod a; mod b; pub use a::A;");
    let a = ("a.rs", "use crate::b::{B, C}; pub struct A;");
    assert_eq!(found(&[root, a, ("b.rs", "pub struct B;")]), [""; 0]);
    assert_eq!(
        found(&[root, a, ("b.rs", "pub struct B(super::a::A);")]),
        ["  a -> b: B, C\n  b -> a: A"]
    );
    for back in [
        "fn f() { crate::a::f() }",
        "fn f() { assert!(super::a::f(1)) }",
        "mod inner { use super::super::a::A; }",
        "use crate::a as other;",
    ] {
        assert_eq!(found(&[root, a, ("b.rs", back)]).len(), 1, "{back}");
    }
    for harmless in [
        "#[cfg(test)] mod tests { use crate::a::A; }",
        "fn f() { crate::exported!(1); g!(crate::exported!(2)) }",
        "/// See [`crate::a`].\npub(in crate::b) struct B; use std::a::A;",
        "mod inner { fn f(a: A) { a::f() } } use self::inner::f;",
    ] {
        assert_eq!(found(&[root, a, ("b.rs", harmless)]), [""; 0], "{harmless}");
    }
    // A module and the one below it.
    let parent = ("a.rs", "mod below; use below::C;");
    let below = ("a/below.rs", "pub struct C(super::B);");
    assert_eq!(
        found(&[("main.rs", "mod a;"), parent, below]),
        ["  a -> a::below: C\n  a::below -> a: B"]
    );

    let up = |text: &str| through_the_root(&arrows(&[root, ("a.rs", ""), ("b.rs", text)]));
    assert_eq!(up("use crate::a::A;"), [""; 0]);
    assert_eq!(
        up("use crate::A;"),
        ["  b takes {\"A\"} from the crate's root"]
    );
}
