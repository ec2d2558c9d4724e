//! Reads all values of a peer and collects what is wrong with them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use auth_base::secret::Secret;
use auth_base::server_url::{ServerKind, ServerUrl};
use hmac_auth::client_address::TrustedProxies;
use hmac_auth::credentials::SECRET_BYTES;
use hmac_auth::verify::NONCE_BYTES_PER_CLIENT;
use hmac_propagation::propagator::Mode;
use hmac_propagation::queue::PeerName;
use mesh_management::edge::Hosts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use crate::config::demo;
use crate::config::mistake::{Mistake, Mistakes};
use crate::config::source::Source;
use crate::config::value::{self, Parsed};
use crate::config::variable::{Variable, variable};
use crate::config::{Config, Defaults, Full, LogFormat, ManagementAuth, Role, TokenAuth};
use crate::secrets_keys::{SecretsKeys, provider_at};

/// Where the gateway of this machine is.
const GATEWAY_URL: &str = "http://localhost:3100";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Config {
    /// Judges all values and lists every mistake at once. Contacts nobody; reads only `_FILE`s, `GATEWAY_KEYS` and what `SECRETS_KMS`
    /// names.
    ///
    /// # Errors
    /// [`Mistakes`], a line each, never with a secret's value.
    pub fn load(source: &Source, defaults: &Defaults) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(source, defaults.mode);
        let config = reader.config(defaults);
        match config {
            Some(config) if reader.mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes(reader.mistakes)),
        }
    }

    /// Judges only where HTTP is served: all that a probe needs.
    ///
    /// # Errors
    /// [`Mistakes`] in `PORT` and `BIND`.
    pub fn listen(source: &Source, defaults: &Defaults) -> Result<SocketAddr, Mistakes> {
        let mut reader = Reader::new(source, defaults.mode);
        reader.listen(defaults).ok_or(Mistakes(reader.mistakes))
    }
}

