//! Keeping the table true: each store and the management store are read whole, then followed change by change, and read whole
//! again once a minute for what other replicas did.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::progress::ProgressEvent;
use mesh_api::state::StatePage;
use mesh_api::track::Track;
use mesh_management::administration::AdministrationError;
use mesh_management::track::named;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::cells::{Held, Own, Pivot};
use crate::row_key::RowKey;
use crate::shared::Shared;
use crate::stores::{PeerStoreView, StoreChange};

/// Everything is read again this often, changes or not.
const FULL_EVERY: Duration = Duration::from_secs(60);

/// What could not be read is tried again this often.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// After everything was read, and between two looks at single clients, at least this long passes.
const PAUSE: Duration = Duration::from_millis(250);

/// Changes that come this close together are read together.
const GATHER: Duration = Duration::from_millis(20);

/// With more clients changed at once, reading everything is cheaper.
const NAMED_LIMIT: usize = 500;

/// Records a page of a store has, about.
const STORE_PAGE: usize = 1_000;

/// Credentials a page of the management store has.
const STATE_PAGE: usize = 500;

/// Records that are read of one track of one store at most.
const STORE_LIMIT: usize = 200_000;

/// One answer of a store takes no longer than this.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);

/// Follows one peer's store for ever.
pub(crate) async fn store(shared: Arc<Shared>, column: usize) {
    let view = shared.sources.stores[column].clone();
    let mut changes = view.changes.watch();
    let mut first = true;
    loop {
        let (touched, readable) = match read_all(&view).await {
            Ok(held) => (shared.table().replace_held(column, held), true),
            Err(error) => {
                tracing::debug!(peer = %view.name, error = %chain(&error), "a peer's store cannot be read");
                (shared.table().set_away(column, away(&error)), false)
            }
        };
        shared.apply(touched).await;
        if std::mem::take(&mut first) {
            shared.loaded.send_modify(|loaded| *loaded += 1);
        }
        if readable {
            look_at_cursors(&shared, column).await;
        }
        let until = Instant::now() + if readable { FULL_EVERY } else { RETRY_EVERY };
        while let Ok(StoreChange::Credentials(keys)) = timeout_at(until, changes.next()).await {
            if !readable
                || keys.len() > NAMED_LIMIT
                || read_named(&shared, column, &keys).await.is_err()
            {
                break;
            }
        }
        sleep(PAUSE).await;
    }
}

/// Why a store cannot be read, in words that show no address.
fn away(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(_) => "its store cannot be reached".to_owned(),
        _ => "its store refuses to be read".to_owned(),
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable("no answer in time".into());
    timeout(STORE_TIMEOUT, call).await.map_err(late)?
}

async fn read_all(view: &PeerStoreView) -> Result<HashMap<RowKey, Held>, StoreError> {
    let mut all = HashMap::new();
    for (track, store) in &view.credentials {
        let mut cursor: Option<String> = None;
        let mut read = 0;
        loop {
            let page = bounded(store.list(cursor.as_deref(), STORE_PAGE)).await?;
            read += page.entries.len();
            for (client_id, record) in page.entries {
                all.insert(
                    RowKey {
                        client_id,
                        track: *track,
                    },
                    Held::of(&record),
                );
            }
            cursor = page.next;
            if cursor.is_none() || read >= STORE_LIMIT {
                break;
            }
        }
    }
    Ok(all)
}

async fn read_named(
    shared: &Shared,
    column: usize,
    keys: &[CredentialKey],
) -> Result<(), StoreError> {
    let view = &shared.sources.stores[column];
    let cursors = bounded(view.cursors.cursors(keys)).await?;
    let mut held = HashMap::new();
    for (track, store) in &view.credentials {
        let of_track = keys.iter().filter(|key| key.track == *track);
        let clients: Vec<ClientId> = of_track.clone().map(|key| key.client_id.clone()).collect();
        if clients.is_empty() {
            continue;
        }
        // One who only reads may not be allowed what a signed call needs: the previous secret.
        let records = bounded(store.find_many(&clients)).await?;
        held.extend(of_track.zip(records.into_iter().map(|it| it.as_ref().map(Held::of))));
    }
    let read: Vec<_> = keys
        .iter()
        .zip(cursors)
        .map(|(key, cursor)| {
            let held = held.get(key).cloned().flatten();
            (RowKey::from(key.clone()), held, cursor.map(|it| it.ts))
        })
        .collect();
    {
        let mut table = shared.table();
        for (key, held, cursor) in &read {
            table.put_held(column, key, held.clone(), *cursor);
        }
    }
    shared
        .apply(read.into_iter().map(|(key, ..)| key).collect())
        .await;
    Ok(())
}

