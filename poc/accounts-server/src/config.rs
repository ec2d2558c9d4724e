//! What the service is told, by flags and variables. It is judged as a whole: every mistake is named before anything starts.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use accounts::{FailurePolicy, LinkKey};
use accounts_sqlx::SqlAccounts;
use auth_base::random::{Random, SystemRandom};
use auth_base::secret::Secret;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::{Parser, Subcommand};
use jwt_auth::KeySource;
use peer_kit::gateway_keys::{keys_at, read_keys};
use zeroize::Zeroizing;

use crate::service::Policy;

/// The audience of internal tokens, unless something else is said.
pub const NAME: &str = "accounts";

/// People who sign in, for the gateway: the private accounts service.
#[derive(Debug, Parser)]
#[command(name = "accounts-server")]
pub struct Arguments {
    /// What is done instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where HTTP is served; port 0 picks a free one. Only the gateway should reach it.
    #[arg(long, env = "ACCOUNTS_LISTEN", default_value = "127.0.0.1:3200")]
    pub listen: String,
    /// The schema, which belongs to this service alone: `mysql://` or `sqlite:`.
    #[arg(long, env = "ACCOUNTS_DATABASE_URL", global = true, hide_env_values = true, value_parser = secret)]
    pub database_url: Option<Secret>,
    /// Keeps everything in memory instead, and loses it with the process.
    #[arg(long, env = "ACCOUNTS_MEMORY")]
    pub memory: bool,
    /// The gateway's public keys: the path of a JWK set, read again when it changes.
    #[arg(long, env = "GATEWAY_KEYS")]
    pub gateway_keys: Option<PathBuf>,
    /// What internal tokens for this service name as their audience.
    #[arg(long, env = "ACCOUNTS_NAME", default_value = NAME)]
    pub name: String,
    /// What one-time links are made with: 32 bytes as hex or base64. Without it, a random one for this process.
    #[arg(long, env = "ACCOUNTS_LINK_KEY", global = true, hide_env_values = true, value_parser = secret)]
    pub link_key: Option<Secret>,
    /// Of those who present one refresh token within so many milliseconds, all get the same successor; 0: the first alone.
    #[arg(long, env = "ACCOUNTS_REFRESH_GRACE_MS", default_value = "10000")]
    pub refresh_grace_ms: String,
    /// A session ends after so many days, however much it is used.
    #[arg(long, env = "ACCOUNTS_FAMILY_DAYS", default_value = "30")]
    pub family_days: String,
    /// A session that is not used ends after so many hours, unless the gateway says.
    #[arg(long, env = "ACCOUNTS_IDLE_HOURS", default_value = "8")]
    pub idle_hours: String,
    /// So many failed sign-ins of one address and e-mail address are looked at in a window.
    #[arg(long, env = "LOGIN_RATE_MAX", default_value = "10")]
    pub login_rate_max: String,
    /// How long such a window is, in milliseconds.
    #[arg(long, env = "LOGIN_RATE_WINDOW_MS", default_value = "900000")]
    pub login_rate_window_ms: String,
    /// The audit is kept for so many days.
    #[arg(long, env = "AUDIT_DAYS", default_value = "365")]
    pub audit_days: String,
}

/// What the program does instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Accounts, straight in the database.
    User {
        /// What is done.
        #[command(subcommand)]
        command: UserCommand,
    },
}

/// What is done with accounts.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Makes an account, and prints the token of a link to choose a password if `ACCOUNTS_LINK_KEY` is given.
    Add(AddUser),
    /// Lists all accounts.
    List,
}

/// A new account.
#[derive(Debug, clap::Args)]
pub struct AddUser {
    /// What the person will sign in with.
    #[arg(long)]
    pub email: String,
    /// What the person is called.
    #[arg(long)]
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    #[arg(long)]
    pub role: String,
    /// Reads a first password from the first line of the standard input.
    #[arg(long = "password-stdin")]
    pub reads_password: bool,
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Where everything is kept.
pub enum Store {
    /// In memory, for as long as the process lives.
    Memory,
    /// In the database of this URL.
    Sql(Secret),
}

/// What the service is made of.
pub struct Settings {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// The audience of internal tokens.
    pub name: String,
    /// Where everything is kept.
    pub store: Store,
    /// The gateway's keys.
    pub keys: Arc<dyn KeySource>,
    /// What links are made with.
    pub link_key: LinkKey,
    /// Times and limits.
    pub policy: Policy,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Serves on a free port of this machine, with a link key of its own, and everything else as it is unless said.
    pub fn new(store: Store, keys: Arc<dyn KeySource>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            name: NAME.to_owned(),
            store,
            keys,
            link_key: random_link_key(),
            policy: Policy::default(),
        }
    }

