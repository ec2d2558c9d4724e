//! A store that is away in the middle of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use accounts::private_api::{NewUser, RecordToken, RotateToken};
use accounts::{
    Begun, Family, FamilyId, LinkKey, MemoryAccounts, NewFamily, Presented, Record, Recorded,
    RefreshStore, RevokeReason, Rotation, Subject, TokenId, Which,
};
use accounts_server::service::{Caller, Problem};
use accounts_server::{Accounts, Policy, Store, Stores};
use async_trait::async_trait;
use auth_base::{Secret, StoreError, SystemClock, SystemRandom};

use crate::support::{Server, id};

#[derive(Clone, Default)]
struct Breakable {
    inner: MemoryAccounts,
    is_away: Arc<AtomicBool>,
}

impl Breakable {
    fn there(&self) -> Result<&MemoryAccounts, StoreError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("away".into())),
            false => Ok(&self.inner),
        }
    }
}

#[async_trait]
impl RefreshStore for Breakable {
    async fn begin(&self, new: &NewFamily, now_ms: i64) -> Result<Begun, StoreError> {
        self.there()?.begin(new, now_ms).await
    }

    async fn rotate(
        &self,
        presented: &Presented,
        now_ms: i64,
        grace: Duration,
    ) -> Result<Rotation, StoreError> {
        self.there()?.rotate(presented, now_ms, grace).await
    }

    async fn record(&self, record: &Record, now_ms: i64) -> Result<Recorded, StoreError> {
        self.there()?.record(record, now_ms).await
    }

    async fn family_of(&self, token: TokenId) -> Result<Option<Family>, StoreError> {
        self.there()?.family_of(token).await
    }

    async fn family(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        self.there()?.family(id).await
    }

    async fn revoke(
        &self,
        which: &Which,
        reason: RevokeReason,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        self.there()?.revoke(which, reason, now_ms).await
    }

    async fn sessions(
        &self,
        subject: &Subject,
        now_ms: i64,
        most: u32,
    ) -> Result<Vec<Family>, StoreError> {
        self.there()?.sessions(subject, now_ms, most).await
    }

    async fn sweep(&self, ended_before_ms: i64, most: u32) -> Result<u64, StoreError> {
        RefreshStore::sweep(self.there()?, ended_before_ms, most).await
    }
}

#[tokio::test]
async fn a_call_that_was_cut_off_is_finished_by_the_same_call() {
    let refresh = Breakable::default();
    let inner = Arc::new(refresh.inner.clone());
    let stores = Stores::new(
        inner.clone(),
        inner.clone(),
        Arc::new(refresh.clone()),
        inner,
    );
    let accounts = Accounts::new(
        stores,
        Policy::default(),
        LinkKey::new([7; 32]),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
    )
    .unwrap();
    let caller = Caller::command_line();
    let ada = NewUser {
        email: "ada@example.org".to_owned(),
        name: "Ada".to_owned(),
        roles: vec!["viewer".to_owned()],
        password: None,
    };
    let ada = accounts.create_user(&caller, &ada).await.unwrap();
    let begun = RecordToken {
        user_id: ada.id.clone(),
        family_id: id(),
        jti: id(),
        parent_jti: None,
        version: None,
        idle_seconds: None,
        browser: accounts::private_api::Browser::default(),
    };
    accounts.record_token(&caller, &begun).await.unwrap();
    let rotated = RotateToken {
        jti: begun.jti.clone(),
        new_jti: Some(id()),
        browser: accounts::private_api::Browser::default(),
    };

    refresh.is_away.store(true, Ordering::SeqCst);
    let undecided = accounts.rotate_token(&caller, &rotated).await.unwrap_err();
    assert_eq!(
        (undecided.status(), undecided.code()),
        (503, Some("DB_UNAVAILABLE"))
    );
    let half = accounts.disable_user(&caller, &ada.id).await.unwrap_err();
    assert!(matches!(half, Problem::Unfinished(_)), "{half:?}");
    assert_eq!(half.status(), 503);
    refresh.is_away.store(false, Ordering::SeqCst);
    let subject = Subject::User(accounts::AccountId::parse(&ada.id).unwrap());
    let living = || async { refresh.inner.sessions(&subject, 1, 10).await.unwrap().len() };
    assert_eq!(living().await, 1);
    let gone = accounts.disable_user(&caller, &ada.id).await.unwrap();
    assert!(gone.disabled_at_ms.is_some());
    assert_eq!(living().await, 0);
    let refused = accounts.rotate_token(&caller, &rotated).await.unwrap_err();
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn a_database_that_is_gone_decides_nothing() {
    let database = services::private_mariadb().await.unwrap();
    let url = database.database("accounts").await.unwrap();
    let server = Server::start(Store::Sql(Secret::new(url)), Policy::default(), ()).await;
    let user = server.person("ada@example.org", &["viewer"]).await;
    let (_, jti) = server.session(&user).await;
    let ready = server.request("GET", "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200);
    drop(database);
    let (status, answer) = server.rotate(&jti, &id()).await;
    assert!([503, 504].contains(&status), "{status} {answer}");
    let code = answer["code"].as_str().unwrap();
    assert!(["DB_UNAVAILABLE", "DB_TIMEOUT"].contains(&code), "{answer}");
    assert!(answer["error"].is_string() && answer["message"].is_string());
    assert!(!answer.to_string().contains("mysql"), "{answer}");
    // What was known before is kept for a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for path in ["/readyz", "/v1/health/db"] {
        let away = server.request("GET", path).send().await.unwrap();
        assert_eq!(away.status(), 503, "{path}");
    }
    for path in ["/livez", "/v1/health"] {
        let alive = server.request("GET", path).send().await.unwrap();
        assert_eq!(alive.status(), 200, "{path}");
    }
}
