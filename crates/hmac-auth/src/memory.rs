//! A complete store in memory: for the embedded mesh, for tests and for the simulation.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::store_error::StoreError;
use parking_lot::Mutex;

use crate::credential::{ClientId, Credential};
use crate::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteCondition,
    WriteOutcome,
};
use crate::secret_hash::SecretHash;

/// Keeps credentials in memory. Clones share what is kept.
///
/// The methods whose names end in `_now` are the trait's without the `async`: they let a store that keeps more than
/// credentials make one atomic step of several (under its own lock).
#[derive(Clone)]
pub struct MemoryCredentialStore {
    entries: Arc<Mutex<BTreeMap<ClientId, Entry>>>,
    watchers: Arc<Mutex<Vec<Weak<Watcher>>>>,
    clock: Arc<dyn Clock>,
}

/// Is told whose record was written or removed; must not block. It may read the store.
pub type Watcher = dyn Fn(&ClientId) + Send + Sync;

struct Entry {
    credential: Credential,
    /// The hash that was replaced last.
    previous: Option<Previous>,
}

struct Previous {
    hash: SecretHash,
    replaced_at: i64,
    /// The moment from which it is forgotten.
    expires_at: i64,
}

impl Default for MemoryCredentialStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryCredentialStore {
    /// Makes an empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// Makes an empty store whose backups expire by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: Arc::default(),
            watchers: Arc::default(),
            clock,
        }
    }

    /// Tells `watcher` of every change from here on, for as long as somebody else keeps it.
    pub fn watch(&self, watcher: &Arc<Watcher>) {
        let mut watchers = self.watchers.lock();
        watchers.retain(|known| known.strong_count() > 0);
        watchers.push(Arc::downgrade(watcher));
    }

    /// Reads a client's record and its previous hash.
    pub fn find_now(&self, client_id: &ClientId) -> Option<StoredCredential> {
        let now_ms = self.clock.now_ms();
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(client_id)?;
        entry.expire_previous(now_ms);
        Some(StoredCredential {
            credential: entry.credential.clone(),
            previous: entry.previous.as_ref().map(|it| it.hash.clone()),
            rotated_at: entry.previous.as_ref().map(|it| it.replaced_at),
        })
    }

    /// Applies one write as one atomic step.
    pub fn write_now(&self, client_id: &ClientId, write: &CredentialWrite) -> WriteOutcome {
        let now_ms = self.clock.now_ms();
        let mut entries = self.entries.lock();
        let stored = entries.get_mut(client_id);
        match (write.condition, stored.is_some()) {
            (WriteCondition::Absent, true) => return WriteOutcome::AlreadyExists,
            (WriteCondition::Present, false) => return WriteOutcome::NotFound,
            _ => {}
        }
        let merged = write
            .change
            .merge(stored.as_ref().map(|entry| &entry.credential), write.now_ms);
        let Some(credential) = merged else {
            return WriteOutcome::NotFound;
        };
        if let Some(entry) = stored {
            entry.replace(credential.clone(), now_ms, write.backup_ttl);
        } else {
            let entry = Entry {
                credential: credential.clone(),
                previous: None,
            };
            entries.insert(client_id.clone(), entry);
        }
        drop(entries);
        self.tell(client_id);
        WriteOutcome::Written(credential)
    }

    /// Removes record and backup; tells whether there was a record.
    pub fn delete_now(&self, client_id: &ClientId) -> bool {
        let removed = self.entries.lock().remove(client_id).is_some();
        if removed {
            self.tell(client_id);
        }
        removed
    }

    fn tell(&self, client_id: &ClientId) {
        let watchers: Vec<_> = self
            .watchers
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        watchers.iter().for_each(|watcher| watcher(client_id));
    }

    /// Forgets the previous hash; tells whether there was one.
    pub fn forget_previous_now(&self, client_id: &ClientId) -> bool {
        let now_ms = self.clock.now_ms();
        self.entries.lock().get_mut(client_id).is_some_and(|entry| {
            entry.expire_previous(now_ms);
            entry.previous.take().is_some()
        })
    }

    /// Lists about `limit` records in the order of their client ids; the cursor is the last client id of a page.
    pub fn list_now(&self, cursor: Option<&str>, limit: usize) -> CredentialPage {
        let Ok(after) = cursor.map(ClientId::parse).transpose() else {
            return CredentialPage::default();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries.lock();
        let mut rest = entries.range((from, Bound::Unbounded));
        let page: Vec<_> = rest
            .by_ref()
            .take(limit.max(1))
            .map(|(client_id, entry)| (client_id.clone(), Ok(entry.credential.clone())))
            .collect();
        let more = rest.next().is_some();
        let next = page
            .last()
            .filter(|_| more)
            .map(|(client_id, _)| client_id.as_str().to_owned());
        CredentialPage {
            entries: page,
            next,
        }
    }
}

impl Entry {
    fn replace(&mut self, credential: Credential, now_ms: i64, backup_ttl: Duration) {
        self.expire_previous(now_ms);
        let replaced = std::mem::replace(&mut self.credential, credential);
        if !replaced.secret_hash.matches(&self.credential.secret_hash) {
            let expires_at = now_ms.saturating_add(millis(backup_ttl));
            self.previous = Some(Previous {
                hash: replaced.secret_hash,
                replaced_at: self.credential.updated_at,
                expires_at,
            });
        }
    }

    fn expire_previous(&mut self, now_ms: i64) {
        self.previous
            .take_if(|previous| now_ms >= previous.expires_at);
    }
}

