//! The variables a peer reads: one table, from which flags, `.env.example`'s test and error texts are made.

use hmac_propagation::propagator::Mode;

/// Which peers read a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Every peer.
    All,
    /// Peers that accept changes of their own.
    Full,
    /// Peers that only receive.
    ReceiveOnly,
}

/// One variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name in the environment; the flag is the same in lower case with dashes.
    pub name: &'static str,
    /// Whether its value must never be shown. Such a variable may also be given as `NAME_FILE`, and has no flag of its own
    /// (a command line is visible to every user of a machine), only `--name-file`.
    pub secret: bool,
    /// Who reads it.
    pub readers: Readers,
    /// What a valid value looks like.
    pub expected: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

impl Variable {
    /// Tells whether a peer of this mode reads the variable.
    pub fn is_read_by(&self, mode: Mode) -> bool {
        match self.readers {
            All => true,
            Full => mode == Mode::Full,
            ReceiveOnly => mode == Mode::ReceiveOnly,
        }
    }

    /// The name of the variable that holds a file's path instead.
    pub fn file_name(&self) -> String {
        format!("{}_FILE", self.name)
    }

    /// The flag that overrides the variable, without the leading dashes.
    pub fn flag(&self) -> String {
        let name = self.name.to_ascii_lowercase().replace('_', "-");
        if self.secret {
            format!("{name}-file")
        } else {
            name
        }
    }
}

const fn open(
    name: &'static str,
    readers: Readers,
    expected: &'static str,
    purpose: &'static str,
) -> Variable {
    Variable {
        name,
        secret: false,
        readers,
        expected,
        purpose,
    }
}

const fn secret(
    name: &'static str,
    readers: Readers,
    expected: &'static str,
    purpose: &'static str,
) -> Variable {
    Variable {
        name,
        secret: true,
        readers,
        expected,
        purpose,
    }
}

const NAMED_SECRETS: &str =
    "name=secret,name=secret with names of [A-Za-z0-9-]+, each once, and secrets without a comma";
const NAMED_REDIS: &str = "name=url,name=url with redis:// or rediss:// URLs, each name once";
const NAMED_URLS: &str =
    "name=url,name=url with http:// or https:// URLs without a path, each name once";
const NAMESPACE: &str = "1 to 64 visible ASCII characters, no colon at the end, not propagation:..., the keys of the two tracks apart";
const NAMES: &str = "names of [A-Za-z0-9-]+, separated by commas";

use Readers::{All, Full, ReceiveOnly};

