//! Rows of refresh families.

use accounts::family::Revoked;
use accounts::{Family, FamilyId, RevokeReason, Seen, Subject, TokenId};
use sql_link::{Row, Session, SqlError, Statement, Value};

const TABLE: &str = "refresh_families";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT f.id, f.subject_kind, f.subject_id, f.created_at, f.idle_ms, f.idle_until, f.absolute_until, \
             f.revoked_at, f.reason, f.agent, f.address, f.last_used_at FROM refresh_families f ",
            $rest
        )
    };
}
pub(crate) use select;

const BY_ID: &str = select!("WHERE f.id = ?");
const BY_TOKEN: &str = select!("JOIN refresh_tokens t ON t.family_id = f.id WHERE t.jti = ?");
const HELD: Statement = Statement {
    mariadb: select!("WHERE f.id = ? FOR UPDATE"),
    sqlite: BY_ID,
};
const INSERT: &str = "INSERT INTO refresh_families (subject_kind, subject_id, created_at, idle_ms, idle_until, \
     absolute_until, revoked_at, reason, ended_at, agent, address, last_used_at, id) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE: &str = "UPDATE refresh_families SET subject_kind = ?, subject_id = ?, created_at = ?, idle_ms = ?, \
     idle_until = ?, absolute_until = ?, revoked_at = ?, reason = ?, ended_at = ?, agent = ?, address = ?, \
     last_used_at = ? WHERE id = ?";
const LIVING: &str = "SELECT COUNT(*) FROM refresh_families \
     WHERE subject_kind = ? AND subject_id = ? AND revoked_at IS NULL AND ended_at > ?";
const REVOKE_ALL: Statement = Statement {
    mariadb: "UPDATE refresh_families SET revoked_at = ?, reason = ?, ended_at = LEAST(ended_at, ?) \
              WHERE subject_kind = ? AND subject_id = ? AND revoked_at IS NULL AND id <> ?",
    sqlite: "UPDATE refresh_families SET revoked_at = ?, reason = ?, ended_at = MIN(ended_at, ?) \
             WHERE subject_kind = ? AND subject_id = ? AND revoked_at IS NULL AND id <> ?",
};
const REVOKE_OLDEST: Statement = Statement {
    mariadb: "UPDATE refresh_families SET revoked_at = ?, reason = ?, ended_at = LEAST(ended_at, ?) \
              WHERE subject_kind = ? AND subject_id = ? AND revoked_at IS NULL AND ended_at > ? \
              ORDER BY last_used_at, id DESC LIMIT ?",
    sqlite: "UPDATE refresh_families SET revoked_at = ?, reason = ?, ended_at = MIN(ended_at, ?) \
             WHERE id IN (SELECT id FROM refresh_families \
             WHERE subject_kind = ? AND subject_id = ? AND revoked_at IS NULL AND ended_at > ? \
             ORDER BY last_used_at, id DESC LIMIT ?)",
};

/// Reads a row of [`select`].
pub(crate) fn family(row: &Row) -> Result<Family, SqlError> {
    let corrupt = |problem| SqlError::corrupt(TABLE, problem);
    let subject = Subject::from_parts(&row.text(1, TABLE)?, &row.text(2, TABLE)?);
    let revoked = match (row.optional_int(7)?, row.optional_text(8)?) {
        (None, None) => None,
        (Some(at_ms), Some(reason)) => Some(Revoked {
            at_ms,
            reason: RevokeReason::parse(&reason)
                .ok_or_else(|| corrupt("a reason that is unknown"))?,
        }),
        _ => return Err(corrupt("half a revocation")),
    };
    Ok(Family {
        id: FamilyId::parse(&row.text(0, TABLE)?).map_err(|_| corrupt("an id that is none"))?,
        subject: subject.ok_or_else(|| corrupt("a subject that is unknown"))?,
        created_at_ms: row.int(3, TABLE)?,
        idle_ms: row.int(4, TABLE)?,
        idle_until_ms: row.int(5, TABLE)?,
        absolute_until_ms: row.int(6, TABLE)?,
        revoked,
        seen: Seen::new(&row.text(9, TABLE)?, &row.text(10, TABLE)?),
        last_used_at_ms: row.int(11, TABLE)?,
    })
}

