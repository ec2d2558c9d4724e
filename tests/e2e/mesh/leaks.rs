//! Every story keeps the promise `no_secret_in_logs`: what it gives away to be kept secret is looked for in all answers, as they
//! come, and in the logs of all peers, when it ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::environment::Peer;
use super::http::Gateway;
use super::{Mesh, World, now_ms};

/// Anything shorter might stand in a log by chance.
const SHORTEST: usize = 12;

/// So many are told; one is enough to fail.
const SHOWN: usize = 10;

/// Variables with a secret, or several separated by commas.
const VARIABLES: [&str; 4] = [
    "PROPAGATION_SECRET",
    "HMAC_SECRET_TOKEN",
    "SECRETS_KEY",
    "AMQP_PASSWORD",
];

/// What must not be shown, with what it is, and where it was shown all the same.
#[derive(Default)]
pub(super) struct Leaks {
    secrets: Mutex<BTreeMap<String, String>>,
    found: Mutex<Vec<String>>,
}

impl Leaks {
    /// Looks for `secret` from now on; `what` is told instead of it.
    pub(super) fn look_for(&self, secret: &str, what: &str) {
        if secret.len() >= SHORTEST {
            let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            secrets
                .entry(secret.to_owned())
                .or_insert_with(|| what.to_owned());
        }
    }

    /// Looks at what was shown at `place`.
    pub(super) fn look_at(&self, place: &str, text: &str) {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for (secret, what) in &*secrets {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                self.tell(place, what, &line.replace(secret.as_str(), "<here>"));
            }
        }
    }

    /// The same for texts that are long, as all secrets are known that may be there.
    fn look_through(&self, texts: &[(String, String)]) {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets: Vec<_> = secrets.iter().collect();
        let search = AhoCorasick::new(secrets.iter().map(|(secret, _)| secret)).expect("a search");
        for (place, text) in texts {
            for line in text.lines() {
                if let Some(found) = search.find(line) {
                    let (secret, what) = secrets[found.pattern()];
                    self.tell(place, what, &line.replace(secret.as_str(), "<here>"));
                }
            }
        }
    }

    fn tell(&self, place: &str, what: &str, line: &str) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() < SHOWN {
            let line: String = line.chars().take(300).collect();
            found.push(format!("{place} shows {what}: {line}"));
        }
    }
}

impl Mesh {
    /// Looks for `secret` in every answer from now on, and in all logs at the end.
    pub(crate) fn keep_secret(&self, secret: &str) {
        self.leaks.look_for(secret, "a secret of the story");
        for peer in Peer::ALL {
            let hash = self.secrets.hash(peer, secret);
            self.leaks
                .look_for(hash.expose(), "the hash of a secret of the story");
        }
    }

    /// Looks for what a request gives away.
    pub(super) fn keep_secrets_of(&self, body: &Value) {
        for field in ["secret", "propagationSecret"] {
            if let Some(secret) = body[field].as_str() {
                self.keep_secret(secret);
            }
        }
    }

    /// What was shown of what is secret, in the answers so far and in the logs of all peers.
    pub(super) async fn leaks(&self) -> Vec<String> {
        for token in self.http.gateway().map(Gateway::tokens).unwrap_or_default() {
            self.leaks.look_for(&token, "a token");
        }
        for secret in self.secrets.all() {
            self.leaks.look_for(secret, "a secret of the peers");
        }
        for (_, name, value) in &self.variables {
            if VARIABLES.contains(&name.as_str()) {
                value
                    .split(',')
                    .for_each(|secret| self.leaks.look_for(secret, name));
            }
        }
        if let World::Composed(composed) = &self.world {
            for password in composed.broker_passwords() {
                self.leaks.look_for(password, "a password at the broker");
            }
        }
        let databases = self.nodes.iter().filter_map(|node| node.database.as_ref());
        let stores = self.nodes.iter().map(|node| &node.redis_url);
        for url in databases.chain(stores).chain([&self.vhost]) {
            let login = url
                .split_once("://")
                .and_then(|(_, rest)| rest.rsplit_once('@'));
            if let Some((login, _)) = login.filter(|(login, _)| login.contains(':')) {
                self.leaks.look_for(&format!("{login}@"), "a login");
                self.leaks.look_for(
                    login.split_once(':').map_or("", |(_, password)| password),
                    "a password",
                );
            }
        }
        let start = now_ms();
        let mut logs = Vec::new();
        for node in &self.nodes {
            logs.push((format!("the log of {}", node.peer.name()), node.log().await));
        }
        self.leaks.look_through(&logs);
        let bytes: usize = logs.iter().map(|(_, log)| log.len()).sum();
        let (count, ms) = {
            let secrets = self
                .leaks
                .secrets
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            (secrets.len(), now_ms() - start)
        };
        println!("{bytes} bytes of logs were searched for {count} secrets in {ms} ms");
        std::mem::take(
            &mut *self
                .leaks
                .found
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}
