//! The command line.

mod places;
mod proxy;
mod serve;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use mesh_api::permission::Role;
use url::Url;

use crate::command::places::Failure;
use crate::command::proxy::LocalProxy;
use crate::command::serve::Serve;
use crate::keys::{self, KEY_SET};
use crate::token::{self, Holder, MAX_MINUTES};

/// The keys of the front door, tokens from the command line, and the proxy in front of the peers.
#[derive(Parser)]
#[command(name = "gateway", version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The keys that tokens are signed with.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Prints a token for one peer: an access token, or with --method and --uri an internal one for that request.
    Token(Token),
    /// Shows dashboards to whoever uses this machine, in one role: listens on it alone, and stops on Ctrl-C.
    Proxy(LocalProxy),
    /// Lets people sign in, and shows them dashboards; stops on SIGTERM or Ctrl-C.
    Serve(Box<Serve>),
}

#[derive(Subcommand)]
enum Keys {
    /// Makes a key, and a key set for GATEWAY_KEYS of every peer.
    Init {
        #[command(flatten)]
        folder: Folder,
    },
    /// Writes the public keys of several folders to one key set: the old and the new one, while a key is changed.
    Publish {
        /// The file, as GATEWAY_KEYS of every peer has it.
        #[arg(long)]
        to: PathBuf,
        /// Folders that `keys init` has made.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
}

#[derive(Args)]
struct Folder {
    /// Where the keys are.
    #[arg(long, env = "GATEWAY_DIR", default_value = "gateway-keys")]
    dir: PathBuf,
}

#[derive(Args)]
struct Token {
    #[command(flatten)]
    folder: Folder,
    /// What it may do: viewer, operator or admin.
    #[arg(long)]
    role: Role,
    /// The peer that it is for, by its name in the mesh.
    #[arg(long)]
    audience: String,
    /// Whose name is in the peer's log.
    #[arg(long, default_value = "command-line")]
    subject: String,
    /// How long it counts, in minutes.
    #[arg(long, default_value_t = MAX_MINUTES, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_MINUTES)))]
    minutes: u16,
    /// Who issues it: the peers' GATEWAY_URL.
    #[arg(long, env = "GATEWAY_URL", default_value = "http://localhost:3100", value_parser = issuer)]
    issuer: String,
    /// The method of the one request that it is for (counts for 60 seconds, once).
    #[arg(long, requires = "uri", value_parser = method, conflicts_with = "minutes")]
    method: Option<String>,
    /// Path and query of that request, as they will be sent.
    #[arg(long, requires = "method", value_parser = target)]
    uri: Option<String>,
}

/// Compared as it stands, and never with a slash at its end.
fn issuer(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !text.ends_with('/') => {
            Ok(text.to_owned())
        }
        _ => Err("is no http:// or https:// URL without a slash at its end".to_owned()),
    }
}

fn method(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        true => Ok(text.to_owned()),
        false => Err("is no method, such as POST".to_owned()),
    }
}

fn target(text: &str) -> Result<String, String> {
    match text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("is no path, such as /api/ensure".to_owned()),
    }
}

/// Reads the command line and does what it says. Only the token goes to standard output.
pub fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let asked = match options.command {
        Command::Keys {
            command: Keys::Init { folder },
        } => {
            let key = keys::init(&folder.dir)?;
            let set = folder.dir.join(KEY_SET);
            let text = format!("key {} made\nGATEWAY_KEYS={}", key.kid(), set.display());
            return print(&text);
        }
        Command::Keys {
            command: Keys::Publish { to, folders },
        } => {
            keys::publish(&folders, &to)?;
            return print(&format!("{} keys in {}", folders.len(), to.display()));
        }
        Command::Proxy(proxy) => return proxy.run(),
        Command::Serve(serve) => return serve.run(),
        Command::Token(asked) => asked,
    };
    let signer = Arc::new(keys::load(&asked.folder.dir)?);
    let holder = Holder {
        role: asked.role,
        audience: asked.audience,
        subject: asked.subject,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let secret = match (asked.method, asked.uri) {
        (Some(method), Some(uri)) => {
            runtime.block_on(token::internal(signer, &holder, &method, &uri))?
        }
        _ => {
            let lifetime = Duration::from_secs(60 * u64::from(asked.minutes));
            let issuing = token::access(signer, &asked.issuer, &holder, lifetime);
            runtime.block_on(issuing)?.token
        }
    };
    print(secret.expose())
}

fn print(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

fn complain(text: &str) {
    // Nobody is left to be told when the output is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
        let parses = |line: &str| Options::try_parse_from(line.split(' ')).is_ok();
        let token = "gateway token --role operator --audience authority";
        assert!(parses(token));
        assert!(parses(&format!("{token} --method POST --uri /api/sync")));
        assert!(parses("gateway keys publish --to jwks.json old new"));
        let proxy = "gateway proxy --role operator --upstream a=http://127.0.0.1:3003";
        assert!(parses(proxy));
        assert!(parses(&format!(
            "{proxy} --upstream b=http://[::1]:1 --listen [::1]:0"
        )));
        assert!(!parses(&format!("{proxy} --upstream b")));
        assert!(!parses(&format!("{proxy} --requests-per-second 0")));
        assert!(!parses("gateway proxy --role operator"));
        assert!(parses("gateway serve --upstream a=http://127.0.0.1:3003"));
        assert!(!parses(
            "gateway serve --upstream a=http://b --public-url http://mesh.example"
        ));
        assert!(!parses("gateway keys publish --to jwks.json"));
        for wrong in [
            "gateway",
            "gateway token --role operator",
            "gateway token --role root --audience authority",
            &format!("{token} --method POST"),
            &format!("{token} --uri /api/sync"),
            &format!("{token} --method post --uri /api/sync"),
            &format!("{token} --method POST --uri api/sync"),
            &format!("{token} --minutes 16"),
            &format!("{token} --minutes 0"),
            &format!("{token} --issuer http://localhost:3100/"),
        ] {
            assert!(!parses(wrong), "{wrong}");
        }
    }
}