/// Reads values and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Source,
    pub(crate) mode: Mode,
    pub(crate) mistakes: Vec<Mistake>,
    /// Whether other machines could use a secret that everybody knows: they reach this peer, or what it signs in to.
    refuses_demo_secrets: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source, mode: Mode) -> Self {
        Self {
            source,
            mode,
            mistakes: Vec::new(),
            refuses_demo_secrets: false,
        }
    }

    /// `None` only when at least one mistake was noted.
    pub(crate) fn config(&mut self, defaults: &Defaults) -> Option<Config> {
        let listen = self.listen(defaults);
        let hosts = self.hosts(listen);
        let management_auth = self.management_auth(listen);
        let is_demo = self.or("DEMO", false, value::flag);
        let is_reached = listen.is_some_and(|listen| !listen.ip().is_loopback());
        self.refuses_demo_secrets = is_demo == Some(false) && (is_reached || self.goes_elsewhere());
        let amqp_url = self.amqp_url();
        let peer = self.or_else(
            "AMQP_QUEUE",
            || value::peer_name(defaults.peer),
            value::peer_name,
        );
        let propagation_secret = self.required("PROPAGATION_SECRET", value::propagation_secret);
        let secret_token = self.optional("HMAC_SECRET_TOKEN", value::secret);
        let redis_url = self.required("REDIS_URL", value::redis_url);
        let namespaces = self.namespaces();
        let grace = self.or("ROTATION_GRACE_MS", 30_000, |text| {
            value::millis(text, 0, 600_000)
        });
        let keep_alive = self.or("KEEP_ALIVE_MS", 75_000, |text| {
            value::millis(text, 1_000, 3_600_000)
        });
        let nonces = self.nonce_bytes_per_client();
        let proxies = self.or("TRUSTED_PROXIES", Vec::new(), value::networks);
        let log_filter = self.or("RUST_LOG", "info".to_owned(), log_filter);
        let log_format = self.or("LOG_FORMAT", LogFormat::Pretty, log_format);
        let otlp_endpoint = self.optional("OTEL_EXPORTER_OTLP_ENDPOINT", value::endpoint);
        let role = match self.mode {
            Mode::Full => self
                .full(peer.as_ref())
                .map(|full| Role::Full(Box::new(full))),
            Mode::ReceiveOnly => self
                .or("PROPAGATION_SOURCES", Vec::new(), |text| {
                    value::named(text, value::propagation_secret)
                })
                .map(|sources| Role::ReceiveOnly { sources }),
        };
        let (http_namespace, message_namespace) = namespaces?;
        Some(Config {
            listen: listen?,
            hosts: hosts?,
            management_auth: management_auth?,
            keep_alive: Duration::from_millis(keep_alive?),
            amqp_url: amqp_url?,
            peer: peer?,
            propagation_secret: propagation_secret?,
            secret_token: secret_token?,
            redis_url: redis_url?,
            http_namespace,
            message_namespace,
            rotation_grace: Some(Duration::from_millis(grace?)).filter(|grace| !grace.is_zero()),
            nonce_bytes_per_client: nonces?,
            trusted_proxies: TrustedProxies::new(proxies?),
            log_filter: log_filter?,
            log_format: log_format?,
            otlp_endpoint: otlp_endpoint?,
            role: role?,
        })
    }

    pub(crate) fn listen(&mut self, defaults: &Defaults) -> Option<SocketAddr> {
        let port = self.or("PORT", defaults.port, value::port);
        let bind = self.or("BIND", IpAddr::V4(Ipv4Addr::LOCALHOST), value::address);
        Some(SocketAddr::new(bind?, port?))
    }

    fn nonce_bytes_per_client(&mut self) -> Option<u64> {
        self.or(
            "NONCE_BYTES_PER_CLIENT",
            NONCE_BYTES_PER_CLIENT,
            value::nonce_bytes,
        )
    }

    /// Whether the broker or a store is on another machine. What is wrong with a URL is noted where it counts.
    fn goes_elsewhere(&self) -> bool {
        let read = |name| {
            let known = variable(name).filter(|known| known.is_read_by(self.mode))?;
            self.source.read(known).ok()?
        };
        let is_elsewhere = |url: &str, kind| {
            ServerUrl::parse(url, kind).is_ok_and(|url| !demo::is_here(&url.host))
        };
        let host = read("AMQP_HOST").and_then(|host| value::host(host.trim()).ok());
        let others =
            read("PEER_REDIS_URLS").and_then(|urls| value::named(&urls, value::redis_url).ok());
        host.is_some_and(|host| !demo::is_here(&host))
            || others.is_some_and(|urls| {
                urls.iter()
                    .any(|(_, url)| is_elsewhere(url.expose(), ServerKind::Redis))
            })
            || [
                ("AMQP_URL", ServerKind::RabbitMq),
                ("REDIS_URL", ServerKind::Redis),
                ("DATABASE_URL", ServerKind::MySql),
            ]
            .into_iter()
            .any(|(name, kind)| read(name).is_some_and(|url| is_elsewhere(&url, kind)))
    }

    /// A peer that other machines reach answers to any name until it is told its own.
    fn hosts(&mut self, listen: Option<SocketAddr>) -> Option<Hosts> {
        let names = self.or("ALLOWED_HOSTS", Vec::new(), value::host_names)?;
        Some(match listen?.ip().is_loopback() || !names.is_empty() {
            true => Hosts::only(names),
            false => Hosts::any(),
        })
    }

    /// A peer that other machines reach is open only if that is said.
    fn management_auth(&mut self, listen: Option<SocketAddr>) -> Option<ManagementAuth> {
        let is_reached = listen.is_some_and(|listen| !listen.ip().is_loopback());
        let absent = || match is_reached {
            true => Err("is not set, and other machines reach this peer".to_owned()),
            false => Ok(false),
        };
        let asks = self.or_else("MANAGEMENT_AUTH", absent, |text| match text {
            "tokens" => Ok(true),
            "open" if is_reached => Err("is not enough: other machines reach this peer".to_owned()),
            "open" | "open-to-the-network" => Ok(false),
            _ => Err("is none of the three".to_owned()),
        });
        if asks == Some(false) {
            for name in [
                "GATEWAY_KEYS",
                "GATEWAY_URL",
                "PUBLIC_URL",
                "MANAGEMENT_BEARER",
            ] {
                if variable(name).is_some_and(|known| self.source.has(known)) {
                    let problem = "is set, and MANAGEMENT_AUTH asks for no tokens".to_owned();
                    self.note(name, problem, "MANAGEMENT_AUTH=tokens, or nothing here");
                }
            }
            return Some(ManagementAuth::Open);
        }
        // What is missing is told once it is known that it is asked for.
        let absent = || asks.map_or(Ok(PathBuf::new()), |_| Err("is not set".to_owned()));
        let keys = self.or_else("GATEWAY_KEYS", absent, value::key_set);
        let issuer = self.or("GATEWAY_URL", GATEWAY_URL.to_owned(), value::issuer);
        // Nobody calls a peer by the address that stands for all of them.
        let is_named = listen.is_none_or(|listen| !listen.ip().is_unspecified());
        let own = || match is_named || asks.is_none() {
            true => Ok(None),
            false => Err("is not set, and BIND is no address that anybody calls".to_owned()),
        };
        let public_url = self.or_else("PUBLIC_URL", own, |text| {
            Ok(Some(value::origin(text)?.origin().ascii_serialization()))
        });
        let takes_bearer = self.or("MANAGEMENT_BEARER", false, value::flag);
        asks?;
        Some(ManagementAuth::Tokens(TokenAuth {
            keys: keys?,
            issuer: issuer?,
            public_url: public_url?,
            takes_bearer: takes_bearer?,
        }))
    }

    /// Those of the http and of the message track.
    fn namespaces(&mut self) -> Option<(String, String)> {
        let http = self.or(
            "REDIS_HTTP_NAMESPACE",
            "hmac:http".to_owned(),
            value::namespace,
        );
        let other = http.as_deref().unwrap_or_default();
        let message = self.or_else(
            "REDIS_MESSAGE_NAMESPACE",
            || value::apart("hmac:message", other),
            |text| value::apart(text, other),
        );
        Some((http?, message?))
    }

    fn full(&mut self, own: Option<&PeerName>) -> Option<Full> {
        let database_url = self.required("DATABASE_URL", value::database_url);
        let secrets_keys = self.secrets_keys();
        let named_secrets = |text: &str| value::named(text, value::propagation_secret);
        let targets = self.or("PROPAGATION_TARGETS", Vec::new(), |text| {
            let targets = named_secrets(text)?;
            match own.filter(|own| targets.iter().any(|(name, _)| name == *own)) {
                Some(own) => Err(format!("names {own}, which is this peer itself")),
                None => Ok(targets),
            }
        });
        let unsigned_ack_targets = self.or("UNSIGNED_ACK_TARGETS", Vec::new(), value::peer_names);
        let peer_redis_urls = self.or("PEER_REDIS_URLS", Vec::new(), |text| {
            value::named(text, value::redis_url)
        });
        let peer_urls = self.or("PEER_URLS", Vec::new(), |text| {
            value::named(text, value::origin)
        });
        let dashboard_dir = self.optional("DASHBOARD_DIR", |text| Ok(PathBuf::from(text)));
        let sync_interval = self.millis("SYNC_INTERVAL_MS", 5_000, 86_400_000);
        let sync_on_change = self.or("SYNC_ON_CHANGE", true, value::flag);
        let resend_after = self.millis("RESEND_AFTER_MS", 60_000, 604_800_000);
        let drift_interval = self
            .or("DRIFT_INTERVAL_MS", 300_000, value::interval)
            .map(Duration::from_millis);
        let retention = self.or("AUDIT_RETENTION_DAYS", 90, |text| value::days(text, 36_500));
        let min_secret_bytes = self.or(
            "MIN_SECRET_BYTES",
            *SECRET_BYTES.start(),
            value::secret_bytes,
        );
        Some(Full {
            database_url: database_url?,
            secrets_keys: secrets_keys?,
            targets: targets?,
            unsigned_ack_targets: unsigned_ack_targets?,
            peer_redis_urls: peer_redis_urls?,
            peer_urls: peer_urls?,
            dashboard_dir: dashboard_dir?,
            sync_interval: sync_interval?,
            sync_on_change: sync_on_change?,
            resend_after: resend_after?,
            drift_interval: drift_interval?,
            audit_retention: Some(DAY * retention?).filter(|retention| !retention.is_zero()),
            min_secret_bytes: min_secret_bytes?,
        })
    }

    /// A provider is needed where a key is wrapped, and nowhere else.
    fn secrets_keys(&mut self) -> Option<SecretsKeys> {
        let keys = self.required("SECRETS_KEY", value::keys);
        let wrapped = keys.as_deref().and_then(SecretsKeys::first_wrapped);
        let absent = || match wrapped {
            Some(place) => Err(format!(
                "is not set, and key {place} of SECRETS_KEY is wrapped"
            )),
            None => Ok(None),
        };
        let source = self.source;
        let provider = self.or_else("SECRETS_KMS", absent, |path| {
            let variables = |name: &str| source.text(name).map(str::to_owned);
            provider_at(Path::new(path), &variables).map(Some)
        });
        if let (Some(_), Some(Some(_)), None) = (&keys, &provider, wrapped) {
            let problem = "is set, and no key of SECRETS_KEY is wrapped".to_owned();
            self.note("SECRETS_KMS", problem, "a wrapped key, or nothing here");
        }
        Some(SecretsKeys {
            keys: keys?,
            provider: provider?,
        })
    }

    /// `AMQP_URL`, or a URL made of the parts; both at once are a mistake.
    fn amqp_url(&mut self) -> Option<Secret> {
        let parts = [
            "AMQP_PROTOCOL",
            "AMQP_HOST",
            "AMQP_PORT",
            "AMQP_USER",
            "AMQP_PASSWORD",
            "AMQP_VHOST",
        ];
        let given =
            |source: &Source, name: &str| variable(name).is_some_and(|known| source.has(known));
        if given(self.source, "AMQP_URL") {
            let both: Vec<&str> = parts
                .into_iter()
                .filter(|part| given(self.source, part))
                .collect();
            if !both.is_empty() {
                self.note(
                    "AMQP_URL",
                    format!("is set together with {}", both.join(", ")),
                    "the URL or its parts",
                );
            }
            return self.required("AMQP_URL", value::amqp_url);
        }
        let protocol = self.or("AMQP_PROTOCOL", "amqp", |text| match text {
            "amqp" => Ok("amqp"),
            "amqps" => Ok("amqps"),
            _ => Err("is neither of the two".to_owned()),
        });
        let host = self.or("AMQP_HOST", "localhost".to_owned(), value::host);
        let port = self.or("AMQP_PORT", 0, value::port_of_server);
        let user = self.required("AMQP_USER", value::one_line);
        let password = self.required("AMQP_PASSWORD", value::secret);
        let vhost = self.or("AMQP_VHOST", "hmac-credentials".to_owned(), value::one_line);
        let (protocol, port) = (protocol?, port?);
        let port = match (port, protocol) {
            (0, "amqps") => 5671,
            (0, _) => 5672,
            (port, _) => port,
        };
        let (host, user, password, vhost) = (host?, user?, password?, vhost?);
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host,
        };
        Some(Secret::new(format!(
            "{protocol}://{}:{}@{host}:{port}/{}",
            *percent_encode(&user),
            *percent_encode(password.expose()),
            *percent_encode(&vhost),
        )))
    }

    fn millis(&mut self, name: &'static str, default: u64, max: u64) -> Option<Duration> {
        self.or(name, default, |text| value::millis(text, 10, max))
            .map(Duration::from_millis)
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        self.or_else(name, || Err("is not set".to_owned()), parse)
    }

    /// `Some(None)` when absent, `None` when wrong.
    fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<Option<T>> {
        self.or(name, None, |text| parse(text).map(Some))
    }

    fn or<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        self.or_else(name, || Ok(default), parse)
    }

    fn or_else<T>(
        &mut self,
        name: &'static str,
        absent: impl FnOnce() -> Parsed<T>,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        let known: &Variable = variable(name)?;
        let parsed = match self.source.read(known) {
            Err(mistake) => {
                self.mistakes.push(mistake);
                return None;
            }
            Ok(None) => absent(),
            Ok(Some(text)) if known.secret && self.refuses_demo_secrets && demo::is_in(&text) => {
                self.note(name, demo::PROBLEM.to_owned(), demo::EXPECTED);
                return None;
            }
            Ok(Some(text)) if known.secret => parse(&text),
            Ok(Some(text)) => {
                parse(text.trim()).map_err(|problem| format!("{} {problem}", shown(text.trim())))
            }
        };
        match parsed {
            Ok(value) => Some(value),
            Err(problem) => {
                self.note(name, problem, known.expected);
                None
            }
        }
    }

    fn note(&mut self, name: &str, problem: String, expected: &str) {
        self.mistakes.push(Mistake {
            variable: name.to_owned(),
            problem,
            expected: expected.to_owned(),
        });
    }
}

/// A wrong value, unless it may hold a password, as a URL does before an `@`.
fn shown(text: &str) -> String {
    if text.contains('@') {
        "the value".to_owned()
    } else {
        format!("{text:?}")
    }
}

fn log_filter(text: &str) -> Parsed<String> {
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("is not a filter ({error})"))
}

fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither of the two".to_owned()),
    }
}

/// Everything that is not unreserved in a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn percent_encode(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len() * 3));
    encoded.extend(utf8_percent_encode(text, RESERVED));
    encoded
}
