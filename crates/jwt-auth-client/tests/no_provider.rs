//! A process that has installed no provider of cryptography. One test, so that nobody else installs one here.

use jwt_auth_client::{HttpClient, HttpClients as _};
use rustls::crypto::CryptoProvider;

#[tokio::test]
async fn a_client_is_made_in_a_process_without_a_provider() {
    assert!(CryptoProvider::get_default().is_none());
    let http = HttpClient::new(reqwest::Client::builder()).unwrap();
    http.client().await.unwrap();
    assert!(CryptoProvider::get_default().is_some());
}
