//! Private keys in a database, sealed.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, PublicJwk, Signer};
use kms::error::Source;
use kms::key_management::check_input;
use kms::memory::named;
use kms::{Capabilities, Health, KeyId, KeyManagement, KmsError};
use sql_link::{Mode, Row, Session, Value, Work};

use crate::database::KmsDatabase;
use crate::error::SqlError;
use crate::secrets::{SecretsKey, Vault};

const TABLE: &str = "private_keys";
const INSERT: &str = "INSERT INTO private_keys (kid, alg, public_jwk, sealed_private, created_at) VALUES (?, ?, ?, ?, ?)";
const FIND: &str = "SELECT alg, public_jwk, sealed_private FROM private_keys WHERE kid = ?";
const DELETE: &str = "DELETE FROM private_keys WHERE kid = ?";
const COUNT: &str = "SELECT COUNT(*) FROM private_keys";
const ANY: &str =
    "SELECT alg, public_jwk, sealed_private, kid FROM private_keys ORDER BY kid LIMIT 1";

/// Keeps private keys in a database, sealed, and signs in this process. Clones share the connections.
#[derive(Clone)]
pub struct SqlKeyManagement {
    database: KmsDatabase,
    vault: Vault,
    clock: Arc<dyn Clock>,
}

struct Stored {
    algorithm: Algorithm,
    public: PublicJwk,
    sealed: String,
}

impl SqlKeyManagement {
    /// Keeps keys in `database`, sealed with `key`.
    pub fn new(database: KmsDatabase, key: &SecretsKey) -> Self {
        Self {
            database,
            vault: Vault::new(key),
            clock: Arc::new(SystemClock),
        }
    }

    async fn keep(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        let algorithm = key.public().algorithm();
        let public = named(key.public(), kid)?;
        let sealed = self.vault.seal(kid, algorithm, key.expose_pkcs8());
        let insert = Insert {
            kid,
            alg: algorithm.name(),
            public_jwk: public.to_json().to_string(),
            sealed: sealed.map_err(|error| corrupt(kid, error))?,
            now_ms: self.clock.now_ms(),
        };
        match self.database.run(&insert).await {
            Ok(()) => Ok(public),
            Err(error) if error.is_duplicate() => Err(KmsError::KeyExists(kid.clone())),
            Err(error) => Err(error.into()),
        }
    }

    async fn find(&self, kid: &KeyId) -> Result<Option<Stored>, KmsError> {
        Ok(self.database.run(&Find(kid)).await?)
    }

    /// The private half of a row, whose halves belong together.
    fn open(&self, kid: &KeyId, stored: &Stored) -> Result<PrivateKey, KmsError> {
        let opened = self.vault.open(kid, stored.algorithm, &stored.sealed);
        let opened = opened.map_err(|error| corrupt(kid, error))?;
        let key = PrivateKey::from_pkcs8(&opened).map_err(|error| corrupt(kid, error))?;
        match key.public() == &stored.public {
            true => Ok(key),
            false => Err(corrupt(kid, "the halves of the key do not belong together")),
        }
    }
}

fn corrupt(kid: &KeyId, source: impl Into<Source>) -> KmsError {
    KmsError::Corrupt {
        kid: kid.clone(),
        source: source.into(),
    }
}

#[async_trait]
impl KeyManagement for SqlKeyManagement {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        let key = PrivateKey::generate(algorithm).map_err(|_| KmsError::Random)?;
        self.keep(kid, &key).await
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        self.keep(kid, key).await
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        check_input(input)?;
        let stored = self.find(kid).await?;
        let stored = stored.ok_or_else(|| KmsError::KeyNotFound(kid.clone()))?;
        if stored.algorithm != algorithm {
            return Err(KmsError::AlgorithmOfKey {
                kid: kid.clone(),
                asked: algorithm,
            });
        }
        let key = self.open(kid, &stored)?;
        let signer = MemorySigner::new(&key).map_err(|_| KmsError::Random)?;
        signer.sign(input).await.map_err(|_| KmsError::Random)
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        match self.find(kid).await? {
            Some(stored) => named(&stored.public, kid).map(Some),
            None => Ok(None),
        }
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        Ok(self.database.run(&Delete(kid)).await?)
    }

    /// Well is who can open what is stored: one row is opened.
    async fn health(&self) -> Result<Health, KmsError> {
        if let Some((kid, stored)) = self.database.run(&Any).await? {
            self.open(&kid, &stored)?;
        }
        let key_count = self.database.run(&Count).await?;
        Ok(Health { key_count })
    }
}

struct Insert<'a> {
    kid: &'a KeyId,
    alg: &'static str,
    public_jwk: String,
    sealed: String,
    now_ms: i64,
}

impl Work for Insert<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let values = [
            Value::Text(self.kid.as_str()),
            Value::Text(self.alg),
            Value::Text(&self.public_jwk),
            Value::Text(&self.sealed),
            Value::Int(self.now_ms),
        ];
        session.execute(INSERT, &values).await?;
        Ok(())
    }
}

struct Find<'a>(&'a KeyId);

impl Work for Find<'_> {
    type Output = Option<Stored>;
    type Error = SqlError;

    const MODE: Mode = Mode::Snapshot;

    async fn run(&self, session: &mut Session) -> Result<Option<Stored>, SqlError> {
        let rows = session.fetch(FIND, &[Value::Text(self.0.as_str())]).await?;
        rows.first().map(stored).transpose()
    }
}

fn stored(row: &Row) -> Result<Stored, SqlError> {
    let problem = |problem| SqlError::corrupt(TABLE, problem);
    let algorithm = Algorithm::parse(&row.text(0, TABLE)?);
    let algorithm = algorithm.ok_or_else(|| problem("an algorithm that is unknown"))?;
    let public = PublicJwk::parse(row.text(1, TABLE)?.as_bytes());
    let public = public.map_err(|_| problem("a public key that is none"))?;
    Ok(Stored {
        algorithm,
        public,
        sealed: row.text(2, TABLE)?,
    })
}

struct Any;

impl Work for Any {
    type Output = Option<(KeyId, Stored)>;
    type Error = SqlError;

    const MODE: Mode = Mode::Snapshot;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let rows = session.fetch(ANY, &[]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let kid = KeyId::parse(&row.text(3, TABLE)?)
            .map_err(|_| SqlError::corrupt(TABLE, "a name that is none"))?;
        Ok(Some((kid, stored(row)?)))
    }
}

struct Delete<'a>(&'a KeyId);

impl Work for Delete<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let values = [Value::Text(self.0.as_str())];
        session.execute(DELETE, &values).await?;
        Ok(())
    }
}

struct Count;

impl Work for Count {
    type Output = Option<u64>;
    type Error = SqlError;

    const MODE: Mode = Mode::Snapshot;

    async fn run(&self, session: &mut Session) -> Result<Option<u64>, SqlError> {
        let rows = session.fetch(COUNT, &[]).await?;
        let count = rows.first().map(|row| row.int(0, TABLE)).transpose()?;
        Ok(count.and_then(|count| u64::try_from(count).ok()))
    }
}

impl fmt::Debug for SqlKeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlKeyManagement")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
