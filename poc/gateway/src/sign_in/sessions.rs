//! Sessions of people: how one begins, goes on, and ends.
//!
//! ```text
//!   sign in ─► accounts: validate, record ─► both cookies
//!
//!   request ─► access token counts ───────────────────────────────► who it is, no call
//!          └─► its life is over ─► refresh token is genuine ─► accounts: rotate ─► both cookies anew
//!                                   │ no: 401, cleared           │ refused: 401, cleared
//!                                                                │ no answer: 503, kept
//! ```
//!
//! All requests of a page that come with one refresh token wait for one call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use accounts::private_api::{
    Browser, EndSessions, Person, RecordToken, RevokeFamily, RotateToken, TokenRotated, text,
};
use accounts::{FamilyId, RefreshIds, RefreshToken, RefreshTokenKey, TokenId};
use auth_base::Backoff;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use auth_base::random::{Random, SystemRandom};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jwt_auth::{Secret, Signer};
use moka::future::Cache;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::sign_in::access::{AccessTokens, Read, SignedIn, permissions};
use crate::sign_in::accounts::{AccountsClient, AccountsError, Acting};
use crate::sign_in::cookies::Cookies;
use crate::sign_in::live::LiveSessions;

/// Who comes with a refresh token that was exchanged a moment ago gets the same answer.
const SHARED: Duration = Duration::from_secs(1);
const MAX_SHARED: u64 = 16 * 1024;

/// How long the accounts service may be away without one session ending by it.
const NAMED: Duration = Duration::from_secs(15 * 60);

/// How often, and after which pauses, the accounts service is told of a sign-out that it did not answer: for some ten minutes.
const TELLINGS: u32 = 40;
const TELL_AGAIN: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// An access token: rights follow within this time.
    pub access: Duration,
    /// A session that is not used.
    pub idle: Duration,
    /// One whose person wants to be remembered.
    pub remembered: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access: Duration::from_secs(15 * 60),
            idle: Duration::from_secs(8 * 3600),
            remembered: Duration::from_secs(30 * 86_400),
        }
    }
}

/// Headers of an answer.
pub(crate) type AnswerHeaders = Vec<(HeaderName, HeaderValue)>;

/// A request's person.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    pub(crate) person: SignedIn,
    /// Cancelled when the session ends.
    pub(crate) ended: CancellationToken,
    /// Cookies that were renewed.
    pub(crate) answer: AnswerHeaders,
}

/// Why a request has no person.
#[derive(Clone, Debug)]
pub(crate) enum Stranger {
    /// It came without a session.
    NoSession,
    /// Its session does not go on; the cookies are taken away by these headers.
    Refused(AnswerHeaders),
    /// It cannot be known now; the cookies stay.
    Unavailable,
}

/// What a request has of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// Where it came from, proxies considered.
    pub(crate) address: std::net::IpAddr,
    /// Its name.
    pub(crate) request_id: &'a str,
}

impl Seen<'_> {
    pub(crate) fn browser(&self) -> Browser {
        let agent = self.headers.get(USER_AGENT);
        Browser {
            agent: agent.and_then(|it| it.to_str().ok()).map(str::to_owned),
            address: Some(self.address.to_string()),
        }
    }

    /// Whether a machine says who it is: cookies do not count then.
    pub(crate) fn is_machine(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION) && self.bare_token().is_none()
    }

    /// A token in `Authorization` without a scheme, as clients of the original send it.
    pub(crate) fn bare_token(&self) -> Option<&str> {
        let mut values = self.headers.get_all(AUTHORIZATION).iter();
        let value = values.next()?.to_str().ok()?;
        let is_bare = values.next().is_none() && !value.contains(' ');
        is_bare.then_some(value)
    }
}

/// What an exchange of a refresh token came to. It is shared.
#[derive(Clone)]
struct Exchanged {
    person: SignedIn,
    access: Secret,
    refresh: RefreshToken,
    idle_until_ms: i64,
    asked: Instant,
}

/// The sessions of one gateway.
pub(crate) struct Sessions {
    pub(crate) accounts: AccountsClient,
    pub(crate) cookies: Cookies,
    pub(crate) live: LiveSessions,
    access: AccessTokens,
    key: RefreshTokenKey,
    lifetimes: Lifetimes,
    pub(crate) metrics: Arc<Metrics>,
    shared: Cache<TokenId, Exchanged>,
    /// The successors of tokens that were presented without an answer so far.
    named: Cache<TokenId, TokenId>,
    random: Arc<dyn Random>,
}

