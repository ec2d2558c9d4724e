//! What each page shows.

use std::path::PathBuf;
use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::SystemRandom;
use mesh_api::decode;
use mesh_api::problem::Problem;
use mesh_management::Management;
use mesh_management::error::{RequestError, log_failure};
use mesh_management::form::Forms;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use crate::bundle::Bundle;
use crate::reply::Reply;

/// What a page may do: nothing that is not from here, no inline script, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The parameters of a page's query that it shows again.
const QUERY: [&str; 4] = ["filter", "show", "sort", "cursor"];

/// One page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The matrix, and the forms that drive it.
    Matrix,
    /// One client.
    Client,
    /// The inventory.
    Targets,
    /// The health of the mesh.
    Health,
    /// There is no such page.
    NotFound,
}

impl Page {
    fn as_str(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Client => "client",
            Self::Targets => "targets",
            Self::Health => "health",
            Self::NotFound => "notFound",
        }
    }
}

/// What a request for a page brings.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// The client's page: its track and client id, percent-decoded.
    pub client: Option<(String, String)>,
    /// The query, without the question mark.
    pub query: Option<String>,
}

/// The pages of one peer.
pub struct Pages {
    peer: String,
    management: Arc<Management>,
    bundle: Arc<Bundle>,
    forms: Arc<Forms>,
    clock: Arc<dyn Clock>,
}

impl Pages {
    /// The pages of the peer named `peer`. They load the bundle in `folder`, or the one that a build of this workspace wrote; where
    /// there is none, the style alone.
    pub fn new(peer: &str, management: Arc<Management>, folder: Option<PathBuf>) -> Self {
        let folder = folder.or_else(Bundle::beside_the_program);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self {
            peer: peer.to_owned(),
            management,
            bundle: Arc::new(Bundle::new(folder, dashboard::STYLE)),
            forms: Arc::new(Forms::new(Arc::clone(&clock), Arc::new(SystemRandom))),
            clock,
        }
    }

    /// What the pages' forms go through.
    pub fn forms(&self) -> Arc<Forms> {
        Arc::clone(&self.forms)
    }

    /// Answers a visit.
    pub async fn answer(&self, page: Page, visit: Visit) -> Reply {
        let assets = self.bundle.assets();
        let (status, data) = self.data(page, &visit, assets.start.is_some()).await;
        match dashboard::render_json(&data, &assets.style, assets.start.as_deref()) {
            Ok(document) => Reply::page(status, document, CONTENT_SECURITY_POLICY),
            Err(error) => {
                log_failure("a page cannot be drawn", &*error);
                Reply::problem(&Problem::internal())
            }
        }
    }

    /// Answers for one of the files that pages load, in an encoding that `accept_encoding` allows.
    pub async fn file(&self, name: String, accept_encoding: Option<String>) -> Reply {
        let bundle = Arc::clone(&self.bundle);
        spawn_blocking(move || bundle.file(&name, accept_encoding.as_deref()))
            .await
            .unwrap_or_else(|_| Reply::problem(&Problem::internal()))
    }

    /// Collects what a page shows, and its HTTP status.
    async fn data(&self, page: Page, visit: &Visit, live: bool) -> (u16, Value) {
        let mut data = Map::new();
        let (status, page) = self.content(page, visit, &mut data).await;
        if let Some(outcome) = self.forms.outcome(visit.query.as_deref()) {
            data.insert("outcome".to_owned(), json!(outcome));
        }
        let query: Map<String, Value> = chosen(visit.query.as_deref())
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect();
        let callable = self.management.callable_peers();
        let urls: Vec<&str> = callable.map(|name| name.as_str()).collect();
        data.insert("page".to_owned(), json!(page.as_str()));
        data.insert("peer".to_owned(), json!(self.peer));
        data.insert("at".to_owned(), json!(self.clock.now_ms()));
        data.insert("live".to_owned(), json!(live));
        data.insert("query".to_owned(), Value::Object(query));
        data.insert("peerUrls".to_owned(), json!(urls));
        (status, Value::Object(data))
    }

    /// Asks for what the page shows. What cannot be had is left out, and `problem` says why.
    async fn content(
        &self,
        page: Page,
        visit: &Visit,
        data: &mut Map<String, Value>,
    ) -> (u16, Page) {
        let mut status = 200;
        let query = visit.query.as_deref();
        let (name, asked) = match (page, &visit.client) {
            (Page::Matrix, _) => ("mesh", self.mesh(chosen(query)).await),
            (Page::Targets, _) => ("mesh", self.mesh(vec![("limit", "1".to_owned())]).await),
            (Page::Health, _) => ("health", value(self.management.mesh_health().await)),
            (Page::Client, Some(client)) => ("timeline", self.timeline(client, visit).await),
            (Page::Client, None) | (Page::NotFound, _) => return (404, Page::NotFound),
        };
        match asked {
            Ok(value) => {
                if value["known"] == false {
                    status = 404;
                }
                data.insert(name.to_owned(), value);
            }
            // A path that names no client.
            Err(problem) if page == Page::Client && problem.status == 400 => {
                return (404, Page::NotFound);
            }
            Err(problem) => {
                status = problem.status;
                data.insert("problem".to_owned(), json!(problem));
            }
        }
        if page != Page::Health {
            match self.management.administration().state(None, 1).await {
                Ok(state) => {
                    data.insert("targets".to_owned(), json!(state.targets));
                }
                Err(error) => {
                    let problem = Problem::from(error);
                    status = problem.status;
                    data.insert("problem".to_owned(), json!(problem));
                }
            }
        }
        (status, page)
    }

    async fn mesh(&self, parameters: Vec<(&'static str, String)>) -> Result<Value, Problem> {
        value(self.management.mesh_page(decoded(parameters)?).await)
    }

    async fn timeline(&self, client: &(String, String), visit: &Visit) -> Result<Value, Problem> {
        value(
            self.management
                .timeline(decoded(history(client, visit))?)
                .await,
        )
    }
}

fn decoded<Q: DeserializeOwned>(parameters: Vec<(&'static str, String)>) -> Result<Q, Problem> {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    decode::query(Some(query.as_str()).filter(|query| !query.is_empty()))
}

fn value(answer: Result<impl Serialize, RequestError>) -> Result<Value, Problem> {
    Ok(json!(answer?))
}

/// What a client's page asks for; its `cursor` is where the older entries begin.
fn history((track, client_id): &(String, String), visit: &Visit) -> Vec<(&'static str, String)> {
    let mut parameters = vec![("clientId", client_id.clone()), ("track", track.clone())];
    let cursor = chosen(visit.query.as_deref())
        .into_iter()
        .find(|(name, _)| *name == "cursor");
    parameters.extend(cursor.map(|(_, id)| ("before", id)));
    parameters
}

/// The parameters that a page reads, the first of each name.
fn chosen(query: Option<&str>) -> Vec<(&'static str, String)> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    QUERY
        .into_iter()
        .filter_map(|name| {
            let (_, value) = pairs.iter().find(|(known, _)| known == name)?;
            (!value.is_empty()).then(|| (name, value.clone()))
        })
        .collect()
}
