//! Private keys in a database, sealed.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, PublicJwk, Signer};
use kms::error::Source;
use kms::key_management::check_input;
use kms::memory::named;
use kms::wrapping_key::WRAPPING_ALGORITHM;
use kms::{Capabilities, Health, KeyId, KeyManagement, KmsError, WrappingKey};
use sql_link::{Mode, Row, Session, Value, Work};
use zeroize::Zeroizing;

use crate::database::KmsDatabase;
use crate::error::SqlError;
use crate::reseal::{Resealed, reseal};
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

enum Stored {
    /// A key that signs.
    Signs {
        algorithm: Algorithm,
        public: PublicJwk,
        sealed: String,
    },
    /// A key that wraps others: it has no public half.
    Wraps { sealed: String },
}

/// The private half of a row.
enum Opened {
    Signs(PrivateKey),
    Wraps(WrappingKey),
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

    /// Seals every private key with the first key of the [`SecretsKey`], whichever of its keys it is sealed with now.
    ///
    /// Servers may run on the schema meanwhile, with the same first key. At most 100 rows are held and locked at a time. It may
    /// be broken off and called again at any moment.
    ///
    /// # Errors
    /// [`SqlError`]; what was done until then stays done.
    pub async fn reseal(&self) -> Result<Resealed, SqlError> {
        reseal(&self.database, &self.vault).await
    }

    async fn keep(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        let public = named(key.public(), kid)?;
        let (alg, jwk) = (public.algorithm().name(), public.to_json().to_string());
        self.insert(kid, alg, jwk, key.expose_pkcs8()).await?;
        Ok(public)
    }

    async fn insert(
        &self,
        kid: &KeyId,
        alg: &'static str,
        public_jwk: String,
        plain: &[u8],
    ) -> Result<(), KmsError> {
        let sealed = self.vault.seal(kid, alg, plain);
        let insert = Insert {
            kid,
            alg,
            public_jwk,
            sealed: sealed.map_err(|error| corrupt(kid, error))?,
            now_ms: self.clock.now_ms(),
        };
        match self.database.run(&insert).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_duplicate() => Err(KmsError::KeyExists(kid.clone())),
            Err(error) => Err(error.into()),
        }
    }

    async fn find(&self, kid: &KeyId) -> Result<Option<Stored>, KmsError> {
        Ok(self.database.run(&Find(kid)).await?)
    }

    /// The private half of a row, whose halves belong together.
    fn open(&self, kid: &KeyId, stored: &Stored) -> Result<Opened, KmsError> {
        let (alg, sealed) = match stored {
            Stored::Signs {
                algorithm, sealed, ..
            } => (algorithm.name(), sealed),
            Stored::Wraps { sealed } => (WRAPPING_ALGORITHM, sealed),
        };
        let opened = self.vault.open(kid, alg, sealed);
        let opened = opened.map_err(|error| corrupt(kid, error))?;
        match stored {
            Stored::Signs { public, .. } => {
                let key = PrivateKey::from_pkcs8(&opened).map_err(|error| corrupt(kid, error))?;
                match key.public() == public {
                    true => Ok(Opened::Signs(key)),
                    false => Err(corrupt(kid, "the halves of the key do not belong together")),
                }
            }
            Stored::Wraps { .. } => {
                let key = WrappingKey::from_bytes(&opened);
                let key = key.ok_or_else(|| corrupt(kid, "a wrapping key that is none"))?;
                Ok(Opened::Wraps(key))
            }
        }
    }

    async fn wrapping_key(&self, kid: &KeyId) -> Result<WrappingKey, KmsError> {
        let stored = self.find(kid).await?;
        let opened = stored.map(|stored| self.open(kid, &stored)).transpose()?;
        match opened {
            Some(Opened::Wraps(key)) => Ok(key),
            _ => Err(KmsError::KeyNotFound(kid.clone())),
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
        if let Stored::Signs { algorithm: own, .. } = &stored
            && *own != algorithm
        {
            return Err(KmsError::AlgorithmOfKey {
                kid: kid.clone(),
                asked: algorithm,
            });
        }
        let Opened::Signs(key) = self.open(kid, &stored)? else {
            return Err(KmsError::KeyNotFound(kid.clone()));
        };
        let signer = MemorySigner::new(&key).map_err(|_| KmsError::Random)?;
        signer.sign(input).await.map_err(|_| KmsError::Random)
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        match self.find(kid).await? {
            Some(Stored::Signs { public, .. }) => named(&public, kid).map(Some),
            Some(Stored::Wraps { .. }) | None => Ok(None),
        }
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        Ok(self.database.run(&Delete(kid)).await?)
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        let key = WrappingKey::generate();
        self.insert(kid, WRAPPING_ALGORITHM, String::new(), key.expose())
            .await
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        self.wrapping_key(kid).await?.wrap(kid, plain)
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.wrapping_key(kid).await?.unwrap(kid, wrapped)
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
    let (alg, sealed) = (row.text(0, TABLE)?, row.text(2, TABLE)?);
    if alg == WRAPPING_ALGORITHM {
        return Ok(Stored::Wraps { sealed });
    }
    let algorithm = Algorithm::parse(&alg);
    let algorithm = algorithm.ok_or_else(|| problem("an algorithm that is unknown"))?;
    let public = PublicJwk::parse(row.text(1, TABLE)?.as_bytes());
    let public = public.map_err(|_| problem("a public key that is none"))?;
    Ok(Stored::Signs {
        algorithm,
        public,
        sealed,
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
