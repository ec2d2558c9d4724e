//! What a peer is wired from, and what its handlers share. The traits only: no adapter is named here.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_base::clock::SystemClock;
use auth_base::nonce_store::NonceStore;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::verify::Verifier;
use hmac_propagation::peer_store::Track;
use hmac_propagation::propagator::{Mode, Propagator};

use crate::config::{Config, Full};
use crate::events::Events;
use crate::forms::Forms;
use crate::health::{Check, Health};
use crate::mesh::{MeshParts, MeshSources, MeshView};
use crate::metrics::Metrics;
use crate::metrics::rows::{Rows, RowsCounter};
use crate::openapi::{document, page};
use crate::pages::Pages;
use crate::shutdown::Stop;
use crate::surface::Surface;
use crate::surface::administration::Administration;
use crate::surface::routes::{Prefix, ROUTES, Route};
use crate::surface::signed_call::SignedGet;

/// What a peer is wired from.
pub struct Parts {
    /// Started already.
    pub propagator: Propagator,
    /// The peer's own credentials of the http track, read by the verifier; may be a cache.
    pub verified_credentials: Arc<dyn CredentialStore>,
    /// The nonces of the http track.
    pub nonces: Arc<dyn NonceStore>,
    /// What must be there before the peer is ready.
    pub checks: Vec<Box<dyn Check>>,
    /// What only a full-mode peer has.
    pub management: Option<ManagementParts>,
}

/// What a full-mode peer is wired from besides.
pub struct ManagementParts {
    /// The peer's own credentials, by track.
    pub credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    /// The management store's inventory and state.
    pub administration: Arc<dyn Administration>,
    /// Sends signed calls.
    pub signed_get: Arc<dyn SignedGet>,
    /// What the view of the mesh is wired from; a peer that can read no store but its own may do without.
    pub mesh: Option<MeshParts>,
}

/// What the handlers of one peer share, whatever serves them.
pub struct Context {
    /// The peer's name.
    pub peer: String,
    /// Receives, and propagates in full mode.
    pub propagator: Propagator,
    /// What is missing.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Judges signed requests.
    pub verifier: Verifier,
    /// The management surface; a receive-only peer has none.
    pub surface: Option<Surface>,
    /// The pages; a peer without the dashboard has none.
    pub pages: Option<Pages>,
    no_forms: Forms,
    rows: RowsCounter,
    /// The OpenAPI document.
    pub openapi: String,
    /// The same to read.
    pub page: String,
    /// Tells whether the peer shall stop. Answers without an end must end then.
    pub stop: Stop,
}

impl Context {
    /// Builds it; the documentation is made once. `full` is the configuration of a full-mode peer.
    pub(crate) fn new(
        config: &Config,
        full: Option<&Full>,
        parts: Parts,
        pages: Option<Pages>,
        stop: Stop,
    ) -> Self {
        let peer = config.peer.as_str();
        let metrics = Arc::new(Metrics::new(peer));
        let verifier =
            crate::verifier::build(config, parts.verified_credentials, parts.nonces, &metrics);
        let health = Health::of(parts.propagator.clone(), peer, parts.checks, stop.clone());
        let surface = full.zip(parts.management).map(|(full, mut management)| {
            let mesh = management.mesh.take().map(|mesh| {
                let sources = MeshSources {
                    peer: config.peer.clone(),
                    peer_urls: full.peer_urls.clone(),
                    administration: Arc::clone(&management.administration),
                    propagator: parts.propagator.clone(),
                    health: Arc::clone(&health),
                    clock: Arc::new(SystemClock),
                    stop: stop.clone(),
                };
                MeshView::new(mesh, sources)
            });
            Surface {
                peer: config.peer.clone(),
                propagator: parts.propagator.clone(),
                administration: management.administration,
                credentials: management.credentials,
                signed_get: management.signed_get,
                peer_urls: full.peer_urls.clone(),
                secret_token: config.secret_token.clone(),
                rotation_grace: config.rotation_grace,
                mesh,
            }
        });
        let mode = if surface.is_some() {
            Mode::Full
        } else {
            Mode::ReceiveOnly
        };
        let document = document(peer, mode, pages.is_some());
        Self {
            peer: peer.to_owned(),
            propagator: parts.propagator,
            health,
            metrics,
            verifier,
            surface,
            pages,
            no_forms: Forms::none(),
            rows: RowsCounter::default(),
            page: page::render(&document),
            openapi: serde_json::json!(document).to_string(),
            stop,
        }
    }

    /// The text of `/metrics`, of this moment.
    pub async fn metrics_text(&self) -> String {
        let readiness = self.health.readiness().await;
        let rows = match &self.surface {
            Some(surface) => self.rows.count(&*surface.administration).await,
            None => Rows::None,
        };
        self.metrics.render(&self.propagator, &readiness, rows)
    }

    /// Changes as they happen, until the peer is asked to stop; `None` where nobody watches the mesh.
    pub fn events(&self) -> Option<Events> {
        let mesh = self.surface.as_ref()?.mesh.as_ref()?;
        Some(Box::pin(mesh.events()))
    }

    /// What the management surface's forms go through.
    pub fn forms(&self) -> &Forms {
        self.pages.as_ref().map_or(&self.no_forms, Pages::forms)
    }

    /// The routes of the management surface; a receive-only peer has none.
    pub fn routes(&self) -> Vec<(Prefix, &'static Route)> {
        if self.surface.is_none() {
            return Vec::new();
        }
        let both = Prefix::ALL
            .into_iter()
            .flat_map(|prefix| ROUTES.iter().map(move |route| (prefix, route)));
        both.chain(
            self.forms()
                .routes()
                .iter()
                .map(|route| (Prefix::Api, route)),
        )
        .collect()
    }
}
