//! Sending what waits (propagation wire 2.4): claim a page, book it in the ledger, publish it, mark it.
//!
//! Each page costs one round trip to the management store to claim, one to the peer's store to book, the broker's confirms
//! for the whole page, and one round trip to mark; the next page is claimed meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use auth_base::error_chain::chain;
use futures_util::future::join_all;
use hmac_auth::allowed_ips::AllowedIps;
use tokio::time::{Instant, timeout};

use crate::broker::{BrokerError, OutboundMessage, PublishError};
use crate::changes;
use crate::counters::add;
use crate::error::PropagationError;
use crate::event::ApplyEvent;
use crate::management::{
    PendingMessage, PendingPropagation, PendingQuery, ResyncQuery, ResyncScope, SentMark,
};
use crate::options::{Resync, SyncSummary};
use crate::peer_store::InFlight;
use crate::progress::Progress;
use crate::queue::PeerName;
use crate::sent_marks;
use crate::shared::Core;

/// Pages in one sync at most; what is left waits for the next.
const MAX_PAGES: usize = 10_000;

/// Sends what waits, for a caller who waits: for an earlier sync no longer than for a store. Many callers at once would else wait
/// one after the other for a broker that does not answer.
pub(crate) async fn sync(core: &Core) -> Result<SyncSummary, PropagationError> {
    let started = Instant::now();
    let turn = timeout(core.parts.settings.store_timeout, core.syncing.lock()).await;
    let _one_at_a_time = turn.map_err(|_| PropagationError::Timeout("an earlier sync"))?;
    sync_in_turn(core, started).await
}

/// Sends what waits, as soon as no other sync does.
pub(crate) async fn sync_by_itself(core: &Core) -> Result<SyncSummary, PropagationError> {
    let started = Instant::now();
    let _one_at_a_time = core.syncing.lock().await;
    sync_in_turn(core, started).await
}

async fn sync_in_turn(core: &Core, started: Instant) -> Result<SyncSummary, PropagationError> {
    core.management()?;
    changes::recover(core).await?;
    {
        let status = core.parts.broker.status();
        let status = status.borrow();
        if !status.connected {
            let reason = status
                .reason
                .clone()
                .unwrap_or_else(|| "not connected".to_owned());
            return Err(PropagationError::Broker(BrokerError::Unavailable(reason)));
        }
    }
    let mut summary = SyncSummary::default();
    let mut clients = HashSet::new();
    let overdue = core.looks_for_overdue();
    let mut claimed = claim(core, overdue).await?;
    for _ in 0..MAX_PAGES {
        if claimed.is_empty() {
            break;
        }
        let full = claimed.len() >= core.parts.settings.page;
        clients.extend(claimed.iter().map(|row| row.key.clone()));
        let ahead = async {
            if full && !core.is_closing() {
                claim(core, overdue).await
            } else {
                Ok(Vec::new())
            }
        };
        let (page, next) = tokio::join!(send_page(core, claimed), ahead);
        if page.as_ref().is_ok_and(Page::lets_others_through) {
            let page = page?;
            summary.targets_published += page.published as u64;
            summary.targets_retrying += page.failed as u64;
            claimed = next?;
            continue;
        }
        // Nothing gets through: what was claimed ahead is free for the next sync.
        let ahead = next.unwrap_or_default();
        summary.targets_retrying +=
            page.as_ref().map_or(0, |page| page.failed as u64) + ahead.len() as u64;
        let released = release(core, &ahead, "nothing could be sent").await;
        page?;
        released?;
        break;
    }
    summary.propagations_read = clients.len() as u64;
    summary.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    core.note_sync();
    Ok(summary)
}

/// Makes rows pending again and sends them.
pub(crate) async fn resync(core: &Core, resync: Resync) -> Result<SyncSummary, PropagationError> {
    let management = core.management()?;
    let scope = match resync {
        Resync::Target(name) => ResyncScope::Target(
            PeerName::parse(&name)
                .map_err(|error| changes::invalid("target", &error.to_string()))?,
        ),
        Resync::Client { client_id, track } => {
            ResyncScope::Credential(changes::key(core, &client_id, track)?)
        }
    };
    let limit = core.parts.settings.page;
    let mut query = ResyncQuery {
        scope,
        now_ms: core.now_ms(),
        limit,
        after: None,
    };
    for _ in 0..MAX_PAGES {
        let mut rows = core.managed(management.resync_rows(&query)).await?;
        let Some(last) = rows.last() else { break };
        query.after = Some((last.key.clone(), last.target.clone()));
        let full = rows.len() == limit;
        let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        let cursors = core
            .store(core.parts.store.cursors(&keys))
            .await
            .map_err(PropagationError::Store)?;
        // A newer change of another source was applied here: repeating ours would overwrite it.
        let mut cursors = cursors.into_iter();
        rows.retain(|row| {
            let superseded = cursors.next().flatten().is_some_and(|cursor| cursor.ts > row.last_ts);
            if superseded {
                tracing::info!(client_id = %row.key.client_id, target = row.target, "not sent again: another source has changed it since");
            }
            !superseded
        });
        core.managed(management.rebook(&rows, core.now_ms()))
            .await?;
        let rebooked = rows.iter().map(|row| (&row.key, Some(row.target.as_str())));
        core.progress.tell(Progress::Rebooked, rebooked);
        if !full {
            break;
        }
    }
    sync(core).await
}

