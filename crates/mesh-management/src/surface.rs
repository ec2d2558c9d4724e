//! The surface as it is mounted, for the adapters of web frameworks: what a request must be, and what it is answered.
//!
//! ```text
//! Gate: who may ─► check the head ─► the adapter reads the body ─► read ─► a method of Management ─► Reply::answer
//! ```

use std::sync::Arc;

use mesh_api::decode;
use mesh_api::fields::of_form;
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;
use mesh_api::routes::{DELETE_TARGET_FORM, Operation, ROUTES, Route};
use mesh_api::sync::Nothing;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::admission::{Admission, Denied, Gate};
use crate::edge::Hosts;
use crate::error::RequestError;
use crate::form::accept::wants_html;
use crate::form::{self, Forms, Kept};
use crate::guard::{self, Encoding};
use crate::headers::HeaderText;
use crate::management::Management;

/// The surface, and how it is mounted. Clones share it.
#[derive(Clone)]
pub struct Surface {
    management: Arc<Management>,
    created: bool,
    forms: Option<Arc<Forms>>,
    events: bool,
    hosts: Hosts,
    admission: Option<Arc<dyn Admission>>,
}

impl Surface {
    /// Takes JSON, and answers 200.
    pub fn new(management: impl Into<Arc<Management>>) -> Self {
        Self {
            management: management.into(),
            created: false,
            forms: None,
            events: false,
            hosts: Hosts::any(),
            admission: None,
        }
    }

    /// Answers a POST that was done with 201.
    pub fn created(mut self) -> Self {
        self.created = true;
        self
    }

    /// Takes forms too.
    pub fn forms(mut self, forms: Option<Arc<Forms>>) -> Self {
        self.forms = forms;
        self
    }

    /// Pushes changes of the mesh as events.
    pub fn events(mut self) -> Self {
        self.events = true;
        self
    }

    /// Takes requests of the pages of these names, whatever `Host` a proxy in front writes.
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Asks `admission` who may do what; nobody is asked when there is none.
    pub fn admission(mut self, admission: Option<Arc<dyn Admission>>) -> Self {
        self.admission = admission;
        self
    }

    /// What stands before a route of `permission`.
    pub fn gate(&self, permission: Permission) -> Gate {
        Gate::new(permission, self.admission.clone())
    }

    /// What it does.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// The routes to register.
    pub fn routes(&self) -> impl Iterator<Item = &'static Route> {
        ROUTES
            .iter()
            .chain(self.forms.as_ref().map(|_| &DELETE_TARGET_FORM))
    }

    /// Whether changes are pushed, at [`mesh_api::routes::EVENTS`].
    pub fn has_events(&self) -> bool {
        self.events
    }

    /// Checks a request before its body is read.
    ///
    /// # Errors
    /// As [`guard::check`]; a form passes only where forms are taken.
    pub fn check(
        &self,
        operation: Operation,
        method: &str,
        headers: &impl HeaderText,
    ) -> Result<Head, Problem> {
        let encoding = guard::check(&self.hosts, method, headers)?;
        let is_post = method == "POST";
        let takes_form = self.forms.is_some() && is_post && of_form(operation).is_some();
        // A form knows no DELETE: it posts, and says `_method=DELETE`.
        let is_for_forms_only = is_post && operation == Operation::DeleteTarget;
        match encoding {
            Encoding::Form if !takes_form => Err(Problem::not_json()),
            Encoding::Json if is_for_forms_only => Err(Problem::not_form()),
            encoding => Ok(Head {
                operation,
                is_safe: matches!(method, "GET" | "HEAD"),
                status: if self.created && is_post { 201 } else { 200 },
                is_form: encoding == Encoding::Form,
                wants_html: wants_html(headers.text("accept")),
            }),
        }
    }

    /// Reads a request that was checked: the query of a safe one, the body of another, which has no query.
    ///
    /// # Errors
    /// What to answer instead.
    pub fn read<T: DeserializeOwned>(
        &self,
        head: Head,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<(T, Reply), Answer> {
        let mut reply = Reply { head, back: None };
        let read = match (&self.forms, head.is_form) {
            (Some(forms), true) => {
                let (read, kept) = form::read(head.operation, body);
                if head.wants_html {
                    reply.back = Some((Arc::clone(forms), kept));
                }
                read
            }
            _ if head.is_safe => decode::query(query),
            _ => decode::json(body),
        };
        let has_no_query = || decode::query::<Nothing>(query);
        let read = match read {
            Ok(read) if !head.is_safe => has_no_query().map(|_| read),
            read => read,
        };
        match read {
            Ok(read) => Ok((read, reply)),
            Err(problem) => Err(reply.answer::<()>(Err(problem.into()))),
        }
    }
}

