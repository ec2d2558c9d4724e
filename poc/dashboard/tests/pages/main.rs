//! What the pages say.
#![cfg(feature = "ssr")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing helper is a failing test"
)]

mod callers;
mod document;
mod samples;

use dashboard::page::{Page, PageData};
use dashboard::{Assets, render};
use mesh_api::mesh::MeshPage;
use mesh_api::outcome::Outcome;
use mesh_api::routes::Operation;

use crate::document::Document;

fn draw(data: &PageData) -> String {
    let start = Some("/pkg/start-1.js".to_owned());
    render(
        data,
        &Assets {
            style: "/pkg/style-1.css".to_owned(),
            start,
        },
    )
}

/// The words of a page, without its markup and its data.
fn words(data: &PageData) -> String {
    Document::parse(&draw(data)).text()
}

#[test]
fn every_page_is_a_whole_document() {
    for (name, data) in samples::all() {
        let html = draw(&data);
        assert!(
            html.starts_with("<!doctype html><html lang=\"en\">"),
            "{name}"
        );
        assert!(
            html.contains("<meta name=\"viewport\"") && html.contains("<title>"),
            "{name}"
        );
        assert!(
            html.contains("href=\"/pkg/style-1.css\"") && html.contains("src=\"/pkg/start-1.js\""),
            "{name}"
        );
        let document = Document::parse(&html);
        assert_eq!(document.elements("h1").count(), 1, "{name}");
        assert_eq!(document.elements("main").count(), 1, "{name}");
        let ids: Vec<&str> = document
            .all()
            .filter_map(|element| element.attribute("id"))
            .collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(
            unique.len(),
            ids.len(),
            "{name}: an id is given twice: {ids:?}"
        );
    }
}

#[test]
fn nothing_in_a_page_offends_the_content_security_policy() {
    for (name, data) in samples::all() {
        let document = Document::parse(&draw(&data));
        for element in document.all() {
            assert!(
                element.attribute("style").is_none(),
                "{name}: an inline style on {}",
                element.name
            );
            let handler = element
                .attributes
                .iter()
                .find(|(attribute, _)| attribute.starts_with("on"));
            assert!(
                handler.is_none(),
                "{name}: an inline handler on {}",
                element.name
            );
            let is_data = element.attribute("type") == Some("application/json");
            assert!(
                element.name != "script" || is_data || element.attribute("src").is_some(),
                "{name}"
            );
        }
    }
}

#[test]
fn every_control_has_a_label_and_what_describes_it_exists() {
    for (name, data) in samples::all() {
        let document = Document::parse(&draw(&data));
        let has = |attribute: &str, value: &str| {
            document
                .all()
                .any(|one| one.attribute(attribute) == Some(value))
        };
        for control in document
            .all()
            .filter(|one| ["input", "select", "textarea"].contains(&one.name.as_str()))
        {
            if control.attribute("type") == Some("hidden") {
                continue;
            }
            let id = control
                .attribute("id")
                .unwrap_or_else(|| panic!("{name}: {control:?} has no id"));
            assert!(has("for", id), "{name}: {id} has no label");
            for described in control
                .attribute("aria-describedby")
                .unwrap_or_default()
                .split_whitespace()
            {
                assert!(has("id", described), "{name}: {described} is not there");
            }
        }
        for labelled in document
            .all()
            .filter_map(|one| one.attribute("aria-labelledby"))
        {
            assert!(has("id", labelled), "{name}: {labelled} is not there");
        }
    }
}

#[test]
fn every_form_says_where_it_goes_and_where_it_comes_back_to() {
    for (name, data) in samples::all() {
        let document = Document::parse(&draw(&data));
        for form in document.elements("form") {
            let action = form.attribute("action").unwrap();
            match form.attribute("method") {
                // The gateway leads on by itself.
                Some("post") if action == "/logout" => {}
                Some("post") => assert!(action.starts_with("/api/"), "{name}: {action}"),
                method => assert_eq!((method, action), (Some("get"), "/"), "{name}"),
            }
        }
        let posts = document
            .elements("form")
            .filter(|form| form.attribute("method") == Some("post"))
            .filter(|form| form.attribute("action") != Some("/logout"))
            .count();
        let backs: Vec<_> = document
            .elements("input")
            .filter(|one| one.attribute("name") == Some("back"))
            .collect();
        assert_eq!(backs.len(), posts, "{name}");
        assert!(
            backs
                .iter()
                .all(|back| back.attribute("value").unwrap().starts_with('/')),
            "{name}"
        );
    }
}

