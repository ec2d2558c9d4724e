//! Rows of refresh tokens.

use accounts::family::{Token, Used};
use accounts::{FamilyId, TokenId};
use sql_link::{Row, Session, SqlError, Value};

const TABLE: &str = "refresh_tokens";
const FIND: &str = "SELECT jti, family_id, parent_jti, successor_jti, issued_at, expires_at, used_at FROM refresh_tokens \
     WHERE jti = ?";
const INSERT: &str = "INSERT INTO refresh_tokens (jti, family_id, parent_jti, successor_jti, issued_at, expires_at, used_at) \
     VALUES (?, ?, ?, ?, ?, ?, ?)";
const USE: &str = "UPDATE refresh_tokens SET successor_jti = ?, used_at = ? WHERE jti = ?";

/// Finds a token, without a lock: its family's is what counts.
pub(crate) async fn find(session: &mut Session, id: TokenId) -> Result<Option<Token>, SqlError> {
    let id = id.to_string();
    let rows = session.fetch(FIND, &[Value::Text(&id)]).await?;
    rows.first().map(token).transpose()
}

fn token(row: &Row) -> Result<Token, SqlError> {
    let corrupt = |problem| SqlError::corrupt(TABLE, problem);
    let id = |text: String| TokenId::parse(&text).map_err(|_| corrupt("an id that is none"));
    let successor = row.optional_text(3)?.map(id).transpose()?;
    let used = match (row.optional_int(6)?, successor) {
        (None, Some(_)) => return Err(corrupt("a successor of an unused token")),
        (at_ms, successor) => at_ms.map(|at_ms| Used { at_ms, successor }),
    };
    let family = FamilyId::parse(&row.text(1, TABLE)?);
    Ok(Token {
        id: id(row.text(0, TABLE)?)?,
        family: family.map_err(|_| corrupt("an id that is none"))?,
        parent: row.optional_text(2)?.map(id).transpose()?,
        issued_at_ms: row.int(4, TABLE)?,
        expires_at_ms: row.int(5, TABLE)?,
        used,
    })
}

/// Writes a new token.
pub(crate) async fn insert(session: &mut Session, token: &Token) -> Result<(), SqlError> {
    let text = |id: Option<TokenId>| id.map(|id| id.to_string());
    let (id, family) = (token.id.to_string(), token.family.to_string());
    let parent = text(token.parent);
    let successor = text(token.used.and_then(|used| used.successor));
    let values = [
        Value::Text(&id),
        Value::Text(&family),
        Value::OptionalText(parent.as_deref()),
        Value::OptionalText(successor.as_deref()),
        Value::Int(token.issued_at_ms),
        Value::Int(token.expires_at_ms),
        Value::OptionalInt(token.used.map(|used| used.at_ms)),
    ];
    session.execute(INSERT, &values).await.map(drop)
}

/// Writes what became of a token that is there. Nothing else of it changes.
pub(crate) async fn update(session: &mut Session, token: &Token) -> Result<(), SqlError> {
    let id = token.id.to_string();
    let successor = token.used.and_then(|used| used.successor);
    let successor = successor.map(|id| id.to_string());
    let values = [
        Value::OptionalText(successor.as_deref()),
        Value::OptionalInt(token.used.map(|used| used.at_ms)),
        Value::Text(&id),
    ];
    session.execute(USE, &values).await.map(drop)
}
