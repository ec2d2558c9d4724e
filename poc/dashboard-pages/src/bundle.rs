//! The files that pages load: the compiled bundle in a folder, or the style alone where there is none.
//!
//! File names hold a hash of what is in them, so a browser keeps them for good; the manifest names the current ones. It is
//! read again when it has changed: a rebuilt bundle counts from the next page on.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use dashboard::Assets;
use mesh_api::problem::Problem;
use serde::Deserialize;

use crate::reply::Reply;

/// Where the files are served.
pub const PREFIX: &str = "/pkg/";

const MANIFEST: &str = "manifest.json";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// What the build wrote.
#[derive(Clone, Debug, Deserialize)]
struct Manifest {
    css: String,
    start: String,
}

/// The files of a folder, or the style alone.
pub struct Bundle {
    folder: Option<PathBuf>,
    style: &'static str,
    style_name: String,
    current: Mutex<Option<(SystemTime, Manifest)>>,
}

impl Bundle {
    /// Serves the bundle in `folder` while its manifest is there, else `style` alone.
    pub fn new(folder: Option<PathBuf>, style: &'static str) -> Self {
        let mut hasher = DefaultHasher::new();
        style.hash(&mut hasher);
        let style_name = format!("style-{:016x}.css", hasher.finish());
        Self {
            folder,
            style,
            style_name,
            current: Mutex::new(None),
        }
    }

    /// The folder that a build of this workspace writes to, seen from a program of the same build; `None` when nothing was
    /// written there.
    pub fn beside_the_program() -> Option<PathBuf> {
        let program = std::env::current_exe().ok()?;
        let mut folders = program
            .ancestors()
            .skip(1)
            .take(3)
            .map(|folder| folder.join("dashboard"));
        folders.find(|folder| folder.join(MANIFEST).is_file())
    }

    /// What a page names now.
    pub fn assets(&self) -> Assets {
        let path = |name: &str| format!("{PREFIX}{name}");
        match self.manifest() {
            Some(manifest) => Assets {
                style: path(&manifest.css),
                start: Some(path(&manifest.start)),
            },
            None => Assets {
                style: path(&self.style_name),
                start: None,
            },
        }
    }

    /// Answers for one file, in the smallest encoding that `accept_encoding` allows. Blocks for as long as the disk does.
    pub fn file(&self, name: &str, accept_encoding: Option<&str>) -> Reply {
        let Some(content_type) = content_type(name) else {
            return Reply::problem(&Problem::no_route());
        };
        let found = self
            .folder
            .as_deref()
            .and_then(|folder| read(folder, name, accept_encoding));
        let (body, encoding) = match found {
            Some(found) => found,
            None if name == self.style_name => (self.style.into(), None),
            None => return Reply::problem(&Problem::no_route()),
        };
        let headers = [
            ("content-type", content_type),
            ("cache-control", FOR_GOOD),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ];
        let mut reply = Reply::new(200, headers, body);
        reply
            .headers
            .extend(encoding.map(|encoding| ("content-encoding", encoding.to_owned())));
        reply
    }

    fn manifest(&self) -> Option<Manifest> {
        let path = self.folder.as_ref()?.join(MANIFEST);
        let written = fs::metadata(&path)
            .and_then(|about| about.modified())
            .ok()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, manifest)) = current.as_ref()
            && *known == written
        {
            return Some(manifest.clone());
        }
        let manifest: Manifest = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        *current = Some((written, manifest.clone()));
        Some(manifest)
    }
}

/// The type of a file that may be served; `None` for every other name.
fn content_type(name: &str) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.starts_with('.') || !name.bytes().all(plain) {
        return None;
    }
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "wasm" => Some("application/wasm"),
        _ => None,
    }
}

fn read(
    folder: &Path,
    name: &str,
    accept_encoding: Option<&str>,
) -> Option<(Vec<u8>, Option<&'static str>)> {
    for (encoding, suffix) in [("br", "br"), ("gzip", "gz")] {
        if allows(accept_encoding.unwrap_or_default(), encoding)
            && let Ok(body) = fs::read(folder.join(format!("{name}.{suffix}")))
        {
            return Some((body, Some(encoding)));
        }
    }
    fs::read(folder.join(name)).ok().map(|body| (body, None))
}

fn allows(accept_encoding: &str, encoding: &str) -> bool {
    accept_encoding.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        named
            && !parts.any(|part| {
                part.strip_prefix("q=")
                    .is_some_and(|q| q.parse() == Ok(0.0))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let manifest =
            r#"{"js":"d-1.js","wasm":"d-1.wasm","css":"style-1.css","start":"start-1.js"}"#;
        for (name, text) in [
            (MANIFEST, manifest),
            ("style-1.css", "plain"),
            ("style-1.css.br", "small"),
            ("d-1.wasm", "w"),
            ("secret.txt", "s"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn body(reply: &Reply) -> (u16, &str) {
        (reply.status, std::str::from_utf8(&reply.body).unwrap())
    }

    #[test]
    fn files_come_small_where_the_browser_takes_it() {
        let folder = folder();
        let bundle = Bundle::new(Some(folder.path().into()), "s");
        assert_eq!(bundle.assets().start.as_deref(), Some("/pkg/start-1.js"));
        assert_eq!(
            body(&bundle.file("style-1.css", Some("gzip, br"))),
            (200, "small")
        );
        assert_eq!(
            body(&bundle.file("style-1.css", Some("br;q=0, gzip"))),
            (200, "plain")
        );
        assert_eq!(body(&bundle.file("style-1.css", None)), (200, "plain"));
        let wasm = bundle.file("d-1.wasm", Some("br"));
        assert!(
            wasm.headers
                .contains(&("content-type", "application/wasm".to_owned()))
        );
        assert!(
            wasm.headers
                .contains(&("cache-control", FOR_GOOD.to_owned()))
        );
    }

    #[test]
    fn nothing_else_is_served() {
        let folder = folder();
        let bundle = Bundle::new(Some(folder.path().join("sub")), "s");
        for name in [
            "manifest.json",
            "secret.txt",
            "../style-1.css",
            "..%2fstyle-1.css",
            ".css",
            "",
            "a.css",
        ] {
            assert_eq!(bundle.file(name, None).status, 404, "{name}");
        }
    }

    #[test]
    fn without_a_bundle_there_is_the_style_alone() {
        let bundle = Bundle::new(None, "body{}");
        let assets = bundle.assets();
        assert_eq!(assets.start, None);
        assert_eq!(
            body(&bundle.file(assets.style.strip_prefix(PREFIX).unwrap(), None)),
            (200, "body{}")
        );
    }

    #[test]
    fn a_rebuilt_bundle_counts_from_the_next_page_on() {
        let folder = folder();
        let bundle = Bundle::new(Some(folder.path().into()), "s");
        assert_eq!(bundle.assets().style, "/pkg/style-1.css");
        let path = folder.path().join(MANIFEST);
        fs::write(&path, r#"{"css":"style-2.css","start":"start-2.js"}"#).unwrap();
        let later =
            fs::metadata(&path).unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert_eq!(bundle.assets().style, "/pkg/style-2.css");
    }
}
