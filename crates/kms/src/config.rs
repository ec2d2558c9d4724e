//! `kms.json`: which providers there are.
//!
//! ```json
//! {
//!   "defaultProvider": "main",
//!   "providers": [
//!     { "id": "main", "type": "http", "baseUrl": "https://kms.internal", "auth": { "type": "bearer", "token": "${KMS_TOKEN}" } },
//!     { "id": "local", "type": "memory" }
//!   ]
//! }
//! ```
//!
//! Everything that is wrong is told at once, each with its path: fields that nobody knows, that are missing, empty, of another
//! type or that come twice, ids that come twice, a default that is none of the providers. `${NAME}` in a text stands for a
//! variable of the environment; what a variable holds is not looked into again. No value is ever told: it may be a secret.

pub mod mistake;
pub mod settings;

mod document;
mod provider;
mod reader;

use std::cell::RefCell;
use std::collections::BTreeSet;

pub use crate::config::mistake::{InvalidKmsConfig, Mistake};
pub use crate::config::settings::{ProviderConfig, ProviderSettings};

use crate::config::document::Node;
use crate::config::reader::{Mistakes, Object, note};

/// A configuration may have so many bytes.
pub const MAX_CONFIG_BYTES: usize = 256 * 1024;

/// And so many providers.
pub const MAX_PROVIDERS: usize = 64;

/// The providers of a process.
#[derive(Clone, Debug)]
pub struct KmsConfig {
    /// Which provider is meant when nobody says one. It is one of `providers`.
    pub default_provider: Option<String>,
    /// The providers, at least one, each with an id of its own.
    pub providers: Vec<ProviderConfig>,
}

impl KmsConfig {
    /// Reads a document. `variables` tells what a variable of the environment holds.
    ///
    /// # Errors
    /// [`InvalidKmsConfig`] tells everything that is wrong.
    pub fn parse(
        json: &[u8],
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidKmsConfig> {
        if json.len() > MAX_CONFIG_BYTES {
            let problem = format!("the document has more than {MAX_CONFIG_BYTES} bytes");
            return Err(InvalidKmsConfig::of("", problem));
        }
        let read: Result<Node, serde_json::Error> = serde_json::from_slice(json);
        let mut document = read.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            InvalidKmsConfig::of(
                "",
                format!("the document is no JSON: line {line}, column {column}"),
            )
        })?;
        let mistakes = Mistakes::default();
        let mut missing = BTreeSet::new();
        document.resolve("", variables, &mut missing, &mut |path| {
            note(
                &mistakes,
                path.to_owned(),
                "has a placeholder that is not ${NAME}",
            );
        });
        let config = read_config(&document, &mistakes);
        let found = InvalidKmsConfig {
            missing_variables: missing.into_iter().collect(),
            mistakes: RefCell::into_inner(mistakes),
        };
        match (found.is_empty(), config) {
            (true, Some(config)) => Ok(config),
            _ => Err(found),
        }
    }
}

impl KmsConfig {
    /// The provider that is meant when nobody says one: the default one, else the only one.
    pub fn served(&self) -> Option<&ProviderConfig> {
        match (&self.default_provider, self.providers.as_slice()) {
            (Some(id), all) => all.iter().find(|it| it.id == *id),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

fn read_config(document: &Node, mistakes: &Mistakes) -> Option<KmsConfig> {
    let object = Object::of(document, String::new(), mistakes)?;
    let default = object.optional_text("defaultProvider");
    let listed = object.list("providers");
    if let Some(listed) = &listed
        && !(1..=MAX_PROVIDERS).contains(&listed.len())
    {
        object.wrong(
            "providers",
            format!("must list 1 to {MAX_PROVIDERS} providers"),
        );
    }
    let mut ids = Vec::new();
    let mut providers = Vec::new();
    let mut all_read = true;
    for (path, node) in listed.unwrap_or_default().into_iter().take(MAX_PROVIDERS) {
        if let Some(id) = id_of(node) {
            if ids.contains(&id) {
                note(
                    mistakes,
                    format!("{path}.id"),
                    "is the id of an earlier provider",
                );
            }
            ids.push(id);
        }
        let read = Object::of(node, path, mistakes).and_then(provider::provider);
        all_read &= read.is_some();
        providers.extend(read);
    }
    if let Some(default) = default
        && !ids.contains(&default)
    {
        object.wrong("defaultProvider", "is the id of no provider");
    }
    object.finish();
    all_read.then(|| KmsConfig {
        default_provider: default.map(str::to_owned),
        providers,
    })
}

/// The id of a provider, whatever else is wrong with it.
fn id_of(node: &Node) -> Option<&str> {
    let Node::Object(members) = node else {
        return None;
    };
    members.iter().find_map(|(name, value)| match value {
        Node::Text(text) if name == "id" => Some(text.as_str()),
        _ => None,
    })
}
