//! Pages as a living mesh would show them.

use std::collections::BTreeMap;

use dashboard::page::{Caller, Page, PageData, Query};
use mesh_api::health::{MeshHealth, MissingPart, PeerHealth, PeerState, QueueState};
use mesh_api::mesh::{CellState, MeshCell, MeshClient, MeshPage, MeshSummary, PeerSummary};
use mesh_api::outcome::Outcome;
use mesh_api::permission::Role;
use mesh_api::problem::Problem;
use mesh_api::routes::Operation;
use mesh_api::state::{DeliveryStatus, PivotState};
use mesh_api::target::TargetState;
use mesh_api::timeline::{HistoryEntry, Timeline};
use mesh_api::track::Track;
use serde_json::json;

/// When the pages were made.
pub(crate) const NOW: i64 = 1_795_401_261_000;
const PEERS: [&str; 4] = ["authority", "consumer", "leptos-actix", "leptos-axum"];
const CLIENTS: [&str; 12] = [
    "billing-export",
    "courier-app",
    "eu-west/ingest",
    "kiosk-0042",
    "ledger",
    "mobile-gateway",
    "nightly-report",
    "partner.acme",
    "pos-terminal-17",
    "shipping",
    "warehouse-scanner",
    "webhooks",
];

/// Every page, by the name of its file.
pub(crate) fn all() -> Vec<(&'static str, PageData)> {
    vec![
        ("matrix", matrix()),
        ("agreed", agreed()),
        ("empty", empty()),
        ("mistake", mistake()),
        ("driven", driven()),
        ("client", client()),
        ("call", call()),
        ("foreign", foreign()),
        ("targets", targets()),
        ("health", health()),
        ("not-found", page(Page::NotFound)),
        ("viewer", seen_by(Role::Viewer, matrix())),
        ("admin", seen_by(Role::Admin, targets())),
    ]
}

/// A page as somebody sees it who has signed in.
pub(crate) fn seen_by(role: Role, data: PageData) -> PageData {
    let caller = Caller {
        name: "ada@example.org".to_owned(),
        permissions: role.permissions().to_vec(),
        has_session: true,
    };
    PageData {
        caller: Some(caller),
        ..data
    }
}

/// A page that shows nothing yet.
pub(crate) fn page(page: Page) -> PageData {
    PageData {
        page,
        peer: "leptos-axum".to_owned(),
        at: NOW,
        live: true,
        peer_urls: PEERS.map(str::to_owned).to_vec(),
        targets: Some(inventory()),
        ..PageData::default()
    }
}

/// The matrix with something of everything.
pub(crate) fn matrix() -> PageData {
    let clients: Vec<MeshClient> = CLIENTS
        .iter()
        .enumerate()
        .map(|(index, id)| row(index, id))
        .collect();
    let mesh = MeshPage {
        since: 1,
        revision: 1,
        peer: "leptos-axum".to_owned(),
        at: NOW,
        summary: MeshSummary {
            clients: 128,
            in_sync: 123,
            peers: 4,
            peers_in_sync: 2,
        },
        peers: PEERS.iter().map(|name| column(name)).collect(),
        clients,
        matching: 128,
        next: Some("http:webhooks".to_owned()),
    };
    PageData {
        mesh: Some(mesh),
        ..page(Page::Matrix)
    }
}

fn column(name: &str) -> PeerSummary {
    let column = PeerSummary {
        name: name.to_owned(),
        is_self: name == "leptos-axum",
        watched: true,
        reachable: true,
        in_sync: 128,
        ..PeerSummary::default()
    };
    match name {
        "consumer" => PeerSummary {
            in_sync: 124,
            behind: 2,
            missing: 1,
            unexpected: 1,
            ..column
        },
        "leptos-actix" => PeerSummary {
            in_sync: 127,
            unknown: 1,
            ..column
        },
        _ => column,
    }
}

fn row(index: usize, id: &str) -> MeshClient {
    let states = |index: usize, peer: &str| match (index, peer) {
        (1 | 6, "consumer") => CellState::Behind,
        (3, "consumer") => CellState::Missing,
        (4, "consumer" | "authority") => CellState::None,
        (7, "consumer") => CellState::Unexpected,
        (8, "leptos-actix") => CellState::Unknown,
        _ => CellState::InSync,
    };
    let written = NOW - 7_000 * (1 << index) - 800;
    let attention = PEERS
        .iter()
        .any(|peer| states(index, peer).needs_attention());
    let cells = PEERS.iter().map(|peer| {
        let state = states(index, peer);
        let there = !matches!(
            state,
            CellState::None | CellState::Missing | CellState::Unknown
        );
        let old = state == CellState::Behind;
        MeshCell {
            peer: (*peer).to_owned(),
            state,
            hash_prefix: there.then(|| {
                format!(
                    "{:08x}",
                    0x9e37_79b9_u32.wrapping_mul(index as u32 + 3 + u32::from(old))
                )
            }),
            updated_at: there.then_some(if old { written - 86_400_000 } else { written }),
            status: (!there || old).then_some(DeliveryStatus::Sent),
            attempts: old.then_some(3),
            reason: (index == 6 && old).then(|| "not acknowledged for 60 s".to_owned()),
        }
    });
    MeshClient {
        client_id: id.to_owned(),
        track: if index == 5 {
            Track::Message
        } else {
            Track::Http
        },
        own: index != 9,
        revoked: index == 7,
        attention,
        changed_at: Some(written),
        expires_at: (index == 2).then_some(NOW + 86_400_000),
        cells: cells.collect(),
    }
}

