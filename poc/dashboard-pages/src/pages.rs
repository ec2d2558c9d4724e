//! What each page shows.

use std::path::PathBuf;
use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::SystemRandom;
use dashboard::page::{self, PageData, Query};
use hmac_propagation::queue::PeerName;
use mesh_api::decode;
use mesh_api::problem::Problem;
use mesh_management::Management;
use mesh_management::admission::Caller;
use mesh_management::form::Forms;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

pub use dashboard::page::Page;

use crate::bundle::Bundle;
use crate::reply::Reply;

/// What a page may do: nothing that is not from here, no inline script, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a request for a page brings.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// The client's page: its track and client id, percent-decoded.
    pub client: Option<(String, String)>,
    /// The query, without the question mark.
    pub query: Option<String>,
    /// Who was let in; absent where nobody is asked.
    pub caller: Option<Caller>,
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
        let query = chosen(visit.query.as_deref());
        let mut data = PageData {
            page,
            peer: self.peer.clone(),
            at: self.clock.now_ms(),
            live: assets.start.is_some(),
            caller: visit.caller.as_ref().map(shown),
            outcome: self.forms.outcome(visit.query.as_deref()),
            peer_urls: self
                .management
                .callable_peers()
                .map(PeerName::to_string)
                .collect(),
            query,
            ..PageData::default()
        };
        let status = self.collect(&mut data, visit.client).await;
        let document = dashboard::render(&data, &assets);
        Reply::page(status, document, CONTENT_SECURITY_POLICY)
    }

    /// Answers for one of the files that pages load, in an encoding that `accept_encoding` allows.
    pub async fn file(&self, name: String, accept_encoding: Option<String>) -> Reply {
        let bundle = Arc::clone(&self.bundle);
        spawn_blocking(move || bundle.file(&name, accept_encoding.as_deref()))
            .await
            .unwrap_or_else(|_| Reply::problem(&Problem::internal()))
    }

    /// Asks for what the page shows, and tells its HTTP status. What cannot be had is left out, and `problem` says why.
    async fn collect(&self, data: &mut PageData, client: Option<(String, String)>) -> u16 {
        let asked = match (data.page, client) {
            (Page::Matrix, _) => self.matrix(data).await,
            (Page::Targets, _) => self.columns(data).await,
            (Page::Health, _) => self.health(data).await,
            (Page::Client, Some(client)) => match self.timeline(data, client).await {
                // A path that names no client.
                Err(problem) if problem.status == 400 => {
                    data.page = Page::NotFound;
                    return 404;
                }
                asked => asked,
            },
            (Page::Client, None) | (Page::NotFound, _) => {
                data.page = Page::NotFound;
                return 404;
            }
        };
        let mut status = asked.unwrap_or_else(|problem| refused(data, problem));
        if data.page != Page::Health {
            match self.management.administration().state(None, 1).await {
                Ok(state) => data.targets = Some(state.targets),
                Err(error) => status = refused(data, error.into()),
            }
        }
        status
    }

    async fn matrix(&self, data: &mut PageData) -> Result<u16, Problem> {
        let Query {
            filter,
            show,
            sort,
            cursor,
        } = &data.query;
        let parameters = [
            ("filter", filter),
            ("show", show),
            ("sort", sort),
            ("cursor", cursor),
        ];
        let query = decoded(parameters.map(|(name, value)| (name, value.as_deref())))?;
        data.mesh = Some(self.management.mesh_page(query).await?);
        Ok(200)
    }

    /// The page of the targets shows the matrix' names only.
    async fn columns(&self, data: &mut PageData) -> Result<u16, Problem> {
        let query = decoded([("limit", Some("1"))])?;
        data.mesh = Some(self.management.mesh_page(query).await?);
        Ok(200)
    }

    async fn health(&self, data: &mut PageData) -> Result<u16, Problem> {
        data.health = Some(self.management.mesh_health().await?);
        Ok(200)
    }

    /// The `cursor` of a client's page is where the older entries begin.
    async fn timeline(
        &self,
        data: &mut PageData,
        (track, client_id): (String, String),
    ) -> Result<u16, Problem> {
        let query = decoded([
            ("clientId", Some(client_id.as_str())),
            ("track", Some(track.as_str())),
            ("before", data.query.cursor.as_deref()),
        ])?;
        let timeline = self.management.timeline(query).await?;
        let status = if timeline.known { 200 } else { 404 };
        data.timeline = Some(timeline);
        Ok(status)
    }
}

/// What a page shows of who was let in: nothing that could let anybody in.
fn shown(caller: &Caller) -> page::Caller {
    page::Caller {
        name: caller.actor().to_owned(),
        permissions: caller.permissions.clone(),
        has_session: caller.session.is_some(),
    }
}

fn refused(data: &mut PageData, problem: Problem) -> u16 {
    let status = problem.status;
    data.problem = Some(problem);
    status
}

/// Reads parameters as the HTTP surface reads them, mistakes included.
fn decoded<'a, Q: DeserializeOwned>(
    parameters: impl IntoIterator<Item = (&'static str, Option<&'a str>)>,
) -> Result<Q, Problem> {
    let given = parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given)
        .finish();
    decode::query(Some(query.as_str()).filter(|query| !query.is_empty()))
}

/// The parameters that a page reads and shows again, the first of each name.
fn chosen(query: Option<&str>) -> Query {
    let mut chosen = Query::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let place = match &*name {
            "filter" => &mut chosen.filter,
            "show" => &mut chosen.show,
            "sort" => &mut chosen.sort,
            "cursor" => &mut chosen.cursor,
            _ => continue,
        };
        place.get_or_insert(value.into_owned());
    }
    for place in [
        &mut chosen.filter,
        &mut chosen.show,
        &mut chosen.sort,
        &mut chosen.cursor,
    ] {
        place.take_if(|value| value.is_empty());
    }
    chosen
}
