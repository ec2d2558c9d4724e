//! Configuration: from the environment, overridden by flags, judged as a whole before anything starts.

pub mod demo;
pub mod mistake;
mod reader;
pub mod source;
pub mod value;
pub mod variable;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::client_address::TrustedProxies;
use hmac_propagation::options::Settings;
use hmac_propagation::propagator::Mode;
use hmac_propagation::queue::PeerName;
use mesh_management::edge::Hosts;
use url::Url;

use crate::secrets_keys::SecretsKeys;

/// What a binary is when nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// The binary's name.
    pub binary: &'static str,
    /// What it does, for `--help`.
    pub about: &'static str,
    /// What it can do.
    pub mode: Mode,
    /// `AMQP_QUEUE` unless set.
    pub peer: &'static str,
    /// `PORT` unless set.
    pub port: u16,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    Pretty,
    /// For machines: a JSON object a line.
    Json,
}

/// The configuration of one peer. Nothing in it shows a secret when it is debugged.
#[derive(Clone, Debug)]
pub struct Config {
    /// The peer's name in the mesh (`AMQP_QUEUE`).
    pub peer: PeerName,
    /// Where HTTP is served; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The names by which it is called.
    pub hosts: Hosts,
    /// Who is let in to management, pages and metrics.
    pub management_auth: ManagementAuth,
    /// How long a connection is kept without a request.
    pub keep_alive: Duration,
    /// The broker, as one URL.
    pub amqp_url: Secret,
    /// What events to this peer must bear.
    pub propagation_secret: Secret,
    /// The peer's pepper.
    pub secret_token: Option<Secret>,
    /// The peer's own store.
    pub redis_url: Secret,
    /// What the keys of the http track begin with, in this peer's store and in those of others that it reads.
    pub http_namespace: String,
    /// Those of the message track.
    pub message_namespace: String,
    /// How long the previous secret still counts after a rotation; `None` is not at all.
    pub rotation_grace: Option<Duration>,
    /// How many bytes of nonces one client may have kept in the peer's store.
    pub nonce_bytes_per_client: u64,
    /// Whose `x-forwarded-for` counts.
    pub trusted_proxies: TrustedProxies,
    /// What is logged, as a filter that parses.
    pub log_filter: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// Where traces go.
    pub otlp_endpoint: Option<Url>,
    /// What only this kind of peer has.
    pub role: Role,
}

/// Who is let in to management, pages and metrics.
#[derive(Clone, Debug)]
pub enum ManagementAuth {
    /// Everybody who reaches the port.
    Open,
    /// Whoever bears a token.
    Tokens(TokenAuth),
}

/// Which tokens count.
#[derive(Clone, Debug)]
pub struct TokenAuth {
    /// Where the gateway's key set lies.
    pub keys: PathBuf,
    /// Who issues access tokens.
    pub issuer: String,
    /// How services that call directly reach this peer, an origin; unless set, by the address that is served.
    pub public_url: Option<String>,
    /// Whether access tokens count that are bound to no key.
    pub takes_bearer: bool,
}

/// What a peer can do, and what it needs for it.
#[derive(Clone, Debug)]
pub enum Role {
    /// Accepts changes of its own and receives those of others.
    Full(Box<Full>),
    /// Receives only.
    ReceiveOnly {
        /// Secrets of the sources whose events are acknowledged.
        sources: Vec<(PeerName, Secret)>,
    },
}

/// What a full-mode peer needs besides.
#[derive(Clone)]
pub struct Full {
    /// The management store.
    pub database_url: Secret,
    /// Encrypt secrets at rest.
    pub secrets_keys: SecretsKeys,
    /// Peers to seed the inventory with at start; never this peer itself.
    pub targets: Vec<(PeerName, Secret)>,
    /// Targets whose unsigned acks count.
    pub unsigned_ack_targets: Vec<PeerName>,
    /// The peers' stores, for the mesh view and the check for drift.
    pub peer_redis_urls: Vec<(PeerName, Secret)>,
    /// The peers a signed call may go to: origins.
    pub peer_urls: Vec<(PeerName, Url)>,
    /// Where the dashboard's bundle lies; unless set, where a build of this workspace puts it.
    pub dashboard_dir: Option<PathBuf>,
    /// How often pending rows are looked for.
    pub sync_interval: Duration,
    /// Whether a change is sent at once.
    pub sync_on_change: bool,
    /// When an unanswered row is sent again.
    pub resend_after: Duration,
    /// How often what the peers hold is compared with what they should hold; zero is never.
    pub drift_interval: Duration,
    /// How long the audit keeps a transition; `None` is for ever.
    pub audit_retention: Option<Duration>,
    /// How short a secret an ensure may give.
    pub min_secret_bytes: usize,
}

