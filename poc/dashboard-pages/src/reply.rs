//! An answer that is no JSON, as a framework sends it.

use mesh_api::problem::Problem;
use mesh_management::surface::{HEADERS, page_headers};

/// Status, headers and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A page, held to `policy`.
    pub(crate) fn page(status: u16, document: String, policy: &'static str) -> Self {
        let headers = page_headers("text/html; charset=utf-8", policy);
        Self::new(status, headers, document.into_bytes())
    }

    /// A refusal in JSON.
    pub(crate) fn problem(problem: &Problem) -> Self {
        Self::new(problem.status, HEADERS, problem.body().into_bytes())
    }

    pub(crate) fn new<const N: usize>(
        status: u16,
        headers: [(&'static str, &str); N],
        body: Vec<u8>,
    ) -> Self {
        let headers = headers.map(|(name, value)| (name, value.to_owned())).into();
        Self {
            status,
            headers,
            body,
        }
    }
}
