//! What the surface under test stands on: memory, and answers that are always the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use auth_base::clock::SystemClock;
use auth_base::random::SystemRandom;
use auth_base::secret::Secret;
use futures_util::{StreamExt as _, stream};
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::memory::audit::AuditEntry;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use mesh_api::call::CallAnswer;
use mesh_api::health::{MeshHealth, PeerControlled, PeerState};
use mesh_api::mesh::{MeshClient, MeshPage, MeshQuery};
use mesh_api::problem::Problem;
use mesh_api::state::StatePage;
use mesh_api::target::TargetState;
use mesh_api::timeline::HistoryEntry;
use parking_lot::Mutex;

use crate::administration::{
    Administration, AdministrationError, Backlog, NewTarget, TargetOperation,
};
use crate::call::{SignedCall, SignedGet, sent_request};
use crate::form::Forms;
use crate::management::Management;
use crate::surface::Surface;
use crate::view::{Events, MeshView};

/// A secret that no answer may repeat.
pub(crate) const SECRET: &str = "s3cr3t-of-a-client";

/// The surface of the peer `own`, whose inventory knows `busy`, for which clients are booked, and itself.
pub(crate) fn surface() -> Surface {
    Surface::new(management())
}

/// The same with a view of the mesh.
pub(crate) fn with_a_view() -> Surface {
    Surface::new(management().mesh(Some(Arc::new(Seen { ends: true })))).events()
}

/// The same, whose stream of changes goes on for ever.
pub(crate) fn with_an_endless_stream() -> Surface {
    Surface::new(management().mesh(Some(Arc::new(Seen { ends: false })))).events()
}

/// The same, taking forms.
pub(crate) fn with_forms() -> (Surface, Arc<Forms>) {
    let forms = Arc::new(Forms::new(Arc::new(SystemClock), Arc::new(SystemRandom)));
    (surface().forms(Some(Arc::clone(&forms))), forms)
}

/// The same, which may tell the peer `told`, and what it keeps of changes of its inventory.
pub(crate) fn with_an_audit() -> (Surface, Arc<Inventory>) {
    let inventory = Inventory::default();
    let secret = Secret::new("propagation-of-told");
    inventory.management.put_target(name("told"), secret);
    let inventory = Arc::new(inventory);
    (Surface::new(over(Arc::clone(&inventory))), inventory)
}

fn management() -> Management {
    over(Arc::default())
}

fn over(inventory: Arc<Inventory>) -> Management {
    let http = MemoryCredentialStore::new();
    let broker = Arc::new(MemoryBroker::connect(&MemoryBus::new()));
    let store = MemoryPeerStore::new(http.clone(), MemoryCredentialStore::new());
    let secret = Secret::new("propagation-of-own");
    let propagator = Propagator::builder(name("own"), secret, broker, Arc::new(store))
        .management(inventory.management.clone())
        .start();
    Management::new(name("own"), propagator, inventory)
        .credentials(Track::Http, Arc::new(http))
        .calls(Arc::new(Echoing), vec![(name("busy"), url())])
}

fn name(text: &str) -> PeerName {
    #[expect(clippy::expect_used, reason = "the names above are names")]
    PeerName::parse(text).expect("a name")
}

fn url() -> url::Url {
    #[expect(clippy::expect_used, reason = "a constant")]
    "http://127.0.0.1:9".parse().expect("a URL")
}

/// The management store, and its targets by name, with those that were added.
#[derive(Default)]
pub(crate) struct Inventory {
    management: Arc<MemoryManagement>,
    targets: Mutex<BTreeMap<String, Option<String>>>,
    /// Which targets were put or deleted, and who asked.
    changed: Mutex<Vec<(String, Origin)>>,
}

impl Inventory {
    /// Takes which targets were put or deleted since the last time, and who asked.
    pub(crate) fn changed(&self) -> Vec<(String, Origin)> {
        std::mem::take(&mut *self.changed.lock())
    }

    fn note(&self, name: &str, origin: &Origin) {
        self.changed.lock().push((name.to_owned(), origin.clone()));
    }
}