impl std::fmt::Debug for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Full")
            .field("secrets_keys", &self.secrets_keys)
            .field("targets", &self.targets)
            .field("unsigned_ack_targets", &self.unsigned_ack_targets)
            .field("peer_urls", &self.peer_urls)
            .field("dashboard_dir", &self.dashboard_dir)
            .field("sync_interval", &self.sync_interval)
            .field("sync_on_change", &self.sync_on_change)
            .field("resend_after", &self.resend_after)
            .field("drift_interval", &self.drift_interval)
            .field("audit_retention", &self.audit_retention)
            .field("min_secret_bytes", &self.min_secret_bytes)
            .finish_non_exhaustive()
    }
}

/// A configuration was read for the other kind of peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is one of another kind of peer")]
pub struct OtherRole;

impl Config {
    /// What the peer can do.
    pub fn mode(&self) -> Mode {
        match self.role {
            Role::Full(_) => Mode::Full,
            Role::ReceiveOnly { .. } => Mode::ReceiveOnly,
        }
    }

    /// What a full-mode peer needs besides.
    ///
    /// # Errors
    /// [`OtherRole`].
    pub fn full(&self) -> Result<&Full, OtherRole> {
        match &self.role {
            Role::Full(full) => Ok(full),
            Role::ReceiveOnly { .. } => Err(OtherRole),
        }
    }

    /// The sources that a receive-only peer knows, and their secrets.
    ///
    /// # Errors
    /// [`OtherRole`].
    pub fn sources(&self) -> Result<&[(PeerName, Secret)], OtherRole> {
        match &self.role {
            Role::ReceiveOnly { sources } => Ok(sources),
            Role::Full(_) => Err(OtherRole),
        }
    }

