//! Accounts in a database.

use accounts::account_store::{AccountStore, Held, judge};
use accounts::{Account, AccountId, Email, Listed, Page, Saved};
use async_trait::async_trait;
use auth_base::store_error::StoreError;
use sql_link::{Mode, Row, Session, SqlError, Statement, Value, Work};

use crate::accounts_rows::{account, by_id, hold, select, write};
use crate::database::SqlAccounts;

const TABLE: &str = "accounts";
const BY_EMAIL: &str = select!("WHERE email = ?");
const PAGE: &str = select!("ORDER BY email LIMIT ? OFFSET ?");
const COUNT: &str = "SELECT COUNT(*) FROM accounts";

/// On SQLite the writer's lock does it.
const GUARD: Statement = Statement {
    mariadb: "SELECT id FROM accounts_guard WHERE id = 1 FOR UPDATE",
    sqlite: "SELECT 1",
};
const EMAIL_TAKEN: &str = "SELECT COUNT(*) FROM accounts WHERE email = ? AND id <> ?";
const OTHER_ADMINS: &str = "SELECT COUNT(*) FROM accounts WHERE active_admin = 1 AND id <> ?";

#[async_trait]
impl AccountStore for SqlAccounts {
    async fn by_id(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.run(&ById(id)).await?)
    }

    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        Ok(self.run(&ByEmail(email)).await?)
    }

    async fn save(&self, account: &Account) -> Result<Saved, StoreError> {
        Ok(self.run(&Save(account)).await?)
    }

    async fn list(&self, page: Page) -> Result<Listed, StoreError> {
        Ok(self.run(&List(page)).await?)
    }
}

struct ById(AccountId);

impl Work for ById {
    type Output = Option<Account>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Option<Account>, SqlError> {
        by_id(session, self.0).await
    }
}

struct ByEmail<'a>(&'a Email);

impl Work for ByEmail<'_> {
    type Output = Option<Account>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Option<Account>, SqlError> {
        let email = [Value::Text(self.0.as_str())];
        let rows = session.fetch(BY_EMAIL, &email).await?;
        rows.first().map(account).transpose()
    }
}

struct Save<'a>(&'a Account);

impl Work for Save<'_> {
    type Output = Saved;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Saved, SqlError> {
        let Self(next) = self;
        let id = next.id.to_string();
        let (id, email) = (Value::Text(&id), Value::Text(next.email.as_str()));
        // One after the other: changes of accounts are few, and what each looks at stays true until its commit.
        if session.fetch_as(&GUARD, &[]).await?.is_empty() {
            // A lock of no row keeps nobody out.
            return Err(SqlError::corrupt("accounts_guard", "its row is gone"));
        }
        let same = hold(session, next.id).await?;
        let is_email_taken = count(&session.fetch(EMAIL_TAKEN, &[email, id]).await?)? > 0;
        let held = Held {
            same: same.as_ref(),
            is_email_taken,
            other_admins: count(&session.fetch(OTHER_ADMINS, &[id]).await?)?,
        };
        let saved = judge(&held, next);
        if let Saved::Done(version) = saved {
            write(session, next, version).await?;
        }
        Ok(saved)
    }
}

fn count(rows: &[Row]) -> Result<u64, SqlError> {
    let row = rows.first();
    row.map_or(Ok(0), |row| row.count(0, TABLE))
}

struct List(Page);

impl Work for List {
    type Output = Listed;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Listed, SqlError> {
        let (most, skip) = (self.0.most_within_bounds(), self.0.skip);
        let values = [Value::Int(most.into()), Value::Int(skip.into())];
        let rows = session.fetch(PAGE, &values).await?;
        let accounts = rows.iter().map(account).collect::<Result<_, _>>()?;
        let total = count(&session.fetch(COUNT, &[]).await?)?;
        Ok(Listed { accounts, total })
    }
}