#[derive(Default)]
struct Page {
    published: usize,
    failed: usize,
    /// Rows that were not even tried, since they cannot be sent.
    unsendable: usize,
}

impl Page {
    /// Tells whether rows behind it may be sent: rows that cannot be say nothing about the broker.
    fn lets_others_through(&self) -> bool {
        self.published > 0 || self.failed == self.unsendable
    }
}

async fn claim(core: &Core, overdue: bool) -> Result<Vec<PendingPropagation>, PropagationError> {
    let settings = &core.parts.settings;
    let query = PendingQuery {
        now_ms: core.now_ms(),
        resend_after_ms: millis(settings.resend_after),
        overdue,
        lease_ms: millis(settings.claim_lease),
        limit: settings.page,
        event_ids: (0..settings.page).map(|_| core.event_id()).collect(),
    };
    Ok(core
        .managed(core.management()?.fetch_pending_propagations(&query))
        .await?)
}

/// Sends one claimed page and marks every row of it.
async fn send_page(core: &Core, rows: Vec<PendingPropagation>) -> Result<Page, PropagationError> {
    let mut unsent = Vec::new();
    let mut ready = Vec::with_capacity(rows.len());
    for row in rows {
        match prepare(core, &row) {
            Ok((in_flight, message)) => ready.push((row, in_flight, message)),
            Err(reason) => {
                tracing::warn!(client_id = %row.key.client_id, target = row.target, reason, "row cannot be sent");
                unsent.push(mark(core, &row, Err(reason)));
            }
        }
    }
    let unsendable = unsent.len();
    let in_flight: Vec<InFlight> = ready
        .iter()
        .map(|(_, in_flight, _)| in_flight.clone())
        .collect();
    if !in_flight.is_empty()
        && let Err(error) = core.store(core.parts.store.book(&in_flight)).await
    {
        let rows: Vec<_> = ready.into_iter().map(|(row, ..)| row).collect();
        release(core, &rows, "the peer's store is away").await?;
        return Err(PropagationError::Store(error));
    }
    let (rows, messages): (Vec<_>, Vec<_>) = ready
        .into_iter()
        .map(|(row, _, message)| (row, message))
        .unzip();
    let outcomes = publish(core, messages).await;
    let mut sent = Vec::with_capacity(rows.len());
    for (row, outcome) in rows.iter().zip(outcomes) {
        if let Err(reason) = &outcome {
            tracing::warn!(client_id = %row.key.client_id, target = row.target, reason, "event not confirmed; it is sent again");
        }
        let kind = if outcome.is_ok() {
            &mut sent
        } else {
            &mut unsent
        };
        kind.push(mark(core, row, outcome));
    }
    let page = Page {
        published: sent.len(),
        failed: unsent.len(),
        unsendable,
    };
    add(&core.counters.events_published, page.published);
    add(&core.counters.events_retrying, page.failed);
    core.sent_marks.add(sent);
    if !unsent.is_empty() {
        give_back(core, &unsent).await?;
    }
    Ok(page)
}

/// Gives claimed rows back unsent.
async fn release(
    core: &Core,
    rows: &[PendingPropagation],
    reason: &str,
) -> Result<(), PropagationError> {
    let marks: Vec<_> = rows
        .iter()
        .map(|row| mark(core, row, Err(reason.to_owned())))
        .collect();
    give_back(core, &marks).await
}

/// Books rows as not sent.
async fn give_back(core: &Core, marks: &[SentMark]) -> Result<(), PropagationError> {
    core.managed(core.management()?.mark_targets_sent(marks))
        .await?;
    core.progress
        .tell(Progress::Failed, marks.iter().map(sent_marks::row));
    Ok(())
}

