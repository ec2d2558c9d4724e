//! Whether changes can be written, asked without writing any.

use crate::database::{Session, Work};
use crate::error::SqlError;

/// A server that answers reads may refuse every write: a replica, a server set to read only, a user without the rights. It
/// looks at that before it looks for rows.
const WRITES: [&str; 2] = [
    "UPDATE hmac_credential SET generation = generation WHERE 1 = 0",
    "UPDATE hmac_credential_target SET generation = generation WHERE 1 = 0",
];

/// Writes to no row.
pub(crate) struct Probe;

impl Work for Probe {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        for sql in WRITES {
            session.execute(sql, &[]).await?;
        }
        Ok(())
    }
}
