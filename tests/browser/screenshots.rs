//! The pictures of the documentation, taken of the demo as it runs. `cargo screenshots` runs this; `cargo verify` does not.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::dashboard::Dashboard;
use crate::mesh::{self, Running};
use crate::session::Options;

/// A picture: its name, the page, the window, and what is done first.
struct Picture {
    name: &'static str,
    page: &'static str,
    options: Options,
    first: First,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Nothing,
    Mistake,
    Call,
    View(&'static str),
}

const WIDE: Options = Options {
    javascript: true,
    dark: false,
    width: 1_280,
};
const DARK: Options = Options { dark: true, ..WIDE };
const NARROW: Options = Options { width: 360, ..WIDE };

const STORY: &str = "/clients/http/shop-frontend";

const PICTURES: &[Picture] = &[
    Picture {
        name: "matrix",
        page: "/",
        options: WIDE,
        first: First::Nothing,
    },
    Picture {
        name: "matrix-dark",
        page: "/",
        options: DARK,
        first: First::Nothing,
    },
    Picture {
        name: "matrix-narrow",
        page: "/",
        options: NARROW,
        first: First::Nothing,
    },
    Picture {
        name: "mistake",
        page: "/",
        options: WIDE,
        first: First::Mistake,
    },
    Picture {
        name: "signed-call",
        page: "/clients/http/billing",
        options: WIDE,
        first: First::Call,
    },
    Picture {
        name: "timeline-compact",
        page: STORY,
        options: WIDE,
        first: First::View("compact"),
    },
    Picture {
        name: "timeline-lanes",
        page: STORY,
        options: WIDE,
        first: First::View("lanes"),
    },
    Picture {
        name: "timeline-full",
        page: STORY,
        options: DARK,
        first: First::View("full"),
    },
    Picture {
        name: "targets",
        page: "/targets",
        options: WIDE,
        first: First::Nothing,
    },
    Picture {
        name: "health",
        page: "/health",
        options: WIDE,
        first: First::Nothing,
    },
];

#[tokio::test]
#[ignore = "writes into docs/images: `cargo screenshots`"]
async fn pictures_of_the_demo() {
    let running = mesh::demo().await;
    story(&running).await;
    for picture in PICTURES {
        let dashboard = Dashboard::open(&running, "leptos-axum", picture.options).await;
        dashboard.goto(picture.page).await;
        prepare(&dashboard, picture.first).await;
        let file = folder().join(format!("{}.png", picture.name));
        fs::write(&file, dashboard.session.picture().await).expect("the picture is written");
        dashboard.session.close().await;
    }
    pictures_of_the_gateway(&running).await;
}

/// Where people sign in, and what they and admins see of it.
async fn pictures_of_the_gateway(running: &Running) {
    let dashboard = Dashboard::open(running, "leptos-axum", WIDE).await;
    let session = &dashboard.session;
    session
        .goto(&running.url("leptos-axum", "/account/people"))
        .await;
    let form = "form[action='/account/people']";
    for (name, text) in [("email", "vic@example.org"), ("name", "Vic")] {
        session
            .fill(&format!("{form} input[name={name}]"), text)
            .await;
    }
    session.click(&format!("{form} input[value=viewer]")).await;
    session.click(&format!("{form} button")).await;
    session.find("#link").await;
    for name in ["sessions", "people", "audit"] {
        let page = running.url("leptos-axum", &format!("/account/{name}"));
        session.goto(&page).await;
        let file = folder().join(format!("{name}.png"));
        fs::write(&file, session.picture().await).expect("the picture is written");
    }
    session.click("form[action='/logout'] button").await;
    session.find("#email").await;
    let file = folder().join("sign-in.png");
    fs::write(&file, session.picture().await).expect("the picture is written");
    dashboard.session.close().await;
}

/// The consumer is away while a secret is rotated twice, and back before the second one: the timeline has something to tell, and
/// the matrix shows a peer that is behind.
async fn story(running: &Running) {
    let rotate = async |client: &str, secret: &str| {
        let body = json!({ "clientId": client, "secret": secret });
        running
            .ask("POST", "leptos-axum", "/api/rotate", Some(body))
            .await;
    };
    let control = async |verb: &str| {
        let path = format!("/api/mesh/peers/consumer/{verb}");
        running.ask("POST", "leptos-axum", &path, None).await;
    };
    let dashboard = Dashboard::open(running, "leptos-axum", WIDE).await;
    dashboard.goto("/").await;
    let before = dashboard.until_everywhere("shop-frontend", None).await;
    control("stop").await;
    rotate("shop-frontend", "a-second-secret-of-the-shop").await;
    dashboard
        .until_row("the others have it", "shop-frontend", |row| {
            let row = row?;
            (row.iter().filter(|cell| cell.hash != before).count() == 3).then_some(())
        })
        .await;
    control("start").await;
    dashboard
        .until_everywhere("shop-frontend", Some(&before))
        .await;
    control("stop").await;
    rotate("warehouse", "a-second-secret-of-the-warehouse").await;
    dashboard
        .until_row("the consumer is behind", "warehouse", |row| {
            row?.iter()
                .any(|cell| cell.peer == "consumer" && cell.word == "behind")
                .then_some(())
        })
        .await;
    dashboard.session.close().await;
}

async fn prepare(dashboard: &Dashboard<'_>, first: First) {
    match first {
        First::Nothing => {}
        First::Mistake => {
            dashboard.fill("ensure", "clientId", "reports").await;
            dashboard.fill("ensure", "secret", "too short").await;
            dashboard.session.click("#ensure button[type=submit]").await;
            dashboard
                .session
                .find("#ensure-secret[aria-invalid=true]")
                .await;
        }
        First::Call => {
            dashboard.tab("callTarget").await;
            dashboard
                .session
                .click("#callTarget-target option[value=leptos-actix]")
                .await;
            dashboard.send("callTarget", "The peer answered 200.").await;
        }
        First::View(view) => {
            dashboard
                .session
                .click(&format!("label[for=view-{view}]"))
                .await;
        }
    }
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/images"));
    fs::create_dir_all(&folder).expect("the folder of the pictures");
    folder
}