/// Makes the ledger entry and the message of a row; `Err` says why it cannot be sent.
fn prepare(core: &Core, row: &PendingPropagation) -> Result<(InFlight, OutboundMessage), String> {
    let message = row.message.as_ref().map_err(Clone::clone)?;
    let target = PeerName::parse(&row.target).map_err(|error| error.to_string())?;
    let now_ms = core.now_ms();
    let in_flight = InFlight {
        event_id: row.event_id.clone(),
        key: row.key.clone(),
        target: target.clone(),
        generation: row.generation,
        attempt: row.attempt,
        sent_at: now_ms,
    };
    let body = encode(core, row, message);
    Ok((
        in_flight,
        OutboundMessage {
            target,
            message_id: row.event_id.clone(),
            timestamp_ms: now_ms,
            body,
        },
    ))
}

fn encode(core: &Core, row: &PendingPropagation, message: &PendingMessage) -> Vec<u8> {
    let record = message.record.as_ref();
    let no_rules = AllowedIps::default();
    ApplyEvent {
        event_id: &row.event_id,
        ts: row.ts,
        propagation_secret: &message.propagation_secret,
        sender: &core.parts.name,
        operation: message.operation,
        key: &row.key,
        secret_hash: record.map(|record| &record.secret_hash),
        allowed_ips: record.map_or(&no_rules, |record| &record.allowed_ips),
        expires_at: record.and_then(|record| record.expires_at),
    }
    .encode()
}

fn mark(core: &Core, row: &PendingPropagation, outcome: Result<(), String>) -> SentMark {
    SentMark {
        key: row.key.clone(),
        target: row.target.clone(),
        generation: row.generation,
        event_id: row.event_id.clone(),
        at_ms: core.now_ms(),
        outcome,
    }
}

/// Publishes a batch to declared queues; a queue found deleted is declared again and tried once more.
pub(crate) async fn publish(
    core: &Core,
    messages: Vec<OutboundMessage>,
) -> Vec<Result<(), String>> {
    let targets: BTreeSet<PeerName> = messages
        .iter()
        .map(|message| message.target.clone())
        .collect();
    let undeclared = declare(core, targets).await;
    let mut outcomes: Vec<Option<Result<(), PublishError>>> = vec![None; messages.len()];
    let reachable: Vec<usize> = (0..messages.len())
        .filter(|&i| !undeclared.contains_key(&messages[i].target))
        .collect();
    publish_some(core, &messages, &reachable, &mut outcomes).await;

    let returned: Vec<usize> = reachable
        .into_iter()
        .filter(|&i| outcomes[i] == Some(Err(PublishError::Unroutable)))
        .collect();
    if !returned.is_empty() {
        let targets: BTreeSet<PeerName> = returned
            .iter()
            .map(|&i| messages[i].target.clone())
            .collect();
        for target in &targets {
            core.forget_declared(target);
        }
        let undeclared = declare(core, targets).await;
        let again: Vec<usize> = returned
            .into_iter()
            .filter(|&i| !undeclared.contains_key(&messages[i].target))
            .collect();
        publish_some(core, &messages, &again, &mut outcomes).await;
    }
    let outcomes = outcomes
        .into_iter()
        .zip(&messages)
        .map(|(outcome, message)| match outcome {
            Some(outcome) => outcome.map_err(|error| error.to_string()),
            None => Err(undeclared
                .get(&message.target)
                .cloned()
                .unwrap_or_else(|| "not sent".to_owned())),
        });
    outcomes.collect()
}

async fn publish_some(
    core: &Core,
    messages: &[OutboundMessage],
    which: &[usize],
    outcomes: &mut [Option<Result<(), PublishError>>],
) {
    if which.is_empty() {
        return;
    }
    let batch = which.iter().map(|&i| messages[i].clone()).collect();
    let results = match timeout(
        core.parts.settings.broker_timeout,
        core.parts.broker.publish(batch),
    )
    .await
    {
        Ok(results) => results,
        Err(_) => {
            vec![Err(PublishError::Unconfirmed("no confirm in time".to_owned())); which.len()]
        }
    };
    for (&i, result) in which.iter().zip(results) {
        outcomes[i] = Some(result);
    }
}

/// Declares queues; answers why for those that could not be.
async fn declare(core: &Core, targets: BTreeSet<PeerName>) -> BTreeMap<PeerName, String> {
    let declared = targets.into_iter().map(async |target| {
        let error = core.declare(&target).await.err()?;
        Some((target, chain(&error)))
    });
    join_all(declared).await.into_iter().flatten().collect()
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
