//! The client of the accounts service's private API.

use std::sync::Arc;
use std::time::Duration;

use accounts::private_api::{
    AuditEntries, AuditQuery, AuditRows, EndSessions, FamilyRevoked, LinkShown, LookAtLink,
    MadeLink, MakeLink, Person, RecordToken, RedeemLink, RevokeFamily, RotateToken, SessionList,
    SessionsEnded, TokenRecorded, TokenRotated, Validate, scope,
};
use auth_base::error_chain::chain;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use jwt_auth::{Signer, SubjectKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::proxy::{Mint, Speaker, Upstream, Wanted, client};

const INTERNAL_AUTH: HeaderName = HeaderName::from_static(jwt_auth::guard::INTERNAL_AUTH);

/// A call is answered within this time, connecting included.
const CALL_LIMIT: Duration = Duration::from_secs(5);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// An answer has no more bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// In whose name the service is called, and as part of which request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acting<'a> {
    pub(crate) speaker: Speaker<'a>,
    pub(crate) request_id: &'a str,
}

impl<'a> Acting<'a> {
    /// The gateway itself, about nobody in particular.
    pub(crate) fn gateway(request_id: &'a str) -> Self {
        let speaker = Speaker {
            subject: "system",
            kind: SubjectKind::System,
            name: None,
            permissions: &[],
            session: None,
        };
        Self {
            speaker,
            request_id,
        }
    }
}

/// Why a call did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccountsError {
    /// It was decided so.
    #[error("{status} {code}: {message}")]
    Refused {
        status: u16,
        /// A stable code; empty where the original has none.
        code: String,
        message: String,
        /// Which field is wrong.
        field: Option<String>,
        /// In seconds.
        retry_after: Option<u32>,
    },
    /// Nothing is known: it may have been done.
    #[error("the accounts service cannot be asked now")]
    Unavailable,
}

/// What a call came to.
pub(crate) type Answer<T> = Result<T, AccountsError>;

/// Bytes that were answered, whatever they say.
pub(crate) struct Raw {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<u32>,
    pub(crate) body: Bytes,
}

/// Calls one accounts service. Clones share its connections.
#[derive(Clone)]
pub(crate) struct AccountsClient {
    service: Arc<Upstream>,
    client: Client<HttpConnector, Body>,
    mint: Mint,
}

impl AccountsClient {
    /// Calls `service`, whose name tokens are for, with tokens of `signer`.
    pub(crate) fn new(service: Upstream, signer: Arc<dyn Signer>) -> Self {
        Self {
            service: Arc::new(service),
            client: client(CONNECT_LIMIT),
            mint: Mint::new(signer),
        }
    }

    pub(crate) async fn validate(&self, request_id: &str, asked: &Validate) -> Answer<Person> {
        let acting = Acting::gateway(request_id);
        let path = "/internal/auth/validate";
        self.post(acting, scope::VALIDATE, path, asked).await
    }

    pub(crate) async fn make_link(&self, acting: Acting<'_>, asked: &MakeLink) -> Answer<MadeLink> {
        let path = "/internal/links";
        self.post(acting, scope::LINK, path, asked).await
    }

    pub(crate) async fn look_at_link(
        &self,
        request_id: &str,
        asked: &LookAtLink,
    ) -> Answer<LinkShown> {
        let acting = Acting::gateway(request_id);
        let path = "/internal/links/look";
        self.post(acting, scope::VALIDATE, path, asked).await
    }

    pub(crate) async fn redeem_link(&self, request_id: &str, asked: &RedeemLink) -> Answer<Person> {
        let acting = Acting::gateway(request_id);
        let path = "/internal/links/redeem";
        self.post(acting, scope::VALIDATE, path, asked).await
    }

    /// Begins a family: the same one, however often it is asked for.
    pub(crate) async fn record(
        &self,
        request_id: &str,
        asked: &RecordToken,
    ) -> Answer<TokenRecorded> {
        let path = "/internal/refresh/record";
        self.refresh_twice(request_id, path, asked).await
    }

    /// Presents a token, with a successor that stays the same if the first call was heard.
    pub(crate) async fn rotate(
        &self,
        request_id: &str,
        asked: &RotateToken,
    ) -> Answer<TokenRotated> {
        let path = "/internal/refresh/rotate";
        self.refresh_twice(request_id, path, asked).await
    }

    pub(crate) async fn revoke(
        &self,
        request_id: &str,
        asked: &RevokeFamily,
    ) -> Answer<FamilyRevoked> {
        let acting = Acting::gateway(request_id);
        let path = "/internal/refresh/revoke";
        self.post(acting, scope::REFRESH, path, asked).await
    }

    pub(crate) async fn sessions(&self, acting: Acting<'_>, user_id: &str) -> Answer<SessionList> {
        let path = format!("/internal/sessions?{}", query(&[("userId", user_id)]));
        self.get(acting, scope::SESSIONS, &path).await
    }

    pub(crate) async fn end_sessions(
        &self,
        acting: Acting<'_>,
        asked: &EndSessions,
    ) -> Answer<SessionsEnded> {
        let path = "/internal/sessions/end";
        self.post(acting, scope::SESSIONS, path, asked).await
    }

    pub(crate) async fn audit(&self, acting: Acting<'_>, asked: &AuditQuery) -> Answer<AuditRows> {
        let path = format!("/internal/audit?{}", query_of(asked));
        self.get(acting, scope::AUDIT_READ, &path).await
    }

    /// Writes rows down.
    pub(crate) async fn write_audit(&self, rows: &AuditEntries) -> Answer<()> {
        let acting = Acting::gateway("audit");
        let (method, path) = (Method::POST, "/internal/audit");
        let body = json(rows)?;
        let raw = self.raw(acting, scope::AUDIT_WRITE, method, path, body);
        decided(raw.await?).map(drop)
    }

