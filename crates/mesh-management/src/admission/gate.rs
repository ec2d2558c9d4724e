//! What stands before a route.

use std::fmt;
use std::sync::Arc;

use mesh_api::permission::Permission;

use crate::admission::seam::{Admission, Caller, Denied, Sent};

/// A log has so many bytes of a path.
const PATH_SHOWN: usize = 128;

/// What stands before a route: its permission, and who is asked about it. Clones share that.
#[derive(Clone)]
pub struct Gate {
    permission: Permission,
    admission: Option<Arc<dyn Admission>>,
}

impl Gate {
    /// Asks `admission`; without one it is open.
    pub fn new(permission: Permission, admission: Option<Arc<dyn Admission>>) -> Self {
        Self {
            permission,
            admission,
        }
    }

    /// Lets a request in, and tells who it comes from; `None` where nobody is asked.
    ///
    /// # Errors
    /// What it is answered instead.
    pub async fn admit(&self, sent: Sent<'_>) -> Result<Option<Caller>, Denied> {
        let Some(admission) = &self.admission else {
            return Ok(None);
        };
        let (method, permission) = (sent.method, self.permission);
        let path = shown(sent.target);
        match admission.admit(permission, sent).await {
            Ok(caller) => {
                if !matches!(method, "GET" | "HEAD") {
                    let subject = caller.subject.as_str();
                    let request_id = caller.request_id.as_deref();
                    tracing::info!(subject, kind = ?caller.kind, request_id, method, path, "admitted");
                }
                Ok(Some(caller))
            }
            Err(denied) => {
                // Anybody may come without a token, as often as they like.
                let reason = &denied.problem;
                match denied.came_with_one {
                    true => tracing::info!(%permission, method, path, %reason, "not admitted"),
                    false => tracing::debug!(%permission, method, path, %reason, "not admitted"),
                }
                Err(denied)
            }
        }
    }
}

/// The beginning of a path, without its query.
fn shown(target: &str) -> &str {
    let path = target.split('?').next().unwrap_or_default();
    &path[..path.floor_char_boundary(PATH_SHOWN)]
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("permission", &self.permission)
            .field("asks", &self.admission.is_some())
            .finish()
    }
}
