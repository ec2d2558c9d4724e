-- Who asked, where that is known: nullable, so that an earlier version goes on writing its rows.
ALTER TABLE hmac_credential_target_audit
  ADD COLUMN IF NOT EXISTS actor      VARCHAR(254) CHARACTER SET utf8mb4 NULL COMMENT 'NULL: nobody who is known',
  ADD COLUMN IF NOT EXISTS request_id VARCHAR(128) CHARACTER SET utf8mb4 NULL COMMENT 'in logs';