    /// Calls a route of `/v1/user`, and tells what it answers.
    pub(crate) async fn users<T: DeserializeOwned>(
        &self,
        acting: Acting<'_>,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Answer<T> {
        let body = body.map_or(Ok(Zeroizing::default()), json)?;
        let raw = self.raw(acting, scope::USERS, method, path, body);
        read(raw.await?)
    }

    /// Asks once more when nothing was answered: for what changes nothing when it is done twice.
    async fn refresh_twice<T: DeserializeOwned>(
        &self,
        request_id: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Answer<T> {
        let acting = Acting::gateway(request_id);
        match self.post(acting, scope::REFRESH, path, body).await {
            Err(AccountsError::Unavailable) => self.post(acting, scope::REFRESH, path, body).await,
            answered => answered,
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        acting: Acting<'_>,
        scope: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Answer<T> {
        let raw = self.raw(acting, scope, Method::POST, path, json(body)?);
        read(raw.await?)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        acting: Acting<'_>,
        scope: &str,
        path: &str,
    ) -> Answer<T> {
        let raw = self.raw(acting, scope, Method::GET, path, Zeroizing::default());
        read(raw.await?)
    }

    /// Calls a route, and tells what it answers, within a bound. An answer of 500 and above is none.
    pub(crate) async fn raw(
        &self,
        acting: Acting<'_>,
        scope: &str,
        method: Method,
        path: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Answer<Raw> {
        let unavailable = |why: &str| {
            // The query may name a person, and is left out.
            let route = path.split('?').next().unwrap_or_default();
            tracing::warn!(route, why, "the accounts service cannot be asked");
            AccountsError::Unavailable
        };
        let called = timeout(CALL_LIMIT, self.call(acting, scope, method, path, body)).await;
        let raw = called
            .map_err(|_| unavailable("no answer in time"))?
            .map_err(|why| unavailable(&why))?;
        if raw.status.is_server_error() || is_about_our_token(&raw) {
            return Err(unavailable(raw.status.as_str()));
        }
        Ok(raw)
    }

    async fn call(
        &self,
        acting: Acting<'_>,
        scope: &str,
        method: Method,
        path: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Raw, String> {
        let wanted = Wanted {
            audience: &self.service.name,
            scope,
            request_id: acting.request_id,
            method: method.as_str(),
            target: path,
        };
        let token = self.mint.token(&acting.speaker, &wanted).await;
        let token = token.ok_or("there is no token")?;
        let target: PathAndQuery = path.parse().map_err(|_| "the path is none".to_owned())?;
        let url: Uri = self.service.url(target).ok_or("the URL is none")?;
        let mut request = Request::new(Body::from(Bytes::from_owner(body)));
        *request.method_mut() = method;
        *request.uri_mut() = url;
        let headers = request.headers_mut();
        headers.insert(INTERNAL_AUTH, token);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| chain(&error))?;
        let (parts, body) = answer.into_parts();
        let retry_after = parts.headers.get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|it| it.to_str().ok()?.parse().ok());
        let body = to_bytes(Body::new(body), MAX_ANSWER).await;
        Ok(Raw {
            status: parts.status,
            retry_after,
            body: body.map_err(|error| chain(&error))?,
        })
    }
}

/// A body, wiped when it was sent: it may hold a password.
fn json(body: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, AccountsError> {
    let json = serde_json::to_vec(body).map(Zeroizing::new);
    json.map_err(|_| AccountsError::Unavailable)
}

fn read<T: DeserializeOwned>(raw: Raw) -> Answer<T> {
    let raw = decided(raw)?;
    serde_json::from_slice(&raw.body).map_err(|error| {
        // What could not be read may hold a link.
        tracing::warn!(
            line = error.line(),
            "the accounts service answers something else"
        );
        AccountsError::Unavailable
    })
}

/// What was done, or why it was refused.
fn decided(raw: Raw) -> Answer<Raw> {
    if raw.status.is_success() {
        return Ok(raw);
    }
    let said = Said::of(&raw);
    Err(AccountsError::Refused {
        status: raw.status.as_u16(),
        code: said.code,
        message: said.error,
        field: said.field,
        retry_after: raw.retry_after,
    })
}

/// What a refusal says.
#[derive(Default, serde::Deserialize)]
struct Said {
    #[serde(default)]
    error: String,
    #[serde(default)]
    code: String,
    field: Option<String>,
}

impl Said {
    fn of(raw: &Raw) -> Self {
        serde_json::from_slice(&raw.body).unwrap_or_default()
    }
}

/// Whether it is the gateway that is refused, and not what it asks.
fn is_about_our_token(raw: &Raw) -> bool {
    let ours = [
        "INTERNAL_AUTH_MISSING",
        "INTERNAL_AUTH_INVALID",
        "INTERNAL_AUTH_SCOPE_DENIED",
    ];
    raw.status.is_client_error() && ours.contains(&Said::of(raw).code.as_str())
}

/// The route of an account. What is no id is no account's, and reaches no other route.
pub(crate) fn user_path(id: &str) -> String {
    let is_id = accounts::AccountId::parse(id).is_ok();
    format!("/v1/user/{}", if is_id { id } else { "none" })
}

/// A query of these pairs.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs).finish()
}

/// A query of the members of a value: texts and numbers.
fn query_of(value: &impl Serialize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let members = serde_json::to_value(value).unwrap_or_default();
    for (name, value) in members.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::String(text) => query.append_pair(name, text),
            other => query.append_pair(name, &other.to_string()),
        };
    }
    query.finish()
}
