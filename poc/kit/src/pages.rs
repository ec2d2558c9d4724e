//! The pages of a peer with the dashboard, without a framework: which page a path is, what it shows, and the files it loads.
//!
//! A page shows what the HTTP surface answers: the same operations, asked in process, in one JSON value that the renderer
//! reads. So a page can show nothing that the surface would not say.

pub mod bundle;
pub mod reply;

use std::error::Error;
use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::SystemRandom;
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;
use url::form_urlencoded;

use crate::config::{Config, Role};
use crate::forms::Forms;
use crate::pages::bundle::Bundle;
use crate::pages::reply::Reply;
use crate::parts::Context;
use crate::problem::{Problem, log_failure};
use crate::surface::routes::Operation;
use crate::surface::{Input, Surface};

/// What a page may do: nothing that is not from here, no inline script, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The parameters of a page's query that it shows again.
const QUERY: [&str; 4] = ["filter", "show", "sort", "cursor"];

/// Turns the value of a page into a whole document that names a style sheet and, where there is a bundle, the module that
/// makes the page live.
pub type Render = fn(&Value, &str, Option<&str>) -> Result<String, Box<dyn Error + Send + Sync>>;

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

/// The pages' paths.
pub const PATHS: &[(&str, Page)] = &[
    ("/", Page::Matrix),
    ("/clients/{track}/{clientId}", Page::Client),
    ("/targets", Page::Targets),
    ("/health", Page::Health),
];

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
    render: Render,
    bundle: Bundle,
    forms: Forms,
    clock: Arc<dyn Clock>,
}

impl Pages {
    /// Pages drawn by `render`. They load the bundle that the configuration names, or that a build of this workspace wrote;
    /// where there is none, `style` alone.
    pub fn new(config: &Config, render: Render, style: &'static str) -> Self {
        let given = match &config.role {
            Role::Full(full) => full.dashboard_dir.clone(),
            Role::ReceiveOnly { .. } => None,
        };
        let folder = given.or_else(Bundle::beside_the_program);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self {
            render,
            bundle: Bundle::new(folder, style),
            forms: Forms::new(Arc::clone(&clock), Arc::new(SystemRandom)),
            clock,
        }
    }

    /// What the pages' forms go through.
    pub fn forms(&self) -> &Forms {
        &self.forms
    }

    /// Answers a visit.
    pub async fn answer(&self, context: &Context, page: Page, visit: &Visit) -> Reply {
        let assets = self.bundle.assets();
        let (status, data) = self
            .data(context, page, visit, assets.start.is_some())
            .await;
        match (self.render)(&data, &assets.style, assets.start.as_deref()) {
            Ok(document) => Reply::page(status, document, CONTENT_SECURITY_POLICY),
            Err(error) => {
                log_failure("a page cannot be drawn", &*error);
                Reply::problem(&Problem::internal())
            }
        }
    }

    /// Collects what a page shows, and its HTTP status.
    async fn data(&self, context: &Context, page: Page, visit: &Visit, live: bool) -> (u16, Value) {
        let mut data = Map::new();
        let Some(surface) = &context.surface else {
            return (404, Value::Null);
        };
        let (status, page) = content(surface, page, visit, &mut data).await;
        if let Some(outcome) = self.forms.outcome(visit.query.as_deref()) {
            data.insert("outcome".to_owned(), json!(outcome));
        }
        let query: Map<String, Value> = chosen(visit.query.as_deref())
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect();
        let urls: Vec<&str> = surface
            .peer_urls
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        data.insert("page".to_owned(), json!(page.as_str()));
        data.insert("peer".to_owned(), json!(context.peer));
        data.insert("at".to_owned(), json!(self.clock.now_ms()));
        data.insert("live".to_owned(), json!(live));
        data.insert("query".to_owned(), Value::Object(query));
        data.insert("peerUrls".to_owned(), json!(urls));
        (status, Value::Object(data))
    }
}

/// Answers for one of the files that pages load.
pub async fn file(context: Arc<Context>, name: String, accept_encoding: Option<String>) -> Reply {
    let read = move || match &context.pages {
        Some(pages) => pages.bundle.file(&name, accept_encoding.as_deref()),
        None => Reply::problem(&Problem::no_route()),
    };
    spawn_blocking(read)
        .await
        .unwrap_or_else(|_| Reply::problem(&Problem::internal()))
}

/// Asks the surface for what the page shows. What cannot be had is left out, and `problem` says why.
async fn content(
    surface: &Surface,
    page: Page,
    visit: &Visit,
    data: &mut Map<String, Value>,
) -> (u16, Page) {
    let mut status = 200;
    let asked = match (page, &visit.client) {
        (Page::Matrix, _) => ("mesh", Operation::Mesh, chosen(visit.query.as_deref())),
        (Page::Targets, _) => ("mesh", Operation::Mesh, vec![("limit", "1".to_owned())]),
        (Page::Health, _) => ("health", Operation::MeshHealth, Vec::new()),
        (Page::Client, Some(client)) => ("timeline", Operation::Timeline, history(client, visit)),
        (Page::Client, None) | (Page::NotFound, _) => return (404, Page::NotFound),
    };
    let (name, operation, parameters) = asked;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let query = Some(query.as_str()).filter(|query| !query.is_empty());
    match surface
        .answer(
            operation,
            Input {
                query,
                ..Input::default()
            },
        )
        .await
    {
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
        match surface.administration.state(None, 1).await {
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