/// The matrix of a mesh that agrees.
pub(crate) fn agreed() -> PageData {
    let mut data = matrix();
    let mesh = data.mesh.as_mut().unwrap();
    mesh.summary = MeshSummary {
        clients: 12,
        in_sync: 12,
        peers: 4,
        peers_in_sync: 4,
    };
    mesh.matching = 12;
    mesh.next = None;
    for peer in &mut mesh.peers {
        *peer = PeerSummary {
            in_sync: 12,
            ..column("authority")
        }
        .named(&peer.name);
    }
    for client in &mut mesh.clients {
        client.attention = false;
        let hash = client.cells[3].hash_prefix.clone();
        for cell in &mut client.cells {
            *cell = MeshCell {
                peer: cell.peer.clone(),
                state: CellState::InSync,
                hash_prefix: hash.clone(),
                updated_at: client.changed_at,
                ..MeshCell::default()
            };
        }
    }
    data
}

trait Named {
    fn named(self, name: &str) -> Self;
}

impl Named for PeerSummary {
    fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_self: name == "leptos-axum",
            ..self
        }
    }
}

/// A mesh without clients.
pub(crate) fn empty() -> PageData {
    let mut data = agreed();
    let mesh = data.mesh.as_mut().unwrap();
    mesh.clients.clear();
    mesh.matching = 0;
    mesh.summary = MeshSummary {
        clients: 0,
        in_sync: 0,
        peers: 4,
        peers_in_sync: 4,
    };
    for peer in &mut mesh.peers {
        peer.in_sync = 0;
    }
    data
}

/// What a form did that was refused for no reason.
pub(crate) fn refused(operation: Operation) -> Outcome {
    Outcome::new(operation, &Err(Problem::default()), BTreeMap::new())
}

/// A form that was refused.
pub(crate) fn mistake() -> PageData {
    let outcome = Outcome {
        message: "is no address and no network: 10.0.0.0/99".to_owned(),
        field: Some("allowedIps".to_owned()),
        code: Some("INVALID_OPTIONS".to_owned()),
        values: [
            ("clientId".to_owned(), vec!["till-3".to_owned()]),
            ("targets".to_owned(), vec!["consumer".to_owned()]),
            ("allowedIps".to_owned(), vec!["10.0.0.0/99".to_owned()]),
            ("expiresAt".to_owned(), vec!["2027-01-31T12:00".to_owned()]),
            ("track".to_owned(), vec!["message".to_owned()]),
        ]
        .into(),
        ..refused(Operation::Ensure)
    };
    PageData {
        outcome: Some(outcome),
        ..matrix()
    }
}

/// A form that was done.
pub(crate) fn driven() -> PageData {
    let outcome = Outcome {
        ok: true,
        message: "client courier-app has a new secret".to_owned(),
        values: [("clientId".to_owned(), vec!["courier-app".to_owned()])].into(),
        answer: Some(json!({ "clientId": "courier-app" })),
        ..refused(Operation::Rotate)
    };
    PageData {
        outcome: Some(outcome),
        ..matrix()
    }
}

