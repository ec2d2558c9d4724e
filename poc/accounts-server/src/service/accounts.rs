//! The service: what it stands on, and what it is told.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use accounts::password::HashingFailed;
use accounts::private_api::{Browser, Person};
use accounts::{Account, FailureKey, FailurePolicy, LinkKey, Permission, Seen};
use auth_base::clock::Clock;
use auth_base::error_chain::chain;
use auth_base::random::Random;
use auth_base::store_error::StoreError;

use crate::service::caller::Caller;
use crate::service::hashing::Hashing;
use crate::service::problem::Problem;
use crate::service::stores::Stores;

/// What the service is told about times and limits.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Of those who present one refresh token within this time, all get the same successor (10 s; 0 as the original).
    pub grace: Duration,
    /// How long a family lives, however much it is used (30 days).
    pub family: Duration,
    /// How long it lives unused, unless the gateway says (8 hours).
    pub idle: Duration,
    /// How many failures are too many.
    pub failures: FailurePolicy,
    /// How long the audit is kept (365 days).
    pub audit: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Policy {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
            family: 30 * DAY,
            idle: Duration::from_secs(8 * 60 * 60),
            failures: FailurePolicy::default(),
            audit: 365 * DAY,
        }
    }
}

/// The accounts service. Clones share everything.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) stores: Stores,
    pub(crate) policy: Policy,
    pub(crate) links: LinkKey,
    pub(crate) hashing: Hashing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Accounts {
    /// Makes the service over `stores`. Links are made with `links`.
    ///
    /// # Errors
    /// [`HashingFailed`].
    pub fn new(
        stores: Stores,
        policy: Policy,
        links: LinkKey,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, HashingFailed> {
        Ok(Self {
            stores,
            policy,
            links,
            hashing: Hashing::new(Arc::clone(&random))?,
            clock,
            random,
        })
    }

    /// Counts one more failure before anything is judged, and tells whether the attempt is looked at.
    ///
    /// # Errors
    /// [`Problem::TooManyAttempts`].
    pub(crate) async fn count(&self, key: Option<&FailureKey>) -> Result<Attempt, Problem> {
        let Some(key) = key else {
            return Ok(Attempt::Admitted);
        };
        let (now_ms, policy) = (self.clock.now_ms(), self.policy.failures);
        let failures = self.stores.failures.add(key, now_ms, policy.window).await?;
        Ok(match policy.admit(&failures, now_ms) {
            Ok(()) => Attempt::Admitted,
            Err(too_many) => Attempt::TooMany {
                problem: too_many.into(),
                is_first: failures.count == policy.limit.saturating_add(1),
            },
        })
    }

    /// Asks whether somebody may act on others now. Who has an account here is judged by it as it is: a token was made before,
    /// and its person may have been disabled or got other roles since. Of others (an original's gateway has people of its own)
    /// the token's word counts.
    ///
    /// # Errors
    /// [`Problem::Denied`], and that of the store.
    pub async fn require_admin(&self, caller: &Caller) -> Result<(), Problem> {
        let Some(id) = caller.account() else {
            return Ok(());
        };
        let account = self.stores.accounts.by_id(id).await?;
        let may = |account: &Account| account.permissions().contains(&Permission::AccountsWrite);
        match account.is_none_or(|account| may(&account)) {
            true => Ok(()),
            false => Err(Caller::denied().into()),
        }
    }

    /// Tells whether the store answers.
    ///
    /// # Errors
    /// That of the store.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let nobody = FailureKey::of_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED), "probe");
        let count = self.stores.failures.count(&nobody, self.clock.now_ms());
        count.await.map(drop)
    }

    /// It was the right person, whether that can be written or not.
    pub(crate) async fn forgive(&self, key: Option<&FailureKey>) {
        let Some(key) = key else { return };
        if let Err(error) = self.stores.failures.clear(key).await {
            tracing::warn!(error = %chain(&error), "failed sign-ins are not forgotten");
        }
    }
}

/// What is said of an attempt that was counted.
pub(crate) enum Attempt {
    /// It is looked at.
    Admitted,
    /// It is not.
    TooMany {
        /// What the caller is told.
        problem: Problem,
        /// Whether it is the first of its window that is not looked at: that one is written down.
        is_first: bool,
    },
}

/// The address that a browser comes from, where the gateway says one.
pub(crate) fn address(browser: &Browser) -> Result<Option<IpAddr>, Problem> {
    let address = browser.address.as_deref();
    let parsed = address.map(|address| address.parse()).transpose();
    parsed.map_err(|_| Problem::invalid("address", "this is no IP address"))
}

/// What is kept of a browser with its session; `None` where the gateway says nothing.
pub(crate) fn seen(browser: &Browser) -> Option<Seen> {
    let is_known = browser.agent.is_some() || browser.address.is_some();
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    is_known.then(|| Seen::new(&text(&browser.agent), &text(&browser.address)))
}

/// An account as who signs in learns of it.
pub(crate) fn person(account: &Account) -> Person {
    Person {
        id: account.id.to_string(),
        email: account.email.to_string(),
        name: account.name.to_string(),
        permissions: permissions(account),
        version: account.version.0,
    }
}

/// What an account may do, as tokens name it.
pub(crate) fn permissions(account: &Account) -> Vec<String> {
    let permissions = account.permissions().into_iter();
    permissions
        .map(Permission::as_str)
        .map(str::to_owned)
        .collect()
}

/// Milliseconds of a duration.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
