//! Errors as an operator reads them.

use std::error::Error;

/// Writes an error and everything below it in one line, for the log.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_error::StoreError;

    #[test]
    fn every_source_is_named_in_order() {
        let error = StoreError::Unavailable("connection refused".into());
        assert_eq!(chain(&error), format!("{error}: connection refused"));
    }
}