/// Every variable, in the order in which mistakes are listed.
pub const VARIABLES: &[Variable] = &[
    open(
        "PORT",
        All,
        "a port, 0 to 65535 (0 picks a free one)",
        "where HTTP is served",
    ),
    open(
        "BIND",
        All,
        "an IP address",
        "the address HTTP is served on; 127.0.0.1 unless set",
    ),
    open(
        "ALLOWED_HOSTS",
        All,
        "names of hosts without ports, separated by commas",
        "the names this peer answers to, and whose pages may ask it, besides localhost and IP addresses; unless set, none where BIND is this machine alone and every other elsewhere",
    ),
    open(
        "MANAGEMENT_AUTH",
        All,
        "tokens; open, where BIND is this machine alone; or open-to-the-network",
        "who is let in to management, pages and metrics: whoever bears a token, or everybody; open unless set, where BIND is this machine alone",
    ),
    open(
        "GATEWAY_KEYS",
        All,
        "the path of a key set (JWKS) with a key for tokens",
        "the public keys of the gateway; needed where MANAGEMENT_AUTH is tokens, read again when they change",
    ),
    open(
        "GATEWAY_URL",
        All,
        "an http:// or https:// URL without a password and a slash at its end",
        "who issues access tokens; http://localhost:3100 unless set",
    ),
    open(
        "PUBLIC_URL",
        All,
        "an http:// or https:// URL without a path, such as https://authority.example",
        "how services that call directly reach this peer, which their proofs name; BIND and PORT unless set, where BIND is one address",
    ),
    open(
        "MANAGEMENT_BEARER",
        All,
        "true or false",
        "whether access tokens count that are bound to no key; false unless set",
    ),
    open(
        "KEEP_ALIVE_MS",
        All,
        "milliseconds, 1000 to 3600000",
        "how long a connection is kept without a request; 75000 unless set",
    ),
    open(
        "DEMO",
        All,
        "true or false",
        "whether the demo's secrets count although other machines reach this peer; false unless set",
    ),
    secret(
        "AMQP_URL",
        All,
        "amqp://user:password@host:port/vhost or amqps://..., an IPv6 address in brackets",
        "the broker, instead of the five parts",
    ),
    open("AMQP_PROTOCOL", All, "amqp or amqps", "amqp unless set"),
    open(
        "AMQP_HOST",
        All,
        "a host name in ASCII or an IP address",
        "localhost unless set",
    ),
    open(
        "AMQP_PORT",
        All,
        "a port, 1 to 65535",
        "5672 (amqps: 5671) unless set",
    ),
    open(
        "AMQP_USER",
        All,
        "a user name",
        "needed unless AMQP_URL is set",
    ),
    secret(
        "AMQP_PASSWORD",
        All,
        "a password",
        "needed unless AMQP_URL is set",
    ),
    open("AMQP_VHOST", All, "a vhost", "hmac-credentials unless set"),
    open(
        "AMQP_QUEUE",
        All,
        "1 to 128 characters of [A-Za-z0-9-]",
        "the peer's name in the mesh",
    ),
    secret(
        "PROPAGATION_SECRET",
        All,
        "a text of 1 to 1024 bytes without control characters, and without blanks at its ends",
        "what events to this peer must bear",
    ),
    secret(
        "PROPAGATION_SOURCES",
        ReceiveOnly,
        NAMED_SECRETS,
        "secrets of the sources whose events this peer acknowledges",
    ),
    secret(
        "PROPAGATION_TARGETS",
        Full,
        NAMED_SECRETS,
        "secrets of the peers to seed the inventory with at start",
    ),
    open(
        "UNSIGNED_ACK_TARGETS",
        Full,
        NAMES,
        "targets whose unsigned acks count",
    ),
    secret(
        "HMAC_SECRET_TOKEN",
        All,
        "a text of at most 1024 bytes",
        "the peer's pepper; none unless set",
    ),
    secret(
        "REDIS_URL",
        All,
        "redis://host:port/db or rediss://...",
        "the peer's own store",
    ),
    open(
        "REDIS_HTTP_NAMESPACE",
        All,
        NAMESPACE,
        "what the keys of the http track begin with; hmac:http unless set",
    ),
    open(
        "REDIS_MESSAGE_NAMESPACE",
        All,
        NAMESPACE,
        "what the keys of the message track begin with; hmac:message unless set",
    ),
    secret(
        "DATABASE_URL",
        Full,
        "mysql://user:password@host:port/schema or sqlite:path",
        "the management store",
    ),
    secret(
        "SECRETS_KEY",
        Full,
        "32 bytes in base64, or a wrapped key (kms:...); more keys, for reading only, after commas",
        "encrypts secrets at rest",
    ),
    open(
        "SECRETS_KMS",
        Full,
        "the path of a kms.json whose default provider is http or vault-transit",
        "who unwraps the wrapped keys of SECRETS_KEY; needed where there is one",
    ),
    secret(
        "PEER_REDIS_URLS",
        Full,
        NAMED_REDIS,
        "the peers' stores, for the mesh view and the check for drift",
    ),
    open(
        "PEER_URLS",
        Full,
        NAMED_URLS,
        "the peers a signed call may go to",
    ),
    open(
        "DASHBOARD_DIR",
        Full,
        "a folder",
        "the dashboard's compiled bundle; target/dashboard of this build unless set",
    ),
    open(
        "SYNC_INTERVAL_MS",
        Full,
        "milliseconds, 10 to 86400000",
        "how often pending rows are looked for; 5000 unless set",
    ),
    open(
        "SYNC_ON_CHANGE",
        Full,
        "true or false",
        "whether a change is sent at once; true unless set",
    ),
    open(
        "RESEND_AFTER_MS",
        Full,
        "milliseconds, 10 to 604800000",
        "when an unanswered row is sent again; 60000 unless set",
    ),
    open(
        "DRIFT_INTERVAL_MS",
        Full,
        "milliseconds, 0 (never) or 100 to 86400000",
        "how often what peers hold is compared with what they should; 300000 unless set",
    ),
    open(
        "AUDIT_RETENTION_DAYS",
        Full,
        "days, 0 (for ever) to 36500",
        "how long the audit keeps what happened; 90 unless set",
    ),
    open(
        "MIN_SECRET_BYTES",
        Full,
        "bytes, 1 to 16",
        "how short a secret an ensure may give; 16 unless set, and less only to adopt clients that have one",
    ),
    open(
        "ROTATION_GRACE_MS",
        All,
        "milliseconds, 0 (off) to 600000",
        "how long the previous secret still counts; 30000 unless set",
    ),
    open(
        "NONCE_BYTES_PER_CLIENT",
        All,
        "bytes, 65536 to 1099511627776",
        "how much of Redis the nonces of one client may take; 268435456 unless set",
    ),
    open(
        "TRUSTED_PROXIES",
        All,
        "IP addresses or CIDR blocks, separated by commas",
        "whose x-forwarded-for counts; nobody's unless set",
    ),
    open(
        "RUST_LOG",
        All,
        "a filter such as info,hmac_propagation=debug",
        "what is logged; info unless set",
    ),
    open(
        "LOG_FORMAT",
        All,
        "pretty or json",
        "how it is logged; pretty unless set",
    ),
    open(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        All,
        "an http:// or https:// URL without a password",
        "where traces will go; nothing is exported yet",
    ),
];

/// Looks a variable up by its name.
pub fn variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a peer reads; what follows is `compose.yaml`'s own.
    fn example() -> &'static str {
        let example = include_str!("../../../../.env.example");
        example
            .split_once("\n# --- docker compose")
            .expect("the part of compose.yaml")
            .0
    }

    #[test]
    fn the_example_documents_every_variable_and_no_other() {
        let documented: Vec<&str> = example()
            .lines()
            .filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='))
            .map(|(name, _)| name)
            .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
            .collect();
        let mut known: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        let mut found = documented.clone();
        known.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn the_example_marks_what_may_come_from_a_file() {
        assert_eq!(
            example().matches("(file)").count() - 1,
            VARIABLES.iter().filter(|variable| variable.secret).count()
        );
    }
}
