//! Who may do what, where tokens are asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_base::clock::{Clock as _, SystemClock};
use auth_base::nonce_store::{MemoryNonceStore, NonceStore};
use auth_base::store_error::StoreError;
use jwt_auth::{
    AccessGrant, AccessGuard, AccessTokenIssuer, AccessTokenVerifier, Algorithm, DpopProver,
    DpopVerifier, InternalGrant, InternalGuard, InternalTokenIssuer, InternalTokenVerifier, Jwks,
    KeySource, MemoryKeySource, MemorySigner, PrivateKey, ProvenRequest, ReplayGuard, Scopes,
    Secret, Signer, SubjectKind,
};
use mesh_api::permission::{Permission, Role};
use mesh_api::routes::{EVENTS, Method, ROUTES};

use crate::admission::{Admission, Caller, CallerKind, Denied, Sent, TokenAdmission};
use crate::surface::Surface;
use crate::testkit::parts::{with_a_view, with_an_endless_stream, with_forms};
use crate::testkit::{Answered, Asked, Mounted, form, post, request};

const LOGIN: &str = "https://login.example";
const PEER: &str = "http://127.0.0.1:3001";
const CHALLENGES: &str = r#"Internal, Bearer, DPoP algs="EdDSA Ed25519 ES256""#;

/// Every operation, and who may: written here once more, so that a change of the table is seen.
const OPERATIONS: &[(&str, &str, &str, Role)] = &[
    ("POST", "/ensure", "credentials:write", Role::Operator),
    ("POST", "/rotate", "credentials:write", Role::Operator),
    ("POST", "/revoke", "credentials:write", Role::Operator),
    ("POST", "/sync", "credentials:write", Role::Operator),
    ("POST", "/resync", "credentials:write", Role::Operator),
    ("GET", "/state", "mesh:read", Role::Viewer),
    ("HEAD", "/state", "mesh:read", Role::Viewer),
    ("POST", "/targets", "targets:write", Role::Operator),
    ("DELETE", "/targets/a", "targets:write", Role::Operator),
    ("POST", "/call-target", "credentials:use", Role::Operator),
    ("POST", "/hash", "credentials:use", Role::Operator),
    ("GET", "/local-clients", "mesh:read", Role::Viewer),
    ("GET", "/mesh", "mesh:read", Role::Viewer),
    ("GET", "/mesh/health", "mesh:read", Role::Viewer),
    ("GET", "/mesh/events", "mesh:read", Role::Viewer),
    ("GET", "/timeline", "mesh:read", Role::Viewer),
    ("POST", "/mesh/peers/a/stop", "mesh:control", Role::Operator),
    (
        "POST",
        "/mesh/peers/a/start",
        "mesh:control",
        Role::Operator,
    ),
];

/// The gateway and the authorization server, in one.
pub(crate) struct Issuer {
    signer: Arc<dyn Signer>,
    store: Arc<dyn NonceStore>,
}

struct Away;

#[async_trait]
impl NonceStore for Away {
    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("redis://user:password@host".into()))
    }
}

#[expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]
impl Issuer {
    pub(crate) fn new() -> Self {
        let key = PrivateKey::generate(Algorithm::EdDsa).expect("a key");
        Self {
            signer: Arc::new(MemorySigner::new(&key).expect("a signer")),
            store: Arc::new(MemoryNonceStore::new()),
        }
    }

    /// `surface`, asking for tokens for the peer `own`.
    pub(crate) fn before(&self, surface: Surface) -> Surface {
        self.guard(surface, |access| access)
    }

    /// The same, taking no token that is bound to no key, as peers do unless they are told otherwise.
    fn before_bound_only(&self, surface: Surface) -> Surface {
        self.guard(surface, AccessTokenVerifier::bound_only)
    }

