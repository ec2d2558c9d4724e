//! The page of the HTTP surface, which every peer serves.

use crate::mesh;
use crate::session::{Options, Session};

#[tokio::test]
async fn the_documentation_is_readable_in_every_window() {
    let running = mesh::start().await;
    for (dark, width) in [(false, 1_280), (true, 1_280), (false, 360), (true, 360)] {
        let session = Session::open(Options {
            dark,
            width,
            ..Options::default()
        })
        .await;
        for peer in ["leptos-axum", "consumer"] {
            session.goto(&running.url(peer, "/docs")).await;
            session
                .script("for (const one of document.querySelectorAll('details')) one.open = true;")
                .await;
            let flaws = session.flaws().await;
            assert!(
                flaws.is_empty(),
                "{peer}, dark {dark}, {width} px: {flaws:#?}"
            );
        }
        session.close().await;
    }
    let session = Session::open(Options::default()).await;
    session.goto(&running.url("consumer", "/docs")).await;
    let flaws = session.unreachable().await;
    assert!(flaws.is_empty(), "{flaws:#?}");
    session.close().await;
}
