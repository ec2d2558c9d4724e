//! What the gateway and the accounts service say to each other: bodies of the private API, JSON in camelCase.
//!
//! Every call but the probes comes with an internal token of the gateway (`X-Internal-Auth`) that has the scope of its route,
//! and, where a person acts on others, that person's permissions. What an original's gateway sends is read too: all that it does
//! not know is optional, and left out of answers to it nothing.
//!
//! | route | scope | in, out |
//! |---|---|---|
//! | `POST /internal/auth/validate` | `auth.validate` | [`Validate`] → [`Person`] |
//! | `POST /internal/links` | `auth.link` and `accounts:write` | [`MakeLink`] → 201 [`MadeLink`] |
//! | `POST /internal/links/look` | `auth.validate` | [`LookAtLink`] → [`LinkShown`] |
//! | `POST /internal/links/redeem` | `auth.validate` | [`RedeemLink`] → [`Person`] |
//! | `POST /internal/refresh/record` | `refresh.lifecycle` | [`RecordToken`] → 201 [`TokenRecorded`] |
//! | `POST /internal/refresh/rotate` | `refresh.lifecycle` | [`RotateToken`] → [`TokenRotated`] |
//! | `POST /internal/refresh/revoke` | `refresh.lifecycle` | [`RevokeFamily`] → [`FamilyRevoked`] |
//! | `GET /internal/sessions?userId=` | `sessions` | [`SessionList`] |
//! | `POST /internal/sessions/end` | `sessions` | [`EndSessions`] → [`SessionsEnded`] |
//! | `GET /v1/user?page&limit`, `/v1/user/paged?page&limit` | `user.request` and `accounts:write` | [`UserPage`] |
//! | `POST /v1/user` | the same | [`NewUser`] → 201 [`User`] |
//! | `GET`, `PUT`, `DELETE /v1/user/{id}` | the same | [`ChangeUser`] → [`User`] |
//! | `POST /internal/audit` | `audit.write` | [`AuditEntries`] → 204 |
//! | `GET /internal/audit?…` | `audit.read` and `accounts:write` | [`AuditRows`] |
//! | `GET /v1/health`, `/v1/health/db`, `/livez`, `/readyz` | none | |

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Scopes that routes ask for.
pub mod scope {
    /// Passwords and links are judged.
    pub const VALIDATE: &str = "auth.validate";
    /// Links are made.
    pub const LINK: &str = "auth.link";
    /// Refresh families begin, go on and end.
    pub const REFRESH: &str = "refresh.lifecycle";
    /// Sessions are listed and ended.
    pub const SESSIONS: &str = "sessions";
    /// Accounts are listed and changed.
    pub const USERS: &str = "user.request";
    /// Rows are added to the audit.
    pub const AUDIT_WRITE: &str = "audit.write";
    /// The audit is read.
    pub const AUDIT_READ: &str = "audit.read";
}

/// Codes of refusals, beside the texts of the original (`{"error": text, "code"}`).
pub mod code {
    /// 401: no such person, or another password: nobody is told which.
    pub const INVALID_CREDENTIALS: &str = "INVALID_CREDENTIALS";
    /// 401: the link was used, is too old, or never was one.
    pub const INVALID_LINK: &str = "INVALID_LINK";
    /// 429: too many attempts failed; `Retry-After` says when the next is looked at.
    pub const TOO_MANY_ATTEMPTS: &str = "TOO_MANY_ATTEMPTS";
    /// 409: the account was written since it was read.
    pub const CHANGED: &str = "CHANGED";
    /// 409: the family is dead, or another's.
    pub const FAMILY_DEAD: &str = "FAMILY_DEAD";
    /// 409: another account has this e-mail address.
    pub const EMAIL_TAKEN: &str = "EMAIL_TAKEN";
    /// 409: nobody would be left who gives rights.
    pub const LAST_ADMIN: &str = "LAST_ADMIN";
    /// 400: the password may not be chosen.
    pub const WEAK_PASSWORD: &str = "WEAK_PASSWORD";
    /// 400: a value is none; `field` names it.
    pub const INVALID: &str = "INVALID";

    /// All of them.
    pub const ALL: [&str; 9] = [
        INVALID_CREDENTIALS,
        INVALID_LINK,
        TOO_MANY_ATTEMPTS,
        CHANGED,
        FAMILY_DEAD,
        EMAIL_TAKEN,
        LAST_ADMIN,
        WEAK_PASSWORD,
        INVALID,
    ];
}

/// Texts of the original that tell one refusal from another.
pub mod text {
    /// 401: the token was used before, and its family is revoked now.
    pub const REUSED: &str = "Refresh chain reused-revoked";
}

/// What is seen of a browser, and kept with its session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Browser {
    /// `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The address, as the gateway sees it. Failed sign-ins are counted by it and the e-mail address; without one they are not
    /// counted here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Somebody types an e-mail address and a password.
#[derive(Clone, Serialize, Deserialize)]
pub struct Validate {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Zeroizing<String>,
    /// Who asks.
    #[serde(flatten)]
    pub browser: Browser,
}

/// A person who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The account's id.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// What the person is called.
    #[serde(default)]
    pub name: String,
    /// What the person may do.
    pub permissions: Vec<String>,
    /// The account's version: a session begins only while it is this one.
    #[serde(default)]
    pub version: u64,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// Signs in once, for 15 minutes.
    SignIn,
    /// Chooses a password and signs in, for three days.
    ChoosePassword,
}

/// A one-time link for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MakeLink {
    /// Whose.
    pub user_id: String,
    /// What for.
    pub kind: LinkKind,
}

