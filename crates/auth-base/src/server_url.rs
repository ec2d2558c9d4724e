//! The URL of a server, read strictly: every part of it counts as it is written, or the URL is refused in words.
//!
//! Client libraries read more loosely, and what they leave out shows in no log: an IPv6 address becomes `localhost`, a user
//! without a password is not sent at all, an option that they do not know is dropped. So every adapter reads its URL here,
//! and a configuration can be judged without the client library.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::secret::Secret;

/// Why a URL is refused. The text repeats nothing of the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidServerUrl(String);

impl InvalidServerUrl {
    /// The client library refuses what is well-formed.
    pub fn of_library() -> Self {
        Self("is not taken by the client library".to_owned())
    }
}

/// Tells whether a URL leads to this machine: a loopback address, or `localhost`. What is sent there is seen by nobody on the
/// way.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// What a URL leads to, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// `amqp[s]://[user:password@]host[:port][/vhost][?heartbeat=seconds&connection_timeout=milliseconds]`
    RabbitMq,
    /// `redis[s]://[[user]:password@]host[:port][/database]`
    Redis,
    /// `mysql://user[:password]@host[:port]/schema[?ssl-mode=...&ssl-ca=...&ssl-cert=...&ssl-key=...&socket=...]`
    MySql,
}

/// The parts of a server's URL, decoded.
#[derive(Clone, Debug)]
pub struct ServerUrl {
    /// Whether the scheme is the one with TLS.
    pub tls: bool,
    /// A name, or an address: an IPv6 address stands without brackets.
    pub host: String,
    /// Never 0.
    pub port: Option<u16>,
    /// Who signs in.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// What stands behind the host's slash: a virtual host, a database's number, a schema.
    pub path: Option<String>,
    /// The query's options, each at most once and with a value that can be meant.
    pub options: Vec<(String, String)>,
}

impl ServerUrl {
    /// Reads the URL of a server.
    ///
    /// # Errors
    /// [`InvalidServerUrl`] says what cannot be used as it is written.
    pub fn parse(text: &str, kind: ServerKind) -> Result<Self, InvalidServerUrl> {
        let schemes = kind.schemes();
        let url = parse(text, schemes)?;
        let user = decoded(url.username(), "user name")?;
        let password = decoded(url.password().unwrap_or_default(), "password")?;
        let path = url.path().strip_prefix('/');
        let path = path.map(|path| decoded(path, "path")).transpose()?;
        let read = Self {
            tls: schemes.get(1) == Some(&url.scheme()),
            host: host(url.host_str().unwrap_or_default())?,
            port: url.port(),
            user: (!user.is_empty()).then_some(user),
            password: (!password.is_empty()).then(|| Secret::new(password)),
            path,
            options: options(&url, kind.options())?,
        };
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') && read.user.is_none() && read.password.is_none() {
            return refused("has an @ and no user name before it");
        }
        match kind.problem(&read) {
            Some(problem) => refused(problem),
            None => Ok(read),
        }
    }

    /// The value of an option that is a whole number.
    pub fn number(&self, option: &str) -> Option<u64> {
        let (_, value) = self.options.iter().find(|(name, _)| name == option)?;
        value.parse().ok()
    }

    /// The path as a number: the database of Redis.
    pub fn database(&self) -> Option<u32> {
        match self.path.as_deref().unwrap_or_default() {
            "" => Some(0),
            path if path.bytes().all(|byte| byte.is_ascii_digit()) => path.parse().ok(),
            _ => None,
        }
    }
}

