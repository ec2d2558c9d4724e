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
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jwt_auth::{InternalGrant, InternalTokenIssuer, Scopes, Signer, SubjectKind};
use mesh_api::permission::Permission;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::proxy::Upstream;

const INTERNAL_AUTH: HeaderName = HeaderName::from_static(jwt_auth::guard::INTERNAL_AUTH);

/// A call is answered within this time, connecting included.
const CALL_LIMIT: Duration = Duration::from_secs(5);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// An answer has no more bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// In whose name the service is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acting<'a> {
    /// The account's id, or `system`.
    pub(crate) subject: &'a str,
    pub(crate) kind: SubjectKind,
    /// What people call the caller.
    pub(crate) name: Option<&'a str>,
    pub(crate) permissions: &'a [Permission],
    /// The name of the request that this is part of.
    pub(crate) request_id: &'a str,
}

impl<'a> Acting<'a> {
    /// The gateway itself, about nobody in particular.
    pub(crate) fn gateway(request_id: &'a str) -> Self {
        Self {
            subject: "system",
            kind: SubjectKind::System,
            name: None,
            permissions: &[],
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
    issuer: InternalTokenIssuer,
}

impl AccountsClient {
    /// Calls `service`, whose name tokens are for, with tokens of `signer`.
    pub(crate) fn new(service: Upstream, signer: Arc<dyn Signer>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Self {
            service: Arc::new(service),
            client,
            issuer: InternalTokenIssuer::new(signer),
        }
    }

    pub(crate) async fn validate(
        &self,
        request_id: &str,
        asked: &Validate,
    ) -> Result<Person, AccountsError> {
        let acting = Acting::gateway(request_id);
        self.post(acting, scope::VALIDATE, "/internal/auth/validate", asked)
            .await
    }

    pub(crate) async fn make_link(
        &self,
        acting: Acting<'_>,
        asked: &MakeLink,
    ) -> Result<MadeLink, AccountsError> {
        self.post(acting, scope::LINK, "/internal/links", asked)
            .await
    }

    pub(crate) async fn look_at_link(
        &self,
        request_id: &str,
        asked: &LookAtLink,
    ) -> Result<LinkShown, AccountsError> {
        let acting = Acting::gateway(request_id);
        self.post(acting, scope::VALIDATE, "/internal/links/look", asked)
            .await
    }

    pub(crate) async fn redeem_link(
        &self,
        request_id: &str,
        asked: &RedeemLink,
    ) -> Result<Person, AccountsError> {
        let acting = Acting::gateway(request_id);
        self.post(acting, scope::VALIDATE, "/internal/links/redeem", asked)
            .await
    }

    /// Begins a family. Whoever gets no answer may ask again: it is the same family then.
    pub(crate) async fn record(
        &self,
        request_id: &str,
        asked: &RecordToken,
    ) -> Result<TokenRecorded, AccountsError> {
        let acting = Acting::gateway(request_id);
        let path = "/internal/refresh/record";
        match self.post(acting, scope::REFRESH, path, asked).await {
            Err(AccountsError::Unavailable) => self.post(acting, scope::REFRESH, path, asked).await,
            answered => answered,
        }
    }

    /// Presents a token. Without an answer it is presented once more with the same successor, which changes nothing if the first
    /// call was heard.
    pub(crate) async fn rotate(
        &self,
        request_id: &str,
        asked: &RotateToken,
    ) -> Result<TokenRotated, AccountsError> {
        let acting = Acting::gateway(request_id);
        let path = "/internal/refresh/rotate";
        match self.post(acting, scope::REFRESH, path, asked).await {
            Err(AccountsError::Unavailable) => self.post(acting, scope::REFRESH, path, asked).await,
            answered => answered,
        }
    }

    pub(crate) async fn revoke(
        &self,
        request_id: &str,
        asked: &RevokeFamily,
    ) -> Result<FamilyRevoked, AccountsError> {
        let acting = Acting::gateway(request_id);
        self.post(acting, scope::REFRESH, "/internal/refresh/revoke", asked)
            .await
    }

    pub(crate) async fn sessions(
        &self,
        acting: Acting<'_>,
        user_id: &str,
    ) -> Result<SessionList, AccountsError> {
        let query = query(&[("userId", user_id)]);
        let path = format!("/internal/sessions?{query}");
        self.get(acting, scope::SESSIONS, &path).await
    }

    pub(crate) async fn end_sessions(
        &self,
        acting: Acting<'_>,
        asked: &EndSessions,
    ) -> Result<SessionsEnded, AccountsError> {
        self.post(acting, scope::SESSIONS, "/internal/sessions/end", asked)
            .await
    }

    pub(crate) async fn audit(
        &self,
        acting: Acting<'_>,
        asked: &AuditQuery,
    ) -> Result<AuditRows, AccountsError> {
        let query = serde_json::to_value(asked).unwrap_or_default();
        let path = format!("/internal/audit?{}", query_of(&query));
        self.get(acting, scope::AUDIT_READ, &path).await
    }

    /// Writes rows down.
    pub(crate) async fn write_audit(&self, rows: &AuditEntries) -> Result<(), AccountsError> {
        let acting = Acting::gateway("audit");
        let body = json(rows)?;
        let path = "/internal/audit";
        let raw = self
            .raw(acting, scope::AUDIT_WRITE, Method::POST, path, body)
            .await?;
        match raw.status.is_success() {
            true => Ok(()),
            false => Err(refused(&raw)),
        }
    }

    /// Calls a route of `/v1/user`, and tells what it answers.
    pub(crate) async fn users<T: DeserializeOwned>(
        &self,
        acting: Acting<'_>,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, AccountsError> {
        let body = body.map_or(Ok(Zeroizing::default()), json)?;
        let raw = self.raw(acting, scope::USERS, method, path, body).await?;
        read(&raw)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        acting: Acting<'_>,
        scope: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AccountsError> {
        let raw = self
            .raw(acting, scope, Method::POST, path, json(body)?)
            .await?;
        read(&raw)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        acting: Acting<'_>,
        scope: &str,
        path: &str,
    ) -> Result<T, AccountsError> {
        let raw = self
            .raw(acting, scope, Method::GET, path, Zeroizing::default())
            .await?;
        read(&raw)
    }

    /// Calls a route, and tells what it answers, within a bound. An answer of 500 and above is none.
    pub(crate) async fn raw(
        &self,
        acting: Acting<'_>,
        scope: &str,
        method: Method,
        path: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Raw, AccountsError> {
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
        let token = self.issuer.issue(InternalGrant {
            audience: &self.service.name,
            subject: acting.subject,
            subject_kind: acting.kind,
            name: acting.name,
            scope: Scopes::parse(scope).unwrap_or_default(),
            permissions: acting
                .permissions
                .iter()
                .map(|it| it.as_str().to_owned())
                .collect(),
            request_id: acting.request_id,
            method: method.as_str(),
            uri: path,
            tenant: None,
            session: None,
        });
        let token = token.await.map_err(|error| chain(&error))?;
        let mut token = HeaderValue::from_str(token.expose()).map_err(|error| chain(&error))?;
        token.set_sensitive(true);
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

fn read<T: DeserializeOwned>(raw: &Raw) -> Result<T, AccountsError> {
    if !raw.status.is_success() {
        return Err(refused(raw));
    }
    serde_json::from_slice(&raw.body).map_err(|error| {
        // What could not be read may hold a link.
        tracing::warn!(
            line = error.line(),
            "the accounts service answers something else"
        );
        AccountsError::Unavailable
    })
}

#[derive(Default, serde::Deserialize)]
struct Said {
    #[serde(default)]
    error: String,
    #[serde(default)]
    code: String,
    field: Option<String>,
}

fn refused(raw: &Raw) -> AccountsError {
    let said: Said = serde_json::from_slice(&raw.body).unwrap_or_default();
    AccountsError::Refused {
        status: raw.status.as_u16(),
        code: said.code,
        message: said.error,
        field: said.field,
        retry_after: raw.retry_after,
    }
}

/// Whether it is the gateway that is refused, and not what it asks.
fn is_about_our_token(raw: &Raw) -> bool {
    let said: Said = serde_json::from_slice(&raw.body).unwrap_or_default();
    matches!(
        said.code.as_str(),
        "INTERNAL_AUTH_MISSING" | "INTERNAL_AUTH_INVALID" | "INTERNAL_AUTH_SCOPE_DENIED"
    )
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

/// A query of the members of an object: texts and numbers.
pub(crate) fn query_of(object: &serde_json::Value) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::String(text) => query.append_pair(name, text),
            other => query.append_pair(name, &other.to_string()),
        };
    }
    query.finish()
}
