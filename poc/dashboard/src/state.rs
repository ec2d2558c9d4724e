//! What the page knows, as signals: components read them, and events of the peer change them.

use leptos::prelude::*;
use mesh_api::health::MeshHealth;
use mesh_api::mesh::{MeshClient, MeshPage, MeshSummary, PeerSummary};
use mesh_api::outcome::Outcome;
use mesh_api::problem::Problem;
use mesh_api::routes::Operation;
use mesh_api::target::TargetState;
use mesh_api::timeline::Timeline;
use mesh_api::track::Track;

use crate::address;
use crate::page::{Caller, Page, PageData, Query};

/// What the page knows. Handles only: copies share it.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// Which page.
    pub(crate) page: Page,
    /// The peer that shows it.
    pub(crate) peer: StoredValue<String>,
    /// Who looks at it; `None` where nobody is asked.
    pub(crate) caller: StoredValue<Option<Caller>>,
    /// The time; it moves in the browser only.
    pub(crate) now: RwSignal<i64>,
    /// Whether changes arrive.
    pub(crate) connection: RwSignal<Connection>,
    /// What the address asks for.
    pub(crate) query: RwSignal<Query>,
    /// The matrix.
    pub(crate) matrix: Matrix,
    /// What happened to the client of this page.
    pub(crate) timeline: RwSignal<Option<Timeline>>,
    /// The inventory; `None` where it could not be read.
    pub(crate) targets: RwSignal<Option<Vec<TargetState>>>,
    /// How the peers are.
    pub(crate) health: RwSignal<Option<MeshHealth>>,
    /// What the last form did.
    pub(crate) said: RwSignal<Option<Outcome>>,
    /// The client that was last driven from this page: its track and id.
    pub(crate) driven: RwSignal<Option<(Track, String)>>,
    /// What is known of it.
    pub(crate) driven_client: RwSignal<Option<MeshClient>>,
    /// Why something is not shown.
    pub(crate) problem: RwSignal<Option<Problem>>,
    /// The peers that a signed call may go to.
    pub(crate) peer_urls: StoredValue<Vec<String>>,
}

/// Whether changes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not yet, or never.
    Still,
    /// They do.
    Live,
    /// They did.
    Lost,
}

/// The matrix. Each row is a signal of its own, so that a change draws one row.
#[derive(Clone, Copy)]
pub(crate) struct Matrix {
    /// Whether there is anything to show.
    pub(crate) known: RwSignal<bool>,
    /// The columns.
    pub(crate) peers: RwSignal<Vec<PeerSummary>>,
    /// The sums over all clients.
    pub(crate) summary: RwSignal<MeshSummary>,
    /// The rows of this page.
    pub(crate) rows: RwSignal<Vec<Row>>,
    /// How many clients the filter leaves.
    pub(crate) matching: RwSignal<usize>,
    /// Where the next page begins.
    pub(crate) next: RwSignal<Option<String>>,
    /// When the view began that the page was drawn from, and which state of it that was.
    #[cfg_attr(
        not(feature = "hydrate"),
        expect(dead_code, reason = "asked in the browser only")
    )]
    pub(crate) drawn_from: StoredValue<(i64, u64)>,
}

/// One row.
#[derive(Clone)]
pub(crate) struct Row {
    /// The track and client id.
    pub(crate) key: (Track, String),
    /// What is known of the client.
    pub(crate) client: ArcRwSignal<MeshClient>,
}

impl State {
    /// Takes a page's data apart.
    pub(crate) fn new(data: PageData) -> Self {
        let driven = data.outcome.as_ref().and_then(driven);
        let mesh_known = data.mesh.is_some();
        let mesh = data.mesh.unwrap_or_default();
        let of_timeline = data
            .timeline
            .as_ref()
            .and_then(|timeline| timeline.client.clone());
        let driven_client = driven.as_ref().and_then(|key| {
            mesh.clients
                .iter()
                .chain(&of_timeline)
                .find(|client| client.key() == *key)
                .cloned()
        });
        Self {
            page: data.page,
            peer: StoredValue::new(data.peer),
            caller: StoredValue::new(data.caller),
            now: RwSignal::new(data.at),
            connection: RwSignal::new(Connection::Still),
            query: RwSignal::new(data.query),
            matrix: Matrix::new(mesh, mesh_known),
            timeline: RwSignal::new(data.timeline),
            targets: RwSignal::new(data.targets),
            health: RwSignal::new(data.health),
            said: RwSignal::new(data.outcome),
            driven: RwSignal::new(driven),
            driven_client: RwSignal::new(driven_client),
            problem: RwSignal::new(data.problem),
            peer_urls: StoredValue::new(data.peer_urls),
        }
    }