/// Parses a URL that leads to a host, of one of these schemes.
///
/// # Errors
/// [`InvalidServerUrl`] where it holds blanks, control characters or a fragment, an `@` behind its host, or a host or port
/// that nobody can be reached at.
pub fn parse(text: &str, schemes: &[&str]) -> Result<Url, InvalidServerUrl> {
    // A parser of URLs drops line breaks and tabs wherever they stand.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return refused("holds a blank, a line break or a control character");
    }
    let url = Url::parse(text).map_err(|error| InvalidServerUrl(format!("is no URL ({error})")))?;
    if !schemes.contains(&url.scheme()) {
        return refused(format!("has a scheme other than {}", schemes.join(", ")));
    }
    host(url.host_str().unwrap_or_default())?;
    if url.port() == Some(0) {
        return refused("names port 0");
    }
    if url.path().contains('@') || url.query().is_some_and(|query| query.contains('@')) {
        return refused("has an @ behind its host (a / or ? in a password is written %2F, %3F)");
    }
    match url.fragment() {
        Some(_) => refused("has a # (in a password it is written %23)"),
        None => Ok(url),
    }
}

/// Reads the host of a server: a name, or an address; an IPv6 address with or without brackets, which are taken off.
///
/// # Errors
/// [`InvalidServerUrl`] where it is none, or one that stands for every address of a machine.
pub fn host(text: &str) -> Result<String, InvalidServerUrl> {
    if text.is_empty() {
        return refused("names no host");
    }
    let address = match Host::parse(text) {
        Ok(Host::Domain(_)) if text.is_ascii() && !text.contains('%') => return Ok(text.to_owned()),
        Ok(Host::Ipv4(address)) => IpAddr::V4(address),
        Ok(Host::Ipv6(address)) => IpAddr::V6(address),
        _ => match text.parse() {
            Ok(address) => address,
            Err(_) => {
                return refused("has a host that is neither a name in ASCII nor an IP address");
            }
        },
    };
    if address.to_canonical().is_unspecified() {
        return refused("has a host that stands for every address, and is none to connect to");
    }
    Ok(address.to_string())
}

/// Judges the URL of a SQLite database: `sqlite:path`, or `sqlite://path`.
///
/// # Errors
/// [`InvalidServerUrl`] where it names no file, or has an option that a store cannot be kept with.
pub fn check_sqlite(text: &str) -> Result<(), InvalidServerUrl> {
    let Some(rest) = text.strip_prefix("sqlite:") else {
        return refused("has a scheme other than sqlite");
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = decoded(path, "path")?;
    let mut in_memory = false;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option {
            "mode=memory" => in_memory = true,
            "mode=rwc" | "cache=shared" | "cache=private" => {}
            _ => {
                return refused(
                    "has an option other than mode=rwc, mode=memory, cache=shared, cache=private",
                );
            }
        }
    }
    if path.trim_matches('/').is_empty() && !in_memory {
        return refused("names no file");
    }
    Ok(())
}

/// An option of a query: its name, whether a value can be meant, and which can.
type UrlOption = (&'static str, fn(&str) -> bool, &'static str);

impl ServerKind {
    /// The scheme without TLS, and the one with.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::RabbitMq => &["amqp", "amqps"],
            Self::Redis => &["redis", "rediss"],
            Self::MySql => &["mysql"],
        }
    }

    fn options(self) -> &'static [UrlOption] {
        const PATH: &str = "a path";
        match self {
            // RabbitMQ takes 0 for "as the server likes".
            Self::RabbitMq => &[
                (
                    "heartbeat",
                    |text| is_in(text, 1..=65_535),
                    "seconds, 1 to 65535",
                ),
                (
                    "connection_timeout",
                    |text| is_in(text, 1..=3_600_000),
                    "milliseconds, 1 to 3600000",
                ),
            ],
            Self::Redis => &[],
            Self::MySql => &[
                (
                    "ssl-mode",
                    is_ssl_mode,
                    "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
                ),
                ("ssl-ca", is_path, PATH),
                ("ssl-cert", is_path, PATH),
                ("ssl-key", is_path, PATH),
                ("socket", is_path, PATH),
            ],
        }
    }

    /// What is wrong with parts that are well-formed.
    fn problem(self, read: &ServerUrl) -> Option<&'static str> {
        let path = read.path.as_deref();
        let has_half = read.user.is_some() && read.password.is_none();
        match self {
            Self::RabbitMq if has_half || (read.user.is_none() && read.password.is_some()) => {
                Some("has a user name without a password, or a password without a user name")
            }
            Self::RabbitMq if path == Some("") => {
                Some("names an empty virtual host (the one called / is written /%2F)")
            }
            Self::RabbitMq if path.is_some_and(|path| path.len() > 255) => {
                Some("names a virtual host of more than 255 bytes")
            }
            Self::Redis if has_half => Some("has a user name without a password"),
            Self::Redis if read.database().is_none() => {
                Some("has a path that is no number of a database")
            }
            Self::MySql if read.user.is_none() => Some("names no user"),
            Self::MySql if path.is_none_or(|path| path.is_empty() || path.contains('/')) => {
                Some("names no schema")
            }
            _ => None,
        }
    }
}

