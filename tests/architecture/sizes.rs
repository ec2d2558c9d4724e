//! Sizes of files and functions, names of modules, and conformance suites outside `src/`.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::{none, sources};

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 60;

fn is_test_code(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

/// Counts the lines before the file's tests.
fn file_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}

fn check_file(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if path.ends_with("/mod.rs") {
        complaints.push(format!("{path}: name it after its folder, beside it"));
    }
    let adapter = path.contains("/src/") && !path.starts_with("crates/hmac-testkit/");
    let mut code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    if adapter && code.any(|line| line.contains("hmac_testkit::")) {
        complaints.push(format!("{path}: conformance suites are called from tests/"));
    }
    if is_test_code(path) {
        return complaints;
    }
    let lines = file_lines(text);
    if lines > LONGEST_FILE {
        complaints.push(format!(
            "{path}: {lines} lines before its tests, {LONGEST_FILE} are allowed"
        ));
    }
    let mut functions = Functions { path, complaints };
    match syn::parse_file(text) {
        Ok(file) => functions.visit_file(&file),
        Err(error) => functions.complaints.push(format!("{path}: {error}")),
    }
    functions.complaints
}

/// Measures functions from `fn` to the closing brace; tests are left out.
struct Functions<'a> {
    path: &'a str,
    complaints: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block
            .span()
            .end()
            .line
            .saturating_sub(signature.span().start().line)
            + 1;
        if lines > LONGEST_FUNCTION {
            let (path, name) = (self.path, &signature.ident);
            self.complaints.push(format!(
                "{path}: fn {name} has {lines} lines, {LONGEST_FUNCTION} are allowed"
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn files_and_functions_are_short_and_in_their_place() {
    let sources = sources();
    assert!(sources.len() > 40, "the sources are read");
    none(
        sources
            .iter()
            .flat_map(|(path, text)| check_file(path, text)),
    );
}

#[test]
fn the_checker_sees_what_is_too_long() {
    let long = |lines: usize| "    let _ = 1;\n".repeat(lines);
    let fits = format!(
        "/// Documentation does not count.\nfn f() {{\n{}}}\n",
        long(58)
    );
    assert!(check_file("crates/a/src/b.rs", &fits).is_empty());
    let functions = format!(
        "fn f() {{\n{0}}}\nimpl A {{\nasync fn g() {{\n{0}}}\n}}\ntrait T {{\nfn h() {{\n{0}}}\nfn i();\n}}\nmod m {{\nfn j() {{\n{0}}}\n}}\n",
        long(59)
    );
    assert_eq!(check_file("crates/a/src/b.rs", &functions).len(), 4);
    let in_tests = format!(
        "#[cfg(test)]\nmod tests {{\nfn f() {{\n{}}}\n}}\n",
        long(500)
    );
    assert!(check_file("crates/a/src/b.rs", &in_tests).is_empty());
    assert!(check_file("crates/a/tests/b.rs", &long(500)).is_empty());
    assert_eq!(
        check_file("crates/a/src/b.rs", &"// x\n".repeat(501)).len(),
        1
    );
    assert_eq!(check_file("crates/a/src/b/mod.rs", "").len(), 1);
    assert_eq!(
        check_file("crates/a/src/b.rs", "use hmac_testkit::x;").len(),
        1
    );
    assert!(check_file("crates/a/src/b.rs", "//! See `hmac_testkit::x`.\n").is_empty());
    assert_eq!(
        check_file("crates/a/src/b.rs", "fn").len(),
        1,
        "what cannot be read is no pass"
    );
}
