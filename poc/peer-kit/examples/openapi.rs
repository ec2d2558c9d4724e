//! Writes the OpenAPI documents of the four peers to `docs/openapi`: `cargo run --example openapi`.

use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    for (path, text) in peer_kit::openapi::committed::files()? {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}