    /// Judges what the arguments say to a service.
    ///
    /// # Errors
    /// A line for each mistake, all at once.
    pub fn load(arguments: &Arguments) -> Result<Self, Vec<String>> {
        let mut judged = Judged::default();
        let listen = judged.parsed(
            "ACCOUNTS_LISTEN",
            &arguments.listen,
            "an address and a port",
        );
        let store = judged.taken(store(arguments));
        let keys = judged.taken(keys(arguments));
        let key = judged.taken(link_key(arguments).transpose());
        let policy = judged.policy(arguments);
        if arguments.name.is_empty() || arguments.name.len() > 64 {
            judged.wrong("ACCOUNTS_NAME: has no or more than 64 bytes".to_owned());
        }
        match (listen, store, keys, key, judged.mistakes.is_empty()) {
            (Some(listen), Some(store), Some(keys), Some(key), true) => Ok(Self {
                listen,
                name: arguments.name.clone(),
                store,
                keys,
                link_key: key.unwrap_or_else(|| {
                    tracing::warn!("ACCOUNTS_LINK_KEY is not given: links end with this process");
                    random_link_key()
                }),
                policy,
            }),
            _ => Err(judged.mistakes),
        }
    }

    /// Judges what the arguments say to a command that works on the database.
    ///
    /// # Errors
    /// A line for each mistake, all at once.
    pub fn for_command(arguments: &Arguments) -> Result<(Secret, Option<LinkKey>), Vec<String>> {
        let mut judged = Judged::default();
        let url = judged.taken(database_url(arguments));
        let key = judged.taken(link_key(arguments).transpose());
        match (url, key) {
            (Some(url), Some(key)) => Ok((url, key)),
            _ => Err(judged.mistakes),
        }
    }
}

/// Collects what is wrong.
#[derive(Default)]
struct Judged {
    mistakes: Vec<String>,
}

impl Judged {
    fn wrong(&mut self, mistake: String) {
        self.mistakes.push(mistake);
    }

    fn taken<T>(&mut self, read: Result<T, String>) -> Option<T> {
        read.map_err(|mistake| self.wrong(mistake)).ok()
    }

    fn parsed<T: FromStr>(&mut self, variable: &str, text: &str, what: &str) -> Option<T> {
        let parsed = text.parse();
        self.taken(parsed.map_err(|_| format!("{variable}: {text:?} is not {what}")))
    }

    /// A number within bounds, or any when it is a mistake, which is told.
    fn number(&mut self, variable: &str, text: &str, bounds: RangeInclusive<u32>) -> u32 {
        let (least, most) = (*bounds.start(), *bounds.end());
        let what = format!("a number from {least} to {most}");
        match self.parsed::<u32>(variable, text, &what) {
            Some(number) if bounds.contains(&number) => number,
            Some(_) => {
                self.wrong(format!("{variable}: {text:?} is not {what}"));
                least
            }
            None => least,
        }
    }

    fn policy(&mut self, arguments: &Arguments) -> Policy {
        let ms = |number: u32| Duration::from_millis(number.into());
        let hours = |number: u32| Duration::from_secs(u64::from(number) * 60 * 60);
        let grace = &arguments.refresh_grace_ms;
        let window = &arguments.login_rate_window_ms;
        Policy {
            grace: ms(self.number("ACCOUNTS_REFRESH_GRACE_MS", grace, 0..=60_000)),
            family: hours(
                24 * self.number("ACCOUNTS_FAMILY_DAYS", &arguments.family_days, 1..=366),
            ),
            idle: hours(self.number("ACCOUNTS_IDLE_HOURS", &arguments.idle_hours, 1..=8_784)),
            failures: FailurePolicy {
                limit: self.number("LOGIN_RATE_MAX", &arguments.login_rate_max, 1..=1_000_000),
                window: ms(self.number("LOGIN_RATE_WINDOW_MS", window, 1_000..=86_400_000)),
            },
            audit: hours(24 * self.number("AUDIT_DAYS", &arguments.audit_days, 1..=36_600)),
        }
    }
}

