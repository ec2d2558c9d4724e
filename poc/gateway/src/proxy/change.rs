//! A change that is handed on, as it is written down.

use accounts::private_api::AuditEntry;
use auth_base::clock::{Clock, SystemClock};
use axum::http::Method;
use axum::response::Response;
use mesh_api::routes;

use crate::proxy::pipeline::Journey;
use crate::proxy::refusal::Refusal;

/// Where a peer has its management.
const PREFIXES: [&str; 2] = ["/api", "/admin"];

/// A change of which only its outcome is not known yet.
pub(super) struct Change(AuditEntry);

impl Change {
    pub(super) fn new(journey: &Journey<'_>, method: &Method) -> Self {
        let (caller, path) = (&journey.caller, journey.target.path());
        let operation = PREFIXES.iter().find_map(|prefix| {
            let route = routes::route_of(method.as_str(), path.strip_prefix(prefix)?)?;
            Some(route.operation.as_str().to_owned())
        });
        Self(AuditEntry {
            at_ms: SystemClock.now_ms(),
            actor: caller.name.as_ref().unwrap_or(&caller.subject).clone(),
            action: operation.unwrap_or_else(|| method.as_str().to_lowercase()),
            subject: path.to_owned(),
            peer: Some(journey.upstream.name.clone()),
            request_id: Some(journey.request_id.to_owned()),
            address: Some(journey.head.address.to_string()),
            ..AuditEntry::default()
        })
    }

    /// How it ended.
    pub(super) fn ended(self, handed_on: &Result<Response, Refusal>) -> AuditEntry {
        let (status, reason) = match handed_on {
            Ok(response) => {
                let status = response.status().as_u16();
                (status, (status >= 400).then(|| status.to_string()))
            }
            Err(refusal) => {
                let problem = &refusal.problem;
                (problem.status, Some(problem.error.clone().into_owned()))
            }
        };
        let outcome = match status {
            ..400 => "done",
            400..500 => "refused",
            _ => "failed",
        };
        AuditEntry {
            outcome: outcome.to_owned(),
            reason,
            ..self.0
        }
    }
}
