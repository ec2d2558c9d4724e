//! What events told lately. An answer that was on its way meanwhile is older than they are, and must not undo them.

use std::cell::RefCell;
use std::collections::VecDeque;

use mesh_api::mesh::{MeshClient, MeshPage, MeshSummary, PeerSummary};
use mesh_api::track::Track;

/// Rows that are remembered; events come no faster than this within the time of one answer.
const LIMIT: usize = 1_024;

/// A client's track and id.
type Key = (Track, String);

#[derive(Default)]
struct Recent {
    /// The view that the events are of.
    since: i64,
    /// The state that the page shows at least.
    shown: u64,
    /// Rows as they were told, the newest last; `None` is gone.
    rows: VecDeque<(u64, Key, Option<MeshClient>)>,
    sums: Option<(u64, MeshSummary, Vec<PeerSummary>)>,
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
}

/// Begins with another stream of events, which is of the view that began at `since`.
pub(super) fn begin(since: i64) {
    RECENT.set(Recent {
        since,
        ..Recent::default()
    });
}

/// Remembers a row; tells whether that is news to the page.
pub(super) fn row(revision: u64, key: Key, client: Option<MeshClient>) -> bool {
    RECENT.with_borrow_mut(|recent| {
        if recent.rows.len() == LIMIT {
            recent.rows.pop_front();
        }
        recent.rows.push_back((revision, key, client));
        revision > recent.shown
    })
}

/// Remembers the sums; tells whether they are news to the page.
pub(super) fn sums(revision: u64, summary: MeshSummary, peers: &[PeerSummary]) -> bool {
    RECENT.with_borrow_mut(|recent| {
        recent.sums = Some((revision, summary, peers.to_vec()));
        revision >= recent.shown
    })
}

/// Puts what was told since into an answer.
pub(super) fn freshen(mesh: &mut MeshPage) {
    RECENT.with_borrow_mut(|recent| {
        if mesh.since != recent.since {
            return;
        }
        recent.shown = recent.shown.max(mesh.revision);
        for (_, key, client) in recent
            .rows
            .iter()
            .filter(|(revision, ..)| *revision > mesh.revision)
        {
            let place = mesh.clients.iter().position(|row| row.key() == *key);
            match (place, client) {
                (Some(place), Some(client)) => mesh.clients[place] = client.clone(),
                (Some(place), None) => drop(mesh.clients.remove(place)),
                (None, _) => {}
            }
        }
        if let Some((revision, summary, peers)) = &recent.sums
            && *revision > mesh.revision
        {
            mesh.summary = *summary;
            mesh.peers.clone_from(peers);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str, changed_at: i64) -> MeshClient {
        let (client_id, track) = (id.to_owned(), Track::Http);
        MeshClient {
            client_id,
            track,
            changed_at: Some(changed_at),
            ..MeshClient::default()
        }
    }

    fn answer(since: i64, revision: u64) -> MeshPage {
        MeshPage {
            since,
            revision,
            clients: vec![client("a", 1), client("b", 1)],
            ..MeshPage::default()
        }
    }

    fn tell(revision: u64, id: &str, changed_at: Option<i64>) -> bool {
        row(
            revision,
            client(id, 0).key(),
            changed_at.map(|at| client(id, at)),
        )
    }

    fn shown(mut mesh: MeshPage) -> Vec<(String, Option<i64>)> {
        freshen(&mut mesh);
        mesh.clients
            .into_iter()
            .map(|client| (client.client_id, client.changed_at))
            .collect()
    }

    #[test]
    fn an_older_answer_does_not_undo_what_was_told_meanwhile() {
        begin(7);
        assert!(tell(5, "a", Some(5)) && tell(6, "b", None) && tell(7, "c", Some(7)));
        assert_eq!(shown(answer(7, 4)), [("a".to_owned(), Some(5))]);
        let peers = [PeerSummary::default()];
        assert!(sums(
            7,
            MeshSummary {
                clients: 9,
                ..MeshSummary::default()
            },
            &peers
        ));
        let mut mesh = answer(7, 6);
        freshen(&mut mesh);
        assert_eq!(
            (mesh.clients.len(), mesh.summary.clients, mesh.peers.len()),
            (2, 9, 1)
        );
    }

    #[test]
    fn what_an_answer_knew_already_is_no_news() {
        begin(7);
        assert_eq!(shown(answer(7, 10)).len(), 2);
        assert!(!tell(10, "a", Some(3)) && tell(11, "a", Some(4)));
    }

    #[test]
    fn another_view_is_taken_as_it_is() {
        begin(7);
        tell(99, "a", Some(99));
        assert_eq!(shown(answer(8, 1))[0].1, Some(1));
        begin(8);
        assert!(tell(1, "a", Some(2)), "a new stream begins anew");
    }
}
