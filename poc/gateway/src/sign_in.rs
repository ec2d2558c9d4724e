//! People sign in: sessions over the accounts service, and the routes of the gateway's own.
//!
//! ```text
//!   browser ─► /login ─► forms ──┐                         ┌─► accounts service (private API)
//!   client  ─► /api/v1/auth ─────┼─► sessions ─► accounts ─┤
//!   request ─► who (People) ─────┘      │                  └─► audit
//!                                       └─► live: what is open of a session, and ends with it
//! ```

mod access;
mod account_pages;
mod accounts;
mod audit;
mod cookies;
mod forms;
mod front_door;
mod live;
mod native;
mod native_answers;
mod routes;
mod session_api;
mod sessions;
mod who;

use std::num::NonZeroU32;
use std::sync::Arc;

use ::accounts::RefreshTokenKey;
use jwt_auth::Signer;
use url::Url;

pub use self::sessions::Lifetimes;

use crate::metrics::Metrics;
use crate::proxy::{Entrance, Flood, OwnRoutes, Proxy, ProxyError, Settings, Upstream};
use crate::sign_in::accounts::AccountsClient;
use crate::sign_in::cookies::Cookies;
use crate::sign_in::front_door::{ATTEMPTS_WINDOW, FrontDoor};
use crate::sign_in::sessions::Sessions;
use crate::sign_in::who::People;

/// What sign-in is told.
#[derive(Clone)]
pub struct SignInSettings {
    /// The accounts service; tokens are for its name.
    pub accounts: Upstream,
    /// Where browsers find the gateway: over `https` its cookies are for that alone.
    pub public_url: Url,
    /// Whether the refresh token has the name that clients of the original know.
    pub cookie_compat: bool,
    /// How long sessions last.
    pub lifetimes: Lifetimes,
    /// How often one address may prove who it is, in a quarter of an hour.
    pub attempts: NonZeroU32,
    /// What refresh tokens are made with. Whoever has it and a copy of the database is everybody.
    pub key: RefreshTokenKey,
}

impl SignInSettings {
    /// So many attempts of one address, where nothing is said.
    pub const ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

    /// Sign-in over `accounts` at `public_url`.
    pub fn new(accounts: Upstream, public_url: Url, key: RefreshTokenKey) -> Self {
        Self {
            accounts,
            public_url,
            cookie_compat: false,
            lifetimes: Lifetimes::default(),
            attempts: Self::ATTEMPTS,
            key,
        }
    }

    /// Whether browsers come over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

/// Listens, for people who sign in; else as [`Proxy::bind`]. Access tokens are signed with `signer` too.
///
/// # Errors
/// Those of [`Proxy::bind`].
pub async fn bind(
    settings: Settings,
    sign_in: SignInSettings,
    signer: Arc<dyn Signer>,
) -> Result<Proxy, ProxyError> {
    let entrance = entrance(sign_in, &signer);
    Proxy::behind(settings, entrance, signer).await
}

fn entrance(settings: SignInSettings, signer: &Arc<dyn Signer>) -> Entrance {
    let (metrics, is_secure) = (Arc::new(Metrics::new()), settings.is_secure());
    let cookies = match is_secure {
        true => Cookies::SECURE,
        false => Cookies::PLAIN,
    };
    let cookies = match settings.cookie_compat {
        true => cookies.compat(),
        false => cookies,
    };
    let accounts = AccountsClient::new(settings.accounts, Arc::clone(signer));
    let (changes, writer) = audit::queue(accounts.clone());
    let url = settings.public_url.as_str().trim_end_matches('/');
    let sessions = Arc::new(Sessions::new(
        accounts,
        Arc::clone(signer),
        settings.key,
        url,
        cookies,
        settings.lifetimes,
        Arc::clone(&metrics),
    ));
    let door = FrontDoor {
        sessions: Arc::clone(&sessions),
        attempts: Flood::per_window(settings.attempts, ATTEMPTS_WINDOW),
        limit: settings.attempts,
        url: url.to_owned(),
    };
    Entrance {
        who: Arc::new(People(sessions)),
        own: Some(OwnRoutes {
            router: routes::router(Arc::new(door)),
            covers: routes::covers,
        }),
        changes: Some(Arc::new(changes)),
        last: Some(Box::new(|stop| Box::pin(writer.run(stop)))),
        is_secure,
        metrics,
    }
}
