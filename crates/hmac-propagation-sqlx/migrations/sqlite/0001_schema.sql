-- The inventory: who may be told.
CREATE TABLE IF NOT EXISTS hmac_propagation_target (
  target_amqp_queue  TEXT NOT NULL,
  propagation_secret TEXT NOT NULL,
  note               TEXT NULL,
  is_self            INTEGER NOT NULL DEFAULT 0,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  PRIMARY KEY (target_amqp_queue)
);

-- One row a client and track; kept after a revoke as a tombstone.
CREATE TABLE IF NOT EXISTS hmac_credential (
  track              TEXT NOT NULL,
  client_id          TEXT NOT NULL,
  plain_secret       TEXT NULL, -- always: an earlier version reads and writes it
  secret_hash        TEXT NULL,
  allowed_ips        TEXT NOT NULL,
  expires_at         INTEGER NULL,
  revoked            INTEGER NOT NULL DEFAULT 0,
  generation         INTEGER NOT NULL,
  change_ts          INTEGER NOT NULL,
  local_generation   INTEGER NOT NULL DEFAULT 0,
  unapplied_since    INTEGER NULL,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  PRIMARY KEY (track, client_id)
);

-- What each target should hold, and how far it has come.
CREATE TABLE IF NOT EXISTS hmac_credential_target (
  track              TEXT NOT NULL,
  client_id          TEXT NOT NULL,
  target_amqp_queue  TEXT NOT NULL,
  operation          TEXT NOT NULL,
  secret_hash        TEXT NULL,
  allowed_ips        TEXT NOT NULL,
  expires_at         INTEGER NULL,
  generation         INTEGER NOT NULL,
  change_ts          INTEGER NOT NULL,
  last_ts            INTEGER NULL,
  status             TEXT NOT NULL,
  attempt_count      INTEGER NOT NULL DEFAULT 0,
  event_id           TEXT NULL,
  lease_until        INTEGER NULL,
  waiting_since      INTEGER NOT NULL,
  reason             TEXT NULL,
  sent_at            INTEGER NULL,
  applied_at         INTEGER NULL,
  failed_at          INTEGER NULL,
  created_at         INTEGER NOT NULL,
  PRIMARY KEY (track, client_id, target_amqp_queue),
  CONSTRAINT hmac_credential_target_credential FOREIGN KEY (track, client_id)
    REFERENCES hmac_credential (track, client_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
  CONSTRAINT hmac_credential_target_target FOREIGN KEY (target_amqp_queue)
    REFERENCES hmac_propagation_target (target_amqp_queue) ON DELETE RESTRICT ON UPDATE RESTRICT
);

-- Append-only: one row a transition.
CREATE TABLE IF NOT EXISTS hmac_credential_target_audit (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms              INTEGER NOT NULL,
  track              TEXT NOT NULL,
  client_id          TEXT NOT NULL,
  target_amqp_queue  TEXT NULL,
  transition         TEXT NOT NULL,
  generation         INTEGER NOT NULL,
  attempt_count      INTEGER NULL,
  event_id           TEXT NULL,
  ts                 INTEGER NULL,
  reason             TEXT NULL
);

CREATE INDEX IF NOT EXISTS hmac_credential_unapplied ON hmac_credential (unapplied_since);
CREATE INDEX IF NOT EXISTS hmac_credential_target_claim ON hmac_credential_target (status, waiting_since);
CREATE INDEX IF NOT EXISTS hmac_credential_target_by_target ON hmac_credential_target (target_amqp_queue, track, client_id);
CREATE INDEX IF NOT EXISTS hmac_credential_target_audit_client ON hmac_credential_target_audit (track, client_id, id);
