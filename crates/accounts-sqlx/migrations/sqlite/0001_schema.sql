-- People who may sign in.
CREATE TABLE IF NOT EXISTS accounts (
  id            TEXT NOT NULL, -- 16 bytes, hex
  email         TEXT NOT NULL UNIQUE, -- in its normal form
  name          TEXT NOT NULL,
  password_hash TEXT NULL, -- Argon2id, PHC form
  roles         TEXT NOT NULL, -- names, with commas
  active_admin  INTEGER NULL, -- 1 for an admin who can sign in: not disabled, with a password
  disabled_at   INTEGER NULL, -- epoch ms
  version       INTEGER NOT NULL, -- how often it was written
  PRIMARY KEY (id)
);

CREATE INDEX IF NOT EXISTS accounts_active_admin ON accounts (active_admin);

-- Failed sign-ins, by a hash of who failed.
CREATE TABLE IF NOT EXISTS login_failures (
  key_hash       TEXT NOT NULL,
  count          INTEGER NOT NULL,
  window_ends_at INTEGER NOT NULL, -- epoch ms
  PRIMARY KEY (key_hash)
);

CREATE INDEX IF NOT EXISTS login_failures_window ON login_failures (window_ends_at);

-- Sessions: one sign-in, and all refresh tokens that descend from it.
CREATE TABLE IF NOT EXISTS refresh_families (
  id             TEXT NOT NULL,
  subject_kind   TEXT NOT NULL, -- user
  subject_id     TEXT NOT NULL,
  created_at     INTEGER NOT NULL, -- epoch ms
  idle_ms        INTEGER NOT NULL, -- how long it lives unused
  idle_until     INTEGER NOT NULL, -- epoch ms
  absolute_until INTEGER NOT NULL, -- epoch ms
  revoked_at     INTEGER NULL, -- epoch ms; once set it stays
  reason         TEXT NULL,
  ended_at       INTEGER NOT NULL, -- epoch ms; the first of revoked_at, idle_until, absolute_until
  agent          TEXT NOT NULL,
  address        TEXT NOT NULL,
  last_used_at   INTEGER NOT NULL, -- epoch ms
  PRIMARY KEY (id)
);

CREATE INDEX IF NOT EXISTS refresh_families_subject ON refresh_families (subject_kind, subject_id, last_used_at);
CREATE INDEX IF NOT EXISTS refresh_families_ended ON refresh_families (ended_at);

-- Refresh tokens. No row opens anything: a token has a proof besides, which is kept nowhere.
CREATE TABLE IF NOT EXISTS refresh_tokens (
  jti           TEXT NOT NULL,
  family_id     TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
  parent_jti    TEXT NULL UNIQUE,
  successor_jti TEXT NULL,
  issued_at     INTEGER NOT NULL, -- epoch ms
  expires_at    INTEGER NOT NULL, -- epoch ms
  used_at       INTEGER NULL, -- epoch ms
  PRIMARY KEY (jti)
);

CREATE INDEX IF NOT EXISTS refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX IF NOT EXISTS refresh_tokens_expires ON refresh_tokens (expires_at);

-- Who did what, and how it ended.
CREATE TABLE IF NOT EXISTS audit (
  id         TEXT NOT NULL,
  at         INTEGER NOT NULL, -- epoch ms
  actor      TEXT NOT NULL,
  action     TEXT NOT NULL,
  subject    TEXT NOT NULL,
  outcome    TEXT NOT NULL, -- done, refused, failed
  reason     TEXT NULL,
  peer       TEXT NULL,
  request_id TEXT NULL,
  address    TEXT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX IF NOT EXISTS audit_at ON audit (at, id);
CREATE INDEX IF NOT EXISTS audit_actor ON audit (actor, at, id);
CREATE INDEX IF NOT EXISTS audit_subject ON audit (subject, at, id);