    fn guard(
        &self,
        surface: Surface,
        change: impl FnOnce(AccessTokenVerifier) -> AccessTokenVerifier,
    ) -> Surface {
        let keys = Jwks::new([self.signer.key().clone()]);
        let keys: Arc<dyn KeySource> = Arc::new(MemoryKeySource::new(keys));
        let replay = || ReplayGuard::new(Arc::clone(&self.store));
        let internal = InternalTokenVerifier::new(Arc::clone(&keys), replay(), "own");
        let proofs = DpopVerifier::new(replay());
        let access = change(AccessTokenVerifier::new(keys, proofs, LOGIN, "own"));
        let access = AccessGuard::new(access, PEER).expect("an origin");
        let admission = TokenAdmission::new(InternalGuard::new(internal), access);
        surface.admission(Some(Arc::new(admission)))
    }

    /// A request with the gateway's token of a role for it.
    async fn through_the_gateway(&self, asked: Asked, role: Role) -> Asked {
        self.of_a_person(asked, role, None).await
    }

    /// The same of somebody whom people call `name`.
    pub(crate) async fn of_a_person(&self, asked: Asked, role: Role, name: Option<&str>) -> Asked {
        let permissions = role.permissions().iter();
        let grant = InternalGrant {
            audience: "own",
            subject: "42",
            subject_kind: SubjectKind::User,
            name,
            scope: Scopes::default(),
            permissions: permissions.map(|it| it.as_str().to_owned()).collect(),
            request_id: "r-1",
            method: asked.method,
            uri: &asked.path.clone(),
            tenant: None,
            session: None,
        };
        let issuer = InternalTokenIssuer::new(Arc::clone(&self.signer));
        let token = issuer.issue(grant).await.expect("a token");
        asked.with("x-internal-auth", token.expose())
    }

    /// An access token that is bound to a key, and who has that key.
    async fn bound(&self, scope: &str) -> (String, DpopProver) {
        let key = PrivateKey::generate(Algorithm::Es256).expect("a key");
        let prover = DpopProver::new(Arc::new(MemorySigner::new(&key).expect("a signer")));
        let mut grant = AccessGrant::of_client("clt_1", "own");
        grant.scope = Scopes::parse(scope).expect("scopes");
        grant.bound_to = Some(prover.key().clone());
        let issuer = AccessTokenIssuer::new(Arc::clone(&self.signer), LOGIN);
        let token = issuer.issue(grant).await.expect("a token").token;
        (token.expose().to_owned(), prover)
    }

    async fn proof(&self, prover: &DpopProver, token: &str, url: &str) -> String {
        let request = ProvenRequest {
            method: "GET",
            url,
            access_token: Some(&Secret::new(token)),
            nonce: None,
        };
        let proof = prover.prove(request).await.expect("a proof");
        proof.expose().to_owned()
    }

    /// A request with an access token.
    pub(crate) async fn directly(&self, asked: Asked, scope: &str) -> Asked {
        let mut grant = AccessGrant::of_client("clt_1", "own");
        grant.scope = Scopes::parse(scope).expect("scopes");
        let issuer = AccessTokenIssuer::new(Arc::clone(&self.signer), LOGIN);
        let token = issuer.issue(grant).await.expect("a token").token;
        asked.with("authorization", format!("Bearer {}", token.expose()))
    }
}

/// 401 with a challenge at every route, before anything else of the request is looked at.
pub async fn without_a_token_nobody_is_admitted<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_a_view()));
    for (method, path, ..) in OPERATIONS {
        let wrong = request(method, path).with("content-type", "text/plain");
        let answer = mounted.ask(wrong).await;
        assert_eq!(
            answer.header("www-authenticate"),
            CHALLENGES,
            "{method} {path}"
        );
        if *method != "HEAD" {
            answer.refuses(401, "UNAUTHENTICATED", "", "no token was sent");
        }
    }
}

