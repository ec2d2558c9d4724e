//! The one TLS provider of the process.

/// Installs ring as rustls' provider, once; later calls change nothing. Everything that may speak TLS calls it first,
/// because rustls refuses to guess when it finds none.
pub fn install_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another thread means that the provider is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
