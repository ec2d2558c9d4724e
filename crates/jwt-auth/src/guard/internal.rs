//! Routes behind the gateway.

use std::sync::Arc;

use crate::guard::{Guard, Head, Passed, Refusal};
use crate::internal_token::{InternalContext, InternalRequest, InternalTokenVerifier};

/// Lets requests in that bear an internal token for them. Clones share the verifier.
///
/// An answer bears the request's name (`X-Request-Id`), as the gateway gave it.
#[derive(Clone)]
pub struct InternalGuard {
    verifier: InternalTokenVerifier,
    scope: Option<Arc<str>>,
    permissions: Arc<[String]>,
}

impl InternalGuard {
    /// Lets every request in whose token is good.
    pub fn new(verifier: InternalTokenVerifier) -> Self {
        Self {
            verifier,
            scope: None,
            permissions: Arc::default(),
        }
    }

    /// Asks for a scope too: 403 `INTERNAL_AUTH_SCOPE_DENIED` without.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Asks for one of `permissions` too: 403 `INTERNAL_AUTH_PERMISSION_DENIED` without. An empty list asks for none.
    pub fn any_permission<P: Into<String>>(
        mut self,
        permissions: impl IntoIterator<Item = P>,
    ) -> Self {
        self.permissions = permissions.into_iter().map(Into::into).collect();
        self
    }
}

impl Guard for InternalGuard {
    type Context = InternalContext;

    async fn admit(&self, head: Head<'_>) -> Result<Passed<InternalContext>, Refusal> {
        let request = InternalRequest {
            tokens: &head.internal,
            method: head.method,
            uri: head.target,
        };
        let context = self.verifier.verify(request).await?;
        if let Some(scope) = &self.scope {
            context.require_scope(scope)?;
        }
        let permissions: Vec<&str> = self.permissions.iter().map(String::as_str).collect();
        context.require_any_permission(&permissions)?;
        let headers = vec![("x-request-id", context.request_id.clone())];
        Ok(Passed { context, headers })
    }
}