/// A client with a story.
pub(crate) fn client() -> PageData {
    let accepted = NOW - 95_000;
    let mut entries = Vec::new();
    let mut add = |at: i64,
                   generation: i64,
                   target: Option<&str>,
                   transition: &str,
                   attempt: i64,
                   reason: Option<&str>| {
        entries.push(HistoryEntry {
            id: entries.len() as i64 + 1,
            at,
            target: target.map(str::to_owned),
            transition: transition.to_owned(),
            generation,
            attempt: target.map(|_| attempt),
            event_id: (transition == "sent")
                .then(|| "0f3cbb0a-5e7c-4b61-9b52-1f7b1d3d9a11".to_owned()),
            ts: None,
            reason: reason.map(str::to_owned),
            actor: ["ensured", "rotated"]
                .contains(&transition)
                .then(|| "ada@example.org".to_owned()),
            request_id: None,
        });
    };
    let others = ["authority", "consumer", "leptos-actix"];
    for (generation, what, began) in [
        (1, "ensured", accepted - 7_300_000),
        (2, "rotated", accepted),
    ] {
        add(began, generation, None, what, 0, None);
        for (index, target) in others.iter().enumerate() {
            let waited = 9 + 3 * index as i64;
            add(began, generation, Some(target), what, 0, None);
            add(began + waited, generation, Some(target), "sent", 1, None);
            if generation == 2 && *target == "consumer" {
                add(began + 60_012, generation, Some(target), "claimed", 2, None);
                add(began + 60_020, generation, Some(target), "sent", 2, None);
                continue;
            }
            add(
                began + waited + 17 + 31 * index as i64,
                generation,
                Some(target),
                "success",
                1,
                None,
            );
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
    let pivots = others.iter().map(|target| PivotState {
        target_amqp_queue: (*target).to_owned(),
        status: if *target == "consumer" {
            DeliveryStatus::Sent
        } else {
            DeliveryStatus::Success
        },
        generation: 2,
        attempt_count: if *target == "consumer" { 2 } else { 1 },
        applied_at: (*target != "consumer").then_some(accepted + 19),
        ..PivotState::default()
    });
    let timeline = Timeline {
        client_id: "courier-app".to_owned(),
        track: Track::Http,
        known: true,
        client: Some(row(1, "courier-app")),
        pivots: pivots.collect(),
        entries,
        next: Some(1),
    };
    PageData {
        timeline: Some(timeline),
        ..page(Page::Client)
    }
}

/// A client that was called.
pub(crate) fn call() -> PageData {
    let outcome = Outcome {
        ok: true,
        message: "the peer answered 200".to_owned(),
        values: [("clientId".to_owned(), vec!["courier-app".to_owned()])].into(),
        answer: Some(json!({
            "status": 200,
            "body": { "ok": true, "clientId": "courier-app", "peer": "consumer" },
            "request": {
                "method": "GET",
                "url": "http://127.0.0.1:3002/api/echo",
                "headers": [
                    ["x-hmac-client-id", "courier-app"],
                    ["x-hmac-timestamp", "1795401261"],
                    ["x-hmac-nonce", "4f1c0d2e9b7a4c55"],
                    ["x-hmac-signature", "9f86d081…"],
                ],
            },
        })),
        ..refused(Operation::CallTarget)
    };
    PageData {
        outcome: Some(outcome),
        ..client()
    }
}

/// A client whose source is another peer.
pub(crate) fn foreign() -> PageData {
    let timeline = Timeline {
        client_id: "shipping".to_owned(),
        track: Track::Http,
        client: Some(row(9, "shipping")),
        ..Timeline::default()
    };
    PageData {
        timeline: Some(timeline),
        ..page(Page::Client)
    }
}

/// The inventory.
pub(crate) fn targets() -> PageData {
    page(Page::Targets)
}

fn inventory() -> Vec<TargetState> {
    let target = |name: &str, booked| TargetState {
        target_amqp_queue: name.to_owned(),
        is_self: name == "leptos-axum",
        created_at: NOW - 86_400_000,
        updated_at: NOW - 3_600_000,
        booked_clients: booked,
        note: match name {
            "consumer" => Some("The warehouse's till, behind the proxy in Graz.".to_owned()),
            "leptos-axum" => Some("this peer itself".to_owned()),
            _ => None,
        },
    };
    vec![
        target("authority", 128),
        target("consumer", 1),
        target("leptos-actix", 0),
        target("leptos-axum", 0),
    ]
}

/// A mesh with troubles.
pub(crate) fn health() -> PageData {
    let ready = |name: &str, port: u16| PeerHealth {
        name: name.to_owned(),
        is_self: name == "leptos-axum",
        url: Some(format!("http://127.0.0.1:{port}")),
        state: PeerState::Ready,
        queue: Some(QueueState {
            messages: 0,
            consumers: 1,
        }),
        last_sync_at: Some(NOW - 3_400),
        controllable: true,
        ..PeerHealth::default()
    };
    let consumer = PeerHealth {
        state: PeerState::Stopped,
        queue: Some(QueueState {
            messages: 12,
            consumers: 0,
        }),
        drift: 3,
        receives_only: true,
        last_sync_at: None,
        advice: vec![
            "Start it: 12 messages wait in its queue, and it applies them as soon as it runs."
                .to_owned(),
        ],
        ..ready("consumer", 3002)
    };
    let actix = PeerHealth {
        state: PeerState::Unavailable,
        missing: vec![MissingPart {
            name: "redis".to_owned(),
            reason: "connection refused".to_owned(),
        }],
        advice: vec![
            "Start its Redis, or correct REDIS_URL: until then it refuses every signed request."
                .to_owned(),
        ],
        drift: 1,
        ..ready("leptos-actix", 3004)
    };
    let peers = vec![
        ready("authority", 3001),
        consumer,
        actix,
        ready("leptos-axum", 3003),
    ];
    PageData {
        health: Some(MeshHealth { at: NOW, peers }),
        query: Query::default(),
        ..page(Page::Health)
    }
}