#[async_trait]
impl CredentialStore for MemoryCredentialStore {
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        Ok(self.find_now(client_id))
    }

    async fn write(
        &self,
        client_id: &ClientId,
        write: CredentialWrite,
    ) -> Result<WriteOutcome, StoreError> {
        Ok(self.write_now(client_id, &write))
    }

    async fn delete(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        Ok(self.delete_now(client_id))
    }

    async fn forget_previous(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        Ok(self.forget_previous_now(client_id))
    }

    async fn list(&self, cursor: Option<&str>, limit: usize) -> Result<CredentialPage, StoreError> {
        Ok(self.list_now(cursor, limit))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use auth_base::clock::ManualClock;
    use auth_base::secret::Secret;

    use super::*;
    use crate::credential::CredentialChange;
    use crate::secret_hash::hash_client_secret;

    fn client(name: &str) -> ClientId {
        ClientId::parse(name).unwrap()
    }

    fn hash(plain: &str) -> SecretHash {
        hash_client_secret(&Secret::new(plain), None)
    }

    fn write(secret_hash: Option<SecretHash>, condition: WriteCondition) -> CredentialWrite {
        CredentialWrite {
            change: CredentialChange {
                secret_hash,
                ..CredentialChange::default()
            },
            condition,
            now_ms: 5,
            backup_ttl: Duration::from_secs(600),
        }
    }

    fn previous(store: &MemoryCredentialStore, name: &str) -> Option<SecretHash> {
        store
            .find_now(&client(name))
            .and_then(|stored| stored.previous)
    }

    #[test]
    fn the_replaced_hash_stays_until_its_time_is_over() {
        let clock = Arc::new(ManualClock::new(0));
        let store = MemoryCredentialStore::with_clock(clock.clone());
        store.write_now(
            &client("a"),
            &write(Some(hash("1")), WriteCondition::Always),
        );
        assert!(previous(&store, "a").is_none());
        store.write_now(
            &client("a"),
            &write(Some(hash("2")), WriteCondition::Always),
        );
        store.write_now(
            &client("a"),
            &write(Some(hash("2")), WriteCondition::Always),
        );
        clock.set(599_999);
        assert!(previous(&store, "a").unwrap().matches(&hash("1")));
        clock.set(600_000);
        assert!(previous(&store, "a").is_none());
        assert!(!store.forget_previous_now(&client("a")));
    }

    #[test]
    fn a_deleted_client_leaves_no_backup() {
        let store = MemoryCredentialStore::new();
        store.write_now(
            &client("a"),
            &write(Some(hash("1")), WriteCondition::Always),
        );
        store.write_now(
            &client("a"),
            &write(Some(hash("2")), WriteCondition::Always),
        );
        assert!(store.delete_now(&client("a")));
        assert!(!store.delete_now(&client("a")));
        store.write_now(
            &client("a"),
            &write(Some(hash("3")), WriteCondition::Absent),
        );
        assert!(previous(&store, "a").is_none());
    }

    #[test]
    fn a_write_keeps_its_condition() {
        let store = MemoryCredentialStore::new();
        let outcome = store.write_now(
            &client("a"),
            &write(Some(hash("1")), WriteCondition::Present),
        );
        assert!(matches!(outcome, WriteOutcome::NotFound));
        let outcome = store.write_now(&client("a"), &write(None, WriteCondition::Always));
        assert!(matches!(outcome, WriteOutcome::NotFound));
        store.write_now(
            &client("a"),
            &write(Some(hash("1")), WriteCondition::Absent),
        );
        let outcome = store.write_now(
            &client("a"),
            &write(Some(hash("2")), WriteCondition::Absent),
        );
        assert!(matches!(outcome, WriteOutcome::AlreadyExists));
        assert!(
            store
                .find_now(&client("a"))
                .unwrap()
                .credential
                .secret_hash
                .matches(&hash("1"))
        );
    }

    #[test]
    fn watchers_are_told_until_they_go() {
        let store = MemoryCredentialStore::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watcher: Arc<Watcher> = {
            let (seen, store) = (Arc::clone(&seen), store.clone());
            Arc::new(move |id: &ClientId| {
                seen.lock()
                    .push((id.to_string(), store.find_now(id).is_some()));
            })
        };
        store.watch(&watcher);
        store.write_now(
            &client("a"),
            &write(Some(hash("1")), WriteCondition::Always),
        );
        store.write_now(
            &client("b"),
            &write(Some(hash("1")), WriteCondition::Present),
        );
        assert!(!store.delete_now(&client("b")));
        assert!(store.delete_now(&client("a")));
        drop(watcher);
        store.write_now(
            &client("c"),
            &write(Some(hash("1")), WriteCondition::Always),
        );
        assert_eq!(
            *seen.lock(),
            [("a".to_owned(), true), ("a".to_owned(), false)]
        );
    }

    #[test]
    fn a_walk_lists_every_record_once() {
        let store = MemoryCredentialStore::new();
        for number in 0..25 {
            let name = format!("client-{number}");
            store.write_now(
                &client(&name),
                &write(Some(hash("1")), WriteCondition::Always),
            );
        }
        let (mut cursor, mut seen) = (None, Vec::new());
        loop {
            let page = store.list_now(cursor.as_deref(), 10);
            seen.extend(page.entries.into_iter().map(|(client_id, _)| client_id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 25);
        seen.dedup();
        assert_eq!(seen.len(), 25);
    }
}
