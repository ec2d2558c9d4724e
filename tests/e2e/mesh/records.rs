//! What a peer's Redis holds, read directly.

use std::collections::BTreeMap;

use hmac_auth::secret_hash::SecretHash;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use super::environment::Peer;
use super::{Mesh, World, until};

const CLIENTS: &str = "hmac:http:clients";

impl Mesh {
    /// Connects to a peer's Redis, with all rights.
    pub(crate) async fn redis(&self, peer: Peer) -> Result<MultiplexedConnection, String> {
        let url = match &self.world {
            World::Own(_) => self.node(peer).redis_url.clone(),
            World::Composed(composed) => composed.redis_url(peer),
        };
        let client = redis::Client::open(url).map_err(|error| error.to_string())?;
        client
            .get_multiplexed_async_connection()
            .await
            .map_err(|error| error.to_string())
    }

    /// The record of a client of the HTTP track.
    pub(crate) async fn record(&self, peer: Peer, client: &str) -> Result<Option<Value>, String> {
        self.record_of(peer, CLIENTS, client).await
    }

    /// The record of a client, by the key of its track's records.
    pub(crate) async fn record_of(
        &self,
        peer: Peer,
        key: &str,
        client: &str,
    ) -> Result<Option<Value>, String> {
        let text: Option<String> = self
            .redis(peer)
            .await?
            .hget(key, client)
            .await
            .map_err(|error| error.to_string())?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| format!("{error}: {text}")))
            .transpose()
    }

    /// The records of all clients of the HTTP track.
    pub(crate) async fn records(&self, peer: Peer) -> Result<BTreeMap<String, Value>, String> {
        let all: BTreeMap<String, String> = self
            .redis(peer)
            .await?
            .hgetall(CLIENTS)
            .await
            .map_err(|error| error.to_string())?;
        let read =
            |text: &str| serde_json::from_str(text).map_err(|error| format!("a record: {error}"));
        all.into_iter()
            .map(|(client, text)| Ok((client, read(&text)?)))
            .collect()
    }

    /// Waits until every one of `peers` holds `hash` for the client, or nothing for `None`.
    pub(crate) async fn until_converged(
        &self,
        client: &str,
        peers: &[Peer],
        hash: Option<&SecretHash>,
    ) {
        for peer in peers {
            until(
                &format!("{} holds what it should for {client}", peer.name()),
                async || {
                    let record = self.record(*peer, client).await?;
                    let held = record
                        .as_ref()
                        .and_then(|record| record["secretHash"].as_str());
                    match held == hash.map(SecretHash::expose) {
                        true => Ok(()),
                        false => Err(format!("hash {:?}..", held.and_then(|hash| hash.get(..8)))),
                    }
                },
            )
            .await;
        }
    }

    /// The keys of a peer's Redis that match a pattern.
    pub(crate) async fn keys(&self, peer: Peer, pattern: &str) -> Vec<String> {
        let mut connection = self.redis(peer).await.expect("Redis");
        connection.keys(pattern).await.expect("keys")
    }
}