    /// The propagator's settings; everything else stays at its default.
    pub fn settings(&self) -> Settings {
        let settings = Settings {
            shutdown_timeout: Duration::from_secs(5),
            ..Settings::default()
        };
        match &self.role {
            Role::ReceiveOnly { .. } => settings,
            Role::Full(full) => Settings {
                sync_interval: full.sync_interval,
                sync_on_change: full.sync_on_change,
                resend_after: full.resend_after,
                drift_interval: full.drift_interval,
                min_secret_bytes: full.min_secret_bytes,
                ..settings
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use mesh_management::headers::HeaderText;
    use proptest::prelude::*;

    use super::*;
    use crate::config::source::Source;
    use crate::config::variable::VARIABLES;

    const FULL: Defaults = Defaults {
        binary: "authority",
        about: "",
        mode: Mode::Full,
        peer: "authority",
        port: 3001,
    };
    const RECEIVE_ONLY: Defaults = Defaults {
        binary: "consumer",
        mode: Mode::ReceiveOnly,
        peer: "consumer",
        ..FULL
    };

    fn minimal() -> Vec<(&'static str, String)> {
        vec![
            ("AMQP_USER", "guest".to_owned()),
            ("AMQP_PASSWORD", "p@ss/word".to_owned()),
            ("PROPAGATION_SECRET", "s-authority".to_owned()),
            ("REDIS_URL", "redis://127.0.0.1:6379".to_owned()),
            (
                "DATABASE_URL",
                "mysql://root@127.0.0.1/authority_db".to_owned(),
            ),
            ("SECRETS_KEY", STANDARD.encode([1; 32])),
        ]
    }

    fn with(changes: &[(&'static str, &str)]) -> Source {
        let mut source = Source::from_pairs(minimal());
        for (name, value) in changes {
            source.set(*name, *value);
        }
        source
    }

    fn wrong(changes: &[(&'static str, &str)]) -> Vec<String> {
        let mistakes = Config::load(&with(changes), &FULL).unwrap_err();
        mistakes
            .0
            .into_iter()
            .map(|mistake| mistake.variable)
            .collect()
    }

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let config = Config::load(&with(&[]), &FULL).unwrap();
        assert_eq!(config.peer.as_str(), "authority");
        assert_eq!(config.listen.to_string(), "127.0.0.1:3001");
        assert_eq!(config.rotation_grace, Some(Duration::from_secs(30)));
        assert_eq!(config.nonce_bytes_per_client, 256 * 1024 * 1024);
        // Load balancers keep a connection for 60 s.
        assert_eq!(config.keep_alive, Duration::from_secs(75));
        let Role::Full(full) = &config.role else {
            panic!("full mode")
        };
        assert_eq!(
            full.audit_retention,
            Some(Duration::from_secs(90 * 24 * 60 * 60))
        );
        assert_eq!(
            config.amqp_url.expose(),
            "amqp://guest:p%40ss%2Fword@localhost:5672/hmac-credentials"
        );
        let settings = config.settings();
        assert_eq!(settings.sync_interval, Duration::from_secs(5));
        assert!(settings.sync_on_change);
        assert_eq!(settings.resend_after, Duration::from_secs(60));
        assert_eq!(settings.drift_interval, Duration::from_secs(300));
        let off = Config::load(&with(&[("DRIFT_INTERVAL_MS", "0")]), &FULL).unwrap();
        assert!(off.settings().drift_interval.is_zero());
        assert_eq!(settings.min_secret_bytes, 16);
        let short = Config::load(&with(&[("MIN_SECRET_BYTES", "8")]), &FULL).unwrap();
        assert_eq!(short.settings().min_secret_bytes, 8);
    }

    #[test]
    fn no_secret_has_a_default_and_all_mistakes_come_at_once() {
        let mistakes = Config::load(&Source::default(), &FULL).unwrap_err();
        let names: Vec<&str> = mistakes
            .0
            .iter()
            .map(|mistake| mistake.variable.as_str())
            .collect();
        let expected = [
            "AMQP_USER",
            "AMQP_PASSWORD",
            "PROPAGATION_SECRET",
            "REDIS_URL",
            "DATABASE_URL",
            "SECRETS_KEY",
        ];
        assert_eq!(names, expected);
        assert_eq!(mistakes.to_string().lines().count(), expected.len());
    }

    #[test]
    fn a_receive_only_peer_needs_no_database() {
        let source = with(&[("PROPAGATION_SOURCES", "authority=s1,leptos-axum=s2")]);
        let config = Config::load(&source, &RECEIVE_ONLY).unwrap();
        assert!(matches!(config.role, Role::ReceiveOnly { sources } if sources.len() == 2));
    }

    #[test]
    fn every_kind_of_wrong_value_is_named() {
        let names = wrong(&[
            ("PORT", "70000"),
            ("BIND", "here"),
            ("AMQP_PROTOCOL", "http"),
            ("AMQP_HOST", "a b"),
            ("AMQP_PORT", "0"),
            ("AMQP_QUEUE", "my_queue"),
            ("PROPAGATION_TARGETS", "consumer"),
            ("UNSIGNED_ACK_TARGETS", "a_b"),
            ("REDIS_URL", "http://x"),
            ("DATABASE_URL", "postgres://x/y"),
            ("SECRETS_KEY", "short"),
            ("SECRETS_KMS", "/nowhere"),
            ("PEER_REDIS_URLS", "a=b"),
            ("PEER_URLS", "a=ftp://b"),
            ("SYNC_INTERVAL_MS", "-1"),
            ("SYNC_ON_CHANGE", "maybe"),
            ("RESEND_AFTER_MS", "1"),
            ("DRIFT_INTERVAL_MS", "99"),
            ("AUDIT_RETENTION_DAYS", "36501"),
            ("MIN_SECRET_BYTES", "0"),
            ("REDIS_HTTP_NAMESPACE", "hmac:"),
            ("ROTATION_GRACE_MS", "600001"),
            ("NONCE_BYTES_PER_CLIENT", "0"),
            ("TRUSTED_PROXIES", "proxy"),
            ("ALLOWED_HOSTS", "peer.example, peer.example:3001"),
            ("MANAGEMENT_AUTH", "perhaps"),
            ("GATEWAY_KEYS", "/nowhere"),
            ("GATEWAY_URL", "https://login.example/"),
            ("PUBLIC_URL", "https://peer.example/api"),
            ("MANAGEMENT_BEARER", "perhaps"),
            ("KEEP_ALIVE_MS", "999"),
            ("RUST_LOG", "a=b=c"),
            ("LOG_FORMAT", "xml"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc"),
        ]);
        assert_eq!(names.len(), 34, "{names:?}");
    }

    #[test]
    fn secrets_of_the_demo_guard_nothing_that_others_can_reach() {
        let key = STANDARD.encode("demo-only-key-of-thirty-two-byte");
        let demo = [
            ("AMQP_PASSWORD", "demo-only-broker"),
            ("PROPAGATION_SECRET", "demo-only-authority"),
            ("HMAC_SECRET_TOKEN", "demo-only-pepper"),
            (
                "DATABASE_URL",
                "mysql://root:demo-only-root@127.0.0.1/authority_db",
            ),
            ("SECRETS_KEY", &key),
            ("PROPAGATION_TARGETS", "consumer=demo-only-consumer"),
        ];
        let names = demo.map(|(name, _)| name);
        let open = ("MANAGEMENT_AUTH", "open-to-the-network");
        let bound = |bind: &'static str| [&demo[..], &[("BIND", bind), open]].concat();
        assert_eq!(wrong(&bound("0.0.0.0")), names);
        assert_eq!(wrong(&bound("192.0.2.1")), names);
        assert_eq!(
            wrong(&[&bound("::")[..], &[("DEMO", "false")]].concat()),
            names
        );
        let towards =
            |name: &'static str, value: &'static str| [&demo[..], &[(name, value)]].concat();
        assert_eq!(wrong(&towards("AMQP_HOST", "rabbitmq")), names);
        assert_eq!(wrong(&towards("REDIS_URL", "rediss://redis:6379")), names);
        let others = "consumer=redis://[::1],leptos-axum=redis://:demo-only-redis@192.0.2.1";
        let all = ["PEER_REDIS_URLS"];
        assert_eq!(
            wrong(&towards("PEER_REDIS_URLS", others)),
            [&names[..], &all].concat()
        );
        let sql = "mysql://root:demo-only-root@mariadb/authority_db";
        assert_eq!(wrong(&towards("DATABASE_URL", sql)), names);
        for good in [
            bound("127.0.0.1"),
            bound("::1"),
            towards("AMQP_HOST", "[::1]"),
            towards("DATABASE_URL", "sqlite:authority.db"),
            [&towards("AMQP_HOST", "rabbitmq")[..], &[("DEMO", "true")]].concat(),
            [&bound("::")[..], &[("DEMO", "true")]].concat(),
        ] {
            assert!(Config::load(&with(&good), &FULL).is_ok());
        }
        assert_eq!(wrong(&[("DEMO", "perhaps")]), ["DEMO"]);
    }

    /// Nobody opens a peer to other machines by accident.
    #[test]
    fn a_peer_that_others_reach_says_who_may() {
        for bind in ["0.0.0.0", "::", "192.0.2.1"] {
            assert_eq!(wrong(&[("BIND", bind)]), ["MANAGEMENT_AUTH"]);
            let open = wrong(&[("BIND", bind), ("MANAGEMENT_AUTH", "open")]);
            assert_eq!(open, ["MANAGEMENT_AUTH"]);
            let said = [("BIND", bind), ("MANAGEMENT_AUTH", "open-to-the-network")];
            let config = Config::load(&with(&said), &FULL).unwrap();
            assert!(matches!(config.management_auth, ManagementAuth::Open));
        }
        let here = Config::load(&with(&[]), &FULL).unwrap();
        assert!(matches!(here.management_auth, ManagementAuth::Open));
    }

    #[test]
    fn tokens_need_a_key_set_and_nothing_else_does() {
        let keys = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = keys.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let good = write(
            "good",
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        );
        let tokens = ("MANAGEMENT_AUTH", "tokens");
        let url = ("PUBLIC_URL", "https://peer.example");
        let everywhere = [tokens, ("BIND", "0.0.0.0"), ("GATEWAY_KEYS", &good)];
        assert_eq!(wrong(&everywhere), ["PUBLIC_URL"]);
        assert!(Config::load(&with(&[&everywhere[..], &[url]].concat()), &FULL).is_ok());
        let config = with(&[tokens, ("GATEWAY_KEYS", &good)]);
        let config = Config::load(&config, &FULL).unwrap();
        let ManagementAuth::Tokens(auth) = config.management_auth else {
            panic!("tokens are asked for")
        };
        assert_eq!(auth.issuer, "http://localhost:3100");
        assert!(auth.public_url.is_none() && !auth.takes_bearer);
        assert_eq!(wrong(&[tokens]), ["GATEWAY_KEYS"]);
        for bad in [
            write("none", r#"{"keys":[]}"#),
            write("other", "[]"),
            write(
                "leaked",
                r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}"#,
            ),
            write("long", &" ".repeat(70_000)),
            keys.path().to_str().unwrap().to_owned(),
        ] {
            assert_eq!(wrong(&[tokens, ("GATEWAY_KEYS", &bad)]), ["GATEWAY_KEYS"]);
        }
        // What would be passed over is refused.
        assert_eq!(wrong(&[("GATEWAY_KEYS", &good)]), ["GATEWAY_KEYS"]);
        assert_eq!(
            wrong(&[("MANAGEMENT_BEARER", "true")]),
            ["MANAGEMENT_BEARER"]
        );
    }

    /// Other machines reach a peer by names that only they know, unless the peer is told.
    #[test]
    fn a_loopback_peer_answers_to_its_names_only() {
        let refuses = |changes: &[(&'static str, &str)], authority| {
            let config = Config::load(&with(changes), &FULL).unwrap();
            config
                .hosts
                .check(Some(authority), "/", &NoHeaders)
                .is_err()
        };
        let names = ("ALLOWED_HOSTS", "peer.example, other.example");
        for bind in ["127.0.0.1", "127.0.0.2", "::1"] {
            assert!(refuses(&[("BIND", bind)], "peer.example"));
            assert!(!refuses(&[("BIND", bind), names], "peer.example:3001"));
            assert!(!refuses(&[("BIND", bind)], "localhost:3001"));
        }
        let everywhere = ("BIND", "0.0.0.0");
        let open = ("MANAGEMENT_AUTH", "open-to-the-network");
        assert!(!refuses(&[everywhere, open], "evil.example"));
        assert!(refuses(&[everywhere, open, names], "evil.example"));
        assert!(!refuses(&[everywhere, open, names], "other.example"));
    }

    struct NoHeaders;

    impl HeaderText for NoHeaders {
        fn all<'a>(&'a self, _name: &str) -> Vec<&'a [u8]> {
            Vec::new()
        }
    }

    #[test]
    fn a_password_in_a_value_that_is_shown_is_refused_and_not_repeated() {
        for (name, value) in [
            ("PEER_URLS", "consumer=http://user:not-to-be-shown@host"),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "https://user:not-to-be-shown@host",
            ),
            ("AMQP_HOST", "user:not-to-be-shown@host"),
        ] {
            let mistakes = Config::load(&with(&[(name, value)]), &FULL).unwrap_err();
            assert_eq!(mistakes.0.len(), 1);
            assert_eq!(mistakes.0[0].variable, name);
            assert!(!mistakes.to_string().contains("not-to-be-shown"), "{name}");
        }
    }

    #[test]
    fn a_secret_is_taken_whole_or_refused_with_its_mistake() {
        for (name, value, problem) in [
            ("PROPAGATION_SECRET", "secret\n", "begins or ends with"),
            ("PROPAGATION_SECRET", "\u{feff}secret", "byte order mark"),
            (
                "PROPAGATION_TARGETS",
                "a=x,y,b=z",
                "every comma begins an entry",
            ),
            ("HMAC_SECRET_TOKEN", "pep\nper", "control character"),
        ] {
            let mistakes = Config::load(&with(&[(name, value)]), &FULL).unwrap_err();
            assert_eq!(mistakes.0.len(), 1);
            assert_eq!(mistakes.0[0].variable, name);
            assert!(mistakes.to_string().contains(problem), "{mistakes}");
        }
        let config = Config::load(&with(&[("HMAC_SECRET_TOKEN", " pepper ")]), &FULL).unwrap();
        assert!(config.secret_token.unwrap().matches(" pepper "));
    }

    /// What stands behind the comma of a password looks like the next entry's name.
    #[test]
    fn a_comma_in_a_secret_shows_none_of_it() {
        for value in [
            "a=redis://:x,hidden=y@host",
            "hidden=redis://h,hidden=redis://h",
        ] {
            let mistakes = Config::load(&with(&[("PEER_REDIS_URLS", value)]), &FULL).unwrap_err();
            assert_eq!(mistakes.0[0].variable, "PEER_REDIS_URLS");
            assert!(!mistakes.to_string().contains("hidden"), "{mistakes}");
        }
    }

    #[test]
    fn a_url_and_its_parts_contradict_each_other() {
        assert_eq!(wrong(&[("AMQP_URL", "amqp://a:b@c/d")]), ["AMQP_URL"]);
    }

    /// Nothing of an address is dropped, and none of these reaches another server than the one that is written.
    #[test]
    fn every_address_is_used_as_it_is_written_or_refused() {
        let url = |host: &str| with(&[("AMQP_HOST", host)]);
        for host in ["::1", "[::1]"] {
            let config = Config::load(&url(host), &FULL).unwrap();
            let url = config.amqp_url.expose();
            assert_eq!(
                url.split_once('@').unwrap().1,
                "[::1]:5672/hmac-credentials"
            );
        }
        for (name, value) in [
            ("AMQP_HOST", "0.0.0.0"),
            ("AMQP_HOST", "::"),
            ("AMQP_HOST", "fe80::1%eth0"),
            ("AMQP_HOST", "broker:5672"),
            ("AMQP_HOST", "b\u{fc}ro"),
            ("REDIS_URL", "redis://user@127.0.0.1"),
            ("REDIS_URL", "redis://127.0.0.1/one"),
            ("REDIS_URL", "redis://127.0.0.1/0?protocol=resp2"),
            ("DATABASE_URL", "mysql://127.0.0.1/s"),
            ("DATABASE_URL", "mysql://u@127.0.0.1/s?charset=latin1"),
            ("DATABASE_URL", "sqlite:a.db?mode=ro"),
            ("PEER_REDIS_URLS", "a=redis://[::]"),
            ("PEER_URLS", "a=http://0.0.0.0:3001"),
            ("PEER_URLS", "a=http://127.0.0.1:0"),
            ("PEER_URLS", "a=http://127.0.0.1\t:1"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::]:4317"),
        ] {
            assert_eq!(wrong(&[(name, value)]), [name], "{value}");
        }
        for value in [
            "amqp://u:p@h/v?connection_timeout=0",
            "amqp://u:p@h/v?frame_max=1",
            "amqp://u:@h/v",
            "amqp://u:p@h/",
            "amqp://u:1/w@h/v",
        ] {
            let mut source = with(&[("AMQP_URL", value)]);
            source.unset("AMQP_USER");
            source.unset("AMQP_PASSWORD");
            let mistakes = Config::load(&source, &FULL).unwrap_err();
            assert_eq!(mistakes.0.len(), 1, "{mistakes}");
            assert_eq!(mistakes.0[0].variable, "AMQP_URL");
        }
    }

    /// Two tracks in one place would read each other's records as clients.
    #[test]
    fn namespaces_are_those_that_are_said_and_apart() {
        let config = Config::load(&with(&[]), &FULL).unwrap();
        assert_eq!(config.http_namespace, "hmac:http");
        assert_eq!(config.message_namespace, "hmac:message");
        for (http, message) in [("hmacauth", "hmac:message"), ("auth", "auth:message")] {
            let pair = [
                ("REDIS_HTTP_NAMESPACE", http),
                ("REDIS_MESSAGE_NAMESPACE", message),
            ];
            let config = Config::load(&with(&pair), &RECEIVE_ONLY).unwrap();
            assert_eq!(config.http_namespace, http);
            assert_eq!(config.message_namespace, message);
        }
        for wrong_one in ["a b", "a:", "\u{e9}", "propagation", "propagation:x"] {
            let name = "REDIS_HTTP_NAMESPACE";
            assert_eq!(wrong(&[(name, wrong_one)]), [name], "{wrong_one}");
        }
        for (http, message) in [
            ("a", "a"),
            ("a", "a:clients"),
            ("a:credentials-backup", "a"),
        ] {
            let pair = [
                ("REDIS_HTTP_NAMESPACE", http),
                ("REDIS_MESSAGE_NAMESPACE", message),
            ];
            assert_eq!(wrong(&pair), ["REDIS_MESSAGE_NAMESPACE"]);
        }
    }

    #[test]
    fn a_peer_does_not_seed_itself() {
        assert_eq!(
            wrong(&[("PROPAGATION_TARGETS", "authority=x")]),
            ["PROPAGATION_TARGETS"]
        );
    }

    #[test]
    fn a_secret_may_come_from_a_file_but_not_from_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "from-the-file\n").unwrap();
        let path = path.to_str().unwrap();
        let mut source = with(&[("PROPAGATION_SECRET_FILE", path)]);
        assert_eq!(
            wrong(&[("PROPAGATION_SECRET_FILE", path)]),
            ["PROPAGATION_SECRET_FILE"]
        );
        source.unset("PROPAGATION_SECRET");
        let config = Config::load(&source, &FULL).unwrap();
        assert!(config.propagation_secret.matches("from-the-file"));
        for (content, problem) in [
            (&b"\xef\xbb\xbfsecret"[..], "byte order mark"),
            (b"\xff\xfes\0e\0", "not UTF-8"),
            (b"secret \n", "ends with a blank"),
            (b"sec\nret", "control character"),
        ] {
            std::fs::write(path, content).unwrap();
            let mistakes = Config::load(&source, &FULL).unwrap_err();
            assert!(mistakes.to_string().contains(problem), "{mistakes}");
        }
        source.set("PROPAGATION_SECRET_FILE", "/nowhere");
        let mistakes = Config::load(&source, &FULL).unwrap_err();
        assert_eq!(mistakes.0.len(), 1);
        assert_eq!(mistakes.0[0].variable, "PROPAGATION_SECRET_FILE");
    }

    proptest! {
        #[test]
        fn arbitrary_values_never_panic_and_no_secret_is_repeated(
            index in 0..VARIABLES.len(),
            value in "\\PC{12,40}|[a-z]+://[!-~]{8,30}|([a-z-]{1,9}=[!-~]{6,30},?){1,3}",
            in_file in any::<bool>(),
        ) {
            let variable = &VARIABLES[index];
            let name = if in_file && variable.secret { variable.file_name() } else { variable.name.to_owned() };
            for defaults in [&FULL, &RECEIVE_ONLY] {
                let mut source = Source::from_pairs(minimal());
                if in_file { source.unset(variable.name); }
                source.set(name.clone(), value.clone());
                if let Err(mistakes) = Config::load(&source, defaults) {
                    prop_assert!(!mistakes.0.is_empty());
                    for mistake in &mistakes.0 {
                        prop_assert!(mistake.variable == name || mistake.variable == variable.name);
                    }
                    if variable.secret && !in_file {
                        prop_assert!(!mistakes.to_string().contains(&value));
                    }
                }
            }
        }
    }
}
