//! Forms of another site's page: a browser sends them, and every peer refuses them.

use std::net::SocketAddr;

use e2e::wait::until;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::mesh::{self, WITH_PAGES};
use crate::session::{Options, Session};

#[tokio::test]
async fn a_form_of_another_site_changes_nothing_and_one_of_this_site_does() {
    let running = mesh::start().await;
    let session = Session::open(Options::default()).await;
    for peer in WITH_PAGES {
        running.sign_in(&session, peer).await;
        let action = running.url(peer, "/api/ensure");
        let address = serve(&form(&action)).await;
        // Another port is another origin of the same site, another name is another site.
        for site in ["127.0.0.1", "localhost"] {
            let page = Url::parse(&format!("http://{site}:{}/", address.port())).expect("a URL");
            session.goto(&page).await;
            session.fill("input[name=clientId]", "intruder").await;
            session.click("button").await;
            until("the refusal", async || {
                let html = session.html().await;
                if html.contains("CROSS_SITE_REQUEST") {
                    Ok(())
                } else {
                    Err(html)
                }
            })
            .await;
        }

        session.goto(&running.url(peer, "/docs")).await;
        let script = format!(
            "document.body.innerHTML = {}; document.forms[0].submit();",
            json!(form(&action))
        );
        session.script(&script).await;
        let back = until("the way back", async || {
            let url = session.url().await;
            url.query_pairs()
                .find(|(name, _)| name == "said")
                .map(|_| url.clone())
                .ok_or(url)
        })
        .await;
        assert_eq!((back.origin(), back.path()), (action.origin(), "/targets"));

        let state = running
            .ask("GET", peer, "/api/state", None)
            .await
            .to_string();
        assert!(
            state.contains("visitor") && !state.contains("intruder"),
            "{state}"
        );
        assert!(!running.logs().contains("a-secret-of-sixteen"));
    }
    session.close().await;
}

fn form(action: &Url) -> String {
    format!(
        "<form action='{action}' method='post'><input name='clientId' value='visitor'>\
         <input name='secret' value='a-secret-of-sixteen'><input name='back' value='/targets'>\
         <button>Send</button></form>"
    )
}

/// Serves one page until the test ends.
async fn serve(page: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length:";
    let answer = format!("{head} {}\r\n\r\n{page}", page.len());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                if stream.read(&mut request).await.is_ok() {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}
