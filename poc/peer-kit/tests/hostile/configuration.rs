//! What must hold for any configuration. The fuzz target includes this file, so that both hold the same.

use hmac_propagation::propagator::Mode;
use peer_kit::config::source::Source;
use peer_kit::config::variable::{Variable, variable};
use peer_kit::config::{Config, Defaults, Role};
use url::Url;

/// Takes the place of `%S` in a secret's value, so that it can be looked for.
const SECRET: &str = "Kq7vXz2mWp9d";

type Pairs = Vec<(String, String)>;

/// Takes variables, `NAME=value` a line, `\n` for a line break in a value. Either kind of peer gets a configuration, or mistakes
/// that name their variables, a line each, and show no secret; a configuration shows none either, and its broker's URL holds
/// what it was made of. Files are not there.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let pairs: Pairs = text.lines().filter_map(pair).collect();
    let source = Source::from_pairs(pairs.clone());
    for (mode, binary) in [(Mode::Full, "authority"), (Mode::ReceiveOnly, "consumer")] {
        let defaults = Defaults {
            binary,
            about: "",
            mode,
            peer: binary,
            port: 3001,
        };
        let listen = Config::listen(&source, &defaults).ok();
        match Config::load(&source, &defaults) {
            Ok(config) => {
                assert_eq!(Some(config.listen), listen);
                assert_eq!(config.mode(), mode);
                check_config(&config, &pairs);
            }
            Err(mistakes) => {
                assert!(!mistakes.0.is_empty(), "refused without a mistake");
                for mistake in &mistakes.0 {
                    assert!(
                        is_known(&mistake.variable),
                        "{} is no variable",
                        mistake.variable
                    );
                    let line = mistake.to_string();
                    assert!(
                        !line.contains(SECRET),
                        "a secret in {} is shown",
                        mistake.variable
                    );
                    assert!(
                        !line.contains(char::is_control),
                        "{line:?} is more than a line"
                    );
                }
            }
        }
    }
}

fn pair(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let value = value.replace("\\n", "\n");
    if name.ends_with("_FILE") {
        return Some((
            name.to_owned(),
            format!("/nowhere/{}", value.replace('/', "_")),
        ));
    }
    // What is no secret is shown, but for a password where a URL may stand.
    let value = match (variable(name), name) {
        (Some(Variable { secret: true, .. }), _) => value.replace("%S", SECRET),
        (_, "AMQP_HOST" | "PEER_URLS" | "OTEL_EXPORTER_OTLP_ENDPOINT") => {
            let secret = value.replace("%S@", &format!("{SECRET}@"));
            let is_password = Url::parse(&secret).is_ok_and(|url| url.password() == Some(SECRET));
            if is_password || name != "OTEL_EXPORTER_OTLP_ENDPOINT" {
                secret
            } else {
                value
            }
        }
        _ => value,
    };
    Some((name.to_owned(), value))
}

fn is_known(name: &str) -> bool {
    let of_file = || {
        name.strip_suffix("_FILE")
            .and_then(variable)
            .is_some_and(|known| known.secret)
    };
    variable(name).is_some() || of_file()
}

fn check_config(config: &Config, pairs: &Pairs) {
    // A variable that is said twice is said by the last.
    let said = |name: &str| {
        let value = pairs
            .iter()
            .rev()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str());
        value.filter(|value| !value.trim().is_empty())
    };
    let names_of = |pairs: &[(_, _)]| {
        pairs
            .iter()
            .any(|(name, _): &(hmac_propagation::queue::PeerName, _)| {
                name.as_str().contains(SECRET)
            })
    };
    let is_name = match &config.role {
        Role::Full(full) => names_of(&full.targets),
        Role::ReceiveOnly { sources } => names_of(sources),
    };
    assert!(
        is_name || !format!("{config:?}").contains(SECRET),
        "a secret is shown"
    );
    if let Some(secret) = said("PROPAGATION_SECRET") {
        assert!(
            config.propagation_secret.matches(secret),
            "the propagation secret is another"
        );
    }
    if said("AMQP_URL").is_none() && said("AMQP_PASSWORD").is_some() {
        check_amqp_url(config, said);
    }
}

fn check_amqp_url<'a>(config: &Config, said: impl Fn(&str) -> Option<&'a str>) {
    let url = Url::parse(config.amqp_url.expose());
    assert!(url.is_ok(), "the broker's URL is none");
    let Ok(url) = url else { return };
    assert_eq!(
        url.scheme(),
        said("AMQP_PROTOCOL").map_or("amqp", str::trim)
    );
    assert_eq!(
        Some(decoded(url.username()).as_str()),
        said("AMQP_USER").map(str::trim)
    );
    assert!(
        url.password().map(decoded).as_deref() == said("AMQP_PASSWORD"),
        "the password is another"
    );
    assert_eq!(
        decoded(&url.path()[1..]),
        said("AMQP_VHOST").map_or("hmac-credentials", str::trim)
    );
    assert!(
        url.host_str().is_some_and(|host| !host.is_empty()),
        "no host"
    );
    assert!(
        url.port().is_some() && url.query().is_none() && url.fragment().is_none(),
        "{:?}",
        url.port()
    );
}

/// Decodes percent signs.
fn decoded(text: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}
