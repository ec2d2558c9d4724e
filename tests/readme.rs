//! The README's programs are the examples, which are compiled.

use std::fs;
use std::path::Path;

#[test]
fn the_programs_of_the_readme_are_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README is readable");
    for adapter in ["axum", "actix"] {
        let path = root.join(format!(
            "crates/hmac-auth-{adapter}/examples/protect-{adapter}.rs"
        ));
        let example = fs::read_to_string(&path).expect("the example is readable");
        let program = &example[example.find("use std").expect("the example has imports")..];
        assert!(
            readme.contains(program),
            "the README's program for {adapter} is not {}",
            path.display()
        );
    }
}
