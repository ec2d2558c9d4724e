//! Healing what differs.

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;

use crate::changes::write_of;
use crate::counters::add;
use crate::drift::look::{Looked, look};
use crate::drift::{StoreView, Tally};
use crate::error::PropagationError;
use crate::management::{Reopening, SettledQuery, SettledScope};
use crate::peer_store::{Applied, Apply, CredentialKey, Stamp};
use crate::progress::Progress;
use crate::queue::PeerName;
use crate::shared::Core;

/// Looks at a target's suspects a second time, for any of them may just have been changed, and sends again what still differs.
pub(super) async fn target(
    core: &Core,
    peer: &PeerName,
    view: &StoreView,
    suspects: Vec<Looked>,
    tally: &mut Tally,
) -> Result<(), PropagationError> {
    if suspects.is_empty() {
        return Ok(());
    }
    let management = core.management()?;
    let keys: Vec<CredentialKey> = suspects
        .iter()
        .map(|looked| looked.row.key.clone())
        .collect();
    let query = SettledQuery {
        target: peer.clone(),
        scope: SettledScope::Named(keys),
    };
    let rows = core.managed(management.settled_rows(&query)).await?;
    let looked = look(core, view, rows, tally).await?;
    let looked = not_changed_here(core, looked, tally).await?;
    let mut reopenings = Vec::new();
    for looked in &looked {
        tally.compared(looked);
        let Some(difference) = looked.difference() else {
            continue;
        };
        let (key, generation) = (&looked.row.key, looked.row.generation);
        tracing::info!(%peer, client_id = %key.client_id, track = key.track.as_str(), "drift: the target {difference}; sent again");
        let reason = format!("drift: the target {difference}");
        reopenings.push(Reopening {
            key: key.clone(),
            target: peer.clone(),
            generation,
            reason,
        });
    }
    if reopenings.is_empty() {
        return Ok(());
    }
    let reopened = core
        .managed(management.reopen(&reopenings, core.now_ms()))
        .await?;
    tally.drifted += reopenings.len() as u64;
    tally.healed += reopened;
    add(
        &core.counters.drift_healed,
        usize::try_from(reopened).unwrap_or(usize::MAX),
    );
    let told = reopenings
        .iter()
        .map(|row| (&row.key, Some(row.target.as_str())));
    core.progress.tell(Progress::Rebooked, told);
    if core.parts.settings.sync_on_change {
        core.wake.notify_one();
    }
    Ok(())
}

/// Leaves out what another source has changed since, as this peer's own store has seen: repeating ours would bring back
/// something older on a target that lost its cursor.
async fn not_changed_here(
    core: &Core,
    mut looked: Vec<Looked>,
    tally: &mut Tally,
) -> Result<Vec<Looked>, PropagationError> {
    let keys: Vec<CredentialKey> = looked.iter().map(|looked| looked.row.key.clone()).collect();
    let cursors = core
        .store(core.parts.store.cursors(&keys))
        .await
        .map_err(PropagationError::Store)?;
    let mut cursors = cursors.into_iter();
    looked.retain(|looked| {
        let changed = cursors
            .next()
            .flatten()
            .is_some_and(|cursor| cursor.ts > looked.row.last_ts);
        tally.superseded += u64::from(changed);
        !changed
    });
    Ok(looked)
}

/// Writes to this peer's own store what it should hold. A change that was made meanwhile is newer, and stays.
pub(super) async fn own(
    core: &Core,
    suspects: Vec<Looked>,
    tally: &mut Tally,
) -> Result<(), PropagationError> {
    if suspects.is_empty() {
        return Ok(());
    }
    let applies: Vec<Apply> = suspects
        .iter()
        .map(|looked| own_apply(core, looked))
        .collect();
    let results = core
        .store_batch(applies.len(), core.parts.store.apply(&applies))
        .await;
    for (looked, result) in suspects.iter().zip(results) {
        let key = &looked.row.key;
        let difference = looked.difference().unwrap_or_default();
        match result {
            Ok(Applied::Stale { .. }) => tally.superseded += 1,
            Ok(Applied::Written) => {
                tracing::info!(client_id = %key.client_id, track = key.track.as_str(), "drift: this peer {difference}; written again");
                add(&core.counters.drift_healed, 1);
                tally.compared(looked);
                tally.drifted += 1;
                tally.healed += 1;
            }
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::warn!(client_id = %key.client_id, error = chain(&error), "drift: this peer {difference}");
                tally.compared(looked);
                tally.drifted += 1;
            }
            Err(error) => return Err(PropagationError::Store(error)),
        }
    }
    Ok(())
}

fn own_apply(core: &Core, looked: &Looked) -> Apply {
    let now_ms = core.now_ms();
    let event_id = match &looked.cursor {
        Some(cursor) if cursor.ts == looked.row.sent_ts => beyond(&cursor.event_id, now_ms),
        _ => core.event_id(),
    };
    Apply {
        key: looked.row.key.clone(),
        // The moment of its change, as before: one that is later by a millisecond would look like another source's.
        stamp: Stamp {
            ts: looked.row.sent_ts,
            event_id,
        },
        operation: write_of(looked.wanted.as_ref()),
        now_ms,
    }
}

/// An event id that comes after another: `~` comes after every character of a UUID, and time goes on.
fn beyond(event_id: &str, now_ms: i64) -> String {
    let next = format!("~{now_ms:016}");
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
            let next = beyond(&event_id, now_ms);
            assert!(next > event_id, "{next} after {event_id}");
            event_id = next;
        }
        assert!(event_id.len() < 24, "{event_id}");
    }
}
