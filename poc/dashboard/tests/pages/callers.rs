//! What each caller is shown: who they are, the way out, and only what they may do.

use dashboard::page::{Caller, PageData};
use mesh_api::permission::{Permission, Role};

use crate::document::Document;
use crate::samples::seen_by;
use crate::{draw, samples};

/// What the pages say where forms would be.
const CREDENTIALS: &str = "Only people with credentials:write may change this.";
const TARGETS: &str = "Only people with targets:write may change this.";

/// The pages with forms.
fn pages() -> [PageData; 5] {
    [
        samples::matrix(),
        samples::empty(),
        samples::client(),
        samples::targets(),
        samples::health(),
    ]
}

/// A page as a machine sees it, or a person who came without a session.
fn seen_with(permissions: &[Permission], data: PageData) -> Document {
    let caller = Caller {
        name: "sync-job".to_owned(),
        permissions: permissions.to_vec(),
        has_session: false,
    };
    read(&PageData {
        caller: Some(caller),
        ..data
    })
}

fn read(data: &PageData) -> Document {
    Document::parse(&draw(data))
}

/// Where the forms of a page go that change something, in their order.
fn actions(document: &Document) -> Vec<String> {
    let posts = document
        .elements("form")
        .filter(|form| form.attribute("method") == Some("post"));
    let actions = posts.filter_map(|form| form.attribute("action"));
    actions.map(str::to_owned).collect()
}

fn links(document: &Document, path: &str) -> usize {
    let links = document.elements("a").filter_map(|a| a.attribute("href"));
    links.filter(|href| href.starts_with(path)).count()
}

#[test]
fn where_nobody_is_asked_everything_is_offered_and_nobody_named() {
    for data in pages() {
        let document = read(&data);
        let text = document.text();
        assert!(!text.contains("Signed in as") && !text.contains("Only people with"));
        assert_eq!(links(&document, "/account/"), 0);
        let open = actions(&document);
        assert!(!open.is_empty() && !open.iter().any(|action| action == "/logout"));
        let mut of_admin = actions(&read(&seen_by(Role::Admin, data)));
        of_admin.retain(|action| action != "/logout");
        assert_eq!(of_admin, open, "who may do all is offered all");
    }
}

#[test]
fn the_header_says_who_is_signed_in_and_leads_out() {
    for (role, words, others) in [
        (Role::Viewer, "Signed in as ada@example.org (viewer)", 0),
        (Role::Operator, "Signed in as ada@example.org (operator)", 0),
        (Role::Admin, "Signed in as ada@example.org (admin)", 1),
    ] {
        for data in pages() {
            let document = read(&seen_by(role, data));
            assert!(document.text().contains(words), "{}", document.text());
            let out = document.elements("form");
            let out = out.filter(|form| form.attribute("action") == Some("/logout"));
            assert_eq!(out.count(), 1);
            assert_eq!(links(&document, "/account/sessions"), 1);
            assert_eq!(links(&document, "/account/audit"), others);
            assert_eq!(links(&document, "/account/people"), others);
        }
    }
}

#[test]
fn who_has_no_session_is_named_and_cannot_sign_out() {
    let permissions = [Permission::MeshRead, Permission::AccountsWrite];
    let document = seen_with(&permissions, samples::matrix());
    assert!(document.text().contains("Signed in as sync-job (admin)"));
    assert_eq!(links(&document, "/account/"), 0);
    assert!(!actions(&document).contains(&"/logout".to_owned()));
}

#[test]
fn a_hostile_name_is_text() {
    let mut data = seen_by(Role::Viewer, samples::matrix());
    data.caller.as_mut().unwrap().name = "<script>\u{202e}".to_owned();
    let html = draw(&data);
    assert!(!html.contains("<script>\u{202e}"));
    let text = Document::parse(&html).text();
    assert!(text.contains("Signed in as <script>\\u{202e} (viewer)"));
}

#[test]
fn a_viewer_is_offered_nothing_and_told_why() {
    for data in pages() {
        let page = data.page;
        let document = read(&seen_by(Role::Viewer, data));
        assert_eq!(actions(&document), ["/logout"], "{page:?}");
        let text = document.text();
        let said: usize = [CREDENTIALS, TARGETS]
            .map(|sentence| text.matches(sentence).count())
            .into_iter()
            .sum();
        let panels = document.elements("aside").count();
        assert_eq!(said, panels, "{page:?}: once for each empty panel");
        assert!(!text.contains("Give one a secret"), "{page:?}");
    }
    assert!(
        read(&seen_by(Role::Viewer, samples::empty()))
            .text()
            .contains("Nobody has ensured one here.")
    );
}

#[test]
fn an_operator_is_offered_all_that_a_peer_does() {
    for data in pages() {
        let mut of_operator = actions(&read(&seen_by(Role::Operator, data.clone())));
        of_operator.retain(|action| action != "/logout");
        assert_eq!(of_operator, actions(&read(&data)));
    }
}

#[test]
fn each_permission_offers_its_own_forms() {
    let read = Permission::MeshRead;
    let caller = [read, Permission::CredentialsUse];
    let document = seen_with(&caller, samples::matrix());
    assert_eq!(actions(&document), ["/api/call-target"]);
    let open = document.by_id("tab-callTarget").attribute("checked");
    assert!(open.is_some(), "the only sheet is open");
    assert!(!document.text().contains(CREDENTIALS));

    let caller = [read, Permission::CredentialsWrite];
    let document = seen_with(&caller, samples::client());
    assert_eq!(
        actions(&document),
        ["/api/resync", "/api/rotate", "/api/revoke"]
    );
    let document = seen_with(&caller, samples::targets());
    assert!(actions(&document).iter().all(|it| it == "/api/resync"));
    assert!(document.text().contains(TARGETS));

    let document = seen_with(&[read, Permission::TargetsWrite], samples::targets());
    assert!(
        actions(&document)
            .iter()
            .all(|it| it.starts_with("/api/targets"))
    );
    assert!(!document.text().contains(TARGETS));

    let document = seen_with(&[read, Permission::MeshControl], samples::health());
    assert!(
        actions(&document)
            .iter()
            .all(|it| it.starts_with("/api/mesh/peers/"))
    );
    assert!(!actions(&document).is_empty());
}

/// A form that was refused while the permission was there, and is not any more.
#[test]
fn what_was_entered_in_a_form_that_is_gone_shows_nowhere() {
    let document = read(&seen_by(Role::Viewer, samples::mistake()));
    assert_eq!(actions(&document), ["/logout"]);
    assert!(document.text().contains("no address and no network"));
}
