//! How each peer of the mesh is, and what to do next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use hmac_propagation::drift::DriftReport;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use mesh_api::health::{MissingPart, PeerHealth, PeerState, QueueState};
use mesh_api::mesh::PeerSummary;
use peer_kit::health::Health;
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::control::PeerControl;
use crate::probe::{PROBE_LIMIT, PeerProbe};
use crate::sources::Sources;

/// What was seen is used again for this long, however many ask.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// More messages than this mean that a consumer does not keep up.
const LONG_QUEUE: u64 = 1_000;

/// Looks at the peers.
pub(crate) struct HealthChecker {
    /// By name: every peer, and where it is.
    peers: BTreeMap<PeerName, Option<Url>>,
    own: PeerName,
    health: Arc<Health>,
    propagator: Propagator,
    probe: Arc<dyn PeerProbe>,
    control: Option<Arc<dyn PeerControl>>,
    seen: Mutex<Option<(Instant, Vec<PeerHealth>)>>,
}

/// What a peer says of itself (`/readyz`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportedReadiness {
    status: String,
    #[serde(default)]
    missing: Vec<MissingPart>,
    #[serde(default)]
    receives_only: bool,
    #[serde(default)]
    last_sync_at: Option<i64>,
}

impl HealthChecker {
    /// Knows the peers whose stores are read or whose URLs are configured.
    pub(crate) fn new(sources: &Sources) -> Self {
        let stores = sources
            .stores
            .iter()
            .map(|store| (store.name.clone(), None));
        let mut peers: BTreeMap<PeerName, Option<Url>> = stores.collect();
        peers.insert(sources.peer.clone(), None);
        let urls = sources.peer_urls.iter().cloned();
        peers.extend(urls.map(|(name, url)| (name, Some(url))));
        Self {
            peers,
            own: sources.peer.clone(),
            health: Arc::clone(&sources.health),
            propagator: sources.propagator.clone(),
            probe: Arc::clone(&sources.probe),
            control: sources.control.clone(),
            seen: Mutex::new(None),
        }
    }

    /// Looks at every peer, or answers what was seen a moment ago.
    pub(crate) async fn look(&self, columns: &[PeerSummary]) -> Vec<PeerHealth> {
        if let Some((at, seen)) = &*self.seen()
            && at.elapsed() < KEPT_FOR
        {
            return seen.clone();
        }
        let named = |name: &str| columns.iter().find(|column| column.name == name);
        let known =
            |column: &&PeerSummary| self.peers.keys().any(|name| name.as_str() == column.name);
        // Targets that were added meanwhile, of whom no address is known.
        let added: Vec<PeerName> = columns
            .iter()
            .filter(|column| !known(column))
            .filter_map(|column| PeerName::parse(&column.name).ok())
            .collect();
        let peers = self.peers.iter().map(|(name, url)| (name, url.as_ref()));
        let looks = peers
            .chain(added.iter().map(|name| (name, None)))
            .map(|(name, url)| self.look_at(name, url, named(name.as_str())));
        let mut health = join_all(looks).await;
        health.sort_by(|one, other| one.name.cmp(&other.name));
        *self.seen() = Some((Instant::now(), health.clone()));
        health
    }

