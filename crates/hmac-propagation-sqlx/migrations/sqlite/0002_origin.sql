-- Who asked, where that is known: nullable, so that an earlier version goes on writing its rows.
ALTER TABLE hmac_credential_target_audit ADD COLUMN actor TEXT NULL;
ALTER TABLE hmac_credential_target_audit ADD COLUMN request_id TEXT NULL;
