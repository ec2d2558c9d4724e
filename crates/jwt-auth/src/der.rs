//! The DER forms of the two kinds of keys. DER has one spelling for each key, so a fixed beginning and fixed lengths are the
//! whole of it.

use zeroize::Zeroizing;

/// SubjectPublicKeyInfo of Ed25519 (RFC 8410, section 4), then 32 bytes.
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// SubjectPublicKeyInfo of P-256 (RFC 5480), up to the uncompressed point's mark, then `x` and `y`.
const P256_SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// PKCS#8 version 1 of Ed25519 (RFC 8410, section 7), then the seed.
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// PKCS#8 of P-256 with an ECPrivateKey (RFC 5915), then the private number.
const P256_PKCS8: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];

/// What stands between the private number and the public point.
const P256_PUBLIC: [u8; 6] = [0xa1, 0x44, 0x03, 0x42, 0x00, 0x04];

/// The raw key of an Ed25519 SubjectPublicKeyInfo.
pub(crate) fn read_ed25519_spki(der: &[u8]) -> Option<[u8; 32]> {
    der.strip_prefix(&ED25519_SPKI)?.try_into().ok()
}

/// The coordinates of a P-256 SubjectPublicKeyInfo.
pub(crate) fn read_p256_spki(der: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (x, y) = der.strip_prefix(&P256_SPKI)?.split_at_checked(32)?;
    Some((x.try_into().ok()?, y.try_into().ok()?))
}

pub(crate) fn write_ed25519_spki(x: &[u8; 32]) -> Vec<u8> {
    [&ED25519_SPKI[..], x].concat()
}

pub(crate) fn write_p256_spki(x: &[u8; 32], y: &[u8; 32]) -> Vec<u8> {
    [&P256_SPKI[..], x, y].concat()
}

pub(crate) fn write_ed25519_pkcs8(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&ED25519_PKCS8[..], seed].concat())
}

pub(crate) fn write_p256_pkcs8(d: &[u8; 32], x: &[u8; 32], y: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&P256_PKCS8[..], d, &P256_PUBLIC, x, y].concat())
}

/// Where the private number of an Ed25519 key usually stands: both versions begin alike but for lengths and the version.
/// Whoever takes it from there compares the public keys.
pub(crate) fn ed25519_seed(pkcs8: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let seed = pkcs8.get(ED25519_PKCS8.len()..ED25519_PKCS8.len() + 32)?;
    seed.try_into().ok().map(Zeroizing::new)
}

/// The same of a P-256 key.
pub(crate) fn p256_number(pkcs8: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let number = pkcs8.get(P256_PKCS8.len()..P256_PKCS8.len() + 32)?;
    number.try_into().ok().map(Zeroizing::new)
}
