//! Who calls is asked first: before a body is read, and before a name is looked at.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;

use crate::answer::Refusal;
use crate::credentials::{Credentials, Scope};

/// What a route needs.
pub(crate) trait Needs {
    /// One of these.
    const SCOPES: &'static [Scope];
}

pub(crate) struct ToAdmin;
pub(crate) struct ToSign;
pub(crate) struct ToShow;
pub(crate) struct ToWrap;

impl Needs for ToAdmin {
    const SCOPES: &'static [Scope] = &[Scope::Admin];
}

impl Needs for ToSign {
    const SCOPES: &'static [Scope] = &[Scope::Sign];
}

impl Needs for ToShow {
    const SCOPES: &'static [Scope] = &[Scope::Sign, Scope::Admin];
}

impl Needs for ToWrap {
    const SCOPES: &'static [Scope] = &[Scope::Wrap];
}

/// Who calls, and may do what the route needs. It is the first argument of a handler.
pub(crate) struct Caller<N> {
    name: String,
    /// Its place among the calls of this caller that are under way.
    _place: OwnedSemaphorePermit,
    needs: PhantomData<N>,
}

impl<N> fmt::Display for Caller<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A server that knows who may call.
pub(crate) trait Admits {
    fn credentials(&self) -> &Credentials;
}

impl<S: Admits + Send + Sync, N: Needs> FromRequestParts<Arc<S>> for Caller<N> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<S>) -> Result<Self, Refusal> {
        let admitted = server.credentials().admit(&parts.headers, N::SCOPES);
        let admitted = admitted.inspect_err(|rejection| {
            let path = parts.uri.path().get(..64).unwrap_or(parts.uri.path());
            rejection.log(parts.method.as_str(), path);
        })?;
        Ok(Self {
            name: admitted.caller.to_owned(),
            _place: admitted.place,
            needs: PhantomData,
        })
    }
}