/// A link that was made. The token is a secret, and shown once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeLink {
    /// What the address of the page ends in.
    pub token: Zeroizing<String>,
    /// Until when, in epoch milliseconds.
    pub expires_at_ms: i64,
}

/// Asks whose link it is, without using it.
#[derive(Clone, Serialize, Deserialize)]
pub struct LookAtLink {
    /// The token.
    pub token: Zeroizing<String>,
}

/// Whose link it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkShown {
    /// The person's address.
    pub email: String,
    /// What for.
    pub kind: LinkKind,
    /// Until when, in epoch milliseconds.
    pub expires_at_ms: i64,
}

/// Uses a link.
#[derive(Clone, Serialize, Deserialize)]
pub struct RedeemLink {
    /// The token.
    pub token: Zeroizing<String>,
    /// The new password, where the link is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Zeroizing<String>>,
    /// Who asks.
    #[serde(flatten)]
    pub browser: Browser,
}

/// A family begins (without a parent), or a successor is recorded that was not named when its parent was presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordToken {
    /// Whose.
    pub user_id: String,
    /// The family.
    pub family_id: String,
    /// The token.
    pub jti: String,
    /// The one it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_jti: Option<String>,
    /// The account's version, as [`Person`] told it. Without one, the account's present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// How long the family lives unused, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u32>,
    /// Who asks.
    #[serde(flatten)]
    pub browser: Browser,
}

/// It was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecorded {
    /// Always.
    pub recorded: bool,
    /// When the family ends, however much it is used, in epoch milliseconds.
    pub family_until_ms: i64,
    /// When it ends unless it is used before.
    pub idle_until_ms: i64,
}

/// A token is presented. Whoever gets no answer asks again with the same `newJti`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotateToken {
    /// The token.
    pub jti: String,
    /// What follows it. Without one, the gateway records it in a second call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_jti: Option<String>,
    /// Who asks.
    #[serde(flatten)]
    pub browser: Browser,
}

/// The session goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRotated {
    /// `rotated`.
    pub status: String,
    /// Whose.
    pub user_id: String,
    /// The family.
    pub family_id: String,
    /// The token that was presented.
    pub parent_jti: String,
    /// The token that goes on, which may be another than was named: made before, for somebody else who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The person's address, as it is now.
    pub email: String,
    /// What the person is called.
    #[serde(default)]
    pub name: String,
    /// What the person may do now.
    pub permissions: Vec<String>,
    /// When the family ends, however much it is used, in epoch milliseconds.
    pub family_until_ms: i64,
    /// When it ends unless it is used before.
    pub idle_until_ms: i64,
}

/// A family ends: the one of this token, or this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeFamily {
    /// A token of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_id: Option<String>,
}

/// What became of it. A call by `jti` is answered with a status, one by `familyId` with a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FamilyRevoked {
    /// `family-revoked`, or `not-found`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_id: Option<String>,
    /// How many lived until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
}

/// A session, as its person sees it. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The family's id.
    pub sid: String,
    /// When it began.
    pub created_at_ms: i64,
    /// When it was used last: refreshed, that is.
    pub last_used_at_ms: i64,
    /// When it ends unless it is used before.
    pub idle_until_ms: i64,
    /// When it ends, however much it is used.
    pub until_ms: i64,
    /// What the browser calls itself.
    pub agent: String,
    /// Where it was seen last.
    pub address: String,
}

/// The living sessions of a person, the one used last first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// All of them.
    pub sessions: Vec<Session>,
}

/// Sessions of a person end: one, all, or all but one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndSessions {
    /// Whose.
    pub user_id: String,
    /// This one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// All but this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub but: Option<String>,
}

/// How many ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsEnded {
    /// Those that lived until now.
    pub ended: u64,
}

/// An account, as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id.
    pub id: String,
    /// What the person signs in with.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// `viewer`, `operator`, `admin`.
    pub roles: Vec<String>,
    /// What they may do together.
    pub permissions: Vec<String>,
    /// Whether a password was chosen.
    pub has_password: bool,
    /// Since when the person may not sign in, in epoch milliseconds.
    #[serde(default)]
    pub disabled_at_ms: Option<i64>,
    /// As it was read; a change names it.
    pub version: u64,
}

/// One page of accounts, by e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPage {
    /// Those of the page.
    pub users: Vec<User>,
    /// Which page, from 1.
    pub page: u32,
    /// Accounts on a page, 1 to 100.
    pub limit: u32,
    /// How many accounts there are.
    pub total: u64,
}

/// A new account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    /// What the person will sign in with.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// `viewer`, `operator`, `admin`.
    pub roles: Vec<String>,
    /// A first password; without one a link is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Zeroizing<String>>,
}

/// What of an account changes; what is left out stays. Whoever is disabled loses all sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeUser {
    /// What the person is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The roles, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Whether the person may not sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The version that was read; a change of another one is refused. Without it the present one is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// One decision, as it is written down. The actor is who the internal token names, unless the gateway itself calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When, in epoch milliseconds.
    pub at_ms: i64,
    /// Who: an e-mail address, or a client's id.
    pub actor: String,
    /// What: `login`, `ensure`.
    pub action: String,
    /// To whom or what.
    pub subject: String,
    /// `done`, `refused`, `failed`.
    pub outcome: String,
    /// Why it ended so, as a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// At which peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Rows to be written down, at most 100 in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntries {
    /// The rows.
    pub rows: Vec<AuditEntry>,
}

/// Which rows of the audit are asked for. Each is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditQuery {
    /// Of this actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Of this action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// About this subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// That ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// At this peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// At this time or later, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// Before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows on the page, 1 to 500; 100 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One page of the audit, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRows {
    /// The rows.
    pub rows: Vec<AuditEntry>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
