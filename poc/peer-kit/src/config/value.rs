//! Parsers of single values. Their errors say what is wrong without repeating the value.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use auth_base::secret::Secret;
use auth_base::server_url::{self, ServerKind, ServerUrl};
use hmac_auth::credentials::SECRET_BYTES;
use hmac_propagation::event::PROPAGATION_SECRET_BYTES;
use hmac_propagation::queue::PeerName;
use ipnet::IpNet;
use jwt_auth::jwks::SkippedKey;
use jwt_auth::public_jwk::InvalidJwk;
use mesh_management::edge::host_name;
use url::Url;

use crate::gateway_keys::read_keys;
use crate::secrets_keys::{DataKey, data_key};

/// A value or what is wrong with it.
pub(crate) type Parsed<T> = Result<T, String>;

pub(crate) fn port(text: &str) -> Parsed<u16> {
    text.parse().map_err(|_| "is not a port".to_owned())
}

pub(crate) fn port_of_server(text: &str) -> Parsed<u16> {
    match port(text)? {
        0 => Err("is not the port of a server".to_owned()),
        port => Ok(port),
    }
}

pub(crate) fn address(text: &str) -> Parsed<IpAddr> {
    text.parse().map_err(|_| "is not an IP address".to_owned())
}

pub(crate) fn flag(text: &str) -> Parsed<bool> {
    match text {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

pub(crate) fn millis(text: &str, min: u64, max: u64) -> Parsed<u64> {
    within(text, min..=max, "milliseconds")
}

fn within<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>, of: &str) -> Parsed<T> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err("is out of range".to_owned()),
        Err(_) => Err(format!("is not a number of {of}")),
    }
}

/// Milliseconds of something that may be off (0), and is never done in a hot loop.
pub(crate) fn interval(text: &str) -> Parsed<u64> {
    match millis(text, 0, 86_400_000)? {
        1..100 => Err("is out of range".to_owned()),
        millis => Ok(millis),
    }
}

pub(crate) fn secret_bytes(text: &str) -> Parsed<usize> {
    within(text, 1..=*SECRET_BYTES.start(), "bytes")
}

/// From some hundred calls on.
pub(crate) fn nonce_bytes(text: &str) -> Parsed<u64> {
    within(text, 65_536..=1 << 40, "bytes")
}

/// What keys in Redis begin with, away from those of the bookkeeping.
pub(crate) fn namespace(text: &str) -> Parsed<String> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=64).contains(&text.len()) || !is_visible || text.ends_with(':') {
        return Err("is not a namespace".to_owned());
    }
    if text.split(':').next() == Some("propagation") {
        return Err("begins like the keys of the bookkeeping".to_owned());
    }
    Ok(text.to_owned())
}

/// Refuses two namespaces of which one lies among the keys of the other.
pub(crate) fn apart(text: &str, other: &str) -> Parsed<String> {
    let is_within = |inner: &str, outer: &str| {
        let rest = inner
            .strip_prefix(outer)
            .and_then(|it| it.strip_prefix(':'));
        let kinds = ["clients", "nonce", "credentials-", "tokens"];
        inner == outer || rest.is_some_and(|rest| kinds.iter().any(|kind| rest.starts_with(kind)))
    };
    let namespace = namespace(text)?;
    match is_within(text, other) || is_within(other, text) {
        true => Err(format!(
            "shares keys with {other}, the other track's namespace"
        )),
        false => Ok(namespace),
    }
}

/// Where a key set lies that has a key.
pub(crate) fn key_set(text: &str) -> Parsed<PathBuf> {
    let path = PathBuf::from(text);
    match read_keys(&path) {
        Ok((_, skipped)) if skipped.iter().any(|(_, why)| is_private(*why)) => {
            Err("holds a private key: whoever reads it may issue tokens".to_owned())
        }
        Ok((keys, _)) if keys.keys().is_empty() => Err("has no key for tokens".to_owned()),
        Ok(_) => Ok(path),
        Err(error) => Err(format!("cannot be used ({error})")),
    }
}

fn is_private(why: SkippedKey) -> bool {
    matches!(why, SkippedKey::Invalid(InvalidJwk::PrivateMember(_)))
}

/// Who issues tokens: its name is compared as it stands.
pub(crate) fn issuer(text: &str) -> Parsed<String> {
    let url = endpoint(text)?;
    match url.query().is_some() || url.fragment().is_some() || text.ends_with('/') {
        true => Err("is no issuer".to_owned()),
        false => Ok(text.to_owned()),
    }
}

pub(crate) fn days(text: &str, max: u32) -> Parsed<u32> {
    within(text, 0..=max, "days")
}

pub(crate) fn peer_name(text: &str) -> Parsed<PeerName> {
    PeerName::parse(text).map_err(|_| "is not a peer's name".to_owned())
}

pub(crate) fn peer_names(text: &str) -> Parsed<Vec<PeerName>> {
    let names = items(text).enumerate();
    names
        .map(|(index, item)| {
            peer_name(item).map_err(|problem| format!("entry {} {problem}", index + 1))
        })
        .collect()
}

/// What peers know of each other: what gets lost where it is written down is refused.
pub(crate) fn propagation_secret(text: &str) -> Parsed<Secret> {
    let secret = Secret::new(text);
    let checked = secret
        .check(PROPAGATION_SECRET_BYTES)
        .map_err(|error| error.to_string());
    checked.map(|()| secret)
}