fn options(url: &Url, known: &[UrlOption]) -> Result<Vec<(String, String)>, InvalidServerUrl> {
    let mut read: Vec<(String, String)> = Vec::new();
    for (name, value) in url.query_pairs() {
        let Some((name, fits, expected)) = known.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<&str> = known.iter().map(|(name, ..)| *name).collect();
            return refused(match names.as_slice() {
                [] => "has an option behind a ?, and takes none".to_owned(),
                _ => format!("has an option other than {}", names.join(", ")),
            });
        };
        if read.iter().any(|(earlier, _)| earlier == name) {
            return refused(format!("has the option {name} twice"));
        }
        if !fits(&value) {
            return refused(format!(
                "has the option {name} with a value other than {expected}"
            ));
        }
        read.push(((*name).to_owned(), value.into_owned()));
    }
    Ok(read)
}

fn is_in(text: &str, range: RangeInclusive<u64>) -> bool {
    text.parse().is_ok_and(|number| range.contains(&number))
}

fn is_ssl_mode(text: &str) -> bool {
    const MODES: [&str; 5] = [
        "DISABLED",
        "PREFERRED",
        "REQUIRED",
        "VERIFY_CA",
        "VERIFY_IDENTITY",
    ];
    MODES.contains(&text.to_ascii_uppercase().as_str())
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

fn decoded(text: &str, what: &str) -> Result<String, InvalidServerUrl> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.contains(char::is_control) => Ok(text.into_owned()),
        Ok(_) => refused(format!("has a control character in its {what}")),
        Err(_) => refused(format!("has a {what} that is not UTF-8 when decoded")),
    }
}

