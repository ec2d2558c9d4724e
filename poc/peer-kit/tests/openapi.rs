//! The committed OpenAPI documents are those of the code.

#[cfg(test)]
mod tests {
    use std::fs;

    use peer_kit::openapi::committed::files;
    use serde_json::Value;

    #[test]
    fn the_committed_documents_are_those_of_the_code() {
        for (path, text) in files().unwrap() {
            let committed = fs::read_to_string(&path).unwrap_or_default();
            // As values: the order of members may depend on what else is built.
            let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
            let made: Value = serde_json::from_str(&text).unwrap();
            assert!(
                committed == made,
                "{} is not what the code makes: run `cargo run --example openapi` and commit it",
                path.display()
            );
        }
    }
}
