//! `kms.json`.

use std::collections::HashSet;

use kms::config::ProviderSettings;
use kms::config::settings::HttpAuth;
use kms::{InvalidKmsConfig, KmsConfig};
use serde_json::Value;

/// What every variable of the environment holds whose name ends with a letter.
const OF_THE_ENVIRONMENT: &str = "value-of-the-environment";

/// Takes a configuration of key providers. It is refused with a reason that shows no value of the environment, or it is JSON
/// that names each provider once, with a default among them, and plain HTTP only where the document says so.
///
/// # Panics
/// Where that does not hold.
pub fn kms_config(bytes: &[u8]) {
    let variables = |name: &str| {
        let is_set = name.ends_with(|last: char| last.is_ascii_alphabetic());
        is_set.then(|| OF_THE_ENVIRONMENT.to_owned())
    };
    match KmsConfig::parse(bytes, &variables) {
        Err(invalid) => refused(bytes, &invalid),
        Ok(config) => read(bytes, &config),
    }
}

fn refused(bytes: &[u8], invalid: &InvalidKmsConfig) {
    assert!(invalid.missing_variables.len() + invalid.mistakes.len() > 0);
    let text = invalid.to_string();
    let is_of_the_document = String::from_utf8_lossy(bytes).contains(OF_THE_ENVIRONMENT);
    assert!(
        is_of_the_document || !text.contains(OF_THE_ENVIRONMENT),
        "{text}"
    );
    let lines = invalid.mistakes.len() + usize::from(!invalid.missing_variables.is_empty());
    assert_eq!(text.lines().count(), lines, "a line each: {text:?}");
}

fn read(bytes: &[u8], config: &KmsConfig) {
    let given: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let listed = given["providers"].as_array().map_or(0, Vec::len);
    assert_eq!(config.providers.len(), listed);
    assert!(listed > 0);
    let ids: HashSet<&str> = config.providers.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids.len(), listed, "two providers of one id");
    let default = config.default_provider.as_deref();
    assert!(default.is_none_or(|default| ids.contains(default)));
    for (provider, given) in config
        .providers
        .iter()
        .zip(given["providers"].as_array().into_iter().flatten())
    {
        let urls = match &provider.settings {
            ProviderSettings::Http(http) => match &http.auth {
                HttpAuth::OAuth2(oauth2) => vec![&http.base_url, &oauth2.token_url],
                _ => vec![&http.base_url],
            },
            ProviderSettings::Transit(transit) => vec![&transit.base_url],
            _ => Vec::new(),
        };
        for url in urls {
            let is_near = matches!(url.host_str(), Some("localhost" | "[::1]"))
                || url.host_str().is_some_and(|host| host.starts_with("127."));
            let may_be_plain = is_near || given["allowPlain"] == true;
            assert!(url.scheme() == "https" || may_be_plain, "{url}");
            assert!(url.password().is_none() && url.query().is_none(), "{url}");
        }
    }
}