#[test]
fn no_secret_field_has_a_value() {
    for (name, data) in samples::all() {
        let document = Document::parse(&draw(&data));
        for field in document
            .elements("input")
            .filter(|one| one.attribute("type") == Some("password"))
        {
            assert!(field.attribute("value").is_none(), "{name}");
            assert_eq!(
                field.attribute("autocomplete"),
                Some("new-password"),
                "{name}"
            );
        }
    }
}

#[test]
fn a_browser_neither_completes_a_field_nor_takes_one_for_the_name_of_a_login() {
    for (name, data) in samples::all() {
        let document = Document::parse(&draw(&data));
        for field in document
            .all()
            .filter(|one| ["input", "textarea"].contains(&one.name.as_str()))
        {
            let kind = field.attribute("type").unwrap_or("textarea");
            if ["text", "search", "datetime-local", "textarea"].contains(&kind) {
                assert_eq!(
                    field.attribute("autocomplete"),
                    Some("off"),
                    "{name}: {field:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_empty_holds_no_space_so_that_the_style_sheet_can_hide_it() {
    for (name, data) in samples::all() {
        let html = draw(&data);
        for class in ["age", "hash", "mistake", "note live-only", "why"] {
            for element in ["p", "span"] {
                let space = format!("<{element} class=\"{class}\"> <");
                assert!(!html.contains(&space), "{name}: {class}");
            }
        }
    }
}

#[test]
fn what_was_entered_beside_the_fields_of_a_form_is_not_shown() {
    let mut data = samples::mistake();
    let values = &mut data.outcome.as_mut().unwrap().values;
    values.insert("secret".to_owned(), vec!["hunter2-hunter2".to_owned()]);
    data.live = false;
    assert!(!draw(&data).contains("hunter2"));
}

#[test]
fn hostile_ids_are_text() {
    let hostile = "</script><script>alert(1)</script>\"'&\u{202e}\u{2028}<!--";
    let mut data = samples::matrix();
    data.mesh.as_mut().unwrap().clients[0].client_id = hostile.to_owned();
    data.query.filter = Some(hostile.to_owned());
    let mut of_client = samples::client();
    let timeline = of_client.timeline.as_mut().unwrap();
    timeline.client_id = hostile.to_owned();
    timeline.entries[0].reason = Some(hostile.to_owned());
    for entry in &mut timeline.entries {
        entry.actor = Some(hostile.to_owned());
    }
    data.outcome = Some(Outcome {
        message: hostile.to_owned(),
        ..samples::refused(Operation::Ensure)
    });
    for data in [data, of_client] {
        let html = draw(&data);
        assert!(!html.contains("<script>alert"));
        let document = Document::parse(&html);
        assert_eq!(document.elements("script").count(), 2);
        // Names and sentences show what turns the direction of their neighbours.
        assert!(document.text().contains("&\\u{202e}\\u{2028}<!--"));
        let island = html
            .split_once("id=\"page-data\">")
            .unwrap()
            .1
            .split_once("</script>")
            .unwrap()
            .0;
        assert!(!island.contains(['<', '>', '&', '\u{2028}']));
        assert_eq!(serde_json::from_str::<PageData>(island).unwrap(), data);
    }
}

#[test]
fn a_page_without_a_bundle_holds_no_script() {
    let data = samples::matrix();
    let html = render(
        &data,
        &Assets {
            style: "/s.css".to_owned(),
            start: None,
        },
    );
    assert!(!html.contains("<script"));
}

#[test]
fn the_matrix_says_in_words_how_the_mesh_agrees() {
    let text = words(&samples::matrix());
    for words in [
        "2 of 4 peers agree on 128 clients",
        "5 clients are not everywhere as they should be.",
        "behind",
        "missing",
        "unexpected",
        "unknown",
        "2 behind, 1 missing, 1 unexpected",
        "3 attempts: not acknowledged for 60 s",
        "12 of 128 shown",
        "Next page",
        "this peer",
        "revoked",
        "from elsewhere",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(words(&samples::agreed()).contains("All 4 peers agree on 12 clients"));
}

#[test]
fn empty_states_say_what_to_do_first() {
    assert!(words(&samples::empty()).contains("Give one a secret: fill in"));
    let mut filtered = samples::empty();
    filtered.query.filter = Some("zebra".to_owned());
    assert!(words(&filtered).contains("No client's id contains “zebra”"));
    let nothing = PageData {
        mesh: None,
        ..samples::matrix()
    };
    assert!(words(&nothing).contains("What the peers hold is not known yet"));
    let alone = PageData {
        targets: Some(Vec::new()),
        ..samples::targets()
    };
    assert!(words(&alone).contains("No target yet"));
    assert!(words(&samples::foreign()).contains("Its story is told elsewhere"));
    assert!(words(&samples::page(Page::Health)).contains("Nothing is known of the peers"));
    let mesh = Some(MeshPage::default());
    assert!(
        words(&PageData {
            mesh,
            ..samples::page(Page::Matrix)
        })
        .contains("No client yet")
    );
}

#[test]
fn a_mistake_stands_at_its_field_and_what_was_entered_is_still_there() {
    let html = draw(&samples::mistake());
    let document = Document::parse(&html);
    let field = document.by_id("ensure-allowedIps");
    assert_eq!(field.attribute("aria-invalid"), Some("true"));
    let described = field.attribute("aria-describedby").unwrap();
    assert!(described.ends_with("ensure-allowedIps-mistake"));
    let sentence = "Allowed addresses is no address and no network: 10.0.0.0/99.";
    assert!(document.text().contains(sentence));
    assert_eq!(
        document.by_id("ensure-clientId").attribute("value"),
        Some("till-3")
    );
    assert_eq!(
        document.by_id("ensure-expiresAt").attribute("value"),
        Some("2027-01-31T12:00")
    );
    let checked: Vec<bool> = (0..3)
        .map(|index| {
            document
                .by_id(&format!("ensure-targets-{index}"))
                .attribute("checked")
                .is_some()
        })
        .collect();
    assert_eq!(checked, [false, true, false]);
    assert!(document.by_id("tab-ensure").attribute("checked").is_some());
    assert!(
        document
            .by_id("rotate-clientId")
            .attribute("aria-invalid")
            .is_none()
    );
}

#[test]
fn what_was_done_is_said_and_its_way_is_shown() {
    let html = draw(&samples::driven());
    let document = Document::parse(&html);
    assert!(
        document
            .text()
            .contains("Client courier-app has a new secret.")
    );
    assert!(document.by_id("tab-rotate").attribute("checked").is_some());
    assert!(
        html.contains("Its way through the mesh")
            && html.contains("href=\"/clients/http/courier-app\"")
    );
}

#[test]
fn the_timeline_tells_the_story_three_times() {
    let text = words(&samples::client());
    for words in [
        "all 3 acknowledged in",
        "2 of 3 acknowledged",
        "2 attempts",
        "taken up again",
        "+19 ms",
        "applied",
        "by ada@example.org",
        "Who asked",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let text = words(&samples::call());
    for words in [
        "200",
        "accepted",
        "GET http://127.0.0.1:3002/api/echo",
        "9f86d081…",
        "\"peer\": \"consumer\"",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}

#[test]
fn the_inventory_locks_its_own_row_and_asks_before_it_deletes() {
    let html = draw(&samples::targets());
    let text = Document::parse(&html).text();
    assert!(text.contains("locked") && text.contains("Its row signs the acknowledgements"));
    assert!(text.contains("128 clients are booked for authority. Revoke them there first"));
    assert_eq!(html.matches("name=\"_method\" value=\"DELETE\"").count(), 3);
    assert!(html.contains("action=\"/api/targets/leptos-actix\""));
    assert!(!html.contains("action=\"/api/targets/leptos-axum\""));
    assert_eq!(text.matches("leptos-axum this peer").count(), 1);
    assert_eq!(
        text.matches("this peer itself").count(),
        0,
        "the tag says it already"
    );
}

#[test]
fn health_says_what_to_do_next() {
    let html = draw(&samples::health());
    let text = Document::parse(&html).text();
    for words in [
        "2 of 4 peers are ready",
        "connection refused",
        "What to do",
        "12 waiting, nobody consumes",
        "3 clients differ",
        "receives only",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(
        html.contains("/api/mesh/peers/consumer/start")
            && html.contains("/api/mesh/peers/authority/stop")
    );
}