/// Looks whether what differs here was changed by another source; what cannot be looked at is not.
async fn look_at_cursors(shared: &Shared, column: usize) {
    let suspects = shared.table().suspects(column, STATE_PAGE);
    let keys: Vec<CredentialKey> = suspects.iter().cloned().map(CredentialKey::from).collect();
    if keys.is_empty() {
        return;
    }
    let Ok(cursors) = bounded(shared.sources.stores[column].cursors.cursors(&keys)).await else {
        return;
    };
    for (key, cursor) in suspects.iter().zip(cursors) {
        shared
            .table()
            .put_cursor(column, key, cursor.map_or(i64::MIN, |cursor| cursor.ts));
    }
    shared.apply(suspects).await;
}

/// Follows this peer's management store for ever.
pub(crate) async fn management(shared: Arc<Shared>) {
    let mut progress = shared.sources.propagator.subscribe();
    let mut first = true;
    loop {
        let read = read_wanted(&shared).await;
        let readable = read.is_ok();
        match read {
            Ok(wanted) => put_wanted(&shared, wanted).await,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the management store cannot be read");
            }
        }
        if std::mem::take(&mut first) {
            shared.loaded.send_modify(|loaded| *loaded += 1);
        }
        let until = Instant::now() + if readable { FULL_EVERY } else { RETRY_EVERY };
        let next = async |progress: &mut Receiver<ProgressEvent>| {
            tokio::select! {
                keys = changed(progress) => keys,
                () = shared.inventory.notified() => None,
            }
        };
        while let Ok(Some(keys)) = timeout_at(until, next(&mut progress)).await {
            if !readable || read_wanted_of(&shared, keys).await.is_err() {
                break;
            }
        }
        sleep(PAUSE).await;
    }
}

/// Waits for changes and gathers those that come along; `None` when there are too many to name.
async fn changed(progress: &mut Receiver<ProgressEvent>) -> Option<Vec<CredentialKey>> {
    let mut keys = BTreeSet::new();
    match progress.recv().await {
        Ok(event) => keys.insert(event.key),
        Err(RecvError::Lagged(_)) => return None,
        Err(RecvError::Closed) => std::future::pending().await,
    };
    sleep(GATHER).await;
    loop {
        match progress.try_recv() {
            Ok(event) => keys.insert(event.key),
            Err(TryRecvError::Lagged(_)) => return None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        };
    }
    (keys.len() <= NAMED_LIMIT).then(|| keys.into_iter().collect())
}

/// What this peer's management store has.
#[derive(Default)]
struct Wanted {
    own: HashMap<RowKey, Own>,
    targets: BTreeSet<String>,
}

async fn put_wanted(shared: &Shared, wanted: Wanted) {
    let (touched, columns) = {
        let mut table = shared.table();
        let columns = table.put_targets(wanted.targets);
        let mut touched = table.replace_own(wanted.own);
        let moved = columns.is_some();
        touched.extend(columns.unwrap_or_default());
        (touched, moved)
    };
    shared.apply(touched).await;
    if columns {
        shared.tell_anew();
    }
}

async fn read_wanted(shared: &Shared) -> Result<Wanted, AdministrationError> {
    let mut all = Wanted::default();
    let mut cursor: Option<String> = None;
    loop {
        let page = shared
            .sources
            .administration
            .state(cursor.as_deref(), STATE_PAGE)
            .await?;
        all.own.extend(wanted(&page));
        all.targets.extend(
            page.targets
                .into_iter()
                .map(|target| target.target_amqp_queue),
        );
        cursor = page.next;
        if cursor.is_none() || all.own.len() >= STORE_LIMIT {
            return Ok(all);
        }
    }
}

async fn read_wanted_of(
    shared: &Shared,
    keys: Vec<CredentialKey>,
) -> Result<(), AdministrationError> {
    let page = shared.sources.administration.credentials(&keys).await?;
    let mut read = wanted(&page);
    let keys: Vec<RowKey> = keys.into_iter().map(RowKey::from).collect();
    {
        let mut table = shared.table();
        for key in &keys {
            table.put_own(key, read.remove(key));
        }
    }
    shared.apply(keys).await;
    Ok(())
}

fn wanted(page: &StatePage) -> HashMap<RowKey, Own> {
    let mut pivots: HashMap<(Track, &str), Vec<Pivot>> = HashMap::new();
    for pivot in &page.pivots {
        pivots
            .entry((pivot.track, &pivot.client_id))
            .or_default()
            .push(Pivot::from(pivot));
    }
    let own = page.credentials.iter().filter_map(|credential| {
        let pivots = pivots
            .remove(&(credential.track, credential.client_id.as_str()))
            .unwrap_or_default();
        let client_id = ClientId::parse(&credential.client_id).ok()?;
        let key = RowKey {
            client_id,
            track: named(Some(credential.track)),
        };
        Some((key, Own::of(credential, pivots)))
    });
    own.collect()
}
