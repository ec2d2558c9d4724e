//! The matrix in memory: what each store holds, what is wanted, and the rows that follow from both. No reading, no waiting.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use mesh_api::mesh::{CellState, MeshCell, MeshClient, MeshSummary, PeerSummary};
use mesh_management::track::shown;

use crate::cells::{Held, Own, Seen, is_attention, is_mismatch, judge, reported_status};
use crate::column::Column;
use crate::row_key::RowKey;

/// A row as it was last judged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    own: bool,
    states: Vec<CellState>,
    /// Whether it is out of sync.
    attention: bool,
    changed_at: Option<i64>,
    /// Everything else that is shown; a row whose shown form changed is told.
    shown: u64,
}

/// What judging a row anew brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowChange {
    /// It is new, or looks different.
    Client(RowKey),
    /// Nobody knows the client any more.
    Gone(RowKey),
}

/// The matrix.
pub(crate) struct Table {
    /// Those of the stores first, so that a store keeps its place whatever the inventory says.
    columns: Vec<Column>,
    /// How many columns are stores.
    stores: usize,
    /// The columns as they are shown: by name.
    order: Vec<usize>,
    own: HashMap<RowKey, Own>,
    rows: BTreeMap<RowKey, Row>,
    by_change: BTreeSet<(Reverse<i64>, RowKey)>,
    in_sync: usize,
    /// Rises with every row that changed and every column that came or went.
    revision: u64,
}

impl Table {
    /// Without rows. `peers` are those whose stores are read, in their order; none was read yet.
    pub(crate) fn new(peers: impl IntoIterator<Item = (String, bool)>) -> Self {
        let columns: Vec<Column> = peers
            .into_iter()
            .map(|(name, is_self)| Column::new(name, is_self, true))
            .collect();
        Self {
            stores: columns.len(),
            order: by_name(&columns),
            columns,
            own: HashMap::new(),
            rows: BTreeMap::new(),
            by_change: BTreeSet::new(),
            in_sync: 0,
            revision: 0,
        }
    }

    /// Gives each target a column, so that none is invisible: those whose stores are not read have one without knowledge.
    /// Answers which rows may have changed; `None` when the columns are the same.
    pub(crate) fn put_targets(&mut self, targets: BTreeSet<String>) -> Option<Vec<RowKey>> {
        let (stores, unwatched) = self.columns.split_at(self.stores);
        let is_read = |name: &String| stores.iter().any(|column| column.name == *name);
        let names: Vec<String> = targets.into_iter().filter(|name| !is_read(name)).collect();
        if names.iter().eq(unwatched.iter().map(|column| &column.name)) {
            return None;
        }
        self.revision += 1;
        self.columns.truncate(self.stores);
        self.columns.extend(
            names
                .into_iter()
                .map(|name| Column::new(name, false, false)),
        );
        self.order = by_name(&self.columns);
        for row in self.rows.values_mut() {
            // The counts of the other columns went with them.
            row.states.truncate(self.stores);
        }
        Some(self.rows.keys().cloned().collect())
    }

    /// Which state this is: of two answers, the one with the higher revision is the newer one.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Puts what one client has in a column's store.
    pub(crate) fn put_held(
        &mut self,
        column: usize,
        key: &RowKey,
        held: Option<Held>,
        cursor: Option<i64>,
    ) {
        let column = &mut self.columns[column];
        match held {
            Some(held) => column.held.insert(key.clone(), held),
            None => column.held.remove(key),
        };
        match cursor {
            Some(cursor) => column.cursors.insert(key.clone(), cursor),
            None => column.cursors.remove(key),
        };
    }

    /// Puts all that a column's store holds, and answers which rows may have changed.
    pub(crate) fn replace_held(
        &mut self,
        column: usize,
        held: HashMap<RowKey, Held>,
    ) -> Vec<RowKey> {
        let column = &mut self.columns[column];
        let was_away = column.away.take().is_some();
        self.revision += u64::from(was_away);
        let before = std::mem::replace(&mut column.held, held);
        let mut touched: Vec<RowKey> = column
            .held
            .iter()
            .filter(|(key, held)| was_away || before.get(*key) != Some(held))
            .map(|(key, _)| key.clone())
            .collect();
        touched.extend(
            before
                .into_keys()
                .filter(|key| !column.held.contains_key(key)),
        );
        touched.iter().for_each(|key| {
            column.cursors.remove(key);
        });
        if was_away {
            touched.extend(self.rows.keys().cloned());
        }
        touched
    }

