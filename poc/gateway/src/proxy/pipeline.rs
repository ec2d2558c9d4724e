//! The order in which a request is judged, and handed on.

use std::future::pending;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, REFERER, STRICT_TRANSPORT_SECURITY,
    WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::upgrade::{self, OnUpgrade};
use jwt_auth::guard::INTERNAL_CHALLENGE;
use mesh_management::guard;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::page::accepts_html;
use crate::proxy::arrival::{Arrival, OwnRoutes};
use crate::proxy::change::{Asked, Change, ChangeLog};
use crate::proxy::flood::Flood;
use crate::proxy::forward::{Forwarder, Limits};
use crate::proxy::head::{Edge, Head};
use crate::proxy::mint::{Mint, Wanted};
use crate::proxy::refusal::Refusal;
use crate::proxy::relay::Relay;
use crate::proxy::routing::{Upstream, Upstreams};
use crate::proxy::who::{self, Caller, Profile, Who};
use crate::proxy::{cookies, hop_by_hop, permission, tunnel};

const INTERNAL_AUTH: HeaderName = HeaderName::from_static(jwt_auth::guard::INTERNAL_AUTH);
/// A year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const DPOP: HeaderName = HeaderName::from_static("dpop");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What all listeners share.
pub(super) struct Shared {
    pub(super) edge: Edge,
    pub(super) flood: Flood,
    pub(super) upstreams: Upstreams,
    pub(super) who: Arc<dyn Who>,
    /// What the gateway answers itself.
    pub(super) own: Option<OwnRoutes>,
    /// Where changes are written down.
    pub(super) changes: Option<Arc<dyn ChangeLog>>,
    /// Whether pages come over TLS.
    pub(super) is_secure: bool,
    pub(super) metrics: Arc<Metrics>,
    pub(super) mint: Mint,
    pub(super) forwarder: Forwarder,
    pub(super) limits: Limits,
    /// The WebSockets that are open.
    pub(super) tunnels: TaskTracker,
    /// Cancelled when the gateway stops.
    pub(super) stop: CancellationToken,
}

impl Shared {
    /// A change that is about to be handed on, to be written down.
    fn written(&self, journey: &Journey<'_>, method: &Method) -> Option<Change> {
        let log = self.changes.as_ref()?;
        let asked = Asked {
            caller: &journey.caller,
            method,
            path: journey.target.path(),
            peer: &journey.upstream.name,
            request_id: journey.request_id,
            address: journey.head.address,
        };
        let changes = !guard::is_safe(method.as_str());
        changes.then(|| Change::new(Arc::clone(log), &asked))
    }
}

/// One listener.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) shared: Arc<Shared>,
    /// The peer whose pages it shows.
    pub(super) dashboard: Arc<Upstream>,
}

/// A request of which all is known.
struct Journey<'a> {
    request_id: &'a str,
    head: Head,
    upstream: Arc<Upstream>,
    /// Path and query, as the peer gets them.
    target: PathAndQuery,
    caller: Caller,
    /// The caller's side of a WebSocket.
    upgrade: OnUpgrade,
}

