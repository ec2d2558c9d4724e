//! A service in this process, and a gateway that calls it.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use accounts::{Role, TokenId};
use accounts_server::{Application, Operation, Policy, Settings, Store};
use auth_base::{Secret, SystemRandom};
use jwt_auth::{
    Algorithm, InternalGrant, InternalTokenIssuer, Jwks, MemoryKeySource, MemorySigner, PrivateKey,
    Scopes, Signer as _, SubjectKind,
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "seventeen purple otters juggle";
pub(crate) const OTHER_PASSWORD: &str = "eleven crimson walruses whistle";

/// Who is behind a call.
#[derive(Clone)]
pub(crate) enum Who {
    /// The gateway itself.
    System,
    /// Somebody who may change accounts.
    Admin,
    /// The person of this account.
    User(String),
}

/// What a token says, all of which a test may change.
pub(crate) struct Claims<'a> {
    pub(crate) audience: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) issuer: InternalTokenIssuer,
    pub(crate) http: Client,
    serving: tokio::task::JoinHandle<()>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl Server {
    pub(crate) async fn start(store: Store, policy: Policy, kept: impl Any + Send + Sync) -> Self {
        // reqwest speaks TLS in this build, and wants to know by what.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let signer = signer();
        let keys = MemoryKeySource::new(Jwks::new([signer.key().clone()]));
        let settings = Settings {
            policy,
            ..Settings::new(store, Arc::new(keys))
        };
        let application = Application::bind(settings).await.unwrap();
        let address = application.address();
        let serving = tokio::spawn(async move {
            let _ = application.run_until(std::future::pending()).await;
        });
        Self {
            address,
            issuer: InternalTokenIssuer::new(Arc::new(signer)),
            http: Client::new(),
            serving,
            _kept: Box::new(kept),
        }
    }

    pub(crate) async fn memory() -> Self {
        Self::start(Store::Memory, Policy::default(), ()).await
    }

    pub(crate) async fn sqlite(policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("accounts.db").display());
        Self::start(Store::Sql(Secret::new(url)), policy, folder).await
    }

    pub(crate) async fn mariadb(policy: Policy) -> Self {
        let server = services::mariadb().await.unwrap();
        let url = server.database("accounts").await.unwrap();
        Self::start(Store::Sql(Secret::new(url)), policy, server).await
    }

    pub(crate) async fn token(&self, who: &Who, claims: &Claims<'_>) -> String {
        token(&self.issuer, who, claims).await
    }

    pub(crate) fn request(&self, method: &str, uri: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("http://{}{uri}", self.address))
    }

    pub(crate) async fn call_at(
        &self,
        who: &Who,
        operation: Operation,
        uri: &str,
        body: &Value,
    ) -> (u16, Value) {
        let route = operation.route();
        let claims = Claims {
            audience: "accounts",
            scope: route.scope,
            method: route.method,
            uri,
        };
        let token = self.token(who, &claims).await;
        let mut request = self.request(route.method, uri);
        request = request.header("x-internal-auth", token);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store", "{uri}");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(crate) async fn call(&self, who: &Who, operation: Operation, body: &Value) -> (u16, Value) {
        let path = operation.route().path;
        self.call_at(who, operation, path, body).await
    }

    /// Makes an account, and tells its id.
    pub(crate) async fn person(&self, email: &str, roles: &[&str]) -> String {
        let body = json!({ "email": email, "name": "Ada", "roles": roles, "password": PASSWORD });
        let (status, made) = self.call(&Who::Admin, Operation::CreateUser, &body).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> (u16, Value) {
        let body = json!({ "email": email, "password": password, "address": "203.0.113.7" });
        self.call(&Who::System, Operation::Validate, &body).await
    }

    /// Begins a session of a person, and tells its family and its token.
    pub(crate) async fn session(&self, user: &str) -> (String, String) {
        let (family, jti) = (id(), id());
        let body = json!({ "userId": user, "familyId": family, "jti": jti,
            "agent": "Firefox", "address": "203.0.113.7" });
        let (status, made) = self.call(&Who::System, Operation::RecordToken, &body).await;
        assert_eq!(status, 201, "{made}");
        (family, jti)
    }

    pub(crate) async fn rotate(&self, jti: &str, new_jti: &str) -> (u16, Value) {
        let body = json!({ "jti": jti, "newJti": new_jti });
        self.call(&Who::System, Operation::RotateToken, &body).await
    }

    pub(crate) async fn link(&self, user: &str, kind: &str) -> String {
        let body = json!({ "userId": user, "kind": kind });
        let (status, made) = self.call(&Who::Admin, Operation::MakeLink, &body).await;
        assert_eq!(status, 201, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn audit(&self, query: &str) -> Vec<Value> {
        let uri = format!("/internal/audit{query}");
        let (status, page) = self
            .call_at(&Who::Admin, Operation::Audit, &uri, &Value::Null)
            .await;
        assert_eq!(status, 200, "{page}");
        page["rows"].as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) fn signer() -> MemorySigner {
    MemorySigner::new(&PrivateKey::generate(Algorithm::EdDsa).unwrap()).unwrap()
}

/// A new id, as the gateway makes them.
pub(crate) fn id() -> String {
    TokenId::random(&SystemRandom).to_string()
}

pub(crate) async fn token(issuer: &InternalTokenIssuer, who: &Who, claims: &Claims<'_>) -> String {
    let (subject, subject_kind, permissions) = match who {
        Who::System => ("system", SubjectKind::System, Vec::new()),
        Who::Admin => (
            "00000000000000000000000000000001",
            SubjectKind::User,
            Role::Admin.permissions().to_vec(),
        ),
        Who::User(id) => (
            id.as_str(),
            SubjectKind::User,
            Role::Viewer.permissions().to_vec(),
        ),
    };
    let grant = InternalGrant {
        audience: claims.audience,
        subject,
        subject_kind,
        name: matches!(who, Who::Admin).then_some("root@example.org"),
        scope: Scopes::parse(claims.scope).unwrap(),
        permissions: permissions
            .iter()
            .map(|it| it.as_str().to_owned())
            .collect(),
        request_id: "req-1",
        method: claims.method,
        uri: claims.uri,
        tenant: None,
        session: None,
    };
    let token = issuer.issue(grant).await.unwrap();
    token.expose().to_owned()
}
