//! The JSON about the mesh is written by the kit and read by the dashboard, which do not know each other: here they agree.
//!
//! Every struct literal below is whole. A field that is added on one side does not compile until the other side has it, or
//! until it stands among those that the dashboard has no use for.

#[cfg(test)]
mod tests {
    use dashboard::model as read;
    use kit::mesh::model as written;
    use kit::surface::administration::{HistoryEntry, PivotState, TargetState};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    /// Reads what was written, and checks that the dashboard writes it in the same way again.
    fn agree<T: Serialize, R: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        written: T,
        read: &R,
    ) {
        let text = json!(written).to_string();
        assert_eq!(&serde_json::from_str::<R>(&text).unwrap(), read);
        assert_eq!(json!(read), without_unread(json!(written)));
    }

    /// Takes out what the dashboard has no use for: a row's client and track, as its timeline has them already.
    fn without_unread(mut value: Value) -> Value {
        for pivot in value
            .get_mut("pivots")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let pivot = pivot.as_object_mut().unwrap();
            assert!(pivot.remove("clientId").is_some() && pivot.remove("track").is_some());
        }
        value
    }

    fn written_client() -> written::MeshClient {
        let cell = written::MeshCell {
            peer: "consumer".to_owned(),
            state: written::CellState::Behind,
            hash_prefix: Some("0123abcd".to_owned()),
            updated_at: Some(3),
            status: Some("sent"),
            attempts: Some(4),
            reason: Some("not acknowledged".to_owned()),
        };
        written::MeshClient {
            client_id: "client".to_owned(),
            track: "message",
            own: true,
            revoked: true,
            attention: true,
            changed_at: Some(5),
            expires_at: Some(6),
            cells: vec![cell],
        }
    }

    fn read_client() -> read::Client {
        let cell = read::Cell {
            peer: "consumer".to_owned(),
            state: read::CellState::Behind,
            hash_prefix: Some("0123abcd".to_owned()),
            updated_at: Some(3),
            status: Some(read::Status::Sent),
            attempts: Some(4),
            reason: Some("not acknowledged".to_owned()),
        };
        read::Client {
            client_id: "client".to_owned(),
            track: "message".to_owned(),
            own: true,
            revoked: true,
            attention: true,
            changed_at: Some(5),
            expires_at: Some(6),
            cells: vec![cell],
        }
    }

    #[test]
    fn the_matrix_is_read_as_it_is_written() {
        let peer = written::PeerSummary {
            name: "consumer".to_owned(),
            is_self: true,
            watched: true,
            reachable: true,
            reason: Some("away".to_owned()),
            in_sync: 1,
            behind: 2,
            missing: 3,
            unexpected: 4,
            unknown: 5,
        };
        let page = written::MeshPage {
            since: 3,
            revision: 4,
            peer: "authority".to_owned(),
            at: 7,
            summary: written::MeshSummary {
                clients: 1,
                in_sync: 2,
                peers: 3,
                peers_in_sync: 4,
            },
            peers: vec![peer],
            clients: vec![written_client()],
            matching: 8,
            next: Some("cursor".to_owned()),
        };
        let peer = read::PeerSummary {
            name: "consumer".to_owned(),
            is_self: true,
            watched: true,
            reachable: true,
            reason: Some("away".to_owned()),
            in_sync: 1,
            behind: 2,
            missing: 3,
            unexpected: 4,
            unknown: 5,
        };
        let mesh = read::Mesh {
            since: 3,
            revision: 4,
            peer: "authority".to_owned(),
            at: 7,
            summary: read::Summary {
                clients: 1,
                in_sync: 2,
                peers: 3,
                peers_in_sync: 4,
            },
            peers: vec![peer],
            clients: vec![read_client()],
            matching: 8,
            next: Some("cursor".to_owned()),
        };
        agree(page, &mesh);
    }

    #[test]
    fn the_health_is_read_as_it_is_written() {
        let peer = written::PeerHealth {
            name: "consumer".to_owned(),
            is_self: true,
            url: Some("http://127.0.0.1:1".to_owned()),
            state: written::PeerState::Unavailable,
            missing: vec![written::MissingPart {
                name: "sql".to_owned(),
                reason: "away".to_owned(),
            }],
            queue: Some(written::QueueState {
                messages: 1,
                consumers: 2,
            }),
            receives_only: true,
            last_sync_at: Some(3),
            drift: 4,
            advice: vec!["mend it".to_owned()],
            controllable: true,
        };
        let health = written::MeshHealth {
            at: 5,
            peers: vec![peer],
        };
        let peer = read::PeerHealth {
            name: "consumer".to_owned(),
            is_self: true,
            url: Some("http://127.0.0.1:1".to_owned()),
            state: read::PeerState::Unavailable,
            missing: vec![read::Missing {
                name: "sql".to_owned(),
                reason: "away".to_owned(),
            }],
            queue: Some(read::Queue {
                messages: 1,
                consumers: 2,
            }),
            receives_only: true,
            last_sync_at: Some(3),
            drift: 4,
            advice: vec!["mend it".to_owned()],
            controllable: true,
        };
        agree(
            health,
            &read::Health {
                at: 5,
                peers: vec![peer],
            },
        );
    }

    #[test]
    fn a_timeline_is_read_as_it_is_written() {
        let pivot = PivotState {
            client_id: "client".to_owned(),
            track: "message",
            target_amqp_queue: "consumer".to_owned(),
            status: "error",
            op: Some("credential.update"),
            secret_hash: Some("0123abcd".to_owned()),
            generation: 1,
            attempt_count: 2,
            reason: Some("refused".to_owned()),
            sent_at: Some(3),
            applied_at: Some(4),
            failed_at: Some(5),
            changed_at: 6,
            last_ts: None,
        };
        let entry = HistoryEntry {
            id: 1,
            at: 2,
            target: Some("consumer".to_owned()),
            transition: "sent".to_owned(),
            generation: 3,
            attempt: Some(4),
            event_id: Some("an-event".to_owned()),
            ts: Some(5),
            reason: Some("refused".to_owned()),
        };
        let timeline = written::Timeline {
            client_id: "client".to_owned(),
            track: "message",
            known: true,
            client: Some(written_client()),
            pivots: vec![pivot],
            entries: vec![entry],
            next: Some(7),
        };
        let pivot = read::Pivot {
            target_amqp_queue: "consumer".to_owned(),
            status: read::Status::Error,
            op: Some("credential.update".to_owned()),
            secret_hash: Some("0123abcd".to_owned()),
            generation: 1,
            attempt_count: 2,
            reason: Some("refused".to_owned()),
            sent_at: Some(3),
            applied_at: Some(4),
            failed_at: Some(5),
            changed_at: Some(6),
        };
        let entry = read::Entry {
            id: 1,
            at: 2,
            target: Some("consumer".to_owned()),
            transition: "sent".to_owned(),
            generation: 3,
            attempt: Some(4),
            event_id: Some("an-event".to_owned()),
            ts: Some(5),
            reason: Some("refused".to_owned()),
        };
        let read = read::Timeline {
            client_id: "client".to_owned(),
            track: "message".to_owned(),
            known: true,
            client: Some(read_client()),
            pivots: vec![pivot],
            entries: vec![entry],
            next: Some(7),
        };
        agree(timeline, &read);
    }

    #[test]
    fn a_target_is_read_as_it_is_written() {
        let target = TargetState {
            target_amqp_queue: "consumer".to_owned(),
            note: Some("the till".to_owned()),
            is_self: true,
            booked_clients: 1,
            created_at: 2,
            updated_at: 3,
        };
        let read = read::Target {
            target_amqp_queue: "consumer".to_owned(),
            note: Some("the till".to_owned()),
            is_self: true,
            created_at: Some(2),
            updated_at: Some(3),
            booked_clients: Some(1),
        };
        agree(target, &read);
    }

    #[test]
    fn every_state_is_known() {
        use written::CellState::{Behind, InSync, Missing, None, Unexpected, Unknown};
        use written::PeerState::{Ready, Stopped, Unavailable, Unreachable};
        for state in [InSync, Behind, Missing, Unexpected, Unknown, None] {
            let read: read::CellState = serde_json::from_value(json!(state)).unwrap();
            assert_eq!(json!(read), json!(state));
        }
        for state in [Ready, Unavailable, Unreachable, Stopped] {
            let read: read::PeerState = serde_json::from_value(json!(state)).unwrap();
            assert_eq!(json!(read), json!(state));
        }
        for status in ["pending", "sent", "success", "error"] {
            let read: read::Status = serde_json::from_value(json!(status)).unwrap();
            assert_eq!(json!(read), json!(status));
        }
    }
}
