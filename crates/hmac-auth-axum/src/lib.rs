//! Tower layer and axum extractor that verify signed requests.
