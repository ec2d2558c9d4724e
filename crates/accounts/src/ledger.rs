//! The refresh ledger: what presenting a refresh token does. Every store loads rows, calls [`decide`], and writes what it
//! returns, in one transaction; so what is proved of these functions holds for all stores.
//!
//! ```text
//!   found                                     outcome
//!   -----------------------------------------------------------------------------
//!   no such token                             refused: not found
//!   family revoked                            refused: family revoked
//!   token or family past its life             refused: expired
//!   subject disabled or gone                  family revoked, refused
//!   token unused                              used now, successor made: rotated
//!   used within the grace, successor unused   the same successor again: rotated
//!   used, and that successor is named again   the same successor again: rotated, while it is unused
//!   used otherwise                            family revoked, refused: reused
//! ```
//!
//! The grace is why nobody is signed out by accident: two tabs that refresh at once, and a browser whose answer got lost, get
//! the same successor. It is short, and it ends when the successor is used, so that of a thief and the person one is found out
//! at the next use. With a grace of zero the first wins and every other ends the family.
//!
//! Whoever names the successor that is held already is the one who named it first, and did not get the answer to its commit:
//! nobody else knows the id of a token that was never handed out. He gets the same answer, however late. A repeated answer is
//! not refused because the used token's own idle time is over meanwhile: what counts is the successor's, and the family's end.
//!
//! A clock that was set back is taken for one that stood still: the grace is longer by that much, and nobody is signed out.

use crate::account::{Account, Version};
use crate::family::{Family, MOST_SESSIONS, RevokeReason, Revoked, Seen, Subject, Token, Used};
use crate::id::{FamilyId, TokenId};

/// What a store holds of a token that is presented.
#[derive(Clone, Debug)]
pub struct Found {
    /// The token.
    pub token: Token,
    /// Its family.
    pub family: Family,
    /// The token that followed it, if one did.
    pub successor: Option<Token>,
    /// Whether its subject may go on: the account is there and not disabled.
    pub is_subject_active: bool,
}

/// A refresh token that is presented, and what would follow it.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The one that is presented.
    pub token: TokenId,
    /// A new id, for the successor if there will be one. `None` for gateways that record it in a second call.
    pub successor: Option<TokenId>,
    /// What is seen of the browser now; `None` leaves what is known.
    pub seen: Option<Seen>,
}

/// Why a refresh token was refused. All of these are decided: the client's copy is worth nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such token.
    NotFound,
    /// Its family was revoked before.
    FamilyRevoked,
    /// It, or its family, has lived long enough.
    Expired,
    /// Its account is disabled or gone; the family is revoked now.
    SubjectInactive,
    /// It was used before; the family is revoked now.
    Reused,
}

impl Refusal {
    /// Its name, for the audit and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::FamilyRevoked => "family-revoked",
            Self::Expired => "expired",
            Self::SubjectInactive => "subject-inactive",
            Self::Reused => "reused",
        }
    }
}

/// What a store does about a token that is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is written.
    Refuse(Refusal),
    /// The family is written, revoked.
    Revoke {
        /// As it is to be written.
        family: Box<Family>,
        /// What the caller is told.
        refusal: Refusal,
    },
    /// All of these are written.
    Advance {
        /// The token that was presented, used now.
        used: Token,
        /// A new row; `None` when the gateway records it in a second call.
        successor: Option<Token>,
        /// The family, used now.
        family: Box<Family>,
    },
    /// Nothing is written, and this successor is handed out again.
    Repeat(Token),
}

/// Decides what presenting a token does, at `now_ms` with a grace of `grace_ms`.
pub fn decide(
    found: Option<&Found>,
    presented: &Presented,
    now_ms: i64,
    grace_ms: i64,
) -> Decision {
    let Some(found) = found else {
        return Decision::Refuse(Refusal::NotFound);
    };
    let (token, family) = (&found.token, &found.family);
    if family.revoked.is_some() {
        return Decision::Refuse(Refusal::FamilyRevoked);
    }
    let repeated = repeatable(found, presented, now_ms, grace_ms);
    let is_token_over = repeated.is_none() && now_ms >= token.expires_at_ms;
    if is_token_over || now_ms >= family.absolute_until_ms {
        return Decision::Refuse(Refusal::Expired);
    }
    if !found.is_subject_active {
        return revoke(
            family,
            RevokeReason::SubjectInactive,
            Refusal::SubjectInactive,
            now_ms,
        );
    }
    match (repeated, token.used) {
        (Some(successor), _) => Decision::Repeat(successor),
        (None, None) => advance(token, family, presented, now_ms),
        (None, Some(_)) => revoke(family, RevokeReason::Reused, Refusal::Reused, now_ms),
    }
}