impl Sessions {
    /// Sessions at `url`, the gateway's own; access tokens are signed with `signer`, refresh tokens made with `key`.
    pub(crate) fn new(
        accounts: AccountsClient,
        signer: Arc<dyn Signer>,
        key: RefreshTokenKey,
        url: &str,
        cookies: Cookies,
        lifetimes: Lifetimes,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shared = Cache::builder().max_capacity(MAX_SHARED);
        let named = Cache::builder().max_capacity(MAX_SHARED);
        Self {
            accounts,
            cookies,
            live: LiveSessions::new(lifetimes.access),
            access: AccessTokens::new(signer, url, lifetimes.access),
            key,
            lifetimes,
            metrics,
            shared: shared.time_to_live(SHARED).build(),
            named: named.time_to_live(NAMED).build(),
            random: Arc::new(SystemRandom),
        }
    }

    /// Tells who a request comes from, and renews the session where its access token's life is over.
    pub(crate) async fn identify(&self, seen: Seen<'_>) -> Result<Identified, Stranger> {
        let cookie = self.cookies.access(seen.headers);
        let bare = seen.bare_token();
        let refresh = self.cookies.refresh(seen.headers);
        if seen.is_machine() || (refresh.is_none() && (cookie.is_none() || bare.is_some())) {
            // A client of the original proves with its cookie that the token is its own.
            return Err(Stranger::NoSession);
        }
        if let Some(token) = bare.or(cookie)
            && let Read::Valid(person) = self.access.read(token).await
            && self.is_of(refresh, &person.sid)
            && let Some(ended) = self.live.find(&person.sid, person.since_seconds)
        {
            return Ok(Identified {
                person,
                ended,
                answer: Vec::new(),
            });
        }
        let refresh = refresh.ok_or(Stranger::NoSession)?;
        let ids = self.key.open(refresh);
        let ids = ids.ok_or_else(|| Stranger::Refused(self.cookies.clear()))?;
        let (exchanged, ended) = self.renew(ids, seen).await?;
        let is_native = bare.is_some() || cookie.is_none();
        Ok(Identified {
            answer: self.headers(&exchanged, is_native),
            person: exchanged.person,
            ended,
        })
    }

    /// Exchanges a refresh token, and takes its session in.
    async fn renew(
        &self,
        ids: RefreshIds,
        seen: Seen<'_>,
    ) -> Result<(Exchanged, CancellationToken), Stranger> {
        let sid = ids.family.to_string();
        for _ in 0..2 {
            // Its person may have signed out meanwhile, whether the accounts service knows it or not.
            if self.live.is_gone(&sid) {
                return Err(Stranger::Refused(self.cookies.clear()));
            }
            let exchanged = self.exchange(ids, seen).await?;
            if let Some(ended) = self.live.enter(&exchanged.person, exchanged.asked) {
                return Ok((exchanged, ended));
            }
            // Something of this person ended after the accounts service was asked: what it says now counts.
            self.shared.invalidate(&ids.token).await;
        }
        Err(match self.live.is_gone(&sid) {
            true => Stranger::Refused(self.cookies.clear()),
            false => Stranger::Unavailable,
        })
    }

    /// Whether a refresh token, where there is one, is of this session: cookies of two sessions are none.
    fn is_of(&self, refresh: Option<&str>, sid: &str) -> bool {
        let is_own = |ids: RefreshIds| ids.family.to_string() == sid;
        refresh.is_none_or(|token| self.key.open(token).is_some_and(is_own))
    }

