//! The part about the ledger of events in flight (propagation wire 2.5).
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use futures_util::future::join_all;
use hmac_propagation::peer_store::{AckResult, CredentialKey, FinalStatus, InFlight, KEPT_TRIES};
use hmac_propagation::queue::PeerName;

use crate::peer_store::{Peer, both_tracks, http};

/// Booked through one handle, found through the other, gone after it was discarded.
pub async fn an_event_is_found_until_it_is_done(peer: &Peer) {
    let [one, other] = &peer.stores;
    let event = in_flight("e1", &http("a:b"), "target-1", 7);
    one.book(std::slice::from_ref(&event)).await.expect("book");
    one.book(&[]).await.expect("book nothing");
    let ids = ["unknown".to_owned(), "e1".to_owned()];
    assert_eq!(
        other.find(&ids).await.expect("find"),
        [None, Some(event.clone())]
    );
    assert!(other.find(&[]).await.expect("find").is_empty());
    let unknown = in_flight("unknown", &http("a:b"), "target-1", 7);
    assert_eq!(complete(peer, &unknown, AckResult::Applied).await, None);
    other
        .discard(std::slice::from_ref(&event))
        .await
        .expect("discard");
    assert_eq!(one.find(&ids).await.expect("find"), [None, None]);
    assert_eq!(complete(peer, &event, AckResult::Applied).await, None);
    one.discard(&[event]).await.expect("discard twice");
}

