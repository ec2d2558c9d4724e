//! actix-web middleware and extractor that verify signed requests.
