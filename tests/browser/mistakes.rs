//! Mistakes are said at the field they are in, in words; what was typed stays, secrets aside.

use e2e::wait::until;

use crate::dashboard::{Dashboard, WAYS};
use crate::mesh::{self, WITH_PAGES};

const SECRET: &str = "a-secret-that-must-not-come-back";

/// A mistake: in which form, what is typed into which fields, where it is said, and what it is called.
struct Mistake {
    form: &'static str,
    typed: &'static [(&'static str, &'static str)],
    field: &'static str,
    words: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        form: "ensure",
        typed: &[("secret", SECRET)],
        field: "clientId",
        words: "client id ",
    },
    Mistake {
        form: "ensure",
        typed: &[("clientId", "a"), ("secret", "short")],
        field: "secret",
        words: "secret ",
    },
    Mistake {
        form: "ensure",
        typed: &[
            ("clientId", "a"),
            ("secret", SECRET),
            ("allowedIps", "10.0.0.0/99"),
        ],
        field: "allowedIps",
        words: "10.0.0.0/99",
    },
    Mistake {
        form: "rotate",
        typed: &[("clientId", "nobody-knows-it"), ("secret", SECRET)],
        field: "clientId",
        words: "nobody-knows-it",
    },
    Mistake {
        form: "callTarget",
        typed: &[("clientId", "nobody-knows-it")],
        field: "clientId",
        words: "nobody-knows-it",
    },
];

#[tokio::test]
async fn mistakes_are_shown_at_their_field_in_words() {
    let running = mesh::start().await;
    for peer in WITH_PAGES {
        for options in WAYS {
            let dashboard = Dashboard::open(&running, peer, options).await;
            for mistake in MISTAKES {
                dashboard.goto("/").await;
                make(&dashboard, mistake, options.javascript).await;
            }
            twice(&dashboard).await;
            dashboard.close_after_refusals().await;
        }
        let state = running.ask("GET", peer, "/api/state", None).await;
        assert_eq!(
            state["credentials"].as_array().map(Vec::len),
            Some(0),
            "nothing was written: {state}"
        );
    }
    assert!(!running.logs().contains(SECRET));
}

async fn make(dashboard: &Dashboard<'_>, mistake: &Mistake, live: bool) {
    let Mistake {
        form,
        typed,
        field,
        words,
    } = mistake;
    let context = format!("{}: {form} {typed:?}", dashboard.context());
    dashboard.tab(form).await;
    if typed.iter().any(|(field, _)| *field == "allowedIps") {
        dashboard.session.click("#ensure summary").await;
    }
    for (field, text) in *typed {
        dashboard.fill(form, field, text).await;
    }
    dashboard
        .session
        .click(&format!("#{form} button[type=submit]"))
        .await;
    let message = message_at(dashboard, form, field).await;
    assert!(
        message.to_lowercase().contains(words) && message.ends_with('.'),
        "{context}: {message}"
    );
    let invalid = dashboard
        .session
        .find(&format!("#{form}-{field}[aria-invalid=true]"))
        .await;
    let described = invalid
        .attr("aria-describedby")
        .await
        .expect("an attribute")
        .unwrap_or_default();
    assert!(
        described.contains(&format!("{form}-{field}-mistake")),
        "{context}: {described}"
    );
    for (field, text) in typed.iter().filter(|(field, _)| *field != "secret") {
        assert_eq!(
            dashboard.value(&format!("#{form}-{field}")).await,
            *text,
            "{context}"
        );
    }
    assert!(
        !dashboard.session.html().await.contains(SECRET),
        "{context}: the secret came back"
    );
    if live {
        let focused = "return document.activeElement?.id";
        let id = format!("{form}-{field}");
        until(
            &format!("{context}: the focus is at the mistake"),
            async || match dashboard.session.script(focused).await {
                at if at == id.as_str() => Ok(()),
                at => Err(at),
            },
        )
        .await;
    }
}

/// A target that is named twice, which no checkbox can do by itself.
async fn twice(dashboard: &Dashboard<'_>) {
    dashboard.goto("/").await;
    dashboard.fill("ensure", "clientId", "twice").await;
    dashboard.fill("ensure", "secret", SECRET).await;
    let script = "const [one, other] = document.querySelectorAll('#ensure input[name=targets]'); other.value = one.value";
    dashboard.session.script(script).await;
    dashboard.session.click("#ensure button[type=submit]").await;
    let message = message_at(dashboard, "ensure", "targets").await;
    assert!(
        message.contains("twice"),
        "{}: {message}",
        dashboard.context()
    );
    assert_eq!(dashboard.value("#ensure-clientId").await, "twice");
}

async fn message_at(dashboard: &Dashboard<'_>, form: &str, field: &str) -> String {
    let css = format!("#{form}-{field}-mistake");
    until(
        &format!("{}: a mistake at {css}", dashboard.context()),
        async || match dashboard.text(&css).await {
            Some(message) if !message.is_empty() => Ok(message),
            _ => Err(dashboard.message().await),
        },
    )
    .await
}
