//! A peer that is away falls behind and catches up, in front of whoever watches.

use e2e::wait::until;

use crate::dashboard::Dashboard;
use crate::mesh;
use crate::session::Options;

#[tokio::test]
async fn a_stopped_peer_is_behind_and_catches_up_in_front_of_the_watcher() {
    let running = mesh::demo().await;
    let watched = Dashboard::open(&running, "leptos-axum", Options::default()).await;
    watched.goto("/").await;
    watched.mark().await;
    let before = watched.until_everywhere("shop-frontend", None).await;

    let control = Dashboard::open(&running, "leptos-axum", Options::default()).await;
    control.goto("/health").await;
    control
        .send("control-consumer", "Peer consumer is stopped.")
        .await;

    control.goto("/").await;
    control.tab("rotate").await;
    control.fill("rotate", "clientId", "shop-frontend").await;
    control
        .fill("rotate", "secret", "a-new-secret-of-the-shop")
        .await;
    control
        .send("rotate", "Client shop-frontend has a new secret.")
        .await;
    watched
        .until_row("the consumer alone is behind", "shop-frontend", |row| {
            let consumer = |peer: &str| peer == "consumer";
            let as_wanted = row?.iter().all(|cell| match consumer(&cell.peer) {
                true => cell.word == "behind" && cell.hash == before,
                false => cell.word == "in sync" && cell.hash != before,
            });
            as_wanted.then_some(())
        })
        .await;

    control.goto("/health").await;
    control
        .send("control-consumer", "Peer consumer is ready.")
        .await;
    watched
        .until_everywhere("shop-frontend", Some(&before))
        .await;
    assert!(watched.is_marked().await, "the page changed by itself");

    watched.goto("/clients/http/billing").await;
    let elsewhere = watched.text(".timeline .empty").await.unwrap_or_default();
    assert!(
        elsewhere.contains("Its story is told elsewhere"),
        "{elsewhere}"
    );
    watched.goto("/clients/http/shop-frontend").await;
    let story = until("the rotation's story", async || {
        let story = watched
            .text(".timeline .view[data-view=lanes] > li")
            .await
            .unwrap_or_default();
        if story.contains("all 3 acknowledged in") {
            Ok(story)
        } else {
            Err(story)
        }
    })
    .await;
    for word in ["rotated", "sent", "acknowledged", "consumer", "+"] {
        assert!(story.to_lowercase().contains(word), "no {word} in {story}");
    }
    watched.close().await;
    control.close().await;
}
