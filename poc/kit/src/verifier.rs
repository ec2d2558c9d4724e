//! The verifier of a peer, as its configuration says.

use std::sync::Arc;

use auth_base::nonce_store::NonceStore;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::verify::{BadSignatureReport, Verifier};

use crate::config::Config;
use crate::metrics::Metrics;

/// Builds it: trusted proxies and rotation grace of the configuration; bad signatures are counted and logged.
pub fn build(
    config: &Config,
    credentials: Arc<dyn CredentialStore>,
    nonces: Arc<dyn NonceStore>,
    metrics: &Arc<Metrics>,
) -> Verifier {
    let metrics = Arc::clone(metrics);
    let told = move |report: &BadSignatureReport| {
        metrics.bad_signature();
        tracing::warn!(
            client_id = %report.client_id,
            method = report.method,
            path = report.path,
            address = report.client_address.map(tracing::field::display),
            "bad signature"
        );
    };
    let verifier = Verifier::new(credentials, nonces)
        .trusted_proxies(config.trusted_proxies.clone())
        .on_bad_signature(Arc::new(told));
    match config.rotation_grace {
        Some(grace) => verifier.rotation_grace(grace),
        None => verifier,
    }
}
