//! The providers of a process, by their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checked::CheckedKeyManagement;
use crate::key_management::KeyManagement;

/// Why providers cannot be put together, or one not be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownProvider {
    /// No provider is called so.
    #[error("no key provider is called {0:?}")]
    Id(String),
    /// Nobody said which one is meant, and there is more than one, or none.
    #[error("no default key provider is set, and there is not exactly one")]
    NoDefault,
    /// Two providers are called the same.
    #[error("two key providers are called {0:?}")]
    Twice(String),
}

/// Providers by their ids, each of them checked. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    providers: BTreeMap<String, CheckedKeyManagement>,
    default: Option<String>,
}

impl Providers {
    /// No provider yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One provider, called `id`, which is the default one.
    pub fn of(id: &str, provider: Arc<dyn KeyManagement>) -> Self {
        let checked = CheckedKeyManagement::new(provider);
        Self {
            providers: BTreeMap::from([(id.to_owned(), checked)]),
            default: Some(id.to_owned()),
        }
    }

    /// Adds a provider. It is checked from now on.
    ///
    /// # Errors
    /// [`UnknownProvider::Twice`].
    pub fn with(
        mut self,
        id: &str,
        provider: Arc<dyn KeyManagement>,
    ) -> Result<Self, UnknownProvider> {
        let checked = CheckedKeyManagement::new(provider);
        match self.providers.insert(id.to_owned(), checked) {
            None => Ok(self),
            Some(_) => Err(UnknownProvider::Twice(id.to_owned())),
        }
    }

    /// Says which provider is meant when nobody says one.
    ///
    /// # Errors
    /// [`UnknownProvider::Id`].
    pub fn with_default(self, id: &str) -> Result<Self, UnknownProvider> {
        self.find(id)?;
        let default = Some(id.to_owned());
        Ok(Self { default, ..self })
    }

    /// The provider that is called `id`.
    ///
    /// # Errors
    /// [`UnknownProvider::Id`].
    pub fn find(&self, id: &str) -> Result<&CheckedKeyManagement, UnknownProvider> {
        let found = self.providers.get(id);
        found.ok_or_else(|| UnknownProvider::Id(id.to_owned()))
    }

    /// The provider `id`, else the default one, with its id. A single provider is the default one.
    ///
    /// # Errors
    /// [`UnknownProvider`].
    pub fn pick(&self, id: Option<&str>) -> Result<(&str, &CheckedKeyManagement), UnknownProvider> {
        let id = id.or(self.default.as_deref());
        let found = match id {
            Some(id) => self.providers.get_key_value(id),
            None if self.providers.len() == 1 => self.providers.first_key_value(),
            None => return Err(UnknownProvider::NoDefault),
        };
        match found {
            Some((id, provider)) => Ok((id, provider)),
            None => Err(UnknownProvider::Id(id.unwrap_or_default().to_owned())),
        }
    }

    /// The ids, in the order of the alphabet.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().map(String::as_str)
    }
}