    /// Notes that a column's store cannot be read, and answers which rows may have changed.
    pub(crate) fn set_away(&mut self, column: usize, reason: String) -> Vec<RowKey> {
        let was_away = self.columns[column].away.replace(reason).is_some();
        self.revision += 1;
        if was_away {
            Vec::new()
        } else {
            self.rows.keys().cloned().collect()
        }
    }

    /// Puts the cursor of a client at a column's store.
    pub(crate) fn put_cursor(&mut self, column: usize, key: &RowKey, cursor: i64) {
        self.columns[column].cursors.insert(key.clone(), cursor);
    }

    /// Puts what is wanted for one client; `None` when this peer's management store has no row for it.
    pub(crate) fn put_own(&mut self, key: &RowKey, own: Option<Own>) {
        match own {
            Some(own) => self.own.insert(key.clone(), own),
            None => self.own.remove(key),
        };
    }

    /// Puts all that is wanted, and answers which rows may have changed.
    pub(crate) fn replace_own(&mut self, own: HashMap<RowKey, Own>) -> Vec<RowKey> {
        let before = std::mem::replace(&mut self.own, own);
        let changed = self
            .own
            .iter()
            .filter(|(key, own)| before.get(*key) != Some(own));
        let mut touched: Vec<RowKey> = changed.map(|(key, _)| key.clone()).collect();
        touched.extend(before.into_keys().filter(|key| !self.own.contains_key(key)));
        touched
    }