    /// Tells whether the caller signed in at the gateway.
    #[cfg(feature = "hydrate")]
    pub(crate) fn has_session(self) -> bool {
        self.caller
            .with_value(|caller| caller.as_ref().is_some_and(|caller| caller.has_session))
    }

    /// Tells whether the caller may do it: where nobody is asked, everybody may. The surface asks again.
    pub(crate) fn may(self, operation: Operation) -> bool {
        self.caller.with_value(|caller| match caller {
            None => true,
            Some(caller) => operation
                .permission()
                .is_some_and(|permission| caller.permissions.contains(&permission)),
        })
    }

    /// The address of this page: where a form goes back to, and who signs in again.
    pub(crate) fn back(self) -> String {
        let query = self.query.get_untracked();
        let key = self.timeline.with_untracked(|timeline| {
            timeline
                .as_ref()
                .map(|timeline| (timeline.track, timeline.client_id.clone()))
        });
        let key = key
            .as_ref()
            .map(|(track, client_id)| (*track, client_id.as_str()));
        address::page(self.page, key, &query)
    }

    /// The names that a change may be sent to: the inventory without this peer, else the columns.
    pub(crate) fn target_names(self) -> Vec<String> {
        let from_inventory = self.targets.with(|targets| {
            let others = targets.as_ref()?.iter().filter(|target| !target.is_self);
            Some(
                others
                    .map(|target| target.target_amqp_queue.clone())
                    .collect(),
            )
        });
        from_inventory.unwrap_or_else(|| {
            self.matrix.peers.with(|peers| {
                peers
                    .iter()
                    .filter(|peer| !peer.is_self)
                    .map(|peer| peer.name.clone())
                    .collect()
            })
        })
    }
}

impl Matrix {
    fn new(mesh: MeshPage, known: bool) -> Self {
        Self {
            known: RwSignal::new(known),
            peers: RwSignal::new(mesh.peers),
            summary: RwSignal::new(mesh.summary),
            rows: RwSignal::new(mesh.clients.into_iter().map(Row::new).collect()),
            matching: RwSignal::new(mesh.matching),
            next: RwSignal::new(mesh.next),
            drawn_from: StoredValue::new((mesh.since, mesh.revision)),
        }
    }
}
#[cfg(any(test, feature = "hydrate"))]
impl Matrix {
    /// Takes what was read anew: rows that stay keep their signals, and those that did not change are left alone.
    pub(crate) fn put(self, mesh: MeshPage) {
        let before = self.rows.get_untracked();
        let mut moved = before.len() != mesh.clients.len();
        let mut rows = Vec::with_capacity(mesh.clients.len());
        for (index, client) in mesh.clients.into_iter().enumerate() {
            let key = client.key();
            moved |= before.get(index).is_none_or(|row| row.key != key);
            match before.iter().find(|row| row.key == key) {
                Some(row) => {
                    row.put(client);
                    rows.push(row.clone());
                }
                None => rows.push(Row::new(client)),
            }
        }
        if moved {
            self.rows.set(rows);
        }
        change(self.peers, mesh.peers);
        change(self.summary, mesh.summary);
        change(self.matching, mesh.matching);
        change(self.next, mesh.next);
        change(self.known, true);
    }

    /// Takes a change of one client; tells whether it has a row here.
    pub(crate) fn patch(self, client: &MeshClient) -> bool {
        self.rows.with_untracked(|rows| {
            let row = rows
                .iter()
                .find(|row| row.key.1 == client.client_id && row.key.0 == client.track);
            row.inspect(|row| row.put(client.clone())).is_some()
        })
    }
}

