//! The mesh of `compose.yaml` keeps its peers apart: each has users of its own, and reaches what it needs (`docs/security-model.md`).

use lapin::options::{BasicGetOptions, QueueDeleteOptions};
use lapin::{Channel, Connection, ConnectionProperties};
use redis::RedisError;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Executor as _};

use crate::mesh::{Mesh, Peer};

const SECRET: &str = "a secret that only some may read";

/// Connects to the broker as a peer does.
async fn broker(mesh: &Mesh, peer: Peer) -> Channel {
    let part = |name: &str| mesh.composed_variable(peer, name);
    let url = format!(
        "amqp://{}:{}@rabbitmq:5672/{}",
        part("AMQP_USER"),
        part("AMQP_PASSWORD"),
        part("AMQP_VHOST")
    );
    let connection = Connection::connect(&url, ConnectionProperties::default()).await;
    let connection = connection.expect("the peer's user may connect");
    connection.create_channel().await.expect("a channel")
}

async fn redis(url: &str, words: &[&str]) -> Result<redis::Value, RedisError> {
    let mut connection = redis::Client::open(url)?
        .get_multiplexed_async_connection()
        .await?;
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(word);
    });
    command.query_async(&mut connection).await
}

fn refused(answer: Result<redis::Value, RedisError>) -> bool {
    answer.is_err_and(|error| error.code() == Some("NOPERM"))
}

#[tokio::test]
#[ignore = "needs the mesh of compose.yaml; `cargo compose` runs it there"]
async fn a_peers_users_may_do_what_the_peer_does_and_no_more() {
    let mut mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, "billing", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    // Redis replays its file as the user that is off, and leaves out what that one may not do.
    mesh.redis_of(Peer::Consumer).stop().await;
    mesh.redis_of(Peer::Consumer).start().await;
    let kept = mesh.record(Peer::Consumer, "billing").await;
    assert!(kept.unwrap().is_some(), "a start of Redis forgets nothing");

    for queue in ["hmac-authority.queue", "hmac-leptos-axum.queue"] {
        let channel = broker(&mesh, Peer::Consumer).await;
        let deleted = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        let error = deleted.await.expect_err("somebody else's queue");
        assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
        let channel = broker(&mesh, Peer::Consumer).await;
        let read = channel.basic_get(queue.into(), BasicGetOptions::default());
        let error = read.await.expect_err("somebody else's queue");
        assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
    }

    let own = mesh.composed_variable(Peer::Consumer, "REDIS_URL");
    for words in [
        &["FLUSHALL"][..],
        &["CONFIG", "SET", "dir", "/tmp"],
        &["ACL", "SETUSER", "view", "+@all"],
        &["SET", "elsewhere", "1"],
    ] {
        assert!(refused(redis(own, words).await), "{words:?}");
    }
    let stores = mesh.composed_variable(Peer::Authority, "PEER_REDIS_URLS");
    for view in stores.split(',').filter_map(|pair| pair.split_once('=')) {
        let (_, view) = view;
        let answer = redis(view, &["HMGET", "hmac:http:clients", "billing"]).await;
        answer.expect("what the matrix shows");
        for words in [
            &["HSET", "hmac:http:clients", "forged", "{}"][..],
            &["DEL", "hmac:http:clients"],
            &["GET", "hmac:http:nonce:billing:1:1"],
            &["EVAL", "return 1", "0"],
            &["KEYS", "*"],
        ] {
            assert!(refused(redis(view, words).await), "{words:?}");
        }
        let place = view.rsplit('@').next().unwrap_or_default();
        for login in ["", ":x@", "operator:@", "default:x@"] {
            let url = format!("redis://{login}{place}");
            assert!(redis(&url, &["PING"]).await.is_err(), "{login:?}");
        }
    }

    let own = mesh.composed_variable(Peer::Authority, "DATABASE_URL");
    let mut connection = MySqlConnection::connect(own).await.expect("SQL");
    connection
        .execute("SELECT * FROM hmac_credential")
        .await
        .expect("its own schema");
    for statement in [
        "SELECT * FROM leptos_axum_db.hmac_credential",
        "CREATE DATABASE authorityxdb",
        "SELECT * FROM mysql.user",
    ] {
        let answer = connection.execute(statement).await;
        assert!(answer.is_err(), "{statement}");
    }
    let (_, place) = own.rsplit_once('@').expect("a URL with a login");
    for login in ["root", "root:root", "root:demo-only-root"] {
        let url = format!("mysql://{login}@{place}");
        assert!(MySqlConnection::connect(&url).await.is_err(), "{login}");
    }
}

#[tokio::test]
#[ignore = "needs the mesh of compose.yaml; `cargo compose` runs it there"]
async fn a_peer_reaches_what_it_needs_and_no_more() {
    let mesh = Mesh::start().await;
    let all_stores = Peer::ALL.map(|peer| format!("redis-{}", peer.name()));
    for peer in Peer::ALL {
        let mut needed = vec!["e2e".to_owned(), "rabbitmq".to_owned()];
        needed.extend(peer.others().map(|other| other.name().to_owned()));
        match peer.is_full() {
            true => needed.extend(all_stores.iter().cloned().chain(["mariadb".to_owned()])),
            false => needed.push(format!("redis-{}", peer.name())),
        }
        needed.sort();
        let reached: Vec<String> = mesh.neighbours(peer.name()).await.into_iter().collect();
        assert_eq!(reached, needed, "{}", peer.name());
    }
    for store in all_stores {
        let reached = mesh.neighbours(&store).await;
        let others = reached.iter().filter(|other| {
            other.starts_with("redis-") || ["rabbitmq", "mariadb"].contains(&other.as_str())
        });
        assert_eq!(others.count(), 0, "{store}: {reached:?}");
    }
}