    /// Own clients that differ in a column's store from what is wanted there, and whose cursor nobody looked at.
    pub(crate) fn suspects(&self, column: usize, limit: usize) -> Vec<RowKey> {
        if self.columns[column].counts.drift() == 0 || self.columns[column].away.is_some() {
            return Vec::new();
        }
        let cursors = &self.columns[column].cursors;
        let suspect = |(key, row): &(&RowKey, &Row)| {
            row.own && is_mismatch(row.states[column]) && !cursors.contains_key(key)
        };
        self.rows
            .iter()
            .filter(suspect)
            .take(limit)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Judges a row anew.
    pub(crate) fn refresh(&mut self, key: &RowKey) -> Option<RowChange> {
        let after = self.judge(key);
        let before = self.rows.get(key);
        if before == after.as_ref() {
            return None;
        }
        self.revision += 1;
        if let Some(before) = self.rows.remove(key) {
            self.count(&before, false);
            self.by_change
                .remove(&(Reverse(before.changed_at.unwrap_or_default()), key.clone()));
        }
        let Some(after) = after else {
            return Some(RowChange::Gone(key.clone()));
        };
        self.count(&after, true);
        self.by_change
            .insert((Reverse(after.changed_at.unwrap_or_default()), key.clone()));
        self.rows.insert(key.clone(), after);
        Some(RowChange::Client(key.clone()))
    }

    /// Over all rows.
    pub(crate) fn summary(&self) -> MeshSummary {
        let agrees = |column: &&Column| {
            column.away.is_none() && column.counts.drift() == 0 && column.counts.unknown == 0
        };
        MeshSummary {
            clients: self.rows.len(),
            in_sync: self.in_sync,
            peers: self.stores,
            peers_in_sync: self.columns.iter().take(self.stores).filter(agrees).count(),
        }
    }

    /// The columns.
    pub(crate) fn peers(&self) -> Vec<PeerSummary> {
        let peer = |column: &Column| PeerSummary {
            name: column.name.clone(),
            is_self: column.is_self,
            watched: column.watched,
            reachable: column.away.is_none(),
            reason: column.away.clone(),
            in_sync: column.counts.in_sync,
            behind: column.counts.behind,
            missing: column.counts.missing,
            unexpected: column.counts.unexpected,
            unknown: column.counts.unknown,
        };
        self.order
            .iter()
            .map(|index| peer(&self.columns[*index]))
            .collect()
    }

    /// A row as it is shown.
    pub(crate) fn client(&self, key: &RowKey) -> Option<MeshClient> {
        let row = self.rows.get(key)?;
        let own = self.own.get(key).filter(|_| row.own);
        let newest = self.newest(key);
        let cell = |index: &usize| {
            let column = &self.columns[*index];
            let held = column.held.get(key).filter(|_| column.away.is_none());
            let pivot = own.and_then(|own| own.pivot(&column.name));
            MeshCell {
                peer: column.name.clone(),
                state: row
                    .states
                    .get(*index)
                    .copied()
                    .unwrap_or(CellState::Unknown),
                hash_prefix: held
                    .and_then(|held| held.hash)
                    .map(|hash| String::from_utf8_lossy(&hash).into_owned()),
                updated_at: held.map(|held| held.updated_at),
                status: pivot.map(|pivot| pivot.status),
                attempts: pivot.map(|pivot| pivot.attempts),
                reason: match &column.away {
                    Some(_) if !column.watched => Some(reported_status(pivot)),
                    Some(away) => Some(away.clone()),
                    None => pivot.and_then(|pivot| pivot.reason.clone()),
                },
            }
        };
        Some(MeshClient {
            client_id: key.client_id.to_string(),
            track: shown(key.track),
            own: row.own,
            attention: row.attention,
            revoked: own.map_or(newest.is_none(), |own| own.revoked),
            changed_at: row.changed_at,
            expires_at: own.map_or(newest.and_then(|held| held.expires_at), |own| {
                own.expires_at
            }),
            cells: self.order.iter().map(cell).collect(),
        })
    }

    /// Row keys in the order of client ids, and whether each needs attention.
    pub(crate) fn by_client(&self) -> impl Iterator<Item = (&RowKey, i64, bool)> {
        self.rows
            .iter()
            .map(|(key, row)| (key, row.changed_at.unwrap_or_default(), row.attention))
    }

    /// Row keys with the last changed first, and whether each needs attention.
    pub(crate) fn by_change(&self) -> impl Iterator<Item = (&RowKey, i64, bool)> {
        self.by_change.iter().map(|(changed_at, key)| {
            (
                key,
                changed_at.0,
                self.rows.get(key).is_some_and(|row| row.attention),
            )
        })
    }

    fn newest(&self, key: &RowKey) -> Option<&Held> {
        let readable = self.columns.iter().filter(|column| column.away.is_none());
        readable
            .filter_map(|column| column.held.get(key))
            .max_by_key(|held| held.updated_at)
    }

    fn judge(&self, key: &RowKey) -> Option<Row> {
        let seen: Vec<Seen<'_>> = self.columns.iter().map(|column| column.seen(key)).collect();
        let own = self.own.get(key);
        let judged = judge(own, &seen)?;
        let own = own.filter(|_| judged.own);
        let changed_at = own
            .map(|own| own.changed_at)
            .or_else(|| self.newest(key).map(|held| held.updated_at))
            .or_else(|| self.own.get(key).map(|own| own.changed_at));
        let shown = fingerprint(own, &seen);
        let mut cells = seen.iter().zip(&judged.states);
        let attention = cells.any(|(seen, state)| is_attention(own, seen, *state));
        Some(Row {
            own: judged.own,
            states: judged.states,
            attention,
            changed_at,
            shown,
        })
    }

    fn count(&mut self, row: &Row, in_or_out: bool) {
        let change = |count: &mut usize| {
            *count = if in_or_out {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        };
        if !row.attention {
            change(&mut self.in_sync);
        }
        for (column, state) in self.columns.iter_mut().zip(&row.states) {
            if let Some(count) = column.counts.of(*state) {
                change(count);
            }
        }
    }
}

fn by_name(columns: &[Column]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|one, other| columns[*one].name.cmp(&columns[*other].name));
    order
}

/// Stands for what is shown of a row besides its states.
fn fingerprint(own: Option<&Own>, seen: &[Seen<'_>]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    for seen in seen {
        let held = seen.held.filter(|_| seen.readable);
        held.map(|held| (held.hash, held.updated_at, held.expires_at))
            .hash(&mut hasher);
    }
    if let Some(own) = own {
        (own.revoked, own.expires_at).hash(&mut hasher);
        for pivot in &own.pivots {
            (&pivot.target, pivot.status, pivot.attempts, &pivot.reason).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use hmac_auth::credential::ClientId;
    use hmac_propagation::peer_store::Track;
    use mesh_api::state::{CredentialState, DeliveryStatus, PivotState};
    use mesh_api::track;
    use proptest::prelude::*;

    use super::*;

    const PEERS: [&str; 3] = ["a", "me", "z"];

    fn key(n: u8) -> RowKey {
        RowKey {
            client_id: ClientId::parse(&format!("client-{n}")).unwrap(),
            track: Track::Http,
        }
    }

    fn held(n: u8, updated_at: i64) -> Held {
        let hash = (n < 4).then_some([b'a' + n; 8]);
        Held {
            updated_at,
            ..Held::of(&Err("unreadable"))
        }
        .with_hash(hash)
    }

    fn own(n: u8, booked: bool) -> Own {
        let hash = (n > 0).then(|| char::from(b'a' + n).to_string().repeat(8));
        let credential = CredentialState {
            client_id: String::new(),
            track: track::Track::Http,
            plain: "absent".to_owned(),
            secret_hash: hash.clone(),
            allowed_ips: Vec::new(),
            expires_at: None,
            generation: 1,
            revoked: n == 0,
            changed_at: i64::from(n),
        };
        let pivot = PivotState {
            client_id: String::new(),
            track: track::Track::Http,
            target_amqp_queue: "z".to_owned(),
            status: if n.is_multiple_of(2) {
                DeliveryStatus::Success
            } else {
                DeliveryStatus::Pending
            },
            op: Some(if n == 0 {
                "credential.delete".to_owned()
            } else {
                "credential.update".to_owned()
            }),
            secret_hash: hash,
            generation: 1,
            attempt_count: 1,
            reason: None,
            sent_at: None,
            applied_at: None,
            failed_at: None,
            changed_at: 0,
            last_ts: None,
        };
        Own::of(
            &credential,
            if booked {
                vec![(&pivot).into()]
            } else {
                Vec::new()
            },
        )
    }

    impl Held {
        fn with_hash(self, hash: Option<[u8; 8]>) -> Self {
            Self { hash, ..self }
        }
    }

    fn table() -> Table {
        Table::new(PEERS.map(|name| (name.to_owned(), name == "me")))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Held(usize, u8, Option<(u8, i64)>, Option<i64>),
        AllHeld(usize, Vec<(u8, u8)>),
        Away(usize),
        Own(u8, Option<(u8, bool)>),
        AllOwn(Vec<(u8, u8)>),
        Targets(Vec<&'static str>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let pairs = || proptest::collection::vec((0..12u8, 0..5u8), 0..12);
        prop_oneof![
            4 => (0..3usize, 0..12u8, proptest::option::of((0..5u8, 0..9i64)), proptest::option::of(0..9i64))
                .prop_map(|(column, n, held, cursor)| Step::Held(column, n, held, cursor)),
            2 => (0..3usize, pairs()).prop_map(|(column, all)| Step::AllHeld(column, all)),
            1 => (0..3usize).prop_map(Step::Away),
            4 => (0..12u8, proptest::option::of((0..4u8, any::<bool>()))).prop_map(|(n, own)| Step::Own(n, own)),
            1 => pairs().prop_map(Step::AllOwn),
            1 => proptest::sample::subsequence(vec!["b", "n", "z"], 0..=3).prop_map(Step::Targets),
        ]
    }

    fn take(table: &mut Table, step: Step) {
        let touched = match step {
            Step::Held(column, n, record, cursor) => {
                let record = record.map(|(hash, updated_at)| held(hash, updated_at));
                table.put_held(column, &key(n), record, cursor);
                vec![key(n)]
            }
            Step::AllHeld(column, all) => {
                let all = all.into_iter().map(|(n, hash)| (key(n), held(hash, 3)));
                table.replace_held(column, all.collect())
            }
            Step::Away(column) => table.set_away(column, "away".to_owned()),
            Step::Own(n, wanted) => {
                table.put_own(&key(n), wanted.map(|(hash, booked)| own(hash, booked)));
                vec![key(n)]
            }
            Step::Targets(names) => table
                .put_targets(names.into_iter().map(str::to_owned).collect())
                .unwrap_or_default(),
            Step::AllOwn(all) => table.replace_own(
                all.into_iter()
                    .map(|(n, hash)| (key(n), own(hash % 4, true)))
                    .collect(),
            ),
        };
        for key in touched {
            table.refresh(&key);
        }
    }

    proptest! {
        /// Whatever happened, the rows, the summary and the indexes are those of a table made from the same facts at once.
        #[test]
        fn what_was_kept_up_is_what_would_be_counted(steps in proptest::collection::vec(step(), 0..40)) {
            let mut kept = table();
            steps.into_iter().for_each(|step| take(&mut kept, step));
            let mut fresh = table();
            fresh.put_targets(kept.columns[kept.stores..].iter().map(|column| column.name.clone()).collect());
            for (to, from) in fresh.columns.iter_mut().zip(&kept.columns) {
                (to.away, to.held, to.cursors) = (from.away.clone(), from.held.clone(), from.cursors.clone());
            }
            fresh.own = kept.own.clone();
            for n in 0..12 {
                fresh.refresh(&key(n));
            }
            prop_assert_eq!(kept.summary(), fresh.summary());
            prop_assert_eq!(kept.peers(), fresh.peers());
            prop_assert_eq!(&kept.by_change, &fresh.by_change);
            prop_assert_eq!(&kept.rows, &fresh.rows);
            let listed = kept.by_client().filter(|(_, _, attention)| *attention).count();
            prop_assert_eq!(listed, kept.summary().clients - kept.summary().in_sync);
        }
    }

    #[test]
    fn a_target_whose_store_is_not_read_has_a_column_in_its_place() {
        let mut table = table();
        for column in 0..3 {
            table.replace_held(column, HashMap::new());
        }
        table.put_own(&key(1), Some(own(1, false)));
        table.put_held(1, &key(1), Some(held(1, 5)), None);
        table.refresh(&key(1));
        let targets = || BTreeSet::from(["me", "no-url", "z"].map(str::to_owned));
        assert_eq!(table.put_targets(targets()), Some(vec![key(1)]));
        assert_eq!(table.put_targets(targets()), None);
        assert_eq!(table.refresh(&key(1)), Some(RowChange::Client(key(1))));
        let peers = table.peers();
        let names: Vec<_> = peers
            .iter()
            .map(|peer| (peer.name.as_str(), peer.watched))
            .collect();
        assert_eq!(
            names,
            [("a", true), ("me", true), ("no-url", false), ("z", true)]
        );
        assert_eq!(peers[2].reason.as_deref(), Some(crate::column::UNWATCHED));
        let client = table.client(&key(1)).unwrap();
        let cell = &client.cells[2];
        assert_eq!(
            (cell.peer.as_str(), cell.state),
            ("no-url", CellState::Unknown)
        );
        assert_eq!(
            cell.reason.as_deref(),
            Some("nothing is sent to it from here")
        );
        assert_eq!(
            table.summary().peers,
            3,
            "who is not looked at neither agrees nor differs"
        );
        assert_eq!(table.put_targets(BTreeSet::new()), Some(vec![key(1)]));
        assert_eq!(table.client(&key(1)).unwrap().cells.len(), 3);
    }

    #[test]
    fn a_row_comes_changes_and_goes() {
        let mut table = table();
        for column in 0..3 {
            assert!(table.replace_held(column, HashMap::new()).is_empty());
        }
        assert_eq!(table.refresh(&key(1)), None);
        table.put_held(0, &key(1), Some(held(1, 5)), None);
        assert_eq!(table.refresh(&key(1)), Some(RowChange::Client(key(1))));
        assert_eq!(table.refresh(&key(1)), None, "nothing new");
        let client = table.client(&key(1)).unwrap();
        assert_eq!(
            (client.own, client.changed_at, client.cells.len()),
            (false, Some(5), 3)
        );
        assert_eq!(client.cells[0].hash_prefix.as_deref(), Some("bbbbbbbb"));
        table.put_held(0, &key(1), None, None);
        assert_eq!(table.refresh(&key(1)), Some(RowChange::Gone(key(1))));
        assert_eq!(table.summary().clients, 0);
    }
}