/// What others have given the peer: taken as it is.
pub(crate) fn secret(text: &str) -> Parsed<Secret> {
    if text.is_empty() || text.len() > 1024 {
        return Err("has not 1 to 1024 bytes".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    Ok(Secret::new(text))
}

pub(crate) fn host(text: &str) -> Parsed<String> {
    server_url::host(text).map_err(|problem| problem.to_string())
}

/// Names of hosts, without ports.
pub(crate) fn host_names(text: &str) -> Parsed<Vec<String>> {
    let names = items(text).enumerate();
    names
        .map(|(index, item)| {
            host_name(item).ok_or_else(|| format!("entry {} is not the name of a host", index + 1))
        })
        .collect()
}

pub(crate) fn one_line(text: &str) -> Parsed<String> {
    if text.len() > 255 || text.chars().any(char::is_control) {
        return Err("is longer than 255 bytes or holds a control character".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn amqp_url(text: &str) -> Parsed<Secret> {
    server_url(text, ServerKind::RabbitMq)
}

pub(crate) fn redis_url(text: &str) -> Parsed<Secret> {
    server_url(text, ServerKind::Redis)
}

pub(crate) fn database_url(text: &str) -> Parsed<Secret> {
    if text.starts_with("sqlite:") {
        let checked = server_url::check_sqlite(text).map_err(|problem| problem.to_string());
        return checked.map(|()| Secret::new(text));
    }
    server_url(text, ServerKind::MySql)
}

fn server_url(text: &str, kind: ServerKind) -> Parsed<Secret> {
    match ServerUrl::parse(text, kind) {
        Ok(_) => Ok(Secret::new(text)),
        Err(problem) => Err(problem.to_string()),
    }
}

/// The base URL of a peer: an origin, nothing more.
pub(crate) fn origin(text: &str) -> Parsed<Url> {
    let url = endpoint(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err("holds a path or query".to_owned());
    }
    Ok(url)
}

pub(crate) fn endpoint(text: &str) -> Parsed<Url> {
    let url = server_url::parse(text, &["http", "https"]).map_err(|error| error.to_string())?;
    without_user(url)
}

/// Refuses a password where a value is shown.
fn without_user(url: Url) -> Parsed<Url> {
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user {
        Err("holds a user name or password".to_owned())
    } else {
        Ok(url)
    }
}

pub(crate) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    items(text)
        .enumerate()
        .map(|(index, item)| {
            item.parse::<IpNet>()
                .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| {
                    format!(
                        "entry {} is neither an IP address nor a CIDR block",
                        index + 1
                    )
                })
        })
        .collect()
}

/// Reads `name=value,name=value`; lines count as commas, for files. A mistake shows no name: what stands behind a secret's
/// comma looks like one.
pub(crate) fn named<T>(
    text: &str,
    parse: impl Fn(&str) -> Parsed<T>,
) -> Parsed<Vec<(PeerName, T)>> {
    let mut pairs: Vec<(PeerName, T)> = Vec::new();
    for (index, item) in items(text).enumerate() {
        let place = index + 1;
        let (name, value) = item
            .split_once('=')
            .ok_or_else(|| format!("entry {place} has no '=' (every comma begins an entry)"))?;
        let name =
            peer_name(name.trim()).map_err(|_| format!("entry {place} has no valid name"))?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(format!("entry {place} has the name of an earlier one"));
        }
        let value = parse(value.trim())
            .map_err(|problem| format!("the value of entry {place} {problem}"))?;
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// The keys, at least one: the first writes.
pub(crate) fn keys(text: &str) -> Parsed<Vec<DataKey>> {
    let numbered =
        |(place, item)| data_key(item).map_err(|problem| format!("key {place} {problem}"));
    let keys: Vec<DataKey> = (1..)
        .zip(items(text))
        .map(numbered)
        .collect::<Parsed<_>>()?;
    match keys.is_empty() {
        true => Err("holds no key".to_owned()),
        false => Ok(keys),
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn named_values_are_split_at_the_first_equals_sign() {
        let pairs = named("a=x=y, b=z\n", secret).unwrap();
        assert_eq!(pairs[0].0.as_str(), "a");
        assert!(pairs[0].1.matches("x=y"));
        assert!(pairs[1].1.matches("z"));
        assert_eq!(
            named("a=1,a=2", secret).unwrap_err(),
            "entry 2 has the name of an earlier one"
        );
        assert!(named("a", secret).unwrap_err().contains("no '='"));
        assert!(
            named("a_b=1", secret)
                .unwrap_err()
                .contains("no valid name")
        );
    }

    #[test]
    fn origins_hold_nothing_but_the_origin() {
        assert!(origin("http://localhost:3002").is_ok());
        assert!(origin("http://localhost:3002/").is_ok());
        for wrong in [
            "ftp://h",
            "http://u:p@h",
            "http://h/x",
            "http://h/?q",
            "http://h/#f",
            "h",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn databases_are_mysql_with_a_schema_or_sqlite_with_a_file() {
        assert!(database_url("mysql://root@127.0.0.1:3306/authority_db").is_ok());
        assert!(database_url("sqlite:authority.db").is_ok());
        for wrong in [
            "mysql://root@127.0.0.1",
            "sqlite:",
            "sqlite://",
            "postgres://h/d",
            "",
        ] {
            assert!(database_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_have_32_bytes() {
        let key = STANDARD.encode([7u8; 32]);
        assert_eq!(keys(&format!("{key},{key}")).unwrap().len(), 2);
        assert!(
            keys(&STANDARD.encode([7u8; 31]))
                .unwrap_err()
                .contains("31 bytes")
        );
        assert!(keys("***").unwrap_err().contains("base64"));
        assert!(keys(",").is_err());
    }

    #[test]
    fn proxies_are_addresses_or_blocks() {
        assert_eq!(networks("10.0.0.0/8, ::1").unwrap().len(), 2);
        assert!(networks("10.0.0.0/33").is_err());
    }
}
