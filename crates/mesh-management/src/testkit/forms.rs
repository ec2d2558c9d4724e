//! The forms of a browser, and of programs that post them.

use std::sync::Arc;

use mesh_api::outcome::Outcome;

use crate::form::Forms;
use crate::testkit::parts::{SECRET, surface, with_forms};
use crate::testkit::{Answered, Asked, Mounted, form, post};

fn of_a_browser(path: &str, body: &str) -> Asked {
    form(path, body)
        .with("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
        .with("sec-fetch-site", "same-origin")
}

/// The page that a browser is sent to, and what it would show there.
#[track_caller]
fn shown(answer: &Answered, forms: &Arc<Forms>) -> (String, Outcome) {
    assert_eq!((answer.status, answer.body.as_str()), (303, ""));
    assert_eq!(answer.header("cache-control"), "no-store");
    let location = answer.header("location");
    let (page, id) = location.split_once("said=").unwrap_or_default();
    let outcome = forms.outcome(Some(&format!("said={id}")));
    #[expect(clippy::expect_used, reason = "a suite")]
    (page.to_owned(), outcome.expect("an outcome"))
}

/// Which shows what was done.
pub async fn a_form_goes_back_to_its_page<M: Mounted>() {
    let (surface, forms) = with_forms();
    let mounted = M::mount(surface);
    let body = format!("clientId=a&secret={SECRET}&back=%2Ftargets%3Fx%3D1");
    let answer = mounted.ask(of_a_browser("/ensure", &body)).await;
    let (page, outcome) = shown(&answer, &forms);
    assert_eq!((page.as_str(), outcome.ok), ("/targets?x=1&", true));
    assert_eq!(outcome.message, "client a is created");
    assert!(!format!("{outcome:?}").contains(SECRET));
}

/// With its mistake, and what was entered, secrets aside.
pub async fn a_refused_form_goes_back_too<M: Mounted>() {
    let (surface, forms) = with_forms();
    let mounted = M::mount(surface);
    let body = format!("clientId=a&secret={SECRET}&expiresAt=tomorrow");
    let answer = mounted.ask(of_a_browser("/ensure", &body)).await;
    let (page, outcome) = shown(&answer, &forms);
    assert_eq!((page.as_str(), outcome.ok), ("/?", false));
    assert_eq!(outcome.field.as_deref(), Some("expiresAt"));
    assert_eq!(outcome.value("clientId"), Some("a"));
    assert!(!format!("{outcome:?}").contains(SECRET));
}

/// As if it had sent JSON.
pub async fn a_program_is_answered_in_json<M: Mounted>() {
    let mounted = M::mount(with_forms().0);
    let body = format!("clientId=a&secret={SECRET}&track=&allowedIps=&expiresAt=");
    let answer = mounted.ask(form("/ensure", &body)).await;
    answer.is(200, r#"{"clientId":"a","op":"credential.create"}"#);
    let answer = mounted.ask(form("/ensure", "clientId=a&clientId=b")).await;
    answer.refuses(400, "INVALID_OPTIONS", "clientId", "is given twice");
    let answer = mounted.ask(form("/rotate", "targets=a")).await;
    answer.refuses(
        400,
        "INVALID_OPTIONS",
        "targets",
        "is not a field of this form",
    );
}

/// Nor from elsewhere to here.
pub async fn a_form_never_leads_away<M: Mounted>() {
    let (surface, forms) = with_forms();
    let mounted = M::mount(surface);
    let answer = mounted
        .ask(of_a_browser("/sync", "back=//evil.example"))
        .await;
    let (page, outcome) = shown(&answer, &forms);
    assert_eq!(
        (page.as_str(), outcome.field.as_deref()),
        ("/?", Some("back"))
    );
    let from_elsewhere = form("/sync", "").with("origin", "https://evil.example");
    assert_eq!(mounted.ask(from_elsewhere).await.status, 403);
}

/// A secret must arrive as it was typed or not at all.
pub async fn what_is_no_form_is_refused<M: Mounted>() {
    let mounted = M::mount(with_forms().0);
    for (body, what) in [
        ("secret=%4", "a percent sign without two hex digits"),
        ("secret=%ff", "it is not UTF-8"),
    ] {
        let answer = mounted.ask(form("/ensure", body)).await;
        let message = format!("the body is not a form ({what})");
        answer.refuses(400, "INVALID_FORM", "", &message);
    }
}

/// Which knows no DELETE, and says so.
pub async fn a_target_is_deleted_by_a_form<M: Mounted>() {
    let (surface, forms) = with_forms();
    let mounted = M::mount(surface);
    let target = form("/targets", "targetAmqpQueue=new&propagationSecret=s&note=");
    let answer = mounted.ask(target).await;
    answer.is(200, r#"{"op":"target.create","targetAmqpQueue":"new"}"#);
    let answer = mounted.ask(form("/targets/new", "")).await;
    answer.refuses(
        400,
        "INVALID_OPTIONS",
        "_method",
        "must be DELETE to delete",
    );
    let delete = of_a_browser("/targets/new", "_method=DELETE&back=/targets");
    let (page, outcome) = shown(&mounted.ask(delete).await, &forms);
    assert_eq!(
        (page.as_str(), outcome.message.as_str()),
        ("/targets?", "target new is deleted")
    );
    let answer = mounted.ask(post("/targets/new", "{}")).await;
    let message = "the content type must be application/x-www-form-urlencoded";
    answer.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "", message);
}

/// 415 elsewhere, and of what no form asks for.
pub async fn a_form_is_taken_only_where_forms_are<M: Mounted>() {
    let message = "the content type must be application/json";
    let without = M::mount(surface());
    let answer = without.ask(of_a_browser("/sync", "")).await;
    answer.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "", message);
    let with = M::mount(with_forms().0);
    let answer = with.ask(of_a_browser("/hash", "secret=a")).await;
    answer.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "", message);
}