    /// Forgets what was seen: something was done to a peer.
    pub(crate) fn forget(&self) {
        *self.seen() = None;
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Vec<PeerHealth>)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_at(
        &self,
        name: &PeerName,
        url: Option<&Url>,
        column: Option<&PeerSummary>,
    ) -> PeerHealth {
        let is_self = *name == self.own;
        let running = self
            .control
            .as_ref()
            .and_then(|control| control.running(name));
        let stopped = running == Some(false);
        let (told, queue) = tokio::join!(
            async {
                if stopped {
                    None
                } else {
                    self.ask(is_self, url).await
                }
            },
            timeout(PROBE_LIMIT, self.propagator.queue_depth(name))
        );
        let queue = queue.ok().and_then(Result::ok).flatten();
        let state = match &told {
            _ if stopped => PeerState::Stopped,
            None => PeerState::Unreachable,
            Some(told) if told.status == "ready" => PeerState::Ready,
            Some(_) => PeerState::Unavailable,
        };
        let told = told.unwrap_or_default();
        let mut health = PeerHealth {
            name: name.to_string(),
            is_self,
            url: url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
            state,
            missing: told.missing,
            queue: queue.map(|depth| QueueState {
                messages: depth.messages,
                consumers: depth.consumers,
            }),
            receives_only: told.receives_only,
            last_sync_at: told.last_sync_at,
            drift: column.map_or(0, |column| {
                column.behind + column.missing + column.unexpected
            }),
            advice: Vec::new(),
            // Whoever stops the peer that serves the page cannot start it again from there.
            controllable: running.is_some() && !is_self,
        };
        let checked = self
            .propagator
            .drift()
            .into_iter()
            .find(|report| report.peer == *name);
        health.advice = advice(&health, column, checked.as_ref());
        health
    }

    async fn ask(&self, is_self: bool, url: Option<&Url>) -> Option<ReportedReadiness> {
        let body = if is_self {
            self.health.readiness().await.body().into_bytes()
        } else {
            let url = url?.join("/readyz").ok()?;
            timeout(PROBE_LIMIT, self.probe.get(&url)).await.ok()??
        };
        serde_json::from_slice(&body).ok()
    }
}

/// One sentence for each problem: what to do next.
fn advice(
    health: &PeerHealth,
    column: Option<&PeerSummary>,
    checked: Option<&DriftReport>,
) -> Vec<String> {
    let name = &health.name;
    let mut advice = advice_of_state(health);
    let down = matches!(health.state, PeerState::Stopped | PeerState::Unreachable);
    match health.queue {
        Some(queue) if queue.consumers == 0 && !down => {
            advice.push(format!(
                "Nobody consumes the queue of {name}: see its log for why, or start it again."
            ));
        }
        Some(queue) if queue.messages > LONG_QUEUE && queue.consumers > 0 => advice.push(format!(
            "{} messages wait for {name}: it does not keep up, or its store is slow; watch whether the number falls.",
            queue.messages
        )),
        _ => {}
    }
    match column {
        Some(column) if !column.watched => {
            advice.push(format!("Name {name} in PEER_REDIS_URLS so that what it holds can be compared."));
        }
        Some(PeerSummary { reason: Some(reason), .. }) => advice.push(format!(
            "What {name} holds cannot be compared ({reason}): see whether its Redis runs, and whether PEER_REDIS_URLS is right."
        )),
        _ => {}
    }
    let idle = health.queue.is_none_or(|queue| queue.messages == 0);
    if health.drift > 0 && health.state == PeerState::Ready && idle && !health.is_self {
        let n = health.drift;
        let credentials = if n == 1 {
            "credential differs"
        } else {
            "credentials differ"
        };
        advice.push(format!(
            "{n} {credentials} on {name}: resync the target {name} if this does not pass by itself."
        ));
    }
    if let Some(checked) = checked.filter(|checked| checked.drifted > 0) {
        advice.push(format!(
            "{name} was found to hold something else than it acknowledged ({} of {} credentials, sent again): see what flushed, restored or edited its Redis.",
            checked.drifted, checked.rows
        ));
    }
    advice
}

/// What to do about a peer that is not ready.
fn advice_of_state(health: &PeerHealth) -> Vec<String> {
    let name = &health.name;
    match (health.state, &health.url) {
        (PeerState::Stopped, _) => vec![format!(
            "Start {name} again; what is changed meanwhile waits in its queue and is applied then."
        )],
        (PeerState::Unreachable, Some(url)) => vec![format!(
            "Nobody answers at {url}: see whether {name} runs, and whether PEER_URLS is right."
        )],
        (PeerState::Unreachable, None) => {
            vec![format!(
                "Name {name} in PEER_URLS so that its health can be asked for."
            )]
        }
        (PeerState::Ready | PeerState::Unavailable, _) => {
            let missing = health.missing.iter();
            missing.map(|missing| mend(name, &missing.name)).collect()
        }
    }
}

