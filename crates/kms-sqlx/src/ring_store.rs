//! Key rings in a database.

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use jwt_auth::PublicJwk;
use kms::{KeyId, KeyRing, KeyRingStore, KeyState, Revision, RingKey, RingName};
use sql_link::{Mode, Row, Session, Value, Work};

use crate::database::KmsDatabase;
use crate::error::SqlError;

const RINGS: &str = "key_rings";
const KEYS: &str = "signing_keys";
const READ_RING: &str = "SELECT tag, revision, made, wanted FROM key_rings WHERE ring = ?";
const READ_KEYS: &str = "SELECT kid, state, public_jwk, provider, external_id, state_since, retire_at FROM signing_keys \
     WHERE ring = ? ORDER BY place";
const BEGIN: &str =
    "INSERT INTO key_rings (ring, tag, revision, made, wanted) VALUES (?, ?, ?, ?, ?)";
const ADVANCE: &str = "UPDATE key_rings SET tag = ?, revision = ?, made = ?, wanted = ? WHERE ring = ? AND revision = ?";
const CLEAR: &str = "DELETE FROM signing_keys WHERE ring = ?";
const INSERT: &str = "INSERT INTO signing_keys (ring, kid, place, alg, state, active_of, public_jwk, provider, external_id, \
     state_since, retire_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Keeps key rings in a database. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SqlKeyRingStore {
    database: KmsDatabase,
}

impl SqlKeyRingStore {
    /// Keeps rings in `database`.
    pub fn new(database: KmsDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl KeyRingStore for SqlKeyRingStore {
    async fn read(&self, ring: &RingName) -> Result<Option<KeyRing>, StoreError> {
        Ok(self.database.run(&Read(ring)).await?)
    }

    async fn advance(&self, expect: Revision, next: &KeyRing) -> Result<bool, StoreError> {
        match self.database.run(&Advance { expect, next }).await {
            // Somebody else began the ring at the same time.
            Err(error) if error.is_duplicate() && expect == Revision::default() => Ok(false),
            outcome => Ok(outcome?),
        }
    }
}

struct Read<'a>(&'a RingName);

impl Work for Read<'_> {
    type Output = Option<KeyRing>;
    type Error = SqlError;

    const MODE: Mode = Mode::Snapshot;

    async fn run(&self, session: &mut Session) -> Result<Option<KeyRing>, SqlError> {
        let name = [Value::Text(self.0.as_str())];
        let rings = session.fetch(READ_RING, &name).await?;
        let Some(ring) = rings.first() else {
            return Ok(None);
        };
        let keys = session.fetch(READ_KEYS, &name).await?;
        let keys = keys.iter().map(ring_key).collect::<Result<Vec<_>, _>>()?;
        let (tag, revision, made) = (
            ring.text(0, RINGS)?,
            ring.count(1, RINGS)?,
            ring.count(2, RINGS)?,
        );
        let (name, revision) = (self.0.clone(), Revision(revision));
        let wanted = ring.optional_text(3)?;
        let ring = KeyRing::from_parts(name, tag, revision, made, wanted, keys);
        ring.map(Some).map_err(|_| corrupt("keys that are no ring"))
    }
}

fn corrupt(problem: &'static str) -> SqlError {
    SqlError::corrupt(KEYS, problem)
}

fn ring_key(row: &Row) -> Result<RingKey, SqlError> {
    let kid = row.text(0, KEYS)?;
    let public = PublicJwk::parse(row.text(2, KEYS)?.as_bytes());
    let public = public.map_err(|_| corrupt("a public key that is none"))?;
    if public.thumbprint() != kid || public.kid() != kid {
        return Err(corrupt("a public key of another name"));
    }
    let external_id = KeyId::parse(&row.text(4, KEYS)?);
    let state = KeyState::from_parts(&row.text(1, KEYS)?, row.int(5, KEYS)?, row.optional_int(6)?);
    Ok(RingKey {
        public,
        provider: row.text(3, KEYS)?,
        external_id: external_id.map_err(|_| corrupt("a name that no provider gives"))?,
        state: state.ok_or_else(|| corrupt("a state that is none"))?,
    })
}

struct Advance<'a> {
    expect: Revision,
    next: &'a KeyRing,
}

impl Work for Advance<'_> {
    type Output = bool;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<bool, SqlError> {
        let ring = self.next.name().as_str();
        let (name, tag) = (Value::Text(ring), Value::Text(self.next.tag()));
        let (revision, made) = (int(self.next.revision().0), int(self.next.made()));
        let wanted = Value::OptionalText(self.next.wanted());
        if self.expect == Revision::default() {
            let values = [name, tag, revision, made, wanted];
            session.execute(BEGIN, &values).await?;
        } else {
            let values = [tag, revision, made, wanted, name, int(self.expect.0)];
            if session.execute(ADVANCE, &values).await? != 1 {
                return Ok(false);
            }
            session.execute(CLEAR, &[name]).await?;
        }
        for (place, key) in (0..).zip(self.next.keys()) {
            insert(session, ring, place, key).await?;
        }
        Ok(true)
    }
}

/// No number here comes near the largest one.
fn int(number: u64) -> Value<'static> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

async fn insert(
    session: &mut Session,
    ring: &str,
    place: i64,
    key: &RingKey,
) -> Result<(), SqlError> {
    let public = key.public.to_json().to_string();
    let is_active = matches!(key.state, KeyState::Active { .. });
    let values = [
        Value::Text(ring),
        Value::Text(key.kid()),
        Value::Int(place),
        Value::Text(key.public.algorithm().name()),
        Value::Text(key.state.name()),
        Value::OptionalText(is_active.then_some(ring)),
        Value::Text(&public),
        Value::Text(&key.provider),
        Value::Text(key.external_id.as_str()),
        Value::Int(key.state.since_ms()),
        Value::OptionalInt(key.state.until_ms()),
    ];
    session.execute(INSERT, &values).await?;
    Ok(())
}
