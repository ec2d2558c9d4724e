-- Rings: the register that replicas compare and set.
CREATE TABLE IF NOT EXISTS key_rings (
  ring     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tag      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'tells its keys from those of another installation',
  revision BIGINT NOT NULL COMMENT 'how often it was changed',
  made     BIGINT NOT NULL COMMENT 'how many keys were made for it',
  wanted   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'a part of what the next key is called, while one is wanted',
  PRIMARY KEY (ring)
) ENGINE = InnoDB;

-- The keys of rings: public halves only.
CREATE TABLE IF NOT EXISTS signing_keys (
  ring        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kid         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'thumbprint, RFC 7638',
  place       INT NOT NULL COMMENT 'in the order in which they were made',
  alg         VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'pending, active, retiring, deleting',
  active_of   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the ring, for its one active key',
  public_jwk  TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  provider    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of kms.json',
  external_id VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what the provider calls it',
  state_since BIGINT NOT NULL COMMENT 'epoch ms',
  retire_at   BIGINT NULL COMMENT 'epoch ms, of a retiring key',
  PRIMARY KEY (ring, kid),
  UNIQUE KEY signing_keys_active (active_of)
) ENGINE = InnoDB;

-- The keys of the provider `sql`: private halves, sealed.
CREATE TABLE IF NOT EXISTS private_keys (
  kid            VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  alg            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  public_jwk     TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  sealed_private TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'AES-256-GCM, bound to kid and alg',
  created_at     BIGINT NOT NULL COMMENT 'epoch ms',
  PRIMARY KEY (kid)
) ENGINE = InnoDB;