/// The answer to the replaced event counts for nothing, and keeps nothing pending.
pub async fn a_newer_event_replaces_the_older(peer: &Peer) {
    let key = http("rotated twice");
    let old = in_flight("old", &key, "target-1", 1);
    let elsewhere = in_flight("elsewhere", &key, "target-2", 1);
    let new = in_flight("new", &key, "target-1", 2);
    book(peer, &[old.clone(), elsewhere.clone()]).await;
    book(peer, std::slice::from_ref(&new)).await;
    let ids = ["old".to_owned(), "elsewhere".to_owned(), "new".to_owned()];
    let found = peer.stores[1].find(&ids).await.expect("find");
    assert_eq!(found, [None, Some(elsewhere.clone()), Some(new.clone())]);
    assert_eq!(complete(peer, &old, AckResult::Error).await, None);
    assert_eq!(complete(peer, &new, AckResult::Applied).await, None);
    assert_eq!(
        complete(peer, &elsewhere, AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
}

/// Two replicas send two changes of one row, and the one with the older change comes last: both answers are booked.
pub async fn an_older_event_replaces_no_newer(peer: &Peer) {
    let key = http("overtaken");
    let new = in_flight("the newer", &key, "target-1", 10);
    let old = in_flight("the older", &key, "target-1", 9);
    book(peer, std::slice::from_ref(&new)).await;
    peer.stores[1]
        .book(std::slice::from_ref(&old))
        .await
        .expect("book");
    let found = peer.stores[0]
        .find(&[new.event_id.clone(), old.event_id.clone()])
        .await
        .expect("find");
    assert_eq!(found, [Some(new.clone()), Some(old.clone())]);
    assert_eq!(complete(peer, &old, AckResult::Applied).await, None);
    assert_eq!(
        complete(peer, &new, AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
}

/// A change that is sent again before its answer comes: the answer to any try counts, and is the last word of all of them.
pub async fn an_answer_to_an_earlier_try_counts(peer: &Peer) {
    let key = http("slow");
    let tries: Vec<_> = (0..3)
        .map(|i| attempt(&format!("try {i}"), &key, i))
        .collect();
    let elsewhere = in_flight("at another target", &key, "target-2", 7);
    book(peer, std::slice::from_ref(&elsewhere)).await;
    for event in &tries {
        book(peer, std::slice::from_ref(event)).await;
    }
    assert_eq!(known(peer, &tries).await, [true; 3]);
    assert_eq!(complete(peer, &tries[1], AckResult::Applied).await, None);
    assert_eq!(known(peer, &tries).await, [false; 3]);
    assert_eq!(
        complete(peer, &tries[2], AckResult::Error).await,
        None,
        "too late to matter"
    );
    assert_eq!(
        complete(peer, &elsewhere, AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
}

/// A refusal of one try says nothing of the next.
pub async fn a_refused_try_leaves_the_next_to_count(peer: &Peer) {
    let key = http("refused once");
    let tries: Vec<_> = (0..2)
        .map(|i| attempt(&format!("once {i}"), &key, i))
        .collect();
    book(peer, &tries).await;
    assert_eq!(complete(peer, &tries[0], AckResult::Error).await, None);
    assert_eq!(known(peer, &tries).await, [false, true]);
    assert_eq!(
        complete(peer, &tries[1], AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
}

/// A target that is off for days costs the ledger no more than [`KEPT_TRIES`] of each change.
pub async fn the_tries_kept_are_bounded(peer: &Peer) {
    let key = http("off for days");
    let tries: Vec<_> = (0..u32::try_from(KEPT_TRIES).expect("a few") + 3)
        .map(|i| attempt(&format!("day {i}"), &key, i))
        .collect();
    for event in &tries {
        book(peer, std::slice::from_ref(event)).await;
    }
    let mut expected = vec![true; tries.len()];
    expected[..3].fill(false);
    assert_eq!(known(peer, &tries).await, expected);
    assert_eq!(complete(peer, &tries[0], AckResult::Applied).await, None);
    assert_eq!(
        complete(peer, &tries[3], AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
}

/// Success, partial, error; and a result from before does not count for what is sent anew.
pub async fn the_last_answer_tells_the_final_status(peer: &Peer) {
    use AckResult::{Applied, Error};
    for (name, answers, status) in [
        ("all", [Applied, Applied, Applied], FinalStatus::Success),
        ("some", [Applied, Error, Applied], FinalStatus::Partial),
        ("last", [Error, Error, Applied], FinalStatus::Partial),
        ("none", [Error, Error, Error], FinalStatus::Error),
    ] {
        let key = http(name);
        for round in 0..2 {
            let events: Vec<_> = (0..3)
                .map(|i| {
                    in_flight(
                        &format!("{name} {round} {i}"),
                        &key,
                        &format!("target-{i}"),
                        round,
                    )
                })
                .collect();
            book(peer, &events).await;
            let completed: Vec<_> = events.iter().cloned().zip(answers).collect();
            let (last, first) = completed.split_last().expect("three");
            let statuses = peer.stores[0].complete(first).await.expect("complete");
            assert_eq!(statuses, [None, None], "{name}");
            let statuses = peer.stores[1]
                .complete(std::slice::from_ref(last))
                .await
                .expect("complete");
            assert_eq!(statuses, [Some(status)], "{name}, round {round}");
            if round == 1 {
                peer.stores[0].discard(&events).await.expect("discard");
            }
        }
        let again = in_flight(&format!("{name} again"), &key, "target-0", 9);
        book(peer, std::slice::from_ref(&again)).await;
        assert_eq!(
            complete(peer, &again, Applied).await,
            Some(FinalStatus::Success),
            "{name}"
        );
    }
    assert!(
        peer.stores[0]
            .complete(&[])
            .await
            .expect("complete")
            .is_empty()
    );
}

/// A crash between the last answer and the discard: the redelivered answer still says so, until a newer event is booked.
pub async fn completing_twice_answers_the_same(peer: &Peer) {
    let key = http("crashed");
    let events = [
        in_flight("c1", &key, "target-1", 1),
        in_flight("c2", &key, "target-2", 1),
    ];
    book(peer, &events).await;
    assert_eq!(complete(peer, &events[0], AckResult::Error).await, None);
    assert_eq!(complete(peer, &events[0], AckResult::Error).await, None);
    for _ in 0..3 {
        let status = complete(peer, &events[1], AckResult::Applied).await;
        assert_eq!(status, Some(FinalStatus::Partial));
        let found = peer.stores[1].find(&["c2".to_owned()]).await.expect("find");
        assert_eq!(found, [Some(events[1].clone())]);
    }
    let newer = in_flight("c3", &key, "target-1", 2);
    book(peer, std::slice::from_ref(&newer)).await;
    assert_eq!(complete(peer, &events[1], AckResult::Applied).await, None);
    assert_eq!(
        complete(peer, &newer, AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
    peer.stores[0].discard(&[newer]).await.expect("discard");
}

/// One client id on both tracks waits for itself only.
pub async fn ledgers_of_the_tracks_are_apart(peer: &Peer) {
    let [http, message] = both_tracks("both");
    let on_http = in_flight("h", &http, "target-1", 1);
    let on_message = in_flight("m", &message, "target-1", 1);
    book(peer, &[on_http.clone(), on_message.clone()]).await;
    let found = peer.stores[0]
        .find(&["h".to_owned(), "m".to_owned()])
        .await
        .expect("find");
    assert_eq!(found, [Some(on_http.clone()), Some(on_message.clone())]);
    assert_eq!(
        complete(peer, &on_http, AckResult::Error).await,
        Some(FinalStatus::Error)
    );
    peer.stores[0].discard(&[on_http]).await.expect("discard");
    assert_eq!(
        complete(peer, &on_message, AckResult::Applied).await,
        Some(FinalStatus::Success)
    );
}

/// Thirty targets answer in parallel through two handles: exactly one answer is the last.
pub async fn parallel_answers_end_once(peer: &Peer) {
    let key = http("crowd");
    let events: Vec<_> = (0..30)
        .map(|i| in_flight(&format!("crowd {i}"), &key, &format!("target-{i}"), 1))
        .collect();
    book(peer, &events).await;
    let answers = join_all(events.iter().enumerate().map(|(i, event)| {
        let completed = [(event.clone(), AckResult::Applied)];
        let store = &peer.stores[i % 2];
        async move {
            store
                .complete(&completed)
                .await
                .expect("complete")
                .pop()
                .flatten()
        }
    }))
    .await;
    let last: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(last, [FinalStatus::Success]);
}

fn in_flight(event_id: &str, key: &CredentialKey, target: &str, generation: u64) -> InFlight {
    InFlight {
        event_id: event_id.to_owned(),
        key: key.clone(),
        target: PeerName::parse(target).expect("a peer name"),
        generation,
        attempt: 3,
        sent_at: 1_700_000_000_000,
    }
}

fn attempt(event_id: &str, key: &CredentialKey, attempt: u32) -> InFlight {
    InFlight {
        attempt,
        ..in_flight(event_id, key, "target-1", 7)
    }
}

/// Which of the events the ledger knows.
async fn known(peer: &Peer, events: &[InFlight]) -> Vec<bool> {
    let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
    peer.stores[1]
        .find(&ids)
        .await
        .expect("find")
        .iter()
        .map(Option::is_some)
        .collect()
}

async fn book(peer: &Peer, events: &[InFlight]) {
    peer.stores[0].book(events).await.expect("book");
}

async fn complete(peer: &Peer, event: &InFlight, result: AckResult) -> Option<FinalStatus> {
    let completed = [(event.clone(), result)];
    let mut statuses = peer.stores[0].complete(&completed).await.expect("complete");
    assert_eq!(statuses.len(), 1);
    statuses.remove(0)
}
