//! Answers arrive while a store of their source is away, or the source itself. Nothing is sent again for a day in this mesh, so an answer
//! that is lost would be missed.

use crate::mesh::{Component, Options, Peer, until};

const SOURCE: Peer = Peer::Authority;
const TARGET: Peer = Peer::Consumer;

const CHANGES: usize = 20;

const A_DAY_MS: &str = "86400000";

#[tokio::test]
async fn an_ack_waits_for_its_source_and_for_both_stores() {
    let options = Options::default()
        .private_mariadb()
        .everyone("RESEND_AFTER_MS", A_DAY_MS);
    let mut mesh = options.start().await;
    let wire = mesh.wire().await;
    let secret = "a secret that is answered late";
    let mut made = 0;
    for away in [
        Component::MariaDb,
        Component::Redis(SOURCE),
        Component::Peer(SOURCE),
    ] {
        mesh.stop_peer(TARGET).await;
        for _ in 0..CHANGES {
            mesh.ensure(SOURCE, &format!("answered-late-{made}"), secret, &[TARGET])
                .await;
            made += 1;
        }
        until("all changes are sent", async || {
            let rows = mesh.rows(SOURCE).await?;
            let sent = rows.iter().filter(|row| row.status == "sent").count();
            if sent == CHANGES {
                Ok(())
            } else {
                Err(format!("{sent} are"))
            }
        })
        .await;
        away.stop(&mut mesh).await;
        mesh.start_peer(TARGET).await;
        until("the target has answered all", async || {
            match wire.waiting(TARGET.name()).await {
                0 => Ok(()),
                waiting => Err(format!("{waiting} changes wait")),
            }
        })
        .await;
        let hash = mesh.secrets.hash(SOURCE, secret);
        for number in made - CHANGES..made {
            mesh.until_converged(&format!("answered-late-{number}"), &[TARGET], Some(&hash))
                .await;
        }
        away.start(&mut mesh).await;
        mesh.until_ready(SOURCE).await;
        mesh.until_success(SOURCE, made).await;
        println!("{CHANGES} answers found {away:?} away, and were kept");
    }
    let rows = mesh.rows(SOURCE).await.unwrap();
    let repeated: Vec<_> = rows.iter().filter(|row| row.attempts != 1).collect();
    assert!(repeated.is_empty(), "an answer was lost: {repeated:?}");
}
