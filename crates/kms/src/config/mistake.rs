//! What is wrong with a configuration, and where.

use std::fmt;

/// One thing that is wrong, and the path to it: `providers[1].auth.tokenUrl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The path, as JavaScript would write it; empty for the document.
    pub path: String,
    /// What is wrong. Never a value, which may be a secret.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.problem),
            false => write!(f, "{}: {}", self.path, self.problem),
        }
    }
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidKmsConfig {
    /// Variables that placeholders name and that are not set, in the order of the alphabet.
    pub missing_variables: Vec<String>,
    /// What else is wrong, in the order of the document.
    pub mistakes: Vec<Mistake>,
}

impl InvalidKmsConfig {
    /// One mistake.
    pub(crate) fn of(path: &str, problem: impl Into<String>) -> Self {
        let mistake = Mistake {
            path: path.to_owned(),
            problem: problem.into(),
        };
        Self {
            missing_variables: Vec::new(),
            mistakes: vec![mistake],
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.missing_variables.is_empty() && self.mistakes.is_empty()
    }
}

impl fmt::Display for InvalidKmsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing_variables.join(", ");
        let missing =
            (!missing.is_empty()).then(|| format!("Missing environment variables: {missing}"));
        let mistakes = self.mistakes.iter().map(Mistake::to_string);
        let lines: Vec<String> = missing.into_iter().chain(mistakes).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for InvalidKmsConfig {}
