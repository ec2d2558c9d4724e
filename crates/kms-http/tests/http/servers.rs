//! Servers in this process, and clients as `kms.json` configures them.

use std::sync::Arc;

use auth_base::clock::Clock;
use axum::Router;
use kms::config::{KmsConfig, ProviderSettings};
use kms::{CheckedKeyManagement, KeyManagement};
use kms_http::{HttpKms, TransitKms};
use serde_json::{Value, json};

/// Serves, and tells the address.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A provider as it is configured, checked as it is used.
pub(crate) fn provider(provider: &Value) -> CheckedKeyManagement {
    let provider: Arc<dyn KeyManagement> = match settings(provider) {
        ProviderSettings::Http(http) => Arc::new(HttpKms::new("remote", http).unwrap()),
        ProviderSettings::Transit(transit) => Arc::new(TransitKms::new("remote", transit).unwrap()),
        other => panic!("no provider over HTTP: {other:?}"),
    };
    CheckedKeyManagement::new(provider)
}

/// A Transit engine as it is configured, without the checks around it.
pub(crate) fn raw_transit(provider: &Value) -> TransitKms {
    match settings(provider) {
        ProviderSettings::Transit(transit) => TransitKms::new("remote", transit).unwrap(),
        other => panic!("another provider: {other:?}"),
    }
}

/// A client of the HTTP contract, whose tokens have the age that `clock` says.
pub(crate) fn http_by(base_url: &str, auth: &Value, clock: Arc<dyn Clock>) -> CheckedKeyManagement {
    let provider = json!({ "id": "remote", "type": "http", "baseUrl": base_url, "auth": auth });
    match settings(&provider) {
        ProviderSettings::Http(http) => {
            let kms = HttpKms::new("remote", http).unwrap().clock(clock);
            CheckedKeyManagement::new(Arc::new(kms))
        }
        other => panic!("another provider: {other:?}"),
    }
}

/// A provider as it is configured, without the checks around it.
pub(crate) fn raw_http(base_url: &str) -> HttpKms {
    let auth = json!({ "type": "none" });
    match settings(&json!({ "id": "remote", "type": "http", "baseUrl": base_url, "auth": auth })) {
        ProviderSettings::Http(http) => HttpKms::new("remote", http).unwrap(),
        other => panic!("another provider: {other:?}"),
    }
}

fn settings(provider: &Value) -> ProviderSettings {
    let document = json!({ "providers": [provider] }).to_string();
    let config = KmsConfig::parse(document.as_bytes(), &|_| None).unwrap();
    config.providers.into_iter().next().unwrap().settings
}

/// A client of the HTTP contract.
pub(crate) fn http(base_url: &str, auth: &Value) -> CheckedKeyManagement {
    provider(
        &json!({ "id": "remote", "type": "http", "baseUrl": base_url, "auth": auth, "canImport": true }),
    )
}

/// An error with everything below it.
pub(crate) fn chain(error: &kms::KmsError) -> String {
    auth_base::chain(error)
}
