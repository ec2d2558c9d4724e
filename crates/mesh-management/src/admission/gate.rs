//! What stands before a route.

use std::fmt;
use std::sync::Arc;

use mesh_api::permission::Permission;

use crate::admission::seam::{Admission, Caller, Denied, Sent};

/// A log has so many bytes of what a request or its token says: of a path, a subject, a request's name.
const SHOWN: usize = 128;

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
                    let subject = beginning(&caller.subject);
                    let request_id = caller.request_id.as_deref().map(beginning);
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
    beginning(target.split('?').next().unwrap_or_default())
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN)]
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("permission", &self.permission)
            .field("asks", &self.admission.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use tracing::subscriber::with_default;

    use super::*;
    use crate::admission::seam::CallerKind;
    use crate::headers::HeaderText;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct NoHeaders;

    impl HeaderText for NoHeaders {
        fn all<'a>(&'a self, _: &str) -> Vec<&'a [u8]> {
            Vec::new()
        }
    }

    /// Lets in, or not, a caller whose token is as long as one may be.
    struct Long(bool);

    #[async_trait]
    impl Admission for Long {
        async fn admit(&self, permission: Permission, _: Sent<'_>) -> Result<Caller, Denied> {
            let caller = Caller {
                subject: "s".repeat(8 * 1024),
                name: None,
                kind: CallerKind::Client,
                permissions: vec![permission],
                session: None,
                request_id: Some("\u{e9}".repeat(4 * 1024)),
                until_ms: None,
                headers: Vec::new(),
            };
            match self.0 {
                true => Ok(caller),
                false => Err(Denied::forbidden(permission)),
            }
        }
    }

    #[test]
    fn a_long_token_makes_no_long_line_of_a_log() {
        for lets_in in [true, false] {
            let log = Log::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
            let gate = Gate::new(Permission::MeshRead, Some(Arc::new(Long(lets_in))));
            let target = format!("/{}?token=secret", "p".repeat(8 * 1024));
            let sent = Sent {
                method: "POST",
                target: &target,
                headers: &NoHeaders,
            };
            let admitted = with_default(subscriber.finish(), || gate.admit(sent).now_or_never());
            assert_eq!(admitted.map(|it| it.is_ok()), Some(lets_in));
            let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            assert_eq!(log.lines().count(), 1, "{log}");
            assert!((64..1024).contains(&log.len()), "{} bytes", log.len());
            assert!(!log.contains("secret"));
        }
    }
}