/// Every operation times every role, through the gateway: 403 names the permission.
pub async fn every_operation_asks_for_its_permission<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_a_view()));
    for (method, path, permission, least) in OPERATIONS {
        for role in Role::ALL {
            let asked = issuer
                .through_the_gateway(request(method, path), role)
                .await;
            let answer = mounted.ask(asked).await;
            let is_denied = answer.status == 403;
            assert_eq!(
                is_denied,
                role < *least,
                "{method} {path} {role}: {answer:?}"
            );
            assert_ne!(answer.status, 401, "{method} {path} {role}");
            if is_denied {
                let message = format!("the permission {permission} is missing");
                answer.refuses(403, "FORBIDDEN", "", &message);
            } else {
                assert_eq!(answer.header("x-request-id"), "r-1", "{method} {path}");
            }
        }
    }
}

/// Every operation with the one scope that it needs, and with all others.
pub async fn every_operation_asks_for_its_scope<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_a_view()));
    for (method, path, permission, _) in OPERATIONS {
        let others = Role::Admin.permissions().iter().map(|it| it.as_str());
        let others: Vec<&str> = others.filter(|it| it != permission).collect();
        for (scope, is_admitted) in [(*permission, true), (&others.join(" "), false)] {
            let asked = issuer.directly(request(method, path), scope).await;
            let answer = mounted.ask(asked).await;
            assert_eq!(
                !matches!(answer.status, 401 | 403),
                is_admitted,
                "{method} {path} {answer:?}"
            );
            if !is_admitted {
                let challenge = answer.header("www-authenticate");
                let needed = format!("scope=\"{permission}\"");
                let is_told = challenge.starts_with("Bearer error=\"insufficient_scope\"");
                assert!(is_told && challenge.ends_with(&needed), "{challenge}");
            }
        }
    }
}

/// The table above is the table of routes: neither has an operation that the other has not.
pub async fn no_operation_is_left_out<M: Mounted>() {
    let routes = ROUTES.iter().map(|route| {
        let method = match route.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        (
            method,
            route.path.replace("{queue}", "a"),
            route.permission.as_str(),
        )
    });
    let events = ("GET", EVENTS.to_owned(), "mesh:read");
    let routes: BTreeSet<_> = routes.chain([events]).collect();
    let known = OPERATIONS.iter().filter(|(method, ..)| *method != "HEAD");
    let known =
        known.map(|(method, path, permission, _)| (*method, (*path).to_owned(), *permission));
    assert_eq!(known.collect::<BTreeSet<_>>(), routes);
}

/// Lets everybody in, for half a second more.
struct Soon;

#[async_trait]
impl Admission for Soon {
    async fn admit(&self, _: Permission, _: Sent<'_>) -> Result<Caller, Denied> {
        Ok(Caller {
            subject: "42".to_owned(),
            name: None,
            kind: CallerKind::User,
            permissions: vec![Permission::MeshRead],
            session: None,
            request_id: None,
            until_ms: Some(SystemClock.now_ms() - 4_500),
            headers: Vec::new(),
        })
    }
}

/// What goes on for longer than the token ends with it, five seconds later.
pub async fn a_stream_ends_with_its_token<M: Mounted>() {
    let mounted = M::mount(with_an_endless_stream().admission(Some(Arc::new(Soon))));
    let before = Instant::now();
    let answer = mounted.ask(request("GET", "/mesh/events")).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "event: hello\ndata: {}\n\n")
    );
    let took = before.elapsed();
    assert!((400..5_000).contains(&took.as_millis()), "{took:?}");
}

/// A bound token comes with its proof: the one for this peer's URL, once.
pub async fn a_bound_token_needs_its_proof<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before_bound_only(with_a_view()));
    let unbound = issuer.directly(request("GET", "/state"), "mesh:read").await;
    assert_eq!(mounted.ask(unbound).await.status, 401);
    let (token, prover) = issuer.bound("mesh:read").await;
    let proven = async |url: &str| {
        let asked = request("GET", "/state?limit=2").with("authorization", format!("DPoP {token}"));
        let proof = issuer.proof(&prover, &token, url).await;
        asked.with("dpop", proof)
    };
    let good = proven(&format!("{PEER}/surface/state")).await;
    assert_eq!(mounted.ask(good.clone()).await.status, 200);
    let elsewhere = proven("http://other.example/surface/state").await;
    for refused in [good, elsewhere] {
        let answer = mounted.ask(refused).await;
        let challenge = answer.header("www-authenticate");
        assert_eq!(answer.status, 401);
        assert!(
            challenge.starts_with("DPoP error=\"invalid_dpop_proof\""),
            "{challenge}"
        );
    }
    let bearer = request("GET", "/state").with("authorization", format!("Bearer {token}"));
    assert_eq!(mounted.ask(bearer).await.status, 401);
}

