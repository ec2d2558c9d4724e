//! What the kit takes, made of what a peer stands on.

use std::sync::Arc;

use hmac_propagation::propagator::Propagator;
use kit::mesh::MeshParts;
use kit::mesh::stores::PeerStoreView;
use kit::parts::{ManagementParts, Parts};
use peer_kit::config::Config;
use peer_kit::health::Check;
use peer_kit::process::Failure;
use peer_kit::shutdown::Stop;

use crate::backends::Backends;
use crate::signed_get::HttpSignedGet;
use crate::sql::{self, SqlAdministration, SqlCheck};

/// Wires a full-mode peer, and starts it.
///
/// # Errors
/// When the configuration can never work.
pub fn full(config: &Config, backends: Backends, stop: &Stop) -> Result<Parts, Failure> {
    let signed_get = Arc::new(HttpSignedGet::new()?);
    let full = config.full()?;
    let management = sql::connect(config, stop)?;
    let propagator = Propagator::builder(
        config.peer.clone(),
        config.propagation_secret.clone(),
        backends.broker,
        backends.store,
    )
    .secret_token(config.secret_token.clone())
    .settings(config.settings())
    .management(Arc::new(management.clone()))
    .unsigned_ack_targets(full.unsigned_ack_targets.clone())
    .views(backends.views.iter().map(PeerStoreView::for_drift))
    .start();
    let own = backends.views.iter().find(|view| view.name == config.peer);
    let credentials = own.map(|view| view.credentials.clone()).unwrap_or_default();
    let mut checks = backends.checks;
    checks.push(Box::new(SqlCheck {
        store: management.clone(),
        own: config.peer.clone(),
    }) as Box<dyn Check>);
    Ok(Parts {
        propagator,
        verified_credentials: backends.credentials,
        nonces: backends.nonces,
        checks,
        management: Some(ManagementParts {
            credentials,
            administration: Arc::new(SqlAdministration(management)),
            mesh: Some(MeshParts {
                stores: backends.views,
                probe: signed_get.clone(),
                control: backends.control,
            }),
            signed_get,
        }),
    })
}

/// Wires a receive-only peer, and starts it.
///
/// # Errors
/// When the configuration can never work.
pub fn receive_only(config: &Config, backends: Backends) -> Result<Parts, Failure> {
    let propagator = Propagator::builder(
        config.peer.clone(),
        config.propagation_secret.clone(),
        backends.broker,
        backends.store,
    )
    .secret_token(config.secret_token.clone())
    .settings(config.settings())
    .sources(config.sources()?.to_vec())
    .start();
    Ok(Parts {
        propagator,
        verified_credentials: backends.credentials,
        nonces: backends.nonces,
        checks: backends.checks,
        management: None,
    })
}