    /// Tells who a request comes from without renewing anything.
    pub(crate) async fn look(&self, seen: Seen<'_>) -> Result<SignedIn, Stranger> {
        let token = seen.bare_token().or(self.cookies.access(seen.headers));
        let token = token.ok_or(Stranger::NoSession)?;
        let person = match self.access.read(token).await {
            Read::Valid(person) if self.live.find(&person.sid, person.since_seconds).is_some() => {
                return Ok(person);
            }
            Read::Valid(person) | Read::Expired(person) => person,
            Read::Nothing => return Err(Stranger::NoSession),
        };
        let refresh = self.cookies.refresh(seen.headers);
        if refresh.is_none() || !self.is_of(refresh, &person.sid) {
            return Err(Stranger::NoSession);
        }
        let acting = Acting::gateway(seen.request_id);
        let listed = self.accounts.sessions(acting, &person.id).await;
        let listed = listed.map_err(|_| Stranger::Unavailable)?;
        let mut sids = listed.sessions.iter().map(|session| &session.sid);
        match sids.any(|sid| *sid == person.sid) {
            true => Ok(person),
            false => Err(Stranger::NoSession),
        }
    }

    /// Begins a session of a person who has proved who it is. A native client gets its access token in a header.
    pub(crate) async fn begin(
        &self,
        person: Person,
        is_remembered: bool,
        is_native: bool,
        seen: Seen<'_>,
    ) -> Result<AnswerHeaders, AccountsError> {
        let asked = Instant::now();
        let ids = RefreshIds {
            family: FamilyId::random(&*self.random),
            token: TokenId::random(&*self.random),
        };
        let idle = match is_remembered {
            true => self.lifetimes.remembered,
            false => self.lifetimes.idle,
        };
        let record = RecordToken {
            user_id: person.id.clone(),
            family_id: ids.family.to_string(),
            jti: ids.token.to_string(),
            parent_jti: None,
            version: Some(person.version),
            idle_seconds: Some(u32::try_from(idle.as_secs()).unwrap_or(u32::MAX)),
            browser: seen.browser(),
        };
        let recorded = self.accounts.record(seen.request_id, &record).await?;
        let person = SignedIn {
            id: person.id,
            email: person.email,
            permissions: permissions(&person.permissions),
            sid: record.family_id,
            since_seconds: 0,
            until_seconds: 0,
            family_until_ms: recorded.family_until_ms,
        };
        let granted = self
            .grant(person, ids, recorded.idle_until_ms, asked)
            .await?;
        self.live.enter(&granted.person, asked);
        self.metrics.sessions(self.live.count());
        Ok(self.headers(&granted, is_native))
    }

    /// Ends the session of a request, and tells whether that is certain. The cookies go in any case.
    pub(crate) async fn sign_out(&self, seen: Seen<'_>) -> (bool, AnswerHeaders) {
        let cleared = self.cookies.clear();
        let refresh = self.cookies.refresh(seen.headers);
        let family = match refresh.and_then(|token| self.key.open(token)) {
            Some(ids) => Some(ids.family.to_string()),
            None => match self.cookies.access(seen.headers) {
                Some(token) => match self.access.read(token).await {
                    Read::Valid(person) | Read::Expired(person) => Some(person.sid),
                    Read::Nothing => None,
                },
                None => None,
            },
        };
        let Some(family_id) = family else {
            return (true, cleared);
        };
        self.live.end(&family_id);
        let revoke = RevokeFamily {
            jti: None,
            family_id: Some(family_id.clone()),
        };
        let is_told = self.accounts.revoke(seen.request_id, &revoke).await.is_ok();
        if !is_told {
            tokio::spawn(tell_later(self.accounts.clone(), revoke));
        }
        (is_told, cleared)
    }

    /// Ends the session that a browser had before it signed in again.
    pub(crate) async fn leave(&self, seen: Seen<'_>) {
        let refresh = self.cookies.refresh(seen.headers);
        if refresh.is_some_and(|token| self.key.open(token).is_some()) {
            // Its cookies are replaced in any case.
            let _ = self.sign_out(seen).await;
        }
    }

    /// Ends sessions of a person: at the accounts service first, then what is open of them here.
    pub(crate) async fn end(
        &self,
        acting: Acting<'_>,
        asked: &EndSessions,
    ) -> Result<u64, AccountsError> {
        let ended = self.accounts.end_sessions(acting, asked).await?;
        match &asked.sid {
            Some(sid) => self.live.end(sid),
            None => self.live.end_all(&asked.user_id, asked.but.as_deref()),
        }
        Ok(ended.ended)
    }

