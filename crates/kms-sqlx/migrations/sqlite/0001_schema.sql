-- Rings: the register that replicas compare and set.
CREATE TABLE IF NOT EXISTS key_rings (
  ring     TEXT NOT NULL,
  tag      TEXT NOT NULL, -- tells its keys from those of another installation
  revision INTEGER NOT NULL, -- how often it was changed
  made     INTEGER NOT NULL, -- how many keys were made for it
  wanted   TEXT NULL, -- a part of what the next key is called, while one is wanted
  PRIMARY KEY (ring)
);

-- The keys of rings: public halves only.
CREATE TABLE IF NOT EXISTS signing_keys (
  ring        TEXT NOT NULL,
  kid         TEXT NOT NULL, -- thumbprint, RFC 7638
  place       INTEGER NOT NULL, -- in the order in which they were made
  alg         TEXT NOT NULL,
  state       TEXT NOT NULL, -- pending, active, retiring, deleting
  active_of   TEXT NULL UNIQUE, -- the ring, for its one active key
  public_jwk  TEXT NOT NULL,
  provider    TEXT NOT NULL, -- of kms.json
  external_id TEXT NOT NULL, -- what the provider calls it
  state_since INTEGER NOT NULL, -- epoch ms
  retire_at   INTEGER NULL, -- epoch ms, of a retiring key
  PRIMARY KEY (ring, kid)
);

-- The keys of the provider `sql`: private halves, sealed.
CREATE TABLE IF NOT EXISTS private_keys (
  kid            TEXT NOT NULL,
  alg            TEXT NOT NULL,
  public_jwk     TEXT NOT NULL,
  sealed_private TEXT NOT NULL, -- AES-256-GCM, bound to kid and alg
  created_at     INTEGER NOT NULL, -- epoch ms
  PRIMARY KEY (kid)
);
