//! The whole service: what `main`, `cargo demo` and the tests start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use accounts::MemoryAccounts;
use accounts_sqlx::{SqlAccounts, SqlOptions};
use auth_base::clock::SystemClock;
use auth_base::error_chain::chain;
use auth_base::nonce_store::MemoryNonceStore;
use auth_base::random::SystemRandom;
use axum::Router;
use jwt_auth::{InternalTokenVerifier, ReplayGuard};
use tokio::net::TcpListener;

use crate::config::{Settings, Store};
use crate::failure::Failure;
use crate::router::router;
use crate::service::sweep::Swept;
use crate::service::{Accounts, Stores};

/// Requests that are open have so long to be answered after the service was asked to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often what has ended is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(5 * 60);

/// One sweep takes no longer.
const SWEEP_LIMIT: Duration = Duration::from_secs(60);

/// A service that listens.
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    accounts: Accounts,
    database: Option<SqlAccounts>,
}

impl Application {
    /// Connects to the database, makes its tables where they are not there, and listens.
    ///
    /// # Errors
    /// When the database cannot be used, or the port is taken.
    pub async fn bind(settings: Settings) -> Result<Self, Failure> {
        let (accounts, database) = open(&settings).await?;
        let replay = ReplayGuard::new(Arc::new(MemoryNonceStore::new()));
        let tokens = InternalTokenVerifier::new(settings.keys, replay, settings.name);
        let router = router(accounts.clone(), &tokens);
        let listener = TcpListener::bind(settings.listen).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            router,
            accounts,
            database,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The service itself, for who shares its process: a demo makes its first accounts so.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Serves until `stop` is over, and the requests that are open are answered, which takes ten seconds at most: those that
    /// are left are cut off then.
    ///
    /// # Errors
    /// When accepting fails for good.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let serving = axum_serve::serve_within(self.listener, self.router, STOP_LIMIT, stop);
        let served = tokio::select! {
            served = serving => served,
            () = sweep(&self.accounts) => Ok(()),
        };
        if let Some(database) = self.database {
            database.close().await;
        }
        Ok(served?)
    }
}

/// Opens the service without listening, and its database to be closed.
///
/// # Errors
/// When the database cannot be used.
pub async fn open(settings: &Settings) -> Result<(Accounts, Option<SqlAccounts>), Failure> {
    let (stores, database) = match &settings.store {
        Store::Memory => (Stores::of(MemoryAccounts::new()), None),
        Store::Sql(url) => {
            let options = SqlOptions {
                timeout: Duration::from_secs(10),
                max_attempts: 30,
                ..SqlOptions::default()
            };
            let database = SqlAccounts::connect(url.expose(), options).await?;
            (Stores::of(database.clone()), Some(database))
        }
    };
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let accounts = Accounts::new(
        stores,
        settings.policy,
        settings.link_key.clone(),
        clock,
        random,
    )?;
    Ok((accounts, database))
}

/// Forgets what has ended, for as long as it is asked to go on.
async fn sweep(accounts: &Accounts) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match tokio::time::timeout(SWEEP_LIMIT, accounts.sweep()).await {
            Ok(Ok(swept)) if swept == Swept::default() => {}
            Ok(Ok(swept)) => tracing::info!(?swept, "what has ended is forgotten"),
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "what has ended is not forgotten");
            }
            Err(_) => tracing::warn!("what has ended is not forgotten yet"),
        }
    }
}