impl From<Management> for Surface {
    fn from(management: Management) -> Self {
        Self::new(management)
    }
}

impl From<Arc<Management>> for Surface {
    fn from(management: Arc<Management>) -> Self {
        Self::new(management)
    }
}

/// A request of which the head was checked.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    operation: Operation,
    is_safe: bool,
    /// Of a good answer.
    status: u16,
    is_form: bool,
    wants_html: bool,
}

/// How a request wants to be answered.
pub struct Reply {
    head: Head,
    /// A form of whoever reads pages goes back to its page, which shows what is kept.
    back: Option<(Arc<Forms>, Kept)>,
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON body.
    Json {
        /// The HTTP status.
        status: u16,
        /// The body; members are in the order of their names.
        body: String,
        /// Headers besides [`HEADERS`], in lower case: the `link` of a list that goes on, a challenge.
        headers: Vec<(&'static str, String)>,
    },
    /// 303, to a page of this site.
    Redirect {
        /// The `Location`.
        location: String,
    },
}

impl Reply {
    /// Tells what was answered, or why not.
    pub fn answer<A: Serialize>(self, answered: Result<A, RequestError>) -> Answer {
        let answered: Result<Value, Problem> = answered
            .map_err(Problem::from)
            .and_then(|answer| serde_json::to_value(answer).map_err(|_| Problem::internal()));
        if let Some((forms, kept)) = self.back {
            let location = forms.keep(self.head.operation, &answered, kept);
            return Answer::Redirect { location };
        }
        match answered {
            Ok(answer) => Answer::Json {
                status: self.head.status,
                body: answer.to_string(),
                headers: Vec::new(),
            },
            Err(problem) => problem.into(),
        }
    }

    /// The same of a list that may go on, with the query of its next page.
    pub fn list<A: Serialize>(self, answered: Result<(A, Option<String>), RequestError>) -> Answer {
        let (list, next) = match answered {
            Ok((list, next)) => (Ok(list), next),
            Err(error) => (Err(error), None),
        };
        match self.answer(list) {
            Answer::Json { status, body, .. } => Answer::Json {
                status,
                body,
                headers: next.as_deref().map(link_to).into_iter().collect(),
            },
            redirect => redirect,
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::Json {
            status: problem.status,
            body: problem.body(),
            headers: Vec::new(),
        }
    }
}

impl From<Denied> for Answer {
    fn from(denied: Denied) -> Self {
        Self::Json {
            status: denied.problem.status,
            body: denied.problem.body(),
            headers: denied.headers,
        }
    }
}

fn link_to(query: &str) -> (&'static str, String) {
    ("link", format!("<?{query}>; rel=\"next\""))
}

/// The headers of every JSON answer, in lower case: it is never cached, and nothing else than what it says.
pub const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
];

/// The headers of what is read in a browser, in lower case: never cached, never framed, and held to `policy`.
pub fn page_headers(
    content_type: &'static str,
    policy: &'static str,
) -> [(&'static str, &'static str); 8] {
    [
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        // Not `no-referrer`: a browser would call the origin of the pages' own forms unknown then.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ]
}
