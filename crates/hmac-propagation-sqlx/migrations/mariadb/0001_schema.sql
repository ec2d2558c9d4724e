-- The inventory: who may be told.
CREATE TABLE IF NOT EXISTS hmac_propagation_target (
  target_amqp_queue  VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  propagation_secret TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'encrypted',
  note               VARCHAR(255) CHARACTER SET utf8mb4 NULL,
  is_self            TINYINT NOT NULL DEFAULT 0,
  created_at         BIGINT NOT NULL COMMENT 'epoch ms',
  updated_at         BIGINT NOT NULL COMMENT 'epoch ms',
  PRIMARY KEY (target_amqp_queue)
) ENGINE = InnoDB;

-- One row a client and track; kept after a revoke as a tombstone.
CREATE TABLE IF NOT EXISTS hmac_credential (
  track              VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_id          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  plain_secret       TEXT CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'always NULL: an earlier version reads and writes it',
  secret_hash        TEXT CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'encrypted',
  allowed_ips        TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'JSON array',
  expires_at         BIGINT NULL COMMENT 'epoch ms',
  revoked            TINYINT NOT NULL DEFAULT 0,
  generation         BIGINT NOT NULL,
  change_ts          BIGINT NOT NULL COMMENT 'epoch ms, strictly rising',
  local_generation   BIGINT NOT NULL DEFAULT 0 COMMENT 'what this peer itself holds',
  unapplied_since    BIGINT NULL COMMENT 'epoch ms',
  created_at         BIGINT NOT NULL,
  updated_at         BIGINT NOT NULL,
  PRIMARY KEY (track, client_id),
  KEY hmac_credential_unapplied (unapplied_since)
) ENGINE = InnoDB;

-- What each target should hold, and how far it has come.
CREATE TABLE IF NOT EXISTS hmac_credential_target (
  track              VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_id          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  target_amqp_queue  VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  operation          VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  secret_hash        TEXT CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'encrypted; NULL for a delete',
  allowed_ips        TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'JSON array',
  expires_at         BIGINT NULL,
  generation         BIGINT NOT NULL,
  change_ts          BIGINT NOT NULL,
  last_ts            BIGINT NULL COMMENT 'the largest ts sent to this target',
  status             VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempt_count      BIGINT NOT NULL DEFAULT 0,
  event_id           VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  lease_until        BIGINT NULL,
  waiting_since      BIGINT NOT NULL,
  reason             VARCHAR(500) CHARACTER SET utf8mb4 NULL,
  sent_at            BIGINT NULL,
  applied_at         BIGINT NULL,
  failed_at          BIGINT NULL,
  created_at         BIGINT NOT NULL,
  PRIMARY KEY (track, client_id, target_amqp_queue),
  KEY hmac_credential_target_claim (status, waiting_since),
  KEY hmac_credential_target_by_target (target_amqp_queue, track, client_id),
  CONSTRAINT hmac_credential_target_credential FOREIGN KEY (track, client_id)
    REFERENCES hmac_credential (track, client_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
  CONSTRAINT hmac_credential_target_target FOREIGN KEY (target_amqp_queue)
    REFERENCES hmac_propagation_target (target_amqp_queue) ON DELETE RESTRICT ON UPDATE RESTRICT
) ENGINE = InnoDB;

-- Append-only: one row a transition.
CREATE TABLE IF NOT EXISTS hmac_credential_target_audit (
  id                 BIGINT NOT NULL AUTO_INCREMENT,
  at_ms              BIGINT NOT NULL,
  track              VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_id          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  target_amqp_queue  VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL COMMENT 'NULL: the credential itself',
  transition         VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  generation         BIGINT NOT NULL,
  attempt_count      BIGINT NULL,
  event_id           VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ts                 BIGINT NULL,
  reason             VARCHAR(500) CHARACTER SET utf8mb4 NULL,
  PRIMARY KEY (id),
  KEY hmac_credential_target_audit_client (track, client_id, id)
) ENGINE = InnoDB;
