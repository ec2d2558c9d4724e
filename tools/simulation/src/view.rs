//! What a source sees of the peers' stores when it looks for drift, with faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, Credential};
use hmac_auth::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteOutcome,
};
use hmac_propagation::drift::StoreView;
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, CredentialKey, FinalStatus, InFlight, PeerStore, Stamp, Track,
};
use hmac_propagation::queue::PeerName;

use crate::content::held;
use crate::host::Host;
use crate::seam::{Away, Seam};
use crate::strike::Kind;

/// Views of every peer's store, as one process has them.
pub fn all(seam: &Seam) -> Vec<(PeerName, StoreView)> {
    let view = |of: &Arc<Host>| {
        let glass = Glass {
            seam: seam.clone(),
            of: Arc::clone(of),
        };
        let credentials = [Track::Http, Track::Message].map(|track| {
            let store: Arc<dyn CredentialStore> = Arc::new(Credentials {
                glass: glass.clone(),
                track,
            });
            (track, store)
        });
        StoreView {
            credentials: BTreeMap::from(credentials),
            cursors: Arc::new(Cursors(glass)),
        }
    };
    let hosts = &seam.world.hosts;
    hosts
        .iter()
        .filter(|_| seam.world.plan.drift || seam.world.plan.sources > 1)
        .map(|(name, host)| (name.clone(), view(host)))
        .collect()
}

#[derive(Clone)]
struct Glass {
    seam: Seam,
    of: Arc<Host>,
}

impl Glass {
    async fn look<T>(
        &self,
        what: &'static str,
        look: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let world = &self.seam.world;
        if world.dice.one_in(3) {
            world.dawdle().await;
        }
        self.seam
            .around(Kind::View, what, look)
            .await
            .map_err(|Away| match world.dice.one_in(3) {
                true => StoreError::Refused(Box::new(Away)),
                false => StoreError::Unavailable(Box::new(Away)),
            })
    }
}

struct Credentials {
    glass: Glass,
    track: Track,
}

#[async_trait]
impl CredentialStore for Credentials {
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        let stores = self.glass.of.stores();
        self.glass
            .look("view.find", async {
                stores.credentials(self.track).find_now(client_id)
            })
            .await
    }

    async fn find_many(
        &self,
        client_ids: &[ClientId],
    ) -> Result<Vec<Option<Result<Credential, &'static str>>>, StoreError> {
        let Glass { seam, of } = &self.glass;
        let one = |client_id: &ClientId| {
            let stored = of.stores().credentials(self.track).find_now(client_id);
            let credential = stored.map(|stored| stored.credential);
            let key = CredentialKey {
                track: self.track,
                client_id: client_id.clone(),
            };
            let (damage, now_ms) = (&seam.world.damage, seam.world.history.now_ms());
            damage.looked(
                seam.process.id,
                (of.name.clone(), key),
                held(credential.as_ref()),
                now_ms,
            );
            credential.map(Ok)
        };
        self.glass
            .look("view.records", async {
                client_ids.iter().map(one).collect()
            })
            .await
    }

    async fn write(&self, _: &ClientId, _: CredentialWrite) -> Result<WriteOutcome, StoreError> {
        read_only()
    }

    async fn delete(&self, _: &ClientId) -> Result<bool, StoreError> {
        read_only()
    }

    async fn forget_previous(&self, _: &ClientId) -> Result<bool, StoreError> {
        read_only()
    }

    async fn list(&self, _: Option<&str>, _: usize) -> Result<CredentialPage, StoreError> {
        read_only()
    }
}

struct Cursors(Glass);

#[async_trait]
impl PeerStore for Cursors {
    fn tracks(&self) -> &[Track] {
        &[Track::Http, Track::Message]
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        batch.iter().map(|_| read_only()).collect()
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        let Glass { seam, of } = &self.0;
        let one = |key: &CredentialKey| {
            let cursor = of.cursor(key);
            let slot = (of.name.clone(), key.clone());
            seam.world
                .damage
                .looked_at_cursor(seam.process.id, slot, cursor.clone());
            cursor
        };
        self.0
            .look("view.cursors", async { keys.iter().map(one).collect() })
            .await
    }

    async fn book(&self, _: &[InFlight]) -> Result<(), StoreError> {
        read_only()
    }

    async fn find(&self, _: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        read_only()
    }

    async fn complete(
        &self,
        _: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        read_only()
    }

    async fn discard(&self, _: &[InFlight]) -> Result<(), StoreError> {
        read_only()
    }

    async fn run_id(&self) -> Result<Option<String>, StoreError> {
        let run_id = async { Some(self.0.of.stores().run.to_string()) };
        self.0.look("view.run_id", run_id).await
    }
}

fn read_only<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("a view is only read".into()))
}