pub(crate) fn families(rows: &[Row]) -> Result<Vec<Family>, SqlError> {
    rows.iter().map(family).collect()
}

/// Finds a family, without a lock.
pub(crate) async fn by_id(session: &mut Session, id: FamilyId) -> Result<Option<Family>, SqlError> {
    let id = id.to_string();
    let rows = session.fetch(BY_ID, &[Value::Text(&id)]).await?;
    rows.first().map(family).transpose()
}

/// Finds the family of a token, without a lock.
pub(crate) async fn by_token(
    session: &mut Session,
    token: TokenId,
) -> Result<Option<Family>, SqlError> {
    let token = token.to_string();
    let rows = session.fetch(BY_TOKEN, &[Value::Text(&token)]).await?;
    rows.first().map(family).transpose()
}

/// Finds a family, and keeps everybody else from writing to it.
pub(crate) async fn hold(session: &mut Session, id: FamilyId) -> Result<Option<Family>, SqlError> {
    let id = id.to_string();
    let rows = session.fetch_as(&HELD, &[Value::Text(&id)]).await?;
    rows.first().map(family).transpose()
}

/// Counts the living families of a subject.
pub(crate) async fn living(
    session: &mut Session,
    subject: &Subject,
    now_ms: i64,
) -> Result<u64, SqlError> {
    let id = subject.id();
    let values = [
        Value::Text(subject.kind()),
        Value::Text(&id),
        Value::Int(now_ms),
    ];
    let rows = session.fetch(LIVING, &values).await?;
    rows.first().map_or(Ok(0), |row| row.count(0, TABLE))
}

/// Writes all families of a subject that are not revoked as [`accounts::ledger::revoked`] says, but one, and tells how many:
/// one statement, however many they are.
pub(crate) async fn revoke_all(
    session: &mut Session,
    subject: &Subject,
    but: Option<FamilyId>,
    (reason, now_ms): (RevokeReason, i64),
) -> Result<u64, SqlError> {
    let (id, but) = (subject.id(), but.map(|id| id.to_string()));
    let values = [
        Value::Int(now_ms),
        Value::Text(reason.as_str()),
        Value::Int(now_ms),
        Value::Text(subject.kind()),
        Value::Text(&id),
        Value::Text(but.as_deref().unwrap_or_default()),
    ];
    session.execute_as(&REVOKE_ALL, &values).await
}

/// Revokes those living families of a subject that were used longest ago.
pub(crate) async fn revoke_oldest(
    session: &mut Session,
    subject: &Subject,
    most: u64,
    now_ms: i64,
) -> Result<(), SqlError> {
    let id = subject.id();
    let values = [
        Value::Int(now_ms),
        Value::Text(RevokeReason::TooMany.as_str()),
        Value::Int(now_ms),
        Value::Text(subject.kind()),
        Value::Text(&id),
        Value::Int(now_ms),
        Value::Int(i64::try_from(most).unwrap_or(i64::MAX)),
    ];
    session.execute_as(&REVOKE_OLDEST, &values).await.map(drop)
}

/// Writes a new family.
pub(crate) async fn insert(session: &mut Session, family: &Family) -> Result<(), SqlError> {
    write(session, INSERT, family).await
}

/// Writes a family that is there.
pub(crate) async fn update(session: &mut Session, family: &Family) -> Result<(), SqlError> {
    write(session, UPDATE, family).await
}

async fn write(session: &mut Session, sql: &'static str, family: &Family) -> Result<(), SqlError> {
    let (id, subject) = (family.id.to_string(), family.subject.id());
    let revoked = family.revoked;
    let values = [
        Value::Text(family.subject.kind()),
        Value::Text(&subject),
        Value::Int(family.created_at_ms),
        Value::Int(family.idle_ms),
        Value::Int(family.idle_until_ms),
        Value::Int(family.absolute_until_ms),
        Value::OptionalInt(revoked.map(|revoked| revoked.at_ms)),
        Value::OptionalText(revoked.map(|revoked| revoked.reason.as_str())),
        Value::Int(family.ended_at_ms()),
        Value::Text(family.seen.agent()),
        Value::Text(family.seen.address()),
        Value::Int(family.last_used_at_ms),
        Value::Text(&id),
    ];
    session.execute(sql, &values).await.map(drop)
}
