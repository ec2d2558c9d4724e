//! [`CredentialStore`] in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{Change, ClientId, Credential, CredentialChange};
use hmac_auth::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteCondition,
    WriteOutcome,
};
use hmac_auth::record::{self, CorruptRecord};
use hmac_auth::secret_hash::SecretHash;
use redis::Value;
use redis_link::failure::unexpected;
use redis_link::link::RedisLink;
use redis_link::script::{Call, Script, text};

use crate::keys::Namespace;

/// Reading, merging and writing one record, in Lua: the beginning of every script that writes one.
pub const RECORD_LUA: &str = include_str!("lua/record.lua");

/// So many characters of the previous hash stand beside the moment of its rotation.
const ROTATED_HASH: usize = 16;

/// Records of one `HMGET` at most: a longer one would keep the server from others.
const FIELDS: usize = 1_000;

/// Keeps credentials in Redis (wire contract 1.4). Clones share one connection.
///
/// A write that brings a hash mends a corrupt record; one that does not is answered [`StoreError::Corrupt`].
#[derive(Clone)]
pub struct RedisCredentialStore {
    link: RedisLink,
    namespace: Namespace,
    scripts: Arc<Scripts>,
}

struct Scripts {
    write: Script,
    delete: Script,
}

impl RedisCredentialStore {
    /// Makes a store over `link` in `namespace`.
    pub fn new(link: RedisLink, namespace: Namespace) -> Self {
        let scripts = Scripts {
            write: Script::new(&[RECORD_LUA, include_str!("lua/write.lua")]),
            delete: Script::new(&[include_str!("lua/delete.lua")]),
        };
        Self {
            link,
            namespace,
            scripts: Arc::new(scripts),
        }
    }

    /// The connection.
    pub fn link(&self) -> &RedisLink {
        &self.link
    }

    /// Where the records are.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

#[async_trait]
impl CredentialStore for RedisCredentialStore {
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        let mut pipeline = redis::pipe();
        pipeline
            .cmd("HGET")
            .arg(self.namespace.clients())
            .arg(client_id.as_str())
            .cmd("GET")
            .arg(self.namespace.backup(client_id))
            .cmd("GET")
            .arg(self.namespace.rotated(client_id));
        let mut answers = self.link.query(&pipeline).await?.into_iter();
        let mut next = || answers.next().ok_or_else(|| unexpected("HGET"));
        let (stored, backup, rotated) = (next()?, next()?, next()?);
        let stored = stored?;
        if stored == Value::Nil {
            return Ok(None);
        }
        let previous = previous(client_id, backup);
        Ok(Some(StoredCredential {
            credential: decode(client_id, &stored)?,
            rotated_at: rotated_at(previous.as_ref(), rotated),
            previous,
        }))
    }

    async fn find_many(
        &self,
        client_ids: &[ClientId],
    ) -> Result<Vec<Option<Result<Credential, &'static str>>>, StoreError> {
        if client_ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for client_ids in client_ids.chunks(FIELDS) {
            let command = pipeline.cmd("HMGET").arg(self.namespace.clients());
            client_ids
                .iter()
                .for_each(|client_id| _ = command.arg(client_id.as_str()));
        }
        let mut found = Vec::with_capacity(client_ids.len());
        for answer in self.link.query(&pipeline).await? {
            let Value::Array(values) = answer? else {
                return Err(unexpected("HMGET"));
            };
            found.extend(
                values
                    .iter()
                    .map(|value| (*value != Value::Nil).then(|| decode_text(value))),
            );
        }
        if found.len() == client_ids.len() {
            Ok(found)
        } else {
            Err(unexpected("HMGET"))
        }
    }

    async fn write(
        &self,
        client_id: &ClientId,
        write: CredentialWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let condition = match write.condition {
            WriteCondition::Always => "always",
            WriteCondition::Absent => "absent",
            WriteCondition::Present => "present",
        };
        let call = Call::default()
            .key(self.namespace.clients())
            .key(self.namespace.backup(client_id))
            .key(self.namespace.rotated(client_id))
            .argument(client_id.as_str())
            .argument(condition)
            .argument(write.now_ms.to_string())
            .argument(write.backup_ttl.as_millis().to_string());
        let call = with_change(call, &write.change);
        let answer = self.scripts.write.call(&self.link, call).await?;
        let Value::Array(parts) = answer else {
            return Err(unexpected("EVALSHA"));
        };
        match (parts.first().and_then(text), parts.get(1)) {
            (Some("written"), Some(record)) => {
                Ok(WriteOutcome::Written(decode(client_id, record)?))
            }
            (Some("exists"), _) => Ok(WriteOutcome::AlreadyExists),
            (Some("missing"), _) => Ok(WriteOutcome::NotFound),
            (Some("corrupt"), _) => Err(corrupt(client_id)),
            _ => Err(unexpected("EVALSHA")),
        }
    }

    async fn delete(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        let call = Call::default()
            .key(self.namespace.clients())
            .key(self.namespace.backup(client_id))
            .key(self.namespace.rotated(client_id))
            .argument(client_id.as_str());
        match self.scripts.delete.call(&self.link, call).await? {
            Value::Int(found) => Ok(found > 0),
            _ => Err(unexpected("EVALSHA")),
        }
    }

    async fn forget_previous(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg(self.namespace.backup(client_id));
        match self.link.query(&pipeline).await?.into_iter().next() {
            Some(Ok(Value::Int(found))) => Ok(found > 0),
            Some(Err(error)) => Err(error),
            _ => Err(unexpected("DEL")),
        }
    }

    async fn list(&self, cursor: Option<&str>, limit: usize) -> Result<CredentialPage, StoreError> {
        let Ok(cursor) = cursor.unwrap_or("0").parse::<u64>() else {
            return Ok(CredentialPage::default());
        };
        let mut pipeline = redis::pipe();
        pipeline
            .cmd("HSCAN")
            .arg(self.namespace.clients())
            .arg(cursor)
            .arg("COUNT")
            .arg(limit.max(1));
        match self.link.query(&pipeline).await?.into_iter().next() {
            Some(Ok(Value::Array(parts))) => page(parts),
            Some(Err(error)) => Err(error),
            _ => Err(unexpected("HSCAN")),
        }
    }
}

