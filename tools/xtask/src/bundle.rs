//! The files a browser loads: named by a hash of what is in them, compressed once, listed in a manifest that is written last.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::error::Error;

/// What the bundle is made of, besides the lockfile.
pub(crate) const SOURCES: [&str; 2] = ["poc/dashboard", "poc/dashboard-web"];

const MANIFEST: &str = "manifest.json";
const INPUTS: &str = "inputs";

/// A hash of everything the bundle is made of.
pub(crate) struct Inputs(String);

impl Inputs {
    pub(crate) fn read(workspace: &Path) -> Result<Self, Error> {
        let mut files = vec![
            workspace.join("Cargo.lock"),
            workspace.join("Cargo.toml"),
            workspace.join("tools/xtask/src/bundle.rs"),
        ];
        for folder in SOURCES {
            list(&workspace.join(folder), &mut files)?;
        }
        files.sort();
        let mut hash = Sha256::new();
        for file in files {
            hash.update(file.strip_prefix(workspace)?.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(Sha256::digest(fs::read(&file)?));
        }
        Ok(Self(hex::encode(hash.finalize())))
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What goes over the wire, in bytes.
pub(crate) struct Sizes {
    wasm: usize,
    wasm_brotli: usize,
    all_brotli: usize,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: usize| bytes as f64 / 1024.0;
        write!(
            f,
            "wasm {:.0} KiB, {:.0} KiB as brotli; with script and style {:.0} KiB",
            kib(self.wasm),
            kib(self.wasm_brotli),
            kib(self.all_brotli)
        )
    }
}

/// Tells whether the bundle of these inputs was written.
pub(crate) fn is_there(output: &Path, inputs: &Inputs) -> bool {
    let written = fs::read_to_string(output.join(INPUTS));
    output.join(MANIFEST).is_file() && written.is_ok_and(|written| written == inputs.0)
}

/// Binds the compiled module to the browser, and writes all files.
pub(crate) fn write(
    compiled: &Path,
    workspace: &Path,
    output: &Path,
    inputs: &Inputs,
) -> Result<Sizes, Error> {
    let mut bindgen = Bindgen::new();
    let bound = bindgen
        .input_path(compiled)
        .web(true)?
        .typescript(false)
        // Nobody reads names in a bundle, and they are half of it.
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output();
    let mut bound = bound.map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    let wasm = bound.wasm_mut().emit_wasm();
    let script = bound.js().to_owned();
    let style = style(workspace)?;

    fs::create_dir_all(output)?;
    let mut files = Files {
        output,
        written: vec![MANIFEST.to_owned(), INPUTS.to_owned()],
        all_brotli: 0,
    };
    let css = files.add("style", "css", style.as_bytes())?;
    let js = files.add("dashboard", "js", script.as_bytes())?;
    let before = files.all_brotli;
    let wasm_name = files.add("dashboard", "wasm", &wasm)?;
    let wasm_brotli = files.all_brotli - before;
    let start = format!(
        "import init, {{ hydrate }} from './{js}';\n\
         await init({{ module_or_path: new URL('./{wasm_name}', import.meta.url) }});\n\
         hydrate();\n"
    );
    let start = files.add("start", "js", start.as_bytes())?;
    let all_brotli = files.all_brotli;

    // The manifest last, in one step: who reads it finds every file it names.
    let manifest = json!({ "js": js, "wasm": wasm_name, "css": css, "start": start });
    let draft = output.join("manifest.draft");
    fs::write(&draft, manifest.to_string())?;
    fs::rename(draft, output.join(MANIFEST))?;
    fs::write(output.join(INPUTS), &inputs.0)?;
    files.remove_others()?;
    Ok(Sizes {
        wasm: wasm.len(),
        wasm_brotli,
        all_brotli,
    })
}

/// All style sheets in the order of their names.
fn style(workspace: &Path) -> Result<String, Error> {
    let mut sheets = Vec::new();
    list(&workspace.join("poc/dashboard/style"), &mut sheets)?;
    sheets.sort();
    let sheets: Result<Vec<String>, _> = sheets.iter().map(fs::read_to_string).collect();
    Ok(sheets?.join("\n"))
}

struct Files<'a> {
    output: &'a Path,
    written: Vec<String>,
    all_brotli: usize,
}

impl Files<'_> {
    /// Writes one file plain and compressed, and answers its name.
    fn add(&mut self, stem: &str, extension: &str, content: &[u8]) -> Result<String, Error> {
        let hash = hex::encode(Sha256::digest(content));
        let name = format!("{stem}-{}.{extension}", &hash[..16]);
        let mut brotli = Vec::new();
        let parameters = brotli::enc::BrotliEncoderParams {
            quality: 11,
            lgwin: 22,
            ..Default::default()
        };
        brotli::BrotliCompress(&mut &content[..], &mut brotli, &parameters)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(content)?;
        let gzip = gzip.finish()?;
        self.all_brotli += brotli.len();
        for (suffix, bytes) in [("", content), (".br", &brotli), (".gz", &gzip)] {
            let file = format!("{name}{suffix}");
            fs::write(self.output.join(&file), bytes)?;
            self.written.push(file);
        }
        Ok(name)
    }

    /// Removes what an earlier build wrote.
    fn remove_others(&self) -> Result<(), Error> {
        for entry in fs::read_dir(self.output)? {
            let entry = entry?;
            let known = entry
                .file_name()
                .to_str()
                .is_some_and(|name| self.written.iter().any(|it| it == name));
            if !known {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
