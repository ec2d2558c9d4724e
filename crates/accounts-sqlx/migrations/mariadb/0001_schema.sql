-- People who may sign in.
CREATE TABLE IF NOT EXISTS accounts (
  id            CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT '16 bytes, hex',
  email         VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'in its normal form',
  name          VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Argon2id, PHC form',
  roles         VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'names, with commas',
  active_admin  TINYINT NULL COMMENT '1 for an admin who can sign in: not disabled, with a password',
  disabled_at   BIGINT NULL COMMENT 'epoch ms',
  version       BIGINT NOT NULL COMMENT 'how often it was written',
  PRIMARY KEY (id),
  UNIQUE KEY accounts_email (email),
  KEY accounts_active_admin (active_admin)
) ENGINE = InnoDB;

-- One row: whoever takes a right away holds it, so that two admins do not take each other's at once.
CREATE TABLE IF NOT EXISTS accounts_guard (
  id TINYINT NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB;

INSERT IGNORE INTO accounts_guard (id) VALUES (1);

-- Failed sign-ins, by a hash of who failed.
CREATE TABLE IF NOT EXISTS login_failures (
  key_hash       CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  count          BIGINT NOT NULL,
  window_ends_at BIGINT NOT NULL COMMENT 'epoch ms',
  PRIMARY KEY (key_hash),
  KEY login_failures_window (window_ends_at)
) ENGINE = InnoDB;

-- Sessions: one sign-in, and all refresh tokens that descend from it.
CREATE TABLE IF NOT EXISTS refresh_families (
  id             CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_kind   VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'user',
  subject_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at     BIGINT NOT NULL COMMENT 'epoch ms',
  idle_ms        BIGINT NOT NULL COMMENT 'how long it lives unused',
  idle_until     BIGINT NOT NULL COMMENT 'epoch ms',
  absolute_until BIGINT NOT NULL COMMENT 'epoch ms',
  revoked_at     BIGINT NULL COMMENT 'epoch ms; once set it stays',
  reason         VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ended_at       BIGINT NOT NULL COMMENT 'epoch ms; the first of revoked_at, idle_until, absolute_until',
  agent          VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  address        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  last_used_at   BIGINT NOT NULL COMMENT 'epoch ms',
  PRIMARY KEY (id),
  KEY refresh_families_subject (subject_kind, subject_id, last_used_at),
  KEY refresh_families_ended (ended_at)
) ENGINE = InnoDB;

-- Refresh tokens. No row opens anything: a token has a proof besides, which is kept nowhere.
CREATE TABLE IF NOT EXISTS refresh_tokens (
  jti           CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  family_id     CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  parent_jti    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  successor_jti CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  issued_at     BIGINT NOT NULL COMMENT 'epoch ms',
  expires_at    BIGINT NOT NULL COMMENT 'epoch ms',
  used_at       BIGINT NULL COMMENT 'epoch ms',
  PRIMARY KEY (jti),
  UNIQUE KEY refresh_tokens_parent (parent_jti),
  KEY refresh_tokens_family (family_id),
  KEY refresh_tokens_expires (expires_at),
  CONSTRAINT refresh_tokens_of_family FOREIGN KEY (family_id) REFERENCES refresh_families (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- Who did what, and how it ended.
CREATE TABLE IF NOT EXISTS audit (
  id         CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at         BIGINT NOT NULL COMMENT 'epoch ms',
  actor      VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  action     VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  subject    VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  outcome    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'done, refused, failed',
  reason     VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
  peer       VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
  request_id VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
  address    VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
  PRIMARY KEY (id),
  KEY audit_at (at, id),
  KEY audit_actor (actor, at, id),
  KEY audit_subject (subject, at, id)
) ENGINE = InnoDB;