/// Answers every request of a listener.
pub(super) async fn handle(
    State(entry): State<Entry>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let request_id = entry.shared.mint.request_id();
    let method = request.method().clone();
    let opens_page =
        entry.shared.own.is_some() && method == Method::GET && accepts_html(request.headers());
    let passing = entry.pass(address.ip(), request, &request_id).await;
    let mut response = passing.unwrap_or_else(|refusal| {
        let (status, code) = (refusal.problem.status, &*refusal.problem.error);
        tracing::debug!(request_id, %method, status, code, "refused by the gateway");
        match opens_page && status >= 400 {
            true => refusal.into_page(),
            false => refusal.into_response(),
        }
    });
    entry.shared.metrics.answered(response.status().as_u16());
    let headers = response.headers_mut();
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    if entry.shared.is_secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

impl Entry {
    async fn pass(
        &self,
        connection: IpAddr,
        mut request: Request,
        request_id: &str,
    ) -> Result<Response, Refusal> {
        let shared = &self.shared;
        let upgrade = upgrade::on(&mut request);
        let (mut parts, body) = request.into_parts();
        let head = shared.edge.admit(&mut parts, connection)?;
        shared.flood.check(head.address)?;
        if let Some(own) = shared.own.as_ref()
            && (own.covers)(head.target.path())
        {
            let arrival = Arrival::new(&head, request_id);
            let request = Request::from_parts(parts, body);
            return Ok(own.answer(arrival, request).await);
        }
        let (upstream, target) = shared.upstreams.find(&self.dashboard, &head.target)?;
        if head.is_page && upstream.name != self.dashboard.name {
            // A page is a peer's own: it is the operator at that peer, and at no other.
            return Err(Refusal::another_peer());
        }
        let identifying = self.identify(&parts, &head, &upstream.name, request_id);
        let mut caller = identifying.await?;
        // Cookies that were renewed are not lost with a refusal.
        let answer = mem::take(&mut caller.answer);
        let journey = Journey {
            request_id,
            head,
            upstream,
            target,
            caller,
            upgrade,
        };
        let written = shared.written(&journey, &parts.method);
        let handed_on = self.hand_on(journey, parts, body).await;
        if let Some(change) = written {
            change.ended(&handed_on);
        }
        match handed_on {
            Ok(mut response) => {
                if !answer.is_empty() {
                    // No cache keeps whose cookies these are.
                    let no_store = HeaderValue::from_static("no-store");
                    response.headers_mut().insert(CACHE_CONTROL, no_store);
                }
                response.headers_mut().extend(answer);
                Ok(response)
            }
            Err(mut refusal) => {
                refusal.headers.extend(answer);
                Err(refusal)
            }
        }
    }

    async fn hand_on(
        &self,
        journey: Journey<'_>,
        mut parts: Parts,
        body: Body,
    ) -> Result<Response, Refusal> {
        let (shared, head, caller) = (&self.shared, &journey.head, &journey.caller);
        let (upstream, target) = (&journey.upstream, &journey.target);
        authorize(caller, head, &parts.method, target.path()).map_err(|refusal| {
            // Where people sign in, a machine's is taken by nobody yet: this is a client of the original.
            let is_native = shared.own.is_some() && parts.headers.contains_key(AUTHORIZATION);
            match is_native && refusal.problem.status == 403 {
                true => refusal.in_the_originals_words("Access denied: insufficient permissions"),
                false => refusal,
            }
        })?;
        let wanted = Wanted {
            audience: &upstream.name,
            scope: "",
            request_id: journey.request_id,
            method: parts.method.as_str(),
            target: target.as_str(),
        };
        let token = shared.mint.token(&caller.speaker(), &wanted).await;
        let token = token.ok_or_else(Refusal::auth_unavailable)?;
        prepare(&mut parts, head, shared.is_secure);
        parts.headers.insert(INTERNAL_AUTH, token);
        if let Ok(request_id) = HeaderValue::try_from(journey.request_id) {
            parts.headers.insert(REQUEST_ID, request_id);
        }
        let url = upstream.url(target.clone());
        parts.uri = url.ok_or_else(|| Refusal::malformed("the target is no path"))?;
        let request = Request::from_parts(parts, body);
        let response = tokio::select! {
            response = shared.forwarder.send(&upstream.name, request) => response?,
            // What was asked may have been done; nobody may read of it.
            () = ended(caller) => return Err(Refusal::session_over()),
        };
        self.answer(response, journey)
    }

    /// Asks who calls, within a bound.
    async fn identify(
        &self,
        parts: &Parts,
        head: &Head,
        peer: &str,
        request_id: &str,
    ) -> Result<Caller, Refusal> {
        let request = who::Request {
            method: &parts.method,
            target: head.target.as_str(),
            headers: &parts.headers,
            address: head.address,
            request_id,
            audience: peer,
            is_forwarded: head.is_forwarded,
        };
        let identifying = self.shared.who.identify(request);
        let identified = timeout(self.shared.limits.who, identifying).await;
        identified.unwrap_or_else(|_| {
            tracing::error!("who calls is not known in time");
            Err(Refusal::auth_unavailable())
        })
    }

    /// Takes out of an answer what is not for its caller, and hands it on as it comes.
    fn answer(
        &self,
        mut response: axum::http::Response<Incoming>,
        journey: Journey<'_>,
    ) -> Result<Response, Refusal> {
        let agreed = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let peer = agreed.then(|| upgrade::on(&mut response));
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::UNAUTHORIZED && wants_ours(&parts.headers) {
            let peer = &journey.upstream.name;
            tracing::error!(
                peer,
                "a peer does not take the gateway's token: its log says why"
            );
            return Err(Refusal::not_believed(peer));
        }
        let is_websocket = hop_by_hop::strip(&mut parts.headers);
        parts.headers.remove(INTERNAL_AUTH);
        cookies::keep_others(&mut parts.headers);
        let is_stream = parts.headers.get(CONTENT_TYPE).is_some_and(is_events);
        parts.version = Version::HTTP_11;
        let shared = &self.shared;
        let ended = ended(&journey.caller);
        let stop = shared.stop.clone();
        let body = match peer {
            Some(peer) if is_websocket && journey.head.is_websocket => {
                hop_by_hop::websocket(&mut parts.headers);
                let over = async move { either(ended, stop.cancelled()).await };
                let idle = shared.limits.idle_tunnel;
                shared
                    .tunnels
                    .spawn(tunnel::join(journey.upgrade, peer, idle, over));
                Body::empty()
            }
            // It agrees to what nobody asked for.
            Some(_) => return Err(Refusal::upstream_failed(&journey.upstream.name)),
            None => {
                let over = async move {
                    match is_stream {
                        true => either(ended, stop.cancelled()).await,
                        false => ended.await,
                    }
                };
                Body::new(Relay::new(body, is_stream, shared.limits.idle, over))
            }
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// When nothing of a caller may go on.
fn ended(caller: &Caller) -> impl Future<Output = ()> + Send + 'static {
    let (ended, until_ms) = (caller.ended.clone(), caller.until_ms);
    let left = until_ms.map(|until| until.saturating_sub(SystemClock.now_ms()).max(0));
    async move {
        let over = async {
            match left {
                Some(left) => sleep(Duration::from_millis(left.unsigned_abs())).await,
                None => pending().await,
            }
        };
        either(ended.cancelled(), over).await;
    }
}

async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

/// Whether the caller may: a page of another site may not, and nobody may without the permission.
fn authorize(caller: &Caller, head: &Head, method: &Method, path: &str) -> Result<(), Refusal> {
    // A script opens a WebSocket to any site, with cookies, and reads it.
    let changes = !guard::is_safe(method.as_str()) || head.is_websocket;
    if changes && caller.profile == Profile::Browser {
        head.site.clone()?;
    }
    match permission::needed(method, path) {
        Some(needed) if !caller.permissions.contains(&needed) => Err(Refusal::forbidden(needed)),
        _ => Ok(()),
    }
}

/// Takes out of a request what no peer may see, and says where it came from.
fn prepare(parts: &mut Parts, head: &Head, is_secure: bool) {
    parts.version = Version::HTTP_11;
    let headers = &mut parts.headers;
    headers.remove(AUTHORIZATION);
    headers.remove(DPOP);
    cookies::hide(headers);
    // The address of a one-time link's page is a secret.
    let of_ours = |it: &HeaderValue| it.to_str().is_ok_and(|it| it.contains("/login"));
    if headers.get(REFERER).is_some_and(of_ours) {
        headers.remove(REFERER);
    }
    let address = HeaderValue::try_from(head.address.to_string()).ok();
    let host = headers.get(HOST).cloned();
    let scheme = match is_secure {
        true => "https",
        false => "http",
    };
    let forwarded = [
        (FORWARDED_FOR, address),
        (FORWARDED_HOST, host),
        (FORWARDED_PROTO, Some(HeaderValue::from_static(scheme))),
    ];
    for (name, value) in forwarded {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    if head.is_websocket {
        hop_by_hop::websocket(headers);
    }
}

/// Whether a refusal is one of the token that we add, and not of what the caller has sent.
fn wants_ours(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    let mut texts = challenges.filter_map(|it| it.to_str().ok());
    texts.any(|text| text.starts_with(INTERNAL_CHALLENGE))
}

fn is_events(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/event-stream")
}
