//! The broker's management API, and what can be done to a mesh's part of it.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::environment::Peer;
use super::wire::queue_of;
use super::{Mesh, World, until};

/// Everything.
pub(crate) fn all_rights() -> Value {
    json!({ "configure": ".*", "write": ".*", "read": ".*" })
}

impl Mesh {
    /// Calls the broker's management API and insists on a good answer.
    pub(crate) async fn broker(&self, method: Method, path: &str, body: &Value) -> String {
        let answer = self.try_broker(method.clone(), path, body).await;
        let (status, text) = answer.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {text}"
        );
        text
    }

    /// Calls the broker's management API; answers status and body of whatever is answered.
    pub(crate) async fn try_broker(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<(u16, String)> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.api))
            .json(body);
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.unwrap_or_default()))
    }

    /// Waits until the broker knows `count` connections of this mesh's vhost, and ends all of them from its side.
    pub(crate) async fn close_connections(&self, count: usize) {
        let path = format!("/api/vhosts/{}/connections", self.vhost_name());
        let names = until(
            &format!("the broker knows {count} connections"),
            async || {
                let (_, list) = self
                    .try_broker(Method::GET, &path, &().into())
                    .await
                    .map_err(|it| it.to_string())?;
                let list: Vec<Value> = serde_json::from_str(&list).map_err(|_| list)?;
                let names: Vec<String> = list
                    .iter()
                    .filter_map(|one| one["name"].as_str().map(str::to_owned))
                    .collect();
                if names.len() >= count {
                    Ok(names)
                } else {
                    Err(format!("{} are known", names.len()))
                }
            },
        )
        .await;
        for name in names {
            let path = format!(
                "/api/connections/{}",
                name.replace(' ', "%20").replace('>', "%3E")
            );
            // One that is gone by itself is as good.
            let _ = self.try_broker(Method::DELETE, &path, &().into()).await;
        }
    }

    /// Deletes the mesh's vhost with all that is in it.
    pub(crate) async fn delete_vhost(&self) {
        self.broker(
            Method::DELETE,
            &format!("/api/vhosts/{}", self.vhost_name()),
            &Value::Null,
        )
        .await;
    }

    /// Makes it, with the peers' usual rights.
    pub(crate) async fn make_vhost(&self) {
        self.broker(
            Method::PUT,
            &format!("/api/vhosts/{}", self.vhost_name()),
            &json!({}),
        )
        .await;
        self.restore_rights().await;
    }

    /// The peers may do in it what they usually may.
    pub(crate) async fn restore_rights(&self) {
        match &self.world {
            World::Own(_) => self.grant(&all_rights()).await,
            World::Composed(composed) => {
                self.broker(Method::POST, "/api/definitions", composed.definitions())
                    .await;
            }
        }
    }

    /// Sets what the peers may do in it.
    pub(crate) async fn grant(&self, rights: &Value) {
        let own = Url::parse(self.vhost()).expect("an AMQP URL");
        let users: Vec<&str> = match &self.world {
            World::Own(_) => vec![own.username()],
            World::Composed(composed) => composed.broker_users().collect(),
        };
        for user in users {
            let path = format!("/api/permissions/{}/{user}", self.vhost_name());
            self.broker(Method::PUT, &path, rights).await;
        }
    }

    /// The queue of a peer at the management API.
    pub(crate) fn queue_path(&self, peer: Peer) -> String {
        format!(
            "/api/queues/{}/{}",
            self.vhost_name(),
            queue_of(peer.name())
        )
    }

    /// The vhost as the management API names it.
    pub(crate) fn vhost_name(&self) -> &str {
        self.vhost().rsplit('/').next().unwrap_or_default()
    }
}
