//! Sealing every private key anew with the first key, so that an older one can be taken out of the configuration.
//!
//! A value is written only where it still is what was read, so a server that runs beside this keeps what it writes. A page is
//! one transaction; what a run has done stays done, and the next run passes over it.

use jwt_auth::Algorithm;
use kms::KeyId;
use kms::wrapping_key::WRAPPING_ALGORITHM;
use secrets_at_rest::reseal::{PAGE, Page, Progress};
use sql_link::{Row, Session, Value, Work};

use crate::database::KmsDatabase;
use crate::error::SqlError;
use crate::secrets::{Resealing, Vault};

pub use secrets_at_rest::reseal::{Resealed, ResealedColumn, UnreadableRow};

const TABLE: &str = "private_keys";
const COLUMN: &str = "private_keys.sealed_private";
const READ: &str =
    "SELECT kid, alg, sealed_private FROM private_keys WHERE kid > ? ORDER BY kid LIMIT ?";
const WRITE: &str =
    "UPDATE private_keys SET sealed_private = ? WHERE kid = ? AND sealed_private = ?";

/// Goes through all keys.
pub(crate) async fn reseal(database: &KmsDatabase, vault: &Vault) -> Result<Resealed, SqlError> {
    let mut progress = Progress::of(COLUMN);
    loop {
        let after = progress.after().and_then(<[String]>::first);
        let after = after.map_or("", String::as_str);
        let page = database.run(&ResealPage { after, vault }).await?;
        if let Some(done) = progress.add(page) {
            return Ok(Resealed {
                columns: vec![done],
            });
        }
    }
}

/// Seals one page anew.
struct ResealPage<'a> {
    /// The name of the key before; no key has the empty one, from which the first page goes on.
    after: &'a str,
    vault: &'a Vault,
}

impl Work for ResealPage<'_> {
    type Output = Page;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Page, SqlError> {
        let mut page = Page::default();
        let values = [Value::Text(self.after), Value::Int(PAGE as i64)];
        let rows = session.fetch(READ, &values).await?;
        for row in &rows {
            let key = [row.text(0, TABLE)?];
            let sealed = row.text(2, TABLE)?;
            match self.look(&key[0], row, &sealed)? {
                Ok(Resealing::Fresh) => page.fresh += 1,
                Ok(Resealing::Anew(anew)) => {
                    let values = [&anew, &key[0], &sealed].map(|it| Value::Text(it));
                    page.written(session.execute(WRITE, &values).await?);
                }
                Ok(Resealing::Unreadable(error)) => page.unreadable(&key, &error),
                Err(problem) => page.unreadable(&key, &problem),
            }
            page.last = Some(key.into());
        }
        page.last = page.last.filter(|_| rows.len() == PAGE);
        Ok(page)
    }
}

impl ResealPage<'_> {
    /// What is to be done with a row, or why it is none of a key.
    fn look(
        &self,
        kid: &str,
        row: &Row,
        sealed: &str,
    ) -> Result<Result<Resealing, &'static str>, SqlError> {
        let alg = row.text(1, TABLE)?;
        let is_known = alg == WRAPPING_ALGORITHM || Algorithm::parse(&alg).is_some();
        let (Ok(kid), true) = (KeyId::parse(kid), is_known) else {
            return Ok(Err("a name or an algorithm that is none"));
        };
        let looked = self.vault.reseal(&kid, &alg, sealed);
        Ok(looked.map_err(|_| "could not be sealed"))
    }
}
