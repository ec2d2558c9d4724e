//! Asks for tokens of the front door: an internal token of the gateway, or an access token of a service that calls directly.

use async_trait::async_trait;
use jwt_auth::guard::{Guard as _, Head};
use jwt_auth::{AccessGuard, InternalGuard, Refusal, SubjectKind};
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;

use crate::admission::seam::{Admission, Caller, CallerKind, Denied, Sent};
use crate::headers::AsHeaders;

/// Lets in who bears a token that allows it.
///
/// A request with an `Authorization` speaks for itself, and its scopes are permissions; any other came through the gateway,
/// or is refused.
#[derive(Clone)]
pub struct TokenAdmission {
    internal: InternalGuard,
    access: AccessGuard,
}

impl TokenAdmission {
    /// Takes internal tokens that `internal` takes, and access tokens that `access` takes.
    pub fn new(internal: InternalGuard, access: AccessGuard) -> Self {
        Self { internal, access }
    }

    async fn by_access_token(
        &self,
        permission: Permission,
        head: Head<'_>,
    ) -> Result<Caller, Denied> {
        let passed = self.access.admit(head).await.map_err(denied)?;
        let allowed = passed.context.require_scope(permission.as_str());
        allowed.map_err(|rejection| Denied {
            headers: challenge(rejection.into()),
            ..Denied::forbidden(permission)
        })?;
        let scopes = passed.context.claims.scope;
        Ok(Caller {
            subject: passed.context.claims.sub,
            name: None,
            kind: CallerKind::Client,
            permissions: known(scopes.iter()),
            session: None,
            request_id: None,
            until_ms: Some(passed.context.claims.exp.saturating_mul(1000)),
            headers: passed.headers,
        })
    }

    async fn by_internal_token(
        &self,
        permission: Permission,
        head: Head<'_>,
    ) -> Result<Caller, Denied> {
        let admitted = self.internal.admit(head).await;
        let passed = admitted.map_err(|refusal| match refusal.status {
            // Whoever came without a token of the gateway may bear one of their own instead.
            401 => either(refusal, self.access.without_a_token()),
            _ => denied(refusal),
        })?;
        let allowed = passed
            .context
            .require_any_permission(&[permission.as_str()]);
        allowed.map_err(|_| Denied::forbidden(permission))?;
        Ok(Caller {
            subject: passed.context.subject,
            name: passed.context.name,
            permissions: known(passed.context.permissions.iter().map(String::as_str)),
            session: passed.context.session,
            kind: match passed.context.subject_kind {
                SubjectKind::User => CallerKind::User,
                SubjectKind::Client => CallerKind::Client,
                SubjectKind::System => CallerKind::System,
            },
            request_id: Some(passed.context.request_id),
            until_ms: Some(passed.context.exp.saturating_mul(1000)),
            headers: passed.headers,
        })
    }
}

/// Those that are permissions here: a token may name those of other services too.
fn known<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Permission> {
    names.filter_map(Permission::parse).collect()
}

#[async_trait]
impl Admission for TokenAdmission {
    async fn admit(&self, permission: Permission, sent: Sent<'_>) -> Result<Caller, Denied> {
        let headers = AsHeaders(sent.headers);
        let head = Head::new(sent.method, sent.target, &headers);
        match head.has_authorization() {
            true => self.by_access_token(permission, head).await,
            false => self.by_internal_token(permission, head).await,
        }
    }
}

/// The codes of the surface; what is wrong stays in the words and in the challenge.
fn denied(refusal: Refusal) -> Denied {
    let code = match refusal.status {
        400 if refusal.code == "invalid_target" => "INVALID_PATH",
        400 => "INVALID_AUTHORIZATION",
        401 => "UNAUTHENTICATED",
        503 => "AUTH_UNAVAILABLE",
        _ => "FORBIDDEN",
    };
    Denied {
        problem: Problem::new(refusal.status, code, refusal.message.clone()),
        headers: challenge(refusal),
        came_with_one: true,
    }
}

/// Both challenges, in one header (RFC 9110, section 11.6.1).
fn either(refusal: Refusal, other: Refusal) -> Denied {
    let none_came = refusal.code == "INTERNAL_AUTH_MISSING";
    let mut denied = denied(refusal);
    denied.came_with_one = !none_came;
    if none_came {
        denied.problem.message = "no token was sent".to_owned();
    }
    for (name, value) in challenge(other) {
        match denied.headers.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = format!("{own}, {value}"),
            None => denied.headers.push((name, value)),
        }
    }
    denied
}

/// The headers of a refusal that are not those of every answer.
fn challenge(refusal: Refusal) -> Vec<(&'static str, String)> {
    let own = |(name, _): &(&str, String)| matches!(*name, "www-authenticate" | "dpop-nonce");
    refusal.headers.into_iter().filter(own).collect()
}
