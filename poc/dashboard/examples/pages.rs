//! Writes sample pages into a folder, to look at them without a mesh: `cargo run -p dashboard --example pages -- FOLDER`.
//! With the names of a style sheet and of a start module as well, the pages name those.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "an example that fails should say so at once"
)]

use std::path::PathBuf;

use dashboard::{Assets, STYLE, render};

#[path = "../tests/pages/samples.rs"]
mod samples;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("the folder to write to"));
    let style = arguments.next().unwrap_or_else(|| "style.css".to_owned());
    let assets = Assets {
        style,
        start: arguments.next(),
    };
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::write(folder.join("style.css"), STYLE).expect("the folder can be written to");
    for (name, data) in samples::all() {
        std::fs::write(folder.join(format!("{name}.html")), render(&data, &assets))
            .expect("as above");
    }
}
