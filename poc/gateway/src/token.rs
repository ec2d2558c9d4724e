//! Tokens for whoever has the gateway's key.

use std::sync::Arc;
use std::time::Duration;

use jwt_auth::access_token::IssuedToken;
use jwt_auth::{
    AccessGrant, AccessTokenIssuer, InternalGrant, InternalTokenIssuer, Scopes, SealError, Secret,
    Signer, SubjectKind,
};
use mesh_api::permission::Role;

/// A token of the command line lives no longer, in minutes.
pub const MAX_MINUTES: u16 = 15;

/// Who a token speaks for, and at which peer.
#[derive(Clone, Debug)]
pub struct Holder {
    /// What it may do.
    pub role: Role,
    /// The peer that it is for.
    pub audience: String,
    /// Whose name is in the peer's log.
    pub subject: String,
}

impl Holder {
    fn permissions(&self) -> Vec<String> {
        let permissions = self.role.permissions().iter();
        permissions.map(|it| it.as_str().to_owned()).collect()
    }
}

/// An access token of `issuer`, bound to no key: a peer takes it where `MANAGEMENT_BEARER` says so.
///
/// # Errors
/// That of the key.
pub async fn access(
    signer: Arc<dyn Signer>,
    issuer: &str,
    holder: &Holder,
    lifetime: Duration,
) -> Result<IssuedToken, SealError> {
    let mut grant = AccessGrant::of_client(holder.subject.as_str(), holder.audience.as_str());
    // Permissions are scopes, each of them.
    grant.scope = Scopes::parse(&holder.permissions().join(" ")).unwrap_or_default();
    let issuer = AccessTokenIssuer::new(signer, issuer).lifetime(lifetime);
    issuer.issue(grant).await
}

/// An internal token for one request: `method` and `uri`, path and query as they will be sent.
///
/// # Errors
/// That of the key.
pub async fn internal(
    signer: Arc<dyn Signer>,
    holder: &Holder,
    method: &str,
    uri: &str,
) -> Result<Secret, SealError> {
    let issuer = InternalTokenIssuer::new(signer);
    let grant = InternalGrant {
        audience: &holder.audience,
        subject: &holder.subject,
        subject_kind: SubjectKind::User,
        name: None,
        scope: Scopes::default(),
        permissions: holder.permissions(),
        request_id: "command-line",
        method,
        uri,
        tenant: None,
        session: None,
    };
    issuer.issue(grant).await
}