    /// Exchanges a refresh token. Whoever else comes with it meanwhile waits for the same answer.
    async fn exchange(&self, ids: RefreshIds, seen: Seen<'_>) -> Result<Exchanged, Stranger> {
        let exchanging = self.shared.try_get_with(ids.token, self.rotate(ids, seen));
        exchanging.await.map_err(|error| match &*error {
            AccountsError::Refused {
                status: 401,
                message,
                ..
            } => {
                // Whatever else is open of it ends with it: it may be a thief's.
                self.live.end(&ids.family.to_string());
                Stranger::Refused(match message == text::REUSED {
                    // The browser may have got others by now: those of the one who came first, or of a new sign-in. Whoever
                    // comes with it again is told that its family is dead, and loses the cookies then.
                    true => Vec::new(),
                    false => self.cookies.clear(),
                })
            }
            AccountsError::Refused { .. } => {
                tracing::error!(why = chain(&*error), "a refresh is refused as malformed");
                Stranger::Unavailable
            }
            AccountsError::Unavailable => Stranger::Unavailable,
        })
    }

    async fn rotate(&self, ids: RefreshIds, seen: Seen<'_>) -> Result<Exchanged, AccountsError> {
        let asked = Instant::now();
        // Whoever got no answer names the same successor again, however late.
        let named = async { TokenId::random(&*self.random) };
        let named = self.named.get_with(ids.token, named).await;
        let rotate = RotateToken {
            jti: ids.token.to_string(),
            new_jti: Some(named.to_string()),
            browser: seen.browser(),
        };
        let rotated = self.accounts.rotate(seen.request_id, &rotate).await;
        if !matches!(rotated, Err(AccountsError::Unavailable)) {
            self.named.invalidate(&ids.token).await;
        }
        self.metrics.refresh(match &rotated {
            Ok(_) => "rotated",
            Err(AccountsError::Refused { .. }) => "refused",
            Err(AccountsError::Unavailable) => "unavailable",
        });
        let rotated = rotated?;
        let ids = successor(&rotated).ok_or(AccountsError::Unavailable)?;
        let person = SignedIn {
            id: rotated.user_id,
            email: rotated.email,
            permissions: permissions(&rotated.permissions),
            sid: rotated.family_id,
            since_seconds: 0,
            until_seconds: 0,
            family_until_ms: rotated.family_until_ms,
        };
        self.grant(person, ids, rotated.idle_until_ms, asked).await
    }

    /// Makes both tokens of a session that the accounts service, asked at `asked`, has told about.
    async fn grant(
        &self,
        mut person: SignedIn,
        ids: RefreshIds,
        idle_until_ms: i64,
        asked: Instant,
    ) -> Result<Exchanged, AccountsError> {
        let issued = self.access.issue(&mut person).await;
        let access = issued.map_err(|error| {
            tracing::error!(why = chain(&error), "no access token can be made");
            AccountsError::Unavailable
        })?;
        Ok(Exchanged {
            person,
            access,
            refresh: self.key.token(&ids),
            idle_until_ms,
            asked,
        })
    }

    fn headers(&self, exchanged: &Exchanged, is_native: bool) -> AnswerHeaders {
        let left = exchanged.idle_until_ms.saturating_sub(SystemClock.now_ms()) / 1000;
        let refresh = self.cookies.set_refresh(exchanged.refresh.expose(), left);
        let access = match is_native {
            true => HeaderValue::from_str(exchanged.access.expose())
                .ok()
                .map(|mut value| {
                    value.set_sensitive(true);
                    (AUTHORIZATION, value)
                }),
            false => self.cookies.set_access(exchanged.access.expose(), left),
        };
        access.into_iter().chain(refresh).collect()
    }
}

/// Tells the accounts service of a sign-out when it is back, if that is soon.
async fn tell_later(accounts: AccountsClient, revoke: RevokeFamily) {
    for failures in 0..TELLINGS {
        sleep(TELL_AGAIN.pause(failures)).await;
        match accounts.revoke("sign-out", &revoke).await {
            Err(AccountsError::Unavailable) => {}
            _ => return,
        }
    }
    tracing::error!("the accounts service was not told of a sign-out");
}

fn successor(rotated: &TokenRotated) -> Option<RefreshIds> {
    Some(RefreshIds {
        family: FamilyId::parse(&rotated.family_id).ok()?,
        token: TokenId::parse(rotated.jti.as_deref()?).ok()?,
    })
}
