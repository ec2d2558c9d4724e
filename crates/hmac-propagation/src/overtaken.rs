//! What another source has changed since: to repeat ours would bring back something older.

use auth_base::store_error::StoreError;

use crate::event_id::{event_id, is_later};
use crate::peer_store::{CredentialKey, PeerStore};
use crate::queue::PeerName;

/// Divides rows of `source` into those that stand and those that another source has overtaken, as the cursors of a store
/// tell. `of` names a row's credential, and the largest `ts` that `source` ever used for it.
pub(crate) async fn divide<T>(
    store: &dyn PeerStore,
    source: &PeerName,
    rows: Vec<T>,
    of: impl Fn(&T) -> (&CredentialKey, i64),
) -> Result<(Vec<T>, Vec<T>), StoreError> {
    let keys: Vec<CredentialKey> = rows.iter().map(|row| of(row).0.clone()).collect();
    let cursors = store.cursors(&keys).await?;
    let (mut standing, mut overtaken) = (Vec::with_capacity(rows.len()), Vec::new());
    for (row, cursor) in rows.into_iter().zip(cursors) {
        let (_, ts) = of(&row);
        let own = event_id(source, ts, [0; 16]);
        match cursor.is_some_and(|cursor| is_later(&cursor, ts, &own)) {
            true => overtaken.push(row),
            false => standing.push(row),
        }
    }
    Ok((standing, overtaken))
}
