//! Healing what differs.

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;

use crate::context::Context;
use crate::counters::add;
use crate::drift::comparison::{Comparison, compare};
use crate::drift::kept::Kept;
use crate::drift::report::Tally;
use crate::drift::view::View;
use crate::error::PropagationError;
use crate::event_id::shared;
use crate::management::{Reopening, SettledQuery, SettledScope};
use crate::overtaken::divide;
use crate::own_store::write_of;
use crate::peer_store::{Applied, Apply, Stamp};
use crate::progress::Progress;
use crate::queue::PeerName;

/// Compares a target's suspects a second time, for any of them may just have been changed, and sends
/// again what still differs.
pub(super) async fn target(
    context: &Context,
    peer: &PeerName,
    view: &View,
    suspects: Vec<Comparison>,
    kept: &Kept,
    tally: &mut Tally,
) -> Result<(), PropagationError> {
    if suspects.is_empty() {
        return Ok(());
    }
    let management = context.management()?;
    let keys = suspects.iter().map(|it| it.row.key.clone()).collect();
    let query = SettledQuery {
        target: peer.clone(),
        scope: SettledScope::Named(keys),
    };
    let rows = management.settled_rows(&query).await?;
    let comparisons = compare(view, rows, tally).await?;
    // A target that lost its cursor does not tell what this peer's own store has seen of another source.
    let (store, own) = (&*context.store, &context.name);
    let divided = divide(store, own, comparisons, |it| (&it.row.key, it.row.last_ts));
    let (comparisons, overtaken) = divided.await?;
    tally.superseded += overtaken.len() as u64;
    let (mut reopenings, mut tries) = (Vec::new(), Vec::new());
    for comparison in &comparisons {
        comparison.count(tally);
        let Some(difference) = comparison.difference() else {
            continue;
        };
        tally.drifted += 1;
        let keeps = comparison.keeps_what_was_cleared();
        if keeps && !kept.is_worth_a_try(peer, &comparison.row) {
            continue;
        }
        let (key, generation) = (&comparison.row.key, comparison.row.generation);
        tracing::info!(%peer, client_id = %key.client_id, track = key.track.as_str(), "drift: the target {difference}; sent again");
        let reopening = Reopening {
            key: key.clone(),
            target: peer.clone(),
            generation,
            reason: format!("drift: the target {difference}"),
        };
        tries.extend(keeps.then(|| reopening.clone()));
        reopenings.push(reopening);
    }
    if reopenings.is_empty() {
        return Ok(());
    }
    let reopened = management.reopen(&reopenings, context.now_ms()).await?;
    tries.iter().for_each(|row| kept.tried(row));
    tally.healed += reopened;
    let healed = usize::try_from(reopened).unwrap_or(usize::MAX);
    add(&context.counters.drift_healed, healed);
    let about = reopenings.iter();
    let about = about.map(|row| (&row.key, Some(row.target.as_str())));
    context.progress.send(Progress::Rebooked, about);
    context.want_sync();
    Ok(())
}

/// Writes to this peer's own store what it should hold. A change that was made meanwhile is newer,
/// and stays.
pub(super) async fn own(
    context: &Context,
    suspects: Vec<Comparison>,
    tally: &mut Tally,
) -> Result<(), PropagationError> {
    if suspects.is_empty() {
        return Ok(());
    }
    let applies: Vec<Apply> = suspects.iter().map(|it| own_apply(context, it)).collect();
    let results = context.store.apply(&applies).await;
    for (comparison, result) in suspects.iter().zip(results) {
        let key = &comparison.row.key;
        let difference = comparison.difference().unwrap_or_default();
        match result {
            Ok(Applied::Stale { .. }) => tally.superseded += 1,
            Ok(Applied::Written) => {
                tracing::info!(client_id = %key.client_id, track = key.track.as_str(), "drift: this peer {difference}; written again");
                add(&context.counters.drift_healed, 1);
                comparison.count(tally);
                tally.drifted += 1;
                tally.healed += 1;
            }
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::warn!(client_id = %key.client_id, error = chain(&error), "drift: this peer {difference}");
                comparison.count(tally);
                tally.drifted += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn own_apply(context: &Context, comparison: &Comparison) -> Apply {
    let (row, now_ms) = (&comparison.row, context.now_ms());
    let event_id = context.event_id(row.sent_ts);
    let event_id = match &comparison.cursor {
        Some(cursor) if cursor.ts == row.sent_ts => {
            beyond(&cursor.event_id, shared(&event_id), now_ms)
        }
        _ => event_id,
    };
    Apply {
        key: row.key.clone(),
        // The moment of its change, as before: one that is later by a millisecond would look like
        // another source's.
        stamp: Stamp {
            ts: row.sent_ts,
            event_id,
        },
        operation: write_of(comparison.wanted.as_ref()),
        now_ms,
    }
}

/// An event id that comes after another, and that ties with another source's as this peer's own do: `~` comes after every
/// character of a UUID, and time goes on.
fn beyond(event_id: &str, shared: &str, now_ms: i64) -> String {
    let next = format!("{shared}~{now_ms:016}");
    if next.as_str() > event_id {
        next
    } else {
        format!("{event_id}~")
    }
}

#[cfg(test)]
mod tests {
    use super::beyond;

    #[test]
    fn an_own_stamp_is_beyond_the_one_before() {
        let mut event_id = "ffffffff-ffff-4fff-bfff-ffffffffffff".to_owned();
        for now_ms in [5, 5, 4, 6, 1_700_000_000_000, 1_700_000_000_001, 1] {
            let next = beyond(&event_id, "ffffffff-ffff", now_ms);
            assert!(next > event_id, "{next} after {event_id}");
            event_id = next;
        }
        assert!(event_id.len() < 37, "{event_id}");
    }
}
