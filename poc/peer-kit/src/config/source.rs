//! Where values come from: the environment, overridden by flags.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};

use zeroize::Zeroizing;

use crate::config::mistake::Mistake;
use crate::config::variable::Variable;

/// A secret's file is no longer than this, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

/// The raw values, not yet judged. A blank value counts as absent.
#[derive(Default)]
pub struct Source {
    values: HashMap<String, Zeroizing<String>>,
    unreadable: Vec<String>,
}

impl Source {
    /// Takes the environment of this process.
    pub fn from_environment() -> Self {
        Self::from_os_pairs(std::env::vars_os())
    }

    /// Takes pairs of names and values instead: tests, and several peers in one process.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut source = Self::default();
        for (name, value) in pairs {
            source.set(name, value);
        }
        source
    }

    /// Sets one value, as a flag does. A flag of either form (`NAME` or `NAME_FILE`) takes the other's place.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.unreadable.retain(|unreadable| *unreadable != name);
        self.values.insert(name, Zeroizing::new(value.into()));
    }

    /// Forgets a value.
    pub fn unset(&mut self, name: &str) {
        self.unreadable.retain(|unreadable| unreadable != name);
        self.values.remove(name);
    }

    /// Reads a variable: its value, or for a secret the content of its file without the line end.
    pub(crate) fn read(&self, variable: &Variable) -> Result<Option<Zeroizing<String>>, Mistake> {
        let file_name = variable.file_name();
        let direct = self.value(variable.name, variable)?;
        let file = match variable.secret {
            true => self.value(&file_name, variable)?,
            false => None,
        };
        let (name, value) = match (direct, file) {
            (Some(_), Some(_)) => {
                return Err(Mistake {
                    variable: file_name,
                    problem: format!("{} is set too", variable.name),
                    expected: "one of the two".to_owned(),
                });
            }
            (Some(value), None) => (variable.name, value),
            (None, Some(path)) => (file_name.as_str(), read_file(&file_name, &path)?),
            (None, None) => return Ok(None),
        };
        if value.starts_with('\u{feff}') {
            return Err(Mistake {
                variable: name.to_owned(),
                problem: "begins with a byte order mark, which nobody sees".to_owned(),
                expected: format!("UTF-8 without one: {}", variable.expected),
            });
        }
        Ok(Some(value))
    }

    /// What any name holds, as it stands: for files whose texts name variables.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.as_str())
    }

    /// Tells whether the variable is given in either form.
    pub(crate) fn has(&self, variable: &Variable) -> bool {
        let given = |name: &str| {
            self.values
                .get(name)
                .is_some_and(|value| !value.trim().is_empty())
        };
        given(variable.name) || (variable.secret && given(&variable.file_name()))
    }

    fn from_os_pairs(pairs: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut source = Self::default();
        for (name, value) in pairs {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => source.set(name, value),
                Err(_) => source.unreadable.push(name),
            }
        }
        source
    }

    fn value(&self, name: &str, variable: &Variable) -> Result<Option<Zeroizing<String>>, Mistake> {
        if self.unreadable.iter().any(|unreadable| unreadable == name) {
            return Err(Mistake {
                variable: name.to_owned(),
                problem: "is not valid UTF-8".to_owned(),
                expected: variable.expected.to_owned(),
            });
        }
        Ok(self
            .values
            .get(name)
            .filter(|value| !value.trim().is_empty())
            .cloned())
    }
}

fn read_file(file_name: &str, path: &str) -> Result<Zeroizing<String>, Mistake> {
    let mistake = |problem: String| Mistake {
        variable: file_name.to_owned(),
        problem,
        expected: "the path of a readable file of at most 64 KiB that is not blank".to_owned(),
    };
    let is_file = std::fs::metadata(path).map(|metadata| !metadata.is_dir());
    match is_file {
        Ok(true) => {}
        Ok(false) => return Err(mistake(format!("{path:?} is a directory"))),
        Err(error) => {
            return Err(mistake(format!(
                "{path:?} cannot be read ({})",
                error.kind()
            )));
        }
    }
    let mut content = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(FILE_LIMIT + 1).read_to_string(&mut content))
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidData => mistake(format!("{path:?} is not UTF-8")),
            kind => mistake(format!("{path:?} cannot be read ({kind})")),
        })?;
    if content.len() as u64 > FILE_LIMIT {
        return Err(mistake(format!("{path:?} is too long")));
    }
    let value = Zeroizing::new(content.trim_end_matches(['\r', '\n']).to_owned());
    if value.trim().is_empty() {
        return Err(mistake(format!("{path:?} is blank")));
    }
    Ok(value)
}
