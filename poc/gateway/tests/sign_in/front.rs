//! A gateway where people sign in: before the peers `one` (with its pages) and `two`, over the accounts service.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accounts::private_api::{LinkKind, MakeLink, NewUser};
use accounts_server::Application;
use accounts_server::config::{Settings as AccountsSettings, Store};
use accounts_server::service::{Accounts, Caller};
use auth_base::{ManualClock, Secret};
use gateway::keys;
use gateway::proxy::{Origin, Settings, Upstream};
use gateway::sign_in::{self, SignInSettings};
use jwt_auth::{AccessGrant, AccessTokenIssuer, InternalContext, Jwks, MemoryKeySource, Signer};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::browser::Browser;
use crate::link::Link;
use crate::upstream::{self, Seen, WITHIN};

/// An admin, and an operator. Both have the same password.
pub(crate) const ADA: &str = "ada@example.org";
pub(crate) const BOB: &str = "bob@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What differs from one test to the other.
pub(crate) struct Told {
    pub(crate) grace_ms: u64,
    pub(crate) origins: Vec<Origin>,
    /// Of one address, in a quarter of an hour.
    pub(crate) attempts: u32,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            grace_ms: 10_000,
            origins: Vec::new(),
            attempts: 100,
        }
    }
}

pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) one: upstream::Upstream,
    two: upstream::Upstream,
    /// To the accounts service.
    pub(crate) link: Link,
    accounts: Accounts,
    origins: Vec<Origin>,
    attempts: u32,
    folder: PathBuf,
    _folder: TempDir,
}

impl Front {
    pub(crate) async fn start() -> Self {
        Self::told(Told::default()).await
    }

    pub(crate) async fn told(told: Told) -> Self {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("gateway");
        keys::init(&folder).unwrap();
        let database = made.path().join("accounts.sqlite");
        let keys = Jwks::new([keys::load(&folder).unwrap().key().clone()]);
        let store = Store::Sql(Secret::new(format!("sqlite://{}", database.display())));
        let keys = Arc::new(MemoryKeySource::new(keys));
        let mut settings = AccountsSettings::new(store, keys);
        settings.policy.grace = Duration::from_millis(told.grace_ms);
        let application = Application::bind(settings).await.unwrap();
        let accounts = application.accounts().clone();
        let link = Link::to(application.address()).await;
        tokio::spawn(application.run_until(std::future::pending()));
        for (email, role) in [(ADA, "admin"), (BOB, "operator")] {
            let user = NewUser {
                email: email.to_owned(),
                name: email.split('@').next().unwrap().to_owned(),
                roles: vec![role.to_owned()],
                password: Some(PASSWORD.to_owned().into()),
            };
            accounts
                .create_user(&Caller::command_line(), &user)
                .await
                .unwrap();
        }
        let mut front = Self {
            address: ([127, 0, 0, 1], 0).into(),
            one: upstream::Upstream::start().await,
            two: upstream::Upstream::start().await,
            link,
            accounts,
            origins: told.origins,
            attempts: told.attempts,
            folder,
            _folder: made,
        };
        front.address = front.another_gateway().await;
        front
    }

    /// Starts one more gateway, with the same keys, over the same accounts service.
    pub(crate) async fn another_gateway(&self) -> SocketAddr {
        let named = |name: &str, address: SocketAddr| -> Upstream {
            format!("{name}=http://{address}").parse().unwrap()
        };
        let peers = vec![
            named("one", self.one.address),
            named("two", self.two.address),
        ];
        let mut settings = Settings::new(peers, vec![([127, 0, 0, 1], 0).into()]);
        settings.requests_per_second = NonZeroU32::new(10_000).unwrap();
        settings.origins = self.origins.clone();
        let key = keys::refresh_token_key(&self.folder).unwrap();
        let accounts = named("accounts", self.link.address);
        let mut told = SignInSettings::new(accounts, self.url().parse().unwrap(), key);
        told.attempts = NonZeroU32::new(self.attempts).unwrap();
        let proxy = sign_in::bind(settings, told, self.signer());
        let proxy = proxy.await.unwrap();
        let address = proxy.dashboards()[0].1;
        tokio::spawn(proxy.run_until_stopped());
        address
    }

    pub(crate) fn url(&self) -> String {
        "http://localhost:3100".to_owned()
    }

    pub(crate) fn signer(&self) -> Arc<dyn Signer> {
        Arc::new(keys::load(&self.folder).unwrap())
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    pub(crate) async fn signed_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(email, PASSWORD).await.is(303);
        browser
    }

    /// The id of an account.
    pub(crate) async fn id(&self, email: &str) -> String {
        let page = accounts_server::service::users::PageAsked::new(None, None);
        let users = self.accounts.users(page).await.unwrap().users;
        users.into_iter().find(|it| it.email == email).unwrap().id
    }

    /// The token of a new link.
    pub(crate) async fn sign_in_link(&self, email: &str) -> String {
        let asked = MakeLink {
            user_id: self.id(email).await,
            kind: LinkKind::SignIn,
        };
        let caller = Caller::command_line();
        let made = self.accounts.make_link(&caller, &asked).await.unwrap();
        made.token.to_string()
    }

    /// An access token as a browser has it whose life is over.
    pub(crate) async fn expired_access(&self, browser: &Browser) -> String {
        let token = &browser.cookies["access"];
        let claims = token.split('.').nth(1).unwrap();
        let claims =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
        let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        let mut grant = AccessGrant::of_client("browser", self.url());
        grant.subject = text("sub");
        grant.session = Some(text("sid"));
        for name in ["id", "email", "permissions", "typ", "familyUntil"] {
            grant.other.insert(name.to_owned(), claims[name].clone());
        }
        let long_ago = Arc::new(ManualClock::new(1_700_000_000_000));
        let issuer = AccessTokenIssuer::new(self.signer(), &self.url()).clock(long_ago);
        issuer.issue(grant).await.unwrap().token.expose().to_owned()
    }

    /// Reads the token of a request as the peer `audience` would.
    pub(crate) async fn token(
        &self,
        seen: &Seen,
        audience: &str,
        method: &str,
        uri: &str,
    ) -> Result<InternalContext, String> {
        let keys = Jwks::new([self.signer().key().clone()]);
        seen.token(keys, audience, method, uri).await
    }

    /// Waits until a request is in the audit.
    pub(crate) async fn until_audited(&self, admin: &mut Browser, request_id: &str) {
        let written = timeout(WITHIN, async {
            while !admin.get("/api/v1/audit").await.body.contains(request_id) {
                sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(written.await.is_ok(), "{request_id} is not in the audit");
    }
}

/// The status of an answer's head.
pub(crate) fn status_of(head: &[u8]) -> u16 {
    let head = String::from_utf8_lossy(head);
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.unwrap_or_else(|| panic!("no status in {head:?}"))
}