/// Adds the arguments that `merge` in [`RECORD_LUA`] takes: hash, expiry and rules.
pub fn with_change(call: Call, change: &CredentialChange) -> Call {
    let hash = change.secret_hash.as_ref().map_or("", SecretHash::expose);
    let expires = match change.expires_at {
        Change::Keep => "keep".to_owned(),
        Change::Set(None) => "null".to_owned(),
        Change::Set(Some(at_ms)) => at_ms.to_string(),
    };
    let rules = match &change.allowed_ips {
        Change::Keep => String::new(),
        Change::Set(rules) => serde_json::Value::from(rules.stored_entries()).to_string(),
    };
    call.argument(hash).argument(expires).argument(rules)
}

/// A record without a valid hash, found by a script that needed one.
pub fn corrupt(client_id: &ClientId) -> StoreError {
    let reason = "the stored record has no valid hash";
    CorruptRecord { reason }.of(client_id)
}

fn decode(client_id: &ClientId, value: &Value) -> Result<Credential, StoreError> {
    decode_text(value).map_err(|reason| CorruptRecord { reason }.of(client_id))
}

fn decode_text(value: &Value) -> Result<Credential, &'static str> {
    let text = text(value).ok_or("the record is not valid UTF-8")?;
    record::decode(text).map_err(|corrupt| corrupt.reason)
}

/// The current hash is whole without a readable backup, so a broken one refuses nobody.
fn previous(client_id: &ClientId, backup: Result<Value, StoreError>) -> Option<SecretHash> {
    match backup {
        Ok(Value::Nil) => None,
        Ok(value) => {
            let hash = text(&value).and_then(|text| SecretHash::parse(text).ok());
            if hash.is_none() {
                tracing::warn!(%client_id, "passing over a backup that is no hash");
            }
            hash
        }
        Err(error) => {
            tracing::warn!(%client_id, error = %error, "passing over a backup that cannot be read");
            None
        }
    }
}

/// `<ms>:<beginning of the previous hash>`: of another backup it says nothing.
fn rotated_at(previous: Option<&SecretHash>, rotated: Result<Value, StoreError>) -> Option<i64> {
    let rotated = rotated.ok()?;
    let (at_ms, of) = text(&rotated)?.split_once(':')?;
    let of_this = previous?.expose().starts_with(of) && of.len() == ROTATED_HASH;
    at_ms.parse().ok().filter(|_| of_this)
}

fn page(parts: Vec<Value>) -> Result<CredentialPage, StoreError> {
    let mut parts = parts.into_iter();
    let (Some(cursor), Some(Value::Array(fields))) = (parts.next(), parts.next()) else {
        return Err(unexpected("HSCAN"));
    };
    let cursor = text(&cursor).ok_or_else(|| unexpected("HSCAN"))?;
    let mut entries = Vec::with_capacity(fields.len() / 2);
    for pair in fields.chunks_exact(2) {
        match text(&pair[0]).and_then(|id| ClientId::parse(id).ok()) {
            Some(client_id) => entries.push((client_id, decode_text(&pair[1]))),
            None => tracing::warn!("passing over a stored client whose name is no client id"),
        }
    }
    Ok(CredentialPage {
        entries,
        next: (cursor != "0").then(|| cursor.to_owned()),
    })
}