/// The successor that is handed out again: unused, not over, and asked for within the grace, or by the one who named it.
fn repeatable(found: &Found, presented: &Presented, now_ms: i64, grace_ms: i64) -> Option<Token> {
    let used = found.token.used?;
    let successor = found.successor?;
    let is_recent = grace_ms > 0 && now_ms.saturating_sub(used.at_ms) <= grace_ms;
    let is_own = presented.successor == Some(successor.id);
    let is_unused = successor.used.is_none() && now_ms < successor.expires_at_ms;
    (is_unused && (is_recent || is_own)).then_some(successor)
}

fn revoke(family: &Family, reason: RevokeReason, refusal: Refusal, now_ms: i64) -> Decision {
    let family = revoked(family, reason, now_ms).unwrap_or_else(|| family.clone());
    Decision::Revoke {
        family: Box::new(family),
        refusal,
    }
}

fn advance(token: &Token, family: &Family, presented: &Presented, now_ms: i64) -> Decision {
    let successor = presented
        .successor
        .map(|id| issue(id, family, Some(token.id), now_ms));
    let used = Used {
        at_ms: now_ms,
        successor: presented.successor,
    };
    let idle_until_ms = expiry(family, now_ms);
    Decision::Advance {
        used: Token {
            used: Some(used),
            ..*token
        },
        successor,
        family: Box::new(Family {
            idle_until_ms,
            last_used_at_ms: now_ms,
            seen: presented
                .seen
                .clone()
                .unwrap_or_else(|| family.seen.clone()),
            ..family.clone()
        }),
    }
}

/// A token of a family, made now.
fn issue(id: TokenId, family: &Family, parent: Option<TokenId>, now_ms: i64) -> Token {
    Token {
        id,
        family: family.id,
        parent,
        issued_at_ms: now_ms,
        expires_at_ms: expiry(family, now_ms),
        used: None,
    }
}

fn expiry(family: &Family, now_ms: i64) -> i64 {
    let idle = now_ms.saturating_add(family.idle_ms);
    idle.min(family.absolute_until_ms)
}

/// A family as it is when it is revoked now; `None` when it was before: the first reason stays.
pub fn revoked(family: &Family, reason: RevokeReason, now_ms: i64) -> Option<Family> {
    let at = Revoked {
        at_ms: now_ms,
        reason,
    };
    match family.revoked {
        Some(_) => None,
        None => Some(Family {
            revoked: Some(at),
            ..family.clone()
        }),
    }
}

/// A family that is to begin: somebody signed in.
#[derive(Clone, Debug)]
pub struct NewFamily {
    /// A new id.
    pub id: FamilyId,
    /// A new id, of its first token.
    pub first: TokenId,
    /// Who signed in.
    pub subject: Subject,
    /// The account's version, as it was when the password was verified. A family of another version does not begin.
    pub account_version: Version,
    /// How long it lives unused, in milliseconds, at least 1.
    pub idle_ms: i64,
    /// How long it lives, however much it is used, in milliseconds, at least 1.
    pub absolute_ms: i64,
    /// What was seen of the browser.
    pub seen: Seen,
}

/// What a store holds of the account that signs in. It stays so until the family is written: its row is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignsIn {
    /// Whether it may.
    pub is_active: bool,
    /// As it is held now.
    pub version: Version,
}

impl From<&Account> for SignsIn {
    fn from(account: &Account) -> Self {
        Self {
            is_active: account.is_active(),
            version: account.version,
        }
    }
}

/// What became of a family that was to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It lives: since now, or since the same was asked for before.
    Done,
    /// The account is disabled or gone.
    SubjectInactive,
    /// The account was written since its password was verified: perhaps the password is another one now. Whoever signs in
    /// is to be verified again.
    AccountChanged,
    /// The id is another family's, or this one is dead.
    Taken,
}

