//! Making deliveries again, without undoing what another source has changed since.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;

use crate::context::Context;
use crate::drift::{View, Views};
use crate::error::PropagationError;
use crate::management::{ResyncQuery, ResyncRow, ResyncScope};
use crate::options::{Newer, Resynced};
use crate::origin::Origin;
use crate::overtaken::divide;
use crate::peer_store::PeerStore;
use crate::progress::Progress;
use crate::queue::PeerName;

/// Pages in one resync at most.
const MAX_PAGES: usize = 10_000;

/// Makes deliveries again.
pub(crate) struct Resyncs {
    pub(crate) context: Arc<Context>,
    pub(crate) views: Views,
}

impl Resyncs {
    /// Reads what a caller names.
    pub(crate) fn scope(&self, scope: Resynced) -> Result<ResyncScope, PropagationError> {
        self.context.management()?;
        Ok(match scope {
            Resynced::Target(name) => {
                let name = PeerName::parse(&name);
                let name = name.map_err(|error| PropagationError::invalid("target", error))?;
                ResyncScope::Target(name)
            }
            Resynced::Client { client_id, track } => {
                ResyncScope::Credential(self.context.key(&client_id, track)?)
            }
        })
    }

    /// Makes the deliveries pending again that nobody else has changed since, page after page.
    pub(crate) async fn rebook(
        &self,
        scope: ResyncScope,
        newer: Newer,
        origin: &Origin,
    ) -> Result<(), PropagationError> {
        let (management, limit) = (self.context.management()?, self.context.settings.page);
        let mut query = ResyncQuery {
            scope,
            now_ms: self.context.now_ms(),
            limit,
            after: None,
        };
        for _ in 0..MAX_PAGES {
            let rows = management.resync_rows(&query).await?;
            let Some(last) = rows.last() else { break };
            query.after = Some((last.key.clone(), last.target.clone()));
            let full = rows.len() == limit;
            let rows = self.not_superseded(rows, newer).await?;
            let now_ms = self.context.now_ms();
            // What overwrites is newer than whatever is there; else a change that is on its way wins.
            let floor_ts = (newer == Newer::Overwrite).then(|| now_ms - 1);
            management.rebook(&rows, now_ms, floor_ts, origin).await?;
            let about = rows.iter().map(|row| (&row.key, Some(row.target.as_str())));
            self.context.progress.send(Progress::Rebooked, about);
            if !full {
                break;
            }
        }
        Ok(())
    }

    /// Leaves out what another source has changed since, as this peer's own store and each target's tell: repeating ours
    /// would overwrite it.
    async fn not_superseded(
        &self,
        rows: Vec<ResyncRow>,
        newer: Newer,
    ) -> Result<Vec<ResyncRow>, PropagationError> {
        let rows = self.not_beyond(&*self.context.store, rows).await?;
        if newer == Newer::Overwrite {
            return Ok(rows);
        }
        let mut by_target = BTreeMap::<String, Vec<ResyncRow>>::new();
        for row in rows {
            by_target.entry(row.target.clone()).or_default().push(row);
        }
        let mut left = Vec::new();
        for (target, rows) in by_target {
            if target == self.context.name.as_str() {
                left.extend(rows);
                continue;
            }
            let view = PeerName::parse(&target).ok();
            let view = view.and_then(|name| self.views.get(&name));
            left.extend(self.seen(view, rows).await.map_err(|reason| {
                let message = format!(
                    "must be overwrite: {reason} of {target}, so what another source has changed there since cannot be left alone"
                );
                PropagationError::invalid("newer", message)
            })?);
        }
        Ok(left)
    }

    /// The rows of one target that nobody else has changed there; `Err` says in words why that cannot be told.
    async fn seen(
        &self,
        view: Option<&View>,
        rows: Vec<ResyncRow>,
    ) -> Result<Vec<ResyncRow>, String> {
        let view = view.ok_or("this peer does not see the store")?;
        let seen = self.not_beyond(&view.cursors, rows).await;
        seen.map_err(|error| format!("this peer cannot read ({}) the store", chain(&error)))
    }

    /// The rows whose credential is not beyond them in a store.
    async fn not_beyond(
        &self,
        store: &dyn PeerStore,
        rows: Vec<ResyncRow>,
    ) -> Result<Vec<ResyncRow>, StoreError> {
        let own = &self.context.name;
        let divided = divide(store, own, rows, |row| (&row.key, row.last_ts));
        let (rows, overtaken) = divided.await?;
        for row in overtaken {
            tracing::info!(client_id = %row.key.client_id, target = row.target, "not sent again: another source has changed it since");
        }
        Ok(rows)
    }
}
