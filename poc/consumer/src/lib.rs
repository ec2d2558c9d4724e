//! Receive-only peer on actix-web.
