//! The conformance suite of the mounted surface: an adapter of a web framework runs it from its `tests/`, one test a case, and so
//! answers as every other adapter does, byte for byte.
//!
//! # Implementing
//! Implement [`Mounted`] for the adapter, in process, and write `mesh_management::surface_cases!(axum, MyMounted);`.

pub mod admission;
pub mod bodies;
pub mod edge;
pub mod forms;
pub mod origins;
pub mod reads;

mod parts;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::surface::Surface;

/// The surface, mounted at `/surface`.
#[async_trait(?Send)]
pub trait Mounted {
    /// Mounts it.
    fn mount(surface: Surface) -> Self;

    /// Asks it once.
    async fn ask(&self, request: Asked) -> Answered;
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its method.
    pub method: &'static str,
    /// Its path and query.
    pub path: String,
    /// Its headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// A request at a path of the surface.
pub(crate) fn request(method: &'static str, path: &str) -> Asked {
    Asked {
        method,
        path: format!("/surface{path}"),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// A POST of JSON.
pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Asked {
    Asked {
        body: body.into(),
        ..request("POST", path)
    }
    .with("content-type", "application/json")
}

/// A POST of a form.
pub(crate) fn form(path: &str, body: &str) -> Asked {
    Asked {
        body: body.into(),
        ..request("POST", path)
    }
    .with("content-type", "application/x-www-form-urlencoded")
}

impl Asked {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Answered {
    /// Compares status and body, and the headers that every JSON answer has.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
        for (name, value) in crate::surface::HEADERS {
            assert_eq!(self.header(name), value, "{name}");
        }
    }

    /// Compares a refusal.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str, field: &str, message: &str) {
        let field = match field {
            "" => String::new(),
            field => format!(r#""field":"{field}","#),
        };
        let body = format!(r#"{{"error":"{code}",{field}"message":"{message}"}}"#);
        self.is(status, &body);
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Makes a test of each case, in a module named for the adapter.
#[macro_export]
macro_rules! surface_cases {
    ($adapter:ident, $mounted:ty) => {
        $crate::surface_cases!($adapter, $mounted, {
            admission {
                without_a_token_nobody_is_admitted,
                every_operation_asks_for_its_permission,
                every_operation_asks_for_its_scope,
                no_operation_is_left_out,
                a_bound_token_needs_its_proof,
                a_stream_ends_with_its_token,
                a_token_is_good_once_and_for_one_request,
                a_form_is_no_way_around,
                a_token_excuses_no_other_site,
                what_cannot_be_checked_is_refused,
            }
            bodies {
                an_ensure_creates_and_then_updates,
                a_rotate_wants_a_known_client,
                a_revoke_answers_the_client,
                a_resync_is_of_a_target_or_a_client,
                a_sync_has_no_fields,
                mistakes_name_their_field,
                what_is_no_json_object_is_refused,
                a_body_is_bounded,
                a_secret_is_hashed,
                a_call_is_of_a_configured_peer,
                a_post_that_is_done_may_be_created,
            }
            edge {
                other_methods_are_refused,
                other_sites_are_refused,
                a_body_is_declared_as_json_or_not_at_all,
                a_post_has_no_query,
                a_head_is_answered_without_a_body,
                a_path_of_nothing_is_left_to_the_application,
            }
            forms {
                a_form_goes_back_to_its_page,
                a_refused_form_goes_back_too,
                a_program_is_answered_in_json,
                a_form_never_leads_away,
                what_is_no_form_is_refused,
                a_target_is_deleted_by_a_form,
                a_form_is_taken_only_where_forms_are,
            }
            origins {
                a_change_is_kept_with_who_asked,
                a_client_asks_by_its_own_name,
                where_nobody_is_asked_nobody_is_kept,
                a_target_is_kept_with_who_asked,
            }
            reads {
                the_state_comes_in_pages,
                targets_are_put_and_deleted,
                a_name_is_decoded,
                local_clients_are_listed,
                a_timeline_is_of_one_client,
                without_a_view_there_is_no_mesh,
                the_mesh_is_what_the_view_sees,
                changes_are_pushed_where_they_are_asked_for,
            }
        });
    };
    ($adapter:ident, $mounted:ty, { $($part:ident { $($case:ident),* $(,)? })* }) => {
        mod $adapter {
            use super::*;

            $($(
                #[tokio::test]
                async fn $case() {
                    $crate::testkit::$part::$case::<$mounted>().await;
                }
            )*)*
        }
    };
}