fn refused<T>(problem: impl Into<String>) -> Result<T, InvalidServerUrl> {
    Err(InvalidServerUrl(problem.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServerKind::{MySql, RabbitMq, Redis};

    /// Host, port, user, password, path.
    type Parts = (
        &'static str,
        Option<u16>,
        &'static str,
        &'static str,
        Option<&'static str>,
    );

    #[test]
    fn every_part_is_read_as_it_is_written() {
        let cases: &[(&str, ServerKind, Parts)] = &[
            ("amqp://h", RabbitMq, ("h", None, "", "", None)),
            (
                "amqps://u:p@[2001:db8::77]:5999/%2f",
                RabbitMq,
                ("2001:db8::77", Some(5999), "u", "p", Some("/")),
            ),
            (
                "amqp://u%40x:p%2F%3F%23w@my_host.example./a%2Fb",
                RabbitMq,
                ("my_host.example.", None, "u@x", "p/?#w", Some("a/b")),
            ),
            (
                "amqp://guest:ge%C3%A9@127.0.0.1:5672/v%20h",
                RabbitMq,
                ("127.0.0.1", Some(5672), "guest", "geé", Some("v h")),
            ),
            (
                "amqp://[::ffff:192.0.2.1]/v?heartbeat=3&connection_timeout=250",
                RabbitMq,
                ("::ffff:192.0.2.1", None, "", "", Some("v")),
            ),
            ("redis://h:6379", Redis, ("h", Some(6379), "", "", None)),
            (
                "rediss://:p%25@[::1]:6380/15",
                Redis,
                ("::1", Some(6380), "", "p%", Some("15")),
            ),
            ("redis://u:p@h/", Redis, ("h", None, "u", "p", Some(""))),
            (
                "mysql://root@127.0.0.1/s",
                MySql,
                ("127.0.0.1", None, "root", "", Some("s")),
            ),
            (
                "mysql://u:a%3Ab@[fd00::2]:3307/s?ssl-mode=verify_identity&ssl-ca=/etc/ca.pem",
                MySql,
                ("fd00::2", Some(3307), "u", "a:b", Some("s")),
            ),
        ];
        for (text, kind, (host, port, user, password, path)) in cases {
            let url =
                ServerUrl::parse(text, *kind).unwrap_or_else(|problem| panic!("{text} {problem}"));
            let said = url.password.as_ref().map_or("", Secret::expose);
            assert_eq!((&*url.host, url.port), (*host, *port), "{text}");
            assert_eq!(
                (url.user.as_deref().unwrap_or_default(), said),
                (*user, *password),
                "{text}"
            );
            assert_eq!(url.path.as_deref(), *path, "{text}");
        }
        let url =
            ServerUrl::parse("amqps://h/v?heartbeat=3&connection_timeout=250", RabbitMq).unwrap();
        assert_eq!(
            (
                url.tls,
                url.number("heartbeat"),
                url.number("connection_timeout")
            ),
            (true, Some(3), Some(250))
        );
        assert_eq!(
            ServerUrl::parse("redis://h/15", Redis).unwrap().database(),
            Some(15)
        );
    }

    #[test]
    fn what_would_not_count_is_refused_in_words() {
        let cases: &[(ServerKind, &str, &[&str])] = &[
            (
                RabbitMq,
                "no URL",
                &[
                    "",
                    "h",
                    "amqp://h:70000",
                    "amqp://u:p@/v",
                    "amqp://[fe80::1%25eth0]/v",
                    "amqp://u:p#w@h/v",
                ],
            ),
            (
                RabbitMq,
                "a scheme other than amqp, amqps",
                &["http://h", "h:5672", "redis://h"],
            ),
            (
                RabbitMq,
                "no host",
                &["amqp:", "amqp:h", "amqp:///v", "amqp:///"],
            ),
            (
                RabbitMq,
                "every address",
                &[
                    "amqp://0.0.0.0/v",
                    "amqp://[::]/v",
                    "amqp://0/v",
                    "amqp://[::ffff:0:0]/v",
                ],
            ),
            (
                RabbitMq,
                "neither a name",
                &["amqp://b%C3%BCro/v", "amqp://büro/v", "amqp://ho%61st/v"],
            ),
            (RabbitMq, "port 0", &["amqp://h:0/v"]),
            (
                RabbitMq,
                "a blank",
                &[
                    "amqp://h/v\n",
                    " amqp://h/v",
                    "amqp://u:p\tw@h/v",
                    "amqp://u:p w@h/v",
                ],
            ),
            (
                RabbitMq,
                "without a password",
                &["amqp://u@h/v", "amqp://u:@h/v", "amqp://:p@h/v"],
            ),
            (RabbitMq, "no user name", &["amqp://@h/v", "amqp://:@h/v"]),
            (
                RabbitMq,
                "an @ behind",
                &["amqp://u:1/w@h/v", "amqp://u:1?w@h/v", "amqp://h/v?x=@"],
            ),
            (RabbitMq, "a #", &["amqp://h/v#x", "amqp://u:1#w@h/v"]),
            (
                RabbitMq,
                "an empty virtual host",
                &["amqp://h/", "amqp://u:p@h/?heartbeat=3"],
            ),
            (
                RabbitMq,
                "control character",
                &["amqp://u:p%00w@h/v", "amqp://h/v%0A"],
            ),
            (RabbitMq, "not UTF-8", &["amqp://u:%ff@h/v", "amqp://h/%ff"]),
            (
                RabbitMq,
                "other than heartbeat, connection_timeout",
                &[
                    "amqp://h/v?frame_max=1",
                    "amqp://h/v?auth_mechanism=external",
                    "amqp://h/v?x",
                ],
            ),
            (
                RabbitMq,
                "heartbeat with a value other",
                &[
                    "amqp://h/v?heartbeat=0",
                    "amqp://h/v?heartbeat=65536",
                    "amqp://h/v?heartbeat=1s",
                ],
            ),
            (
                RabbitMq,
                "connection_timeout with",
                &[
                    "amqp://h/v?connection_timeout=0",
                    "amqp://h/v?connection_timeout=-1",
                    "amqp://h/v?connection_timeout=",
                ],
            ),
            (
                RabbitMq,
                "heartbeat twice",
                &["amqp://h/v?heartbeat=3&heartbeat=4"],
            ),
            (
                Redis,
                "a user name without a password",
                &["redis://u@h", "redis://u:@h"],
            ),
            (
                Redis,
                "no number of a database",
                &[
                    "redis://h/x",
                    "redis://h/-1",
                    "redis://h/1/",
                    "redis://h/+1",
                    "redis://h/4294967296",
                ],
            ),
            (
                Redis,
                "takes none",
                &["redis://h/0?protocol=resp2", "redis://h?db=3"],
            ),
            (Redis, "a #", &["rediss://h/#insecure"]),
            (Redis, "no host", &["redis:///0"]),
            (MySql, "no user", &["mysql://h/s", "mysql://:p@h/s"]),
            (
                MySql,
                "no schema",
                &[
                    "mysql://u@h",
                    "mysql://u@h/",
                    "mysql://u@h//s",
                    "mysql://u@h/a%2Fb",
                ],
            ),
            (
                MySql,
                "other than ssl-mode",
                &[
                    "mysql://u@h/s?charset=latin1",
                    "mysql://u@h/s?connect_timeout=0",
                    "mysql://u@h/s?sslmode=DISABLED",
                ],
            ),
            (
                MySql,
                "ssl-mode with a value",
                &["mysql://u@h/s?ssl-mode=strict", "mysql://u@h/s?ssl-mode="],
            ),
            (MySql, "every address", &["mysql://u@[::]/s"]),
        ];
        for (kind, words, texts) in cases {
            for text in *texts {
                let problem = ServerUrl::parse(text, *kind)
                    .map(|url| url.host)
                    .unwrap_err();
                assert!(problem.to_string().contains(words), "{text}: {problem}");
            }
        }
    }

    #[test]
    fn a_host_stands_alone_too() {
        for (text, read) in [
            ("h", "h"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
        ] {
            assert_eq!(host(text).unwrap(), read);
        }
        for wrong in [
            "",
            "a b",
            "h:5672",
            "[::1]:5672",
            "u@h",
            "h/v",
            "[h]",
            "::1%lo",
            "fe80::1%eth0",
            "::",
            "0.0.0.0",
            "[192.0.2.1]",
        ] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_sqlite_is_written_to() {
        for good in [
            "sqlite:a.db",
            "sqlite:///var/a.db",
            "sqlite://a%3F.db?mode=rwc",
            "sqlite::memory:",
            "sqlite://?mode=memory&cache=shared",
        ] {
            assert_eq!(check_sqlite(good), Ok(()), "{good}");
        }
        for wrong in [
            "sqlite:",
            "sqlite://",
            "sqlite:?mode=rwc",
            "sqlite:a.db?mode=ro",
            "sqlite:a.db?immutable=1",
            "sqlite:a.db?mode=memory2",
            "sqlite:a%00b",
            "mysql://u@h/s",
        ] {
            assert!(check_sqlite(wrong).is_err(), "{wrong}");
        }
    }
}
