//! Rows of accounts.

use accounts::account::{roles_as_text, roles_of_text};
use accounts::{Account, AccountId, Email, PasswordHash, PersonName, Version};
use sql_link::{Row, Session, SqlError, Statement, Value};

const TABLE: &str = "accounts";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, password_hash, roles, disabled_at, version FROM accounts ",
            $rest
        )
    };
}
pub(crate) use select;

const BY_ID: &str = select!("WHERE id = ?");
const HELD: Statement = Statement {
    mariadb: select!("WHERE id = ? FOR UPDATE"),
    sqlite: BY_ID,
};
const INSERT: &str = "INSERT INTO accounts (email, name, password_hash, roles, active_admin, disabled_at, version, id) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE: &str = "UPDATE accounts SET email = ?, name = ?, password_hash = ?, roles = ?, active_admin = ?, \
     disabled_at = ?, version = ? WHERE id = ?";

/// Reads a row of [`select`].
pub(crate) fn account(row: &Row) -> Result<Account, SqlError> {
    let corrupt = |problem| SqlError::corrupt(TABLE, problem);
    let (id, email) = (row.text(0, TABLE)?, row.text(1, TABLE)?);
    let name = PersonName::parse(&row.text(2, TABLE)?);
    let password = row.optional_text(3)?;
    let password = password.as_deref().map(PasswordHash::parse).transpose();
    let roles = roles_of_text(&row.text(4, TABLE)?);
    Ok(Account {
        id: AccountId::parse(&id).map_err(|_| corrupt("an id that is none"))?,
        email: Email::from_stored(&email).map_err(|_| corrupt("an e-mail address that is none"))?,
        name: name.map_err(|_| corrupt("a name that is none"))?,
        password: password.map_err(|_| corrupt("a hash that is none"))?,
        roles: roles.ok_or_else(|| corrupt("a role that is unknown"))?,
        disabled_at_ms: row.optional_int(5)?,
        version: Version(row.count(6, TABLE)?),
    })
}

/// Finds a row, without a lock.
pub(crate) async fn by_id(
    session: &mut Session,
    id: AccountId,
) -> Result<Option<Account>, SqlError> {
    let id = id.to_string();
    let rows = session.fetch(BY_ID, &[Value::Text(&id)]).await?;
    rows.first().map(account).transpose()
}

/// Finds a row, and keeps everybody else from writing to it.
pub(crate) async fn hold(
    session: &mut Session,
    id: AccountId,
) -> Result<Option<Account>, SqlError> {
    let id = id.to_string();
    let rows = session.fetch_as(&HELD, &[Value::Text(&id)]).await?;
    rows.first().map(account).transpose()
}

/// Writes a row: a new one for version 1.
pub(crate) async fn write(
    session: &mut Session,
    account: &Account,
    version: Version,
) -> Result<(), SqlError> {
    let (id, roles) = (account.id.to_string(), roles_as_text(&account.roles));
    let values = [
        Value::Text(account.email.as_str()),
        Value::Text(account.name.as_str()),
        Value::OptionalText(account.password.as_ref().map(PasswordHash::expose)),
        Value::Text(&roles),
        Value::OptionalInt(account.is_admin_with_password().then_some(1)),
        Value::OptionalInt(account.disabled_at_ms),
        Value::Int(i64::try_from(version.0).unwrap_or(i64::MAX)),
        Value::Text(&id),
    ];
    let sql = match account.version == Version::default() {
        true => INSERT,
        false => UPDATE,
    };
    session.execute(sql, &values).await.map(drop)
}
