//! The audit: rows of the gateway are added, and admins read them.

use accounts::private_api::{AuditEntries, AuditEntry, AuditQuery, AuditRows};
use accounts::{AuditCursor, AuditFilter, AuditId, AuditRow, AuditText, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::service::accounts::Accounts;
use crate::service::caller::Caller;
use crate::service::problem::Problem;

/// Rows that one call adds at most.
pub const MOST_ROWS: usize = 100;

/// Rows on a page, unless the caller says.
const ROWS: u32 = 100;

impl Accounts {
    /// Adds rows. The same rows again change nothing, so that a lost answer may be asked for again. The actor is who the token
    /// names, unless the gateway itself calls.
    ///
    /// # Errors
    /// [`Problem::Invalid`]: then none was added.
    pub async fn append_audit(&self, caller: &Caller, asked: &AuditEntries) -> Result<(), Problem> {
        if asked.rows.len() > MOST_ROWS {
            let text = format!("at most {MOST_ROWS} rows at once");
            return Err(Problem::invalid("rows", &text));
        }
        let rows = asked.rows.iter().map(|entry| row(caller, entry));
        let rows: Vec<AuditRow> = rows.collect::<Result<_, _>>()?;
        for row in &rows {
            self.stores.audit.append(row).await?;
        }
        Ok(())
    }

    /// Lists rows, the newest first.
    ///
    /// # Errors
    /// [`Problem::Invalid`].
    pub async fn audit(&self, asked: &AuditQuery) -> Result<AuditRows, Problem> {
        let text = |text: &Option<String>| text.as_deref().map(AuditText::new);
        let outcome = asked.outcome.as_deref().map(outcome).transpose()?;
        let filter = AuditFilter {
            actor: text(&asked.actor),
            action: text(&asked.action),
            subject: text(&asked.subject),
            outcome,
            peer: text(&asked.peer),
            from_ms: asked.from_ms,
            until_ms: asked.until_ms,
        };
        let after = asked.after.as_deref().map(cursor).transpose()?;
        let most = asked.limit.unwrap_or(ROWS);
        let page = self.stores.audit.list(&filter, after, most).await?;
        Ok(AuditRows {
            rows: page.rows.iter().map(entry).collect(),
            next: page.next.as_ref().map(cursor_text),
        })
    }
}

fn row(caller: &Caller, entry: &AuditEntry) -> Result<AuditRow, Problem> {
    let actor = match caller.is_system() {
        true => &entry.actor,
        false => caller.actor(),
    };
    let text = |text: &Option<String>| text.as_deref().map(AuditText::new);
    let mut row = AuditRow {
        id: AuditId::from_bytes([0; 16]),
        at_ms: entry.at_ms,
        actor: actor.into(),
        action: entry.action.as_str().into(),
        subject: entry.subject.as_str().into(),
        outcome: outcome(&entry.outcome)?,
        reason: text(&entry.reason),
        peer: text(&entry.peer),
        request_id: text(&entry.request_id),
        address: text(&entry.address),
    };
    row.id = id_of(&row);
    Ok(row)
}

/// The id of a row that comes from outside: the same for the same row.
fn id_of(row: &AuditRow) -> AuditId {
    let mut hash = Sha256::new_with_prefix(b"audit1");
    hash.update(row.at_ms.to_be_bytes());
    let optional = |text: &Option<AuditText>| text.clone().unwrap_or_default();
    for text in [
        row.actor.clone(),
        row.action.clone(),
        row.subject.clone(),
        row.outcome.as_str().into(),
        optional(&row.reason),
        optional(&row.peer),
        optional(&row.request_id),
        optional(&row.address),
    ] {
        // No text of a row has so many bytes that its length needs more.
        let length = u16::try_from(text.as_str().len()).unwrap_or(u16::MAX);
        hash.update(length.to_be_bytes());
        hash.update(text.as_str());
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    AuditId::from_bytes(id)
}

fn outcome(text: &str) -> Result<Outcome, Problem> {
    let unknown = || Problem::invalid("outcome", "there are done, refused and failed");
    Outcome::parse(text).ok_or_else(unknown)
}

fn entry(row: &AuditRow) -> AuditEntry {
    let text = |text: &Option<AuditText>| text.as_ref().map(|it| it.as_str().to_owned());
    AuditEntry {
        at_ms: row.at_ms,
        actor: row.actor.as_str().to_owned(),
        action: row.action.as_str().to_owned(),
        subject: row.subject.as_str().to_owned(),
        outcome: row.outcome.as_str().to_owned(),
        reason: text(&row.reason),
        peer: text(&row.peer),
        request_id: text(&row.request_id),
        address: text(&row.address),
    }
}

fn cursor_text(cursor: &AuditCursor) -> String {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&cursor.at_ms.to_be_bytes());
    bytes[8..].copy_from_slice(cursor.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn cursor(text: &str) -> Result<AuditCursor, Problem> {
    let read = || {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (at, id) = bytes.split_at(8);
        Some(AuditCursor {
            at_ms: i64::from_be_bytes(at.try_into().ok()?),
            id: AuditId::from_bytes(id.try_into().ok()?),
        })
    };
    read().ok_or_else(|| Problem::invalid("after", "this is the end of no page"))
}