/// Rows to write, or what to answer without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Both are written.
    Begin(Box<Family>, Token),
    /// Nothing is written.
    Answer(Begun),
}

/// Decides whether a family begins. `held` is the family of its id, with the token of its first id if that is one of its
/// tokens; `account` is the subject's.
///
/// A sign-in that races a change of the password begins no family afterwards: either the family is there before the change,
/// and is revoked with all others, or the version is another one.
pub fn begin(
    held: Option<(&Family, Option<&Token>)>,
    new: &NewFamily,
    account: Option<SignsIn>,
    now_ms: i64,
) -> Beginning {
    if let Some((family, first)) = held {
        let is_first = first.is_some_and(|it| it.family == family.id && it.parent.is_none());
        let is_same = is_first && family.subject == new.subject && family.is_alive(now_ms);
        return Beginning::Answer(match is_same {
            true => Begun::Done,
            false => Begun::Taken,
        });
    }
    let Some(account) = account.filter(|it| it.is_active) else {
        return Beginning::Answer(Begun::SubjectInactive);
    };
    if account.version != new.account_version {
        return Beginning::Answer(Begun::AccountChanged);
    }
    let absolute_until_ms = now_ms.saturating_add(new.absolute_ms.max(1));
    let mut family = Family {
        id: new.id,
        subject: new.subject,
        created_at_ms: now_ms,
        idle_ms: new.idle_ms.max(1),
        idle_until_ms: absolute_until_ms,
        absolute_until_ms,
        revoked: None,
        seen: new.seen.clone(),
        last_used_at_ms: now_ms,
    };
    family.idle_until_ms = expiry(&family, now_ms);
    let first = issue(new.first, &family, None, now_ms);
    Beginning::Begin(Box::new(family), first)
}

/// How many of `living` families of a subject end before another one begins.
pub fn surplus(living: u64) -> u64 {
    living.saturating_sub(u64::from(MOST_SESSIONS) - 1)
}

/// A successor that a gateway made itself, and records in a second call.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The family.
    pub family: FamilyId,
    /// The successor.
    pub token: TokenId,
    /// The one it follows.
    pub parent: Option<TokenId>,
}

/// What a store holds of a successor that is to be recorded.
#[derive(Clone, Debug, Default)]
pub struct RecordRows {
    /// The family.
    pub family: Option<Family>,
    /// The token of the successor's id, whatever family it is of.
    pub token: Option<Token>,
    /// The token that it follows.
    pub parent: Option<Token>,
}

/// What became of a successor that was to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is a token of the family: since now, or since it was before.
    Done,
    /// The family is dead or unknown, or something else follows that token.
    Refused,
}

/// Rows to write, or what to answer without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// The parent is written with its successor, and the successor as a new row.
    Write(Box<Token>, Box<Token>),
    /// Nothing is written.
    Answer(Recorded),
}

/// Decides whether a successor is recorded: one that [`decide`] made already is known, and a dead family gets none,
/// whatever it died of: a late call does not wake one that was idle for too long.
pub fn record(rows: &RecordRows, new: &Record, now_ms: i64) -> Recording {
    let refused = Recording::Answer(Recorded::Refused);
    let Some(family) = rows.family.as_ref().filter(|it| it.is_alive(now_ms)) else {
        return refused;
    };
    if let Some(token) = &rows.token {
        let is_same = token.family == family.id && token.parent == new.parent;
        return match is_same {
            true => Recording::Answer(Recorded::Done),
            false => refused,
        };
    }
    let parent = rows.parent.as_ref().filter(|it| it.family == family.id);
    match parent.and_then(|parent| parent.used.map(|used| (parent, used))) {
        Some((parent, used)) if used.successor.is_none() => {
            let followed = Used {
                successor: Some(new.token),
                ..used
            };
            let parent = Token {
                used: Some(followed),
                ..*parent
            };
            let token = issue(new.token, family, Some(parent.id), now_ms);
            Recording::Write(Box::new(parent), Box::new(token))
        }
        _ => refused,
    }
}
