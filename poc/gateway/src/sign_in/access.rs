//! The access token of a session: signed, so that it costs no call, and short, so that rights follow within a quarter of an hour.

use std::sync::Arc;
use std::time::Duration;

use jwt_auth::access_token::{AccessClaims, InvalidAccessToken};
use jwt_auth::{
    AccessGrant, AccessTokenIssuer, AccessTokenVerifier, DpopVerifier, Jwks, MemoryKeySource,
    MemoryNonceStore, ReplayGuard, SealError, Secret, Signer, TokenKind, open,
};
use mesh_api::permission::Permission;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Whose token it is, where a token of a machine names its client.
const CLIENT: &str = "browser";

/// A person who has signed in, as the access token tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    /// The account's id.
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) permissions: Vec<Permission>,
    /// The session.
    pub(crate) sid: String,
    /// When the access token was made, in seconds since 1970.
    pub(crate) since_seconds: i64,
    /// When it ends.
    pub(crate) until_seconds: i64,
    /// When the session ends, however much it is used, in epoch milliseconds.
    pub(crate) family_until_ms: i64,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// It counts.
    Valid(SignedIn),
    /// It did.
    Expired(SignedIn),
    /// It is none of ours.
    Nothing,
}

/// Claims that clients of the original read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Native {
    id: String,
    email: String,
    permissions: Vec<String>,
    typ: String,
    family_until: i64,
}

/// Makes access tokens of sessions, and reads them.
pub(crate) struct AccessTokens {
    issuer: AccessTokenIssuer,
    verifier: AccessTokenVerifier,
    keys: Arc<MemoryKeySource>,
    audience: String,
    lifetime: Duration,
}

impl AccessTokens {
    /// Signs with `signer`, in the name of `url`, which is whom they are for too: no peer takes them.
    pub(crate) fn new(signer: Arc<dyn Signer>, url: &str, lifetime: Duration) -> Self {
        let keys = Arc::new(MemoryKeySource::new(Jwks::new([signer.key().clone()])));
        let replay = ReplayGuard::new(Arc::new(MemoryNonceStore::new()));
        let dpop = DpopVerifier::new(replay);
        let verifier =
            AccessTokenVerifier::new(Arc::<MemoryKeySource>::clone(&keys), dpop, url, url);
        Self {
            issuer: AccessTokenIssuer::new(signer, url).lifetime(lifetime),
            verifier,
            keys,
            audience: url.to_owned(),
            lifetime,
        }
    }

    /// Makes the token of a person; `since_seconds` and `until_seconds` are set by it.
    ///
    /// # Errors
    /// That of the key.
    pub(crate) async fn issue(&self, person: &mut SignedIn) -> Result<Secret, SealError> {
        let permissions = person.permissions.iter().map(|it| it.as_str().to_owned());
        let native = Native {
            id: person.id.clone(),
            email: person.email.clone(),
            permissions: permissions.collect(),
            typ: "access".to_owned(),
            family_until: person.family_until_ms,
        };
        let mut grant = AccessGrant::of_client(CLIENT, self.audience.as_str());
        grant.subject.clone_from(&person.id);
        grant.session = Some(person.sid.clone());
        grant.other = match serde_json::to_value(native) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let issued = self.issuer.issue(grant).await?;
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        person.until_seconds = issued.exp;
        person.since_seconds = issued.exp.saturating_sub(lifetime);
        Ok(issued.token)
    }

    /// Reads a token.
    pub(crate) async fn read(&self, token: &str) -> Read {
        match self.verifier.read(token).await {
            Ok(claims) => person(claims).map_or(Read::Nothing, Read::Valid),
            // Everything but its time was judged before.
            Err(InvalidAccessToken::Expired) => {
                let opened = open(TokenKind::Access, token, &*self.keys).await;
                let claims = opened.and_then(|opened| opened.into_claims());
                let person = claims.ok().and_then(person);
                person.map_or(Read::Nothing, Read::Expired)
            }
            Err(_) => Read::Nothing,
        }
    }
}

/// A token of a machine is not one of a session, whoever it is for.
fn person(claims: AccessClaims) -> Option<SignedIn> {
    let native: Native = serde_json::from_value(Value::Object(claims.other)).ok()?;
    let is_session = claims.client_id == CLIENT && claims.cnf.is_none() && native.typ == "access";
    is_session.then_some(SignedIn {
        id: claims.sub,
        email: native.email,
        permissions: permissions(&native.permissions),
        sid: claims.sid?,
        since_seconds: claims.iat,
        until_seconds: claims.exp,
        family_until_ms: native.family_until,
    })
}

/// Those of a list of names that are permissions here.
pub(crate) fn permissions(names: &[String]) -> Vec<Permission> {
    let known = names.iter().filter_map(|name| Permission::parse(name));
    known.collect()
}

#[cfg(test)]
mod tests {
    use jwt_auth::{Algorithm, MemorySigner, PrivateKey};

    use super::*;

    fn tokens(lifetime: u64) -> AccessTokens {
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        let signer = Arc::new(MemorySigner::new(&key).unwrap());
        AccessTokens::new(
            signer,
            "http://localhost:3100",
            Duration::from_secs(lifetime),
        )
    }

    fn ada() -> SignedIn {
        SignedIn {
            id: "0a".to_owned(),
            email: "ada@example.org".to_owned(),
            permissions: vec![Permission::MeshRead],
            sid: "0b".to_owned(),
            since_seconds: 0,
            until_seconds: 0,
            family_until_ms: 5,
        }
    }

    #[tokio::test]
    async fn a_token_tells_who_has_signed_in() {
        let (tokens, mut ada) = (tokens(900), ada());
        let token = tokens.issue(&mut ada).await.unwrap();
        assert!(ada.until_seconds > 0);
        assert_eq!(tokens.read(token.expose()).await, Read::Valid(ada));
        let other = self::tokens(900).read(token.expose()).await;
        assert_eq!(other, Read::Nothing);
        assert_eq!(tokens.read("").await, Read::Nothing);
    }

    #[tokio::test]
    async fn a_token_of_a_machine_is_no_session() {
        let tokens = tokens(900);
        let mut grant = AccessGrant::of_client("clt_1", "http://localhost:3100");
        grant.session = Some("0b".to_owned());
        let token = tokens.issuer.issue(grant).await.unwrap().token;
        assert_eq!(tokens.read(token.expose()).await, Read::Nothing);
    }
}