/// For another peer, for another request, used before, of another key, in the wrong header: 401.
pub async fn a_token_is_good_once_and_for_one_request<M: Mounted>() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let mounted = M::mount(issuer.before(with_a_view()));
    let state = || request("GET", "/state?limit=2");
    let good = issuer.through_the_gateway(state(), Role::Viewer).await;
    assert_eq!(mounted.ask(good.clone()).await.status, 200);
    let of_another = other.through_the_gateway(state(), Role::Admin).await;
    let mut elsewhere = issuer.through_the_gateway(state(), Role::Admin).await;
    elsewhere.path = "/surface/state".to_owned();
    let moved = |from: &Asked, scheme: &str| {
        let (_, token) = from.headers[0].clone();
        state().with("authorization", format!("{scheme} {token}"))
    };
    let fresh = issuer.through_the_gateway(state(), Role::Admin).await;
    let access = issuer.directly(state(), "mesh:read").await;
    let (_, access) = access.headers[0].clone();
    let as_internal = state().with("x-internal-auth", access.replace("Bearer ", ""));
    let refused = [
        good,
        of_another,
        elsewhere,
        moved(&fresh, "Bearer"),
        moved(&fresh, "DPoP"),
        as_internal,
    ];
    for asked in refused {
        let answer: Answered = mounted.ask(asked.clone()).await;
        assert_eq!(answer.status, 401, "{asked:?} {answer:?}");
        assert!(answer.body.contains("UNAUTHENTICATED"), "{answer:?}");
        let (_, token) = &asked.headers[0];
        assert!(!answer.body.contains(token.as_str()), "{answer:?}");
    }
}

/// A form is asked too, and what was refused is not done.
pub async fn a_form_is_no_way_around<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_forms().0));
    let delete = || form("/targets/a", "_method=DELETE").with("accept", "text/html");
    let answer = mounted.ask(delete()).await;
    answer.refuses(401, "UNAUTHENTICATED", "", "no token was sent");
    let viewer = issuer.through_the_gateway(delete(), Role::Viewer).await;
    let message = "the permission targets:write is missing";
    mounted
        .ask(viewer)
        .await
        .refuses(403, "FORBIDDEN", "", message);
    let operator = issuer.through_the_gateway(delete(), Role::Operator).await;
    assert_eq!(mounted.ask(operator).await.status, 303);
}

/// A token does not make a page of another site welcome.
pub async fn a_token_excuses_no_other_site<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_a_view()));
    let asked = post("/sync", "").with("sec-fetch-site", "cross-site");
    let asked = issuer.through_the_gateway(asked, Role::Operator).await;
    let message = "requests of another site's pages are refused";
    mounted
        .ask(asked)
        .await
        .refuses(403, "CROSS_SITE_REQUEST", "", message);
}

/// 503, and nobody is let in; nothing of what the store said is told.
pub async fn what_cannot_be_checked_is_refused<M: Mounted>() {
    let issuer = Issuer {
        store: Arc::new(Away),
        ..Issuer::new()
    };
    let mounted = M::mount(issuer.before(with_a_view()));
    let asked = issuer
        .through_the_gateway(request("GET", "/state"), Role::Admin)
        .await;
    let message = "the internal token could not be checked";
    mounted
        .ask(asked)
        .await
        .refuses(503, "AUTH_UNAVAILABLE", "", message);
}
