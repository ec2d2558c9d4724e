//! The forms of a browser on the management surface: the same operations, their fields url-encoded, answered by a redirect
//! back to the page, which then says what happened. A program that posts a form is answered in JSON.
//!
//! No secret is kept: what a form brought in a secret field goes to the operation and nowhere else.

pub mod accept;
pub mod back;
pub mod decode;
pub mod fields;
pub mod flash;
pub mod moment;
pub mod outcome;

use std::sync::Arc;

use auth_base::clock::Clock;
use auth_base::random::Random;
use serde_json::Value;

use crate::forms::accept::wants_html;
use crate::forms::fields::Form;
use crate::forms::flash::FlashStore;
use crate::forms::outcome::Outcome;
use crate::problem::Problem;
use crate::surface::guard::{self, Encoding, HeaderText};
use crate::surface::routes::{FORM_ROUTES, Method, Operation, Prefix, Route};
use crate::surface::{Input, Surface};

/// One unsafe request, guarded and read whole.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// Below which prefix it came.
    pub prefix: Prefix,
    /// The route it came to.
    pub route: &'static Route,
    /// How its body is written, as the guard found it.
    pub encoding: Encoding,
    /// Its `Accept` header.
    pub accept: Option<&'a str>,
    /// What it brings.
    pub input: Input<'a>,
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON body.
    Json {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// 303, to a page of this site.
    Redirect {
        /// The `Location`.
        location: String,
    },
}

/// Answers forms, and keeps what happened until the page has shown it.
pub struct Forms {
    /// Absent on a peer that has no pages to go back to.
    flash: Option<FlashStore>,
}

impl Forms {
    /// For a peer with pages.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            flash: Some(FlashStore::new(clock, random)),
        }
    }

    /// For a peer without: it takes JSON only.
    pub fn none() -> Self {
        Self { flash: None }
    }

    /// The routes to register besides those of the table.
    pub fn routes(&self) -> &'static [Route] {
        if self.flash.is_some() {
            FORM_ROUTES
        } else {
            &[]
        }
    }

    /// Checks a request before its body is read, and tells how that is written.
    ///
    /// # Errors
    /// As [`guard::check`]; a form passes only below `/api`, where the pages' forms go.
    pub fn check(
        &self,
        prefix: Prefix,
        route: &Route,
        method: &str,
        headers: &impl HeaderText,
    ) -> Result<Encoding, Problem> {
        let encoding = guard::check_either(method, headers)?;
        let may_be_form = self.flash.is_some() && prefix == Prefix::Api && takes_forms(route);
        match encoding {
            Encoding::Form if !may_be_form => Err(Problem::not_json()),
            Encoding::Json if is_for_forms_only(route) => Err(Problem::not_form()),
            encoding => Ok(encoding),
        }
    }

    /// Answers one request that was checked, whichever way its body is written.
    pub async fn answer(&self, surface: &Surface, post: Post<'_>) -> Answer {
        match (post.encoding, &self.flash) {
            (Encoding::Form, Some(flash)) => form(flash, surface, post).await,
            _ => json(post, surface.answer(post.route.operation, post.input).await),
        }
    }

    /// Takes the outcome that a page's query asks for (`said`); no other page is shown it then.
    pub fn outcome(&self, query: Option<&str>) -> Option<Outcome> {
        self.flash.as_ref()?.take(back::said(query?)?.as_ref())
    }
}

async fn form(flash: &FlashStore, surface: &Surface, post: Post<'_>) -> Answer {
    let operation = post.route.operation;
    let (kept, answered) = match Form::parse(operation, post.input.body) {
        Ok(form) => {
            let input = Input {
                body: &form.body,
                ..post.input
            };
            let answered = surface.answer(operation, input).await;
            (form.kept, answered)
        }
        Err(refused) => (refused.kept, Err(refused.problem)),
    };
    if !wants_html(post.accept) {
        return json(post, answered);
    }
    let id = flash.keep(Outcome::new(operation, &answered, kept.values));
    Answer::Redirect {
        location: back::location(&kept.back, &id),
    }
}

fn json(post: Post<'_>, answered: Result<Value, Problem>) -> Answer {
    match answered {
        Ok(answer) => Answer::Json {
            status: post.prefix.status(post.route.method),
            body: answer.to_string(),
        },
        Err(problem) => Answer::Json {
            status: problem.status,
            body: problem.body(),
        },
    }
}

/// Tells whether a form may ask for what the route does.
pub(crate) fn takes_forms(route: &Route) -> bool {
    route.method == Method::Post && fields::of(route.operation).is_some()
}

/// A form knows no DELETE: it posts, and says `_method=DELETE`.
fn is_for_forms_only(route: &Route) -> bool {
    route.method == Method::Post && route.operation == Operation::DeleteTarget
}
