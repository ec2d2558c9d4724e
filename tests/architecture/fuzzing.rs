//! Every property of hostile input has a fuzz target that tries it.

use std::collections::BTreeSet;
use std::fs;

use auth_testkit::hostile::PROPERTIES as OF_TOKENS;
use hmac_testkit::hostile::PROPERTIES;

use crate::root;

/// The property of a configuration stands with the peers, which the testkit does not know.
const BESIDE: &str = "configuration";

#[test]
fn every_property_has_its_fuzz_target() {
    let of_tokens = OF_TOKENS.iter().map(|(name, _)| *name);
    let properties = PROPERTIES.iter().map(|(name, _)| *name);
    let properties = properties.chain(of_tokens).chain([BESIDE]);
    let folder = root().join("fuzz/fuzz_targets");
    let entries = folder.read_dir().expect("the folder is readable").flatten();
    let targets: BTreeSet<String> = entries
        .map(|entry| {
            let path = entry.path();
            let text = fs::read_to_string(&path).expect("a target is readable");
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let tried = text.contains(&format!("::{name}(bytes)"));
            format!(
                "{name}{}",
                if tried { "" } else { ", which it does not try" }
            )
        })
        .collect();
    assert_eq!(targets, properties.map(str::to_owned).collect());
}