fn store(arguments: &Arguments) -> Result<Store, String> {
    match (&arguments.database_url, arguments.memory) {
        (Some(_), true) => Err("ACCOUNTS_DATABASE_URL: not together with --memory".to_owned()),
        (None, true) => Ok(Store::Memory),
        (_, false) => database_url(arguments).map(Store::Sql),
    }
}

fn database_url(arguments: &Arguments) -> Result<Secret, String> {
    let required = "ACCOUNTS_DATABASE_URL: is required, unless --memory is given";
    let url = arguments.database_url.clone().ok_or(required)?;
    let checked = SqlAccounts::check_url(url.expose());
    let shown = |error: accounts_sqlx::SqlError| auth_base::chain(&error);
    checked.map_err(|error| format!("ACCOUNTS_DATABASE_URL: {}", shown(error)))?;
    Ok(url)
}

fn keys(arguments: &Arguments) -> Result<Arc<dyn KeySource>, String> {
    let required = "GATEWAY_KEYS: is required: the path of the gateway's key set";
    let path = arguments.gateway_keys.clone().ok_or(required)?;
    let read = read_keys(&path);
    read.map_err(|error| format!("GATEWAY_KEYS: {}: {error}", path.display()))?;
    Ok(Arc::new(keys_at(path)))
}

fn link_key(arguments: &Arguments) -> Option<Result<LinkKey, String>> {
    let key = arguments.link_key.as_ref()?;
    let bytes = key_bytes(key.expose());
    let wrong = || "ACCOUNTS_LINK_KEY: is not 32 bytes as hex or base64".to_owned();
    Some(bytes.map(|bytes| LinkKey::new(*bytes)).ok_or_else(wrong))
}

/// Reads 32 bytes: 64 hex digits, or base64 of either alphabet, padded or not.
fn key_bytes(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let text = text.trim();
    if text.len() == 64 {
        hex::decode_to_slice(text, &mut *key).ok()?;
        return Some(key);
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = match text.contains(['-', '_']) {
        true => &alphabet::URL_SAFE,
        false => &alphabet::STANDARD,
    };
    let decoded = GeneralPurpose::new(alphabet, config).decode(text).ok();
    let decoded = Zeroizing::new(decoded?);
    if decoded.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&decoded);
    Some(key)
}

fn random_link_key() -> LinkKey {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom.fill(&mut *key);
    LinkKey::new(*key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(more: &[&str]) -> Result<Settings, Vec<String>> {
        let arguments = [&["accounts-server"], more].concat();
        Settings::load(&Arguments::parse_from(arguments))
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = load(&[
            "--listen=3200",
            "--database-url=mysql://root:hidden@h",
            "--memory",
            "--link-key=hidden",
            "--refresh-grace-ms=-1",
            "--family-days=0",
            "--idle-hours=x",
            "--login-rate-max=0",
            "--login-rate-window-ms=1",
            "--audit-days=",
            "--name=",
        ]);
        let mistakes = mistakes.unwrap_err();
        assert_eq!(mistakes.len(), 11, "{mistakes:#?}");
        assert!(!mistakes.concat().contains("hidden"), "{mistakes:#?}");
        for variable in ["ACCOUNTS_LISTEN", "GATEWAY_KEYS", "AUDIT_DAYS"] {
            assert!(mistakes.iter().any(|it| it.starts_with(variable)));
        }
    }

    #[test]
    fn a_key_is_read_as_hex_and_as_base64() {
        let hex = "07".repeat(32);
        let base64 = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        for text in [hex.as_str(), base64, &format!("{base64}=")] {
            assert_eq!(*key_bytes(text).unwrap(), [7; 32], "{text}");
        }
        for text in ["", "07", &hex[1..], &base64[1..], &"zz".repeat(32)] {
            assert!(key_bytes(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let arguments = Arguments::parse_from([
            "accounts-server",
            "--database-url=mysql://root:hidden@h/a",
            "--link-key=hidden",
        ]);
        assert!(!format!("{arguments:?}").contains("hidden"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
        let keys = format!("--gateway-keys={}", path.display());
        let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let link_key = format!("--link-key={key}");
        let settings = load(&["--database-url=mysql://root:hidden@h/a", &keys, &link_key]);
        let shown = format!("{:?}", settings.unwrap());
        assert!(!shown.contains("hidden") && !shown.contains(key), "{shown}");
    }
}