#[async_trait]
impl Administration for Inventory {
    async fn put_target(
        &self,
        target: &NewTarget,
        origin: &Origin,
    ) -> Result<TargetOperation, AdministrationError> {
        let name = target.name.to_string();
        self.note(&name, origin);
        Ok(
            match self.targets.lock().insert(name, target.note.clone()) {
                None => TargetOperation::Create,
                Some(_) => TargetOperation::Update,
            },
        )
    }

    async fn delete_target(&self, name: &str, origin: &Origin) -> Result<(), AdministrationError> {
        let known = name.to_owned();
        match name {
            "own" => Err(AdministrationError::SelfTarget { name: known }),
            "busy" => Err(AdministrationError::TargetInUse {
                name: known,
                clients: 2,
            }),
            "away" => Err(AdministrationError::Unavailable("down".into())),
            "broken" => Err(AdministrationError::Failed("s3cr3t".into())),
            _ => match self.targets.lock().remove(name) {
                Some(_) => {
                    self.note(name, origin);
                    Ok(())
                }
                None => Err(AdministrationError::UnknownTarget { name: known }),
            },
        }
    }

    async fn state(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, AdministrationError> {
        if cursor.is_some_and(|cursor| cursor != "known") {
            return Err(AdministrationError::InvalidCursor);
        }
        let target = TargetState {
            target_amqp_queue: "own".to_owned(),
            is_self: true,
            ..TargetState::default()
        };
        Ok(StatePage {
            targets: vec![target],
            next: Some(format!("after {limit}")),
            ..StatePage::default()
        })
    }

    async fn credentials(&self, _: &[CredentialKey]) -> Result<StatePage, AdministrationError> {
        Ok(StatePage::default())
    }

    async fn backlog(&self) -> Result<Backlog, AdministrationError> {
        Ok(Backlog::default())
    }

    async fn history(
        &self,
        key: &CredentialKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, AdministrationError> {
        let kept = self.management.history(key);
        if !kept.is_empty() {
            return Ok(kept.into_iter().rev().map(entry).collect());
        }
        let last = before.unwrap_or(4);
        let ids = (1..last).rev().take(limit);
        Ok(ids
            .map(|id| HistoryEntry {
                id,
                transition: "sent".to_owned(),
                ..HistoryEntry::default()
            })
            .collect())
    }
}

fn entry(entry: AuditEntry) -> HistoryEntry {
    let origin = entry.origin;
    HistoryEntry {
        target: entry.target.map(|target| target.to_string()),
        transition: entry.transition.as_str().to_owned(),
        actor: origin.actor().map(str::to_owned),
        request_id: origin.request_id().map(str::to_owned),
        ..HistoryEntry::default()
    }
}

struct Echoing;

#[async_trait]
impl SignedGet for Echoing {
    async fn get(&self, call: SignedCall) -> Result<CallAnswer, Problem> {
        Ok(CallAnswer {
            status: 200,
            body: call.client_id.as_str().into(),
            request: sent_request(&call.url, []),
        })
    }
}

struct Seen {
    /// Whether its stream of changes does.
    ends: bool,
}

#[async_trait]
impl MeshView for Seen {
    async fn page(&self, query: MeshQuery) -> Result<MeshPage, Problem> {
        Ok(MeshPage {
            peer: "own".to_owned(),
            matching: query.limit.map_or(0, |limit| limit.count()),
            ..MeshPage::default()
        })
    }

    async fn client(&self, _: &CredentialKey) -> Option<MeshClient> {
        None
    }

    async fn health(&self) -> MeshHealth {
        MeshHealth::default()
    }

    async fn control(&self, peer: &str, run: bool) -> Result<PeerControlled, Problem> {
        match (peer, run) {
            ("other", true) => Ok(PeerControlled {
                name: peer.to_owned(),
                state: PeerState::Ready,
            }),
            ("other", false) => Ok(PeerControlled {
                name: peer.to_owned(),
                state: PeerState::Stopped,
            }),
            _ => Err(Problem::new(404, "UNKNOWN_PEER", format!("no {peer}"))),
        }
    }

    fn inventory_changed(&self) {}

    fn events(&self) -> Events {
        let hello = stream::iter(["event: hello\ndata: {}\n\n".to_owned()]);
        match self.ends {
            true => Box::pin(hello),
            false => Box::pin(hello.chain(stream::pending())),
        }
    }
}
