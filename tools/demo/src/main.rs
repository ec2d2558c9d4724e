//! `cargo demo`: builds all that the demo needs at once, and hands over to `xtask demo`.
//!
//! It depends on nothing, so that it runs after a second. On a cold machine the mesh, the developer commands and the browser's
//! bundle are then compiled beside each other instead of one after the other.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

/// What the bundle is compiled for.
const TARGET: &str = "wasm32-unknown-unknown";

/// As `cargo dashboard build` compiles it, into the same folder.
const BUNDLE: [&str; 8] = [
    "--package",
    "dashboard-web",
    "--target",
    TARGET,
    "--profile",
    "wasm-release",
    "--quiet",
    "--target-dir",
];

fn main() -> ExitCode {
    // Who reads this may be gone before the end (`cargo demo | head`): a print macro panics then.
    if writeln!(
        io::stdout(),
        "The first build takes minutes; later ones take seconds."
    )
    .is_err()
    {
        return ExitCode::FAILURE;
    }
    run().unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> io::Result<ExitCode> {
    let program = std::env::current_exe()?;
    let debug = program.parent().unwrap_or(Path::new("."));
    let target = debug.parent().unwrap_or(debug);
    // A new machine does not have it, and would compile the bundle after all else. Where it cannot be had, `xtask demo` says so.
    let mut rustup = Command::new("rustup");
    let rustup = rustup.args(["target", "add", TARGET]).stdout(Stdio::null());
    let _ = rustup.stderr(Stdio::null()).status();
    let mut bundle = cargo(&BUNDLE)
        .arg(target.join("wasm"))
        // Where it cannot be compiled, `xtask demo` tries again and says why.
        .stderr(Stdio::null())
        .spawn()?;
    let mut programs = cargo(&["--bin", "mesh", "--bin", "gateway", "--bin", "xtask"]).spawn()?;
    let built = programs.wait()?;
    if !built.success() {
        end(&mut bundle)?;
        return Ok(ExitCode::FAILURE);
    }
    bundle.wait()?;
    let mut xtask = Command::new(program.with_file_name("xtask"));
    Err(xtask.arg("demo").args(std::env::args_os().skip(1)).exec())
}

/// A build by the cargo that runs us, without what it says of this package: build scripts that watch that would run again.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    for (name, _) in std::env::vars_os() {
        let is_ours = |name: &str| {
            let prefixes = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
            prefixes.iter().any(|prefix| name.starts_with(prefix))
        };
        if name.to_str().is_some_and(is_ours) {
            cargo.env_remove(name);
        }
    }
    cargo.arg("build").args(arguments).stdin(Stdio::null());
    cargo
}

fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}
