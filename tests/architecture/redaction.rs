//! What holds a secret neither shows it nor compares it as texts are compared.
//!
//! A field that is called a secret, and is a plain text or bytes, may stand in no type that derives a way to see it or to
//! compare it. The types for secrets (`Secret`, `SecretHash`, `SecretsKey`) write those by hand or not at all, and are what
//! everybody else holds.

use syn::visit::{self, Visit};

use crate::{none, sources};

/// What a field that holds a secret is called, in part.
const WORDS: [&str; 6] = [
    "secret",
    "password",
    "pepper",
    "plain",
    "credentials_url",
    "fields",
];

/// What a type that is itself a secret is called, in part.
const TYPES: [&str; 4] = ["Secret", "Password", "Pepper", "SecretsKey"];

/// Types that show all they hold, `Zeroizing` among them.
const RAW: [&str; 10] = [
    "String",
    "str",
    "Vec",
    "Bytes",
    "BytesMut",
    "u8",
    "Value",
    "Map",
    "Zeroizing",
    "SecretsKeyBytes",
];

/// Types for secrets: whoever holds one of these may derive what he likes.
const SAFE: [&str; 3] = ["Secret", "SecretHash", "SecretsKey"];

/// Ways to see a value by accident, or to learn it by comparing. (What is serialised is meant to be.)
const REVEALING: [&str; 4] = ["Debug", "PartialEq", "PartialOrd", "Hash"];

/// Fields that are called a secret and hold none, as `type.field`, and why.
const HARMLESS: &[(&str, &str)] = &[
    ("CredentialState.plain", "the word absent"),
    ("CredentialState.secret_hash", "the first 8 characters"),
    ("PivotState.secret_hash", "the first 8 characters"),
    (
        "Pivot.secret_hash",
        "the first 8 characters, in the dashboard",
    ),
];

struct Holders<'a> {
    path: &'a str,
    complaints: Vec<String>,
}

impl Holders<'_> {
    fn check(&mut self, name: &syn::Ident, attributes: &[syn::Attribute], fields: &syn::Fields) {
        let revealing = derived(attributes);
        if revealing.is_empty() {
            return;
        }
        for (index, field) in fields.iter().enumerate() {
            let called = field
                .ident
                .as_ref()
                .map_or_else(|| index.to_string(), ToString::to_string);
            let holds = format!("{name}.{called}");
            let is_secret = match &field.ident {
                Some(_) => WORDS.iter().any(|word| called.contains(word)),
                None => TYPES.iter().any(|word| name.to_string().contains(word)),
            };
            if is_secret
                && is_raw(&field.ty)
                && HARMLESS.iter().all(|(harmless, _)| *harmless != holds)
            {
                let (path, revealing) = (self.path, revealing.join(", "));
                self.complaints.push(format!(
                    "{path}: {holds} is a secret in plain, and {name} derives {revealing}"
                ));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Holders<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.check(&item.ident, &item.attrs, &item.fields);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        for variant in &item.variants {
            // A variant such as `Secret(String)` is named as a type would be.
            self.check(&variant.ident, &item.attrs, &variant.fields);
        }
    }
}

/// Which of the ways to see a value are derived.
fn derived(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut derived = Vec::new();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
    {
        // A derive that cannot be read does not compile.
        let _ = attribute.parse_nested_meta(|meta| {
            let name = meta
                .path
                .segments
                .last()
                .map(|segment| segment.ident.to_string());
            derived.extend(name.filter(|name| REVEALING.contains(&name.as_str())));
            Ok(())
        });
    }
    derived
}

/// Tells whether a type shows a secret when it is shown itself.
fn is_raw(ty: &syn::Type) -> bool {
    #[derive(Default)]
    struct Names(Vec<String>);

    impl<'ast> Visit<'ast> for Names {
        fn visit_ident(&mut self, name: &'ast syn::Ident) {
            self.0.push(name.to_string());
        }
    }

    let mut names = Names::default();
    names.visit_type(ty);
    let any = |of: &[&str]| names.0.iter().any(|name| of.contains(&name.as_str()));
    any(&RAW) && !any(&SAFE)
}

fn check(path: &str, text: &str) -> Vec<String> {
    let mut holders = Holders {
        path,
        complaints: Vec::new(),
    };
    match syn::parse_file(text) {
        Ok(file) => holders.visit_file(&file),
        Err(error) => holders.complaints.push(format!("{path}: {error}")),
    }
    holders.complaints
}

#[test]
fn no_type_that_holds_a_secret_derives_a_way_to_see_it() {
    let sources = sources();
    let own = sources.iter().filter(|(path, _)| {
        path.contains("/src/") && (path.starts_with("crates/") || path.starts_with("poc/"))
    });
    none(own.flat_map(|(path, text)| check(path, text)));
}

#[test]
fn the_checker_sees_who_shows_a_secret() {
    let found = |text: &str| check("crates/a/src/b.rs", text).len();
    assert_eq!(
        found("#[derive(Clone, Debug)] struct A { plain_secret: String }"),
        1
    );
    assert_eq!(
        found("#[derive(PartialEq)] struct A { old_password: Option<Vec<u8>> }"),
        1
    );
    assert_eq!(
        found("#[derive(std::fmt::Debug)] enum A { B { pepper: Zeroizing<String> }, C }"),
        1
    );
    assert_eq!(found("#[derive(Debug)] pub struct SecretText(String);"), 1);
    assert_eq!(found("#[derive(Debug)] struct SecretsKey([u8; 32]);"), 1);
    assert_eq!(
        found("#[derive(Debug)] struct A { secrets_key: SecretsKeyBytes }"),
        1
    );
    assert_eq!(
        found("mod inner { #[derive(Debug)] struct A { fields: Map<String, Value> } }"),
        1
    );

    assert_eq!(
        found("struct A { plain_secret: String }"),
        0,
        "nobody sees it"
    );
    assert_eq!(
        found("#[derive(Clone)] pub struct Secret(Zeroizing<String>);"),
        0
    );
    assert_eq!(
        found("#[derive(Debug)] struct A { secret: Option<Secret>, secrets: Vec<(Name, Secret)> }"),
        0
    );
    assert_eq!(
        found("#[derive(Debug)] struct A { secrets_count: u64 }"),
        0,
        "a number is none"
    );
    assert_eq!(
        found("mod tests { #[derive(Debug)] struct A { secret: String } }"),
        0
    );
    assert_eq!(found("struct"), 1, "what cannot be read is no pass");
}