impl Row {
    fn new(client: MeshClient) -> Self {
        Self {
            key: client.key(),
            client: ArcRwSignal::new(client),
        }
    }
    #[cfg(any(test, feature = "hydrate"))]
    fn put(&self, client: MeshClient) {
        if self.client.with_untracked(|before| *before != client) {
            self.client.set(client);
        }
    }
}

/// Sets a signal that would change.
#[cfg(any(test, feature = "hydrate"))]
pub(crate) fn change<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|before| *before != value) {
        signal.set(value);
    }
}

/// The client that an outcome is about, where it changed one.
pub(crate) fn driven(outcome: &Outcome) -> Option<(Track, String)> {
    use Operation::{Ensure, Revoke, Rotate};
    if !outcome.ok || !matches!(outcome.operation, Ensure | Rotate | Revoke) {
        return None;
    }
    let client_id = outcome.value("clientId").map(str::to_owned).or_else(|| {
        let answer = outcome.answer.as_ref()?;
        Some(answer.get("clientId")?.as_str()?.to_owned())
    })?;
    let track = match outcome.value("track") {
        Some("message") => Track::Message,
        _ => Track::Http,
    };
    Some((track, client_id))
}

#[cfg(test)]
mod tests {
    use leptos::prelude::Track as _;
    use mesh_api::mesh::{CellState, MeshCell};

    use super::*;

    fn client(id: &str, state: CellState) -> MeshClient {
        let cells = vec![MeshCell {
            peer: "a".to_owned(),
            state,
            ..MeshCell::default()
        }];
        MeshClient {
            client_id: id.to_owned(),
            track: Track::Http,
            cells,
            ..MeshClient::default()
        }
    }

    fn mesh(clients: Vec<MeshClient>) -> MeshPage {
        MeshPage {
            matching: clients.len(),
            clients,
            ..MeshPage::default()
        }
    }

    #[test]
    fn rows_that_stay_keep_their_signals() {
        Owner::new_root(None).with(|| {
            let matrix = Matrix::new(
                mesh(vec![
                    client("a", CellState::InSync),
                    client("b", CellState::InSync),
                ]),
                true,
            );
            let before = matrix.rows.get_untracked();
            let drawn = Memo::new({
                let row = before[0].clone();
                move |times: Option<&u32>| {
                    row.client.track();
                    times.copied().unwrap_or_default() + 1
                }
            });
            assert_eq!(drawn.get_untracked(), 1);
            let clients = ["b", "a", "c"].map(|id| {
                client(
                    id,
                    if id == "b" {
                        CellState::Behind
                    } else {
                        CellState::InSync
                    },
                )
            });
            matrix.put(mesh(clients.into()));
            let after = matrix.rows.get_untracked();
            assert_eq!(
                after
                    .iter()
                    .map(|row| row.key.1.as_str())
                    .collect::<Vec<_>>(),
                ["b", "a", "c"]
            );
            assert_eq!(
                before[1].client.get_untracked().cells[0].state,
                CellState::Behind
            );
            assert_eq!(
                drawn.get_untracked(),
                1,
                "a row that did not change is not drawn again"
            );
            assert_eq!(matrix.matching.get_untracked(), 3);

            assert!(matrix.patch(&client("a", CellState::Missing)));
            assert!(!matrix.patch(&client("z", CellState::Missing)));
            assert_eq!(drawn.get_untracked(), 2);
        });
    }

    #[test]
    fn only_a_change_of_a_client_has_a_way() {
        let outcome = |operation, ok| {
            let values = [
                ("clientId".to_owned(), vec!["a".to_owned()]),
                ("track".to_owned(), vec![String::new()]),
            ];
            let done = Ok(serde_json::Value::Null);
            Outcome {
                ok,
                ..Outcome::new(operation, &done, values.into())
            }
        };
        assert_eq!(
            driven(&outcome(Operation::Rotate, true)),
            Some((Track::Http, "a".to_owned()))
        );
        assert_eq!(driven(&outcome(Operation::Rotate, false)), None);
        assert_eq!(driven(&outcome(Operation::CallTarget, true)), None);
    }
}