fn mend(peer: &str, part: &str) -> String {
    match part {
        "broker" => format!(
            "{peer} has no working connection to RabbitMQ: see whether RabbitMQ runs, and whether AMQP_URL, user and vhost are right."
        ),
        "redis" => format!(
            "{peer} cannot use its Redis, and refuses signed requests meanwhile: see whether Redis runs, and whether REDIS_URL is right."
        ),
        "sql" => format!(
            "{peer} cannot use its database, and accepts no change meanwhile: see whether the database runs, and whether DATABASE_URL is right."
        ),
        "peer" => format!("{peer} is stopping: start it again when that was not meant."),
        other => format!("{peer} misses {other}: see its log."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(state: PeerState) -> PeerHealth {
        PeerHealth {
            name: "consumer".to_owned(),
            is_self: false,
            url: Some("http://127.0.0.1:3002".to_owned()),
            state,
            missing: Vec::new(),
            queue: Some(QueueState {
                messages: 0,
                consumers: 1,
            }),
            receives_only: false,
            last_sync_at: None,
            drift: 0,
            advice: Vec::new(),
            controllable: false,
        }
    }

    #[test]
    fn every_problem_has_an_advice_and_a_healthy_peer_has_none() {
        assert!(advice(&health(PeerState::Ready), None, None).is_empty());
        let missing = ["broker", "redis", "sql"].map(|name| MissingPart {
            name: name.into(),
            reason: "x".into(),
        });
        let cases = [
            (
                PeerHealth {
                    state: PeerState::Stopped,
                    ..health(PeerState::Ready)
                },
                "Start consumer again",
            ),
            (health(PeerState::Unreachable), "http://127.0.0.1:3002"),
            (
                PeerHealth {
                    url: None,
                    ..health(PeerState::Unreachable)
                },
                "PEER_URLS",
            ),
            (
                PeerHealth {
                    drift: 2,
                    ..health(PeerState::Ready)
                },
                "resync",
            ),
            (
                PeerHealth {
                    queue: Some(QueueState {
                        messages: 5,
                        consumers: 0,
                    }),
                    ..health(PeerState::Ready)
                },
                "Nobody consumes",
            ),
        ];
        for (health, expected) in cases {
            let advice = advice(&health, None, None);
            assert!(
                advice.len() == 1 && advice[0].contains(expected),
                "{advice:?}"
            );
        }
        let unavailable = PeerHealth {
            missing: missing.to_vec(),
            ..health(PeerState::Unavailable)
        };
        assert_eq!(advice(&unavailable, None, None).len(), 3);
        let report = |drifted| DriftReport {
            peer: PeerName::parse("consumer").unwrap(),
            checked_at_ms: Some(5),
            rows: 7,
            drifted,
            healed: drifted,
            superseded: 0,
            unreadable: 0,
            wanted: "00000000".to_owned(),
            held: "11111111".to_owned(),
            not_checked: None,
        };
        assert!(advice(&health(PeerState::Ready), None, Some(&report(0))).is_empty());
        let found = advice(&health(PeerState::Ready), None, Some(&report(2)));
        assert!(found.len() == 1 && found[0].contains("2 of 7"), "{found:?}");
    }

    #[test]
    fn what_a_peer_says_is_read_with_and_without_a_sync() {
        let told: ReportedReadiness = serde_json::from_str(
            r#"{"status":"unavailable","peer":"a","checked":["sql"],"missing":[{"name":"sql","reason":"away"}],"lastSyncAt":5}"#,
        )
        .unwrap();
        assert_eq!(
            (told.status.as_str(), told.missing.len(), told.last_sync_at),
            ("unavailable", 1, Some(5))
        );
        let told: ReportedReadiness =
            serde_json::from_str(r#"{"status":"ready","missing":[]}"#).unwrap();
        assert_eq!((told.last_sync_at, told.receives_only), (None, false));
        let told: ReportedReadiness =
            serde_json::from_str(r#"{"status":"ready","missing":[],"receivesOnly":true}"#).unwrap();
        assert!(told.receives_only);
    }
}
