//! A source and its targets in this process, on real servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_base::clock::{Clock, SystemClock};
use auth_base::secret::Secret;
use hmac_auth::credential::Change;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_propagation::drift::StoreView;
use hmac_propagation::options::{Ensure, Settings};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::Track;
use hmac_propagation::queue::PeerName;
use hmac_propagation::{Propagator, PropagatorBuilder};
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use redis_link::link::RedisLink;
use services::{MariaDb, RabbitMq, Redis};

use crate::error::Error;

/// The servers of a run.
pub(crate) struct Servers {
    pub(crate) rabbitmq: RabbitMq,
    pub(crate) mariadb: MariaDb,
}

impl Servers {
    pub(crate) async fn start() -> Result<Self, Error> {
        let (rabbitmq, mariadb) = tokio::try_join!(services::rabbitmq(), services::mariadb())?;
        Ok(Self { rabbitmq, mariadb })
    }
}

/// A source and its receive-only targets.
pub(crate) struct Mesh {
    pub(crate) source: Propagator,
    pub(crate) management: Arc<SqlManagement>,
    targets: Vec<Propagator>,
    names: Vec<String>,
    _redis: Vec<Redis>,
}

impl Mesh {
    /// Starts a source that sends only when told, and `targets` targets.
    pub(crate) async fn start(servers: &Servers, targets: usize) -> Result<Self, Error> {
        let vhost = servers.rabbitmq.vhost("bench").await?;
        let database = servers.mariadb.database("bench").await?;
        let management = Arc::new(
            SqlManagement::connect(&database, SecretsKey::new([7; 32]), SqlOptions::default())
                .await?,
        );
        let names: Vec<String> = (0..targets).map(|i| format!("target-{i}")).collect();
        for name in &names {
            let peer = PeerName::parse(name)?;
            management
                .seed_target(&peer, &secret(name), false, None, SystemClock.now_ms())
                .await?;
        }
        let settings = Settings {
            sync_on_change: false,
            sync_interval: Duration::from_secs(3_600),
            drift_interval: Duration::ZERO,
            ..Settings::default()
        };
        let mut redis = Vec::new();
        let mut receivers = Vec::new();
        for name in &names {
            let target = builder(name, &vhost, &mut redis).await?;
            receivers.push(
                target
                    .sources([(PeerName::parse("source")?, secret("source"))])
                    .start(),
            );
        }
        let views = names
            .iter()
            .zip(&redis)
            .map(|(name, redis)| view(name, redis));
        let views = views.collect::<Result<Vec<_>, Error>>()?;
        let source = builder("source", &vhost, &mut redis)
            .await?
            .management(management.clone())
            .views(views)
            .settings(settings)
            .start();
        let mesh = Self {
            source,
            management,
            targets: receivers,
            names,
            _redis: redis,
        };
        for propagator in std::iter::once(&mesh.source).chain(&mesh.targets) {
            consuming(propagator).await?;
        }
        Ok(mesh)
    }

    /// An ensure of a client on every target.
    pub(crate) fn ensure(&self, client: String, secret: &str) -> Ensure {
        Ensure {
            client_id: client,
            secret: Secret::new(secret),
            targets: self.names.clone(),
            track: Track::Http,
            allowed_ips: Change::Keep,
            expires_at: Change::Keep,
            origin: Origin::default(),
        }
    }

    /// Waits until the source has booked `acks` acknowledgements in all. Looks from a thread of its own: the runtime's timer
    /// is no finer than a millisecond, which is a tenth of what is measured.
    pub(crate) async fn acknowledged(&self, acks: u64) -> Result<(), Error> {
        let source = self.source.clone();
        let waiting = move || {
            let deadline = Instant::now() + Duration::from_secs(120);
            while source.counters().acks_booked < acks {
                if Instant::now() > deadline {
                    return Err(format!(
                        "{} of {acks} acknowledged",
                        source.counters().acks_booked
                    ));
                }
                std::thread::sleep(Duration::from_micros(50));
            }
            Ok(())
        };
        Ok(tokio::task::spawn_blocking(waiting).await??)
    }

    /// Waits until all that was sent is answered: a source syncs once when its broker is there, and may take the first changes
    /// along. Tells how many acknowledgements were booked by then.
    pub(crate) async fn answered(&self) -> Result<u64, Error> {
        let sent = self.source.counters().events_published;
        self.acknowledged(sent).await?;
        Ok(self.source.counters().acks_booked)
    }

    pub(crate) async fn close(self) {
        self.source.close().await;
        for target in &self.targets {
            target.close().await;
        }
        self.management.close().await;
    }
}

/// What the source sees of a target's store.
fn view(name: &str, redis: &Redis) -> Result<(PeerName, StoreView), Error> {
    let (link, options) = (RedisLink::open(redis.url())?, PeerStoreOptions::default());
    let credentials: Arc<dyn CredentialStore> = Arc::new(RedisCredentialStore::new(
        link.clone(),
        options.http.clone(),
    ));
    let cursors = Arc::new(RedisPeerStore::new(link, options));
    let view = StoreView {
        credentials: BTreeMap::from([(Track::Http, credentials)]),
        cursors,
    };
    Ok((PeerName::parse(name)?, view))
}

async fn builder(
    name: &str,
    vhost: &str,
    redis: &mut Vec<Redis>,
) -> Result<PropagatorBuilder, Error> {
    let server = services::redis().await?;
    let link = RedisLink::open(server.url())?;
    redis.push(server);
    let broker = Arc::new(AmqpBroker::connect(AmqpOptions::from_url(vhost, name)?));
    let store = Arc::new(RedisPeerStore::new(link, PeerStoreOptions::default()));
    Ok(Propagator::builder(
        PeerName::parse(name)?,
        secret(name),
        broker,
        store,
    ))
}

async fn consuming(propagator: &Propagator) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let status = propagator.status().broker;
        if status.connected && status.consuming {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("not consuming: {status:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn secret(name: &str) -> Secret {
    Secret::new(format!("propagation-secret-of-{name}"))
}
