//! Public keys as JSON Web Keys (RFC 7517): a type in which no private member can exist.
//!
//! Four things to note:
//! - Two kinds of keys are known: `EC` on P-256 and `OKP` on Ed25519, with coordinates of exactly 32 bytes.
//! - A key that carries a private member is refused and not stripped: who sends one has leaked it.
//! - Whether a P-256 point is on the curve, ring decides when a key is parsed. Whether 32 bytes are an Ed25519 point, ring
//!   decides with each signature: it has no other way to ask. Points of small order are refused, since everybody can sign for
//!   them.
//! - Two keys are equal when the key is, whatever they are called.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ring::{agreement, rand, signature};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::{der, encoding, strict_json};

/// A JWK may have so many bytes.
pub const MAX_JWK_BYTES: usize = 8 * 1024;

/// A `kid` may have so many bytes.
pub const MAX_KID_BYTES: usize = 256;

/// Members that only a private or a symmetric key has (RFC 7518, section 6; RFC 8037, section 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a text is not taken as a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJwk {
    /// It is over [`MAX_JWK_BYTES`].
    #[error("the key is larger than {MAX_JWK_BYTES} bytes")]
    TooLarge,
    /// It is no JSON object.
    #[error("the key is no JSON object")]
    Syntax,
    /// A member comes twice (RFC 7517, section 4).
    #[error("a member of the key comes twice")]
    MemberTwice,
    /// It carries a member that only a private or a symmetric key has.
    #[error("the key carries the private member {0}")]
    PrivateMember(&'static str),
    /// `kty` is neither `EC` nor `OKP`.
    #[error("kty is neither EC nor OKP")]
    KeyType,
    /// `crv` is not the one curve of its type: `P-256`, `Ed25519`.
    #[error("crv is not P-256 with EC, or Ed25519 with OKP")]
    Curve,
    /// A coordinate is not the base64url of 32 bytes.
    #[error("the coordinate {0} is not the base64url of 32 bytes")]
    Coordinate(&'static str),
    /// The point is not on the curve.
    #[error("the point is not on the curve")]
    OffCurve,
    /// The point is of small order: everybody can make signatures that it verifies.
    #[error("the point is of small order")]
    SmallOrder,
    /// `alg` is there and is not that of the key (RFC 7517, section 4.4).
    #[error("alg is not that of the key")]
    Algorithm,
    /// `use` or `key_ops` say that the key is not for signatures (RFC 7517, sections 4.2 and 4.3).
    #[error("the key is not for verifying signatures")]
    Use,
    /// `kid` is no text of 1 to [`MAX_KID_BYTES`] bytes.
    #[error("kid is no text of 1 to {MAX_KID_BYTES} bytes")]
    Kid,
}

/// The signature is not that of the key over the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid")]
pub struct BadSignature;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Point {
    Ed25519([u8; 32]),
    P256([u8; 32], [u8; 32]),
}

/// A public key that verifies signatures. It is called by its `kid`: the name that it came with, else its thumbprint.
#[derive(Clone)]
pub struct PublicJwk {
    point: Point,
    alg: &'static str,
    thumbprint: Arc<str>,
    kid: Option<Arc<str>>,
}

impl PublicJwk {
    /// Reads a JWK.
    ///
    /// # Errors
    /// [`InvalidJwk`] says what is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidJwk> {
        Self::from_members(&members(json)?)
    }

    /// Makes a key of a raw Ed25519 public key (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// [`InvalidJwk::SmallOrder`].
    pub fn ed25519(x: [u8; 32]) -> Result<Self, InvalidJwk> {
        Self::of(Point::Ed25519(x)).on_the_curve()
    }

    /// Makes a key of the coordinates of a P-256 point.
    ///
    /// # Errors
    /// [`InvalidJwk::OffCurve`].
    pub fn p256(x: [u8; 32], y: [u8; 32]) -> Result<Self, InvalidJwk> {
        Self::of(Point::P256(x, y)).on_the_curve()
    }

    /// Reads a SubjectPublicKeyInfo in DER (RFC 5280, section 4.1), a P-256 point uncompressed.
    ///
    /// # Errors
    /// [`InvalidJwk::KeyType`] for every other key, else as [`Self::parse`].
    pub fn from_spki(der: &[u8]) -> Result<Self, InvalidJwk> {
        match (der::read_ed25519_spki(der), der::read_p256_spki(der)) {
            (Some(x), _) => Self::ed25519(x),
            (_, Some((x, y))) => Self::p256(x, y),
            _ => Err(InvalidJwk::KeyType),
        }
    }

    /// Writes the SubjectPublicKeyInfo in DER.
    pub fn to_spki(&self) -> Vec<u8> {
        match &self.point {
            Point::Ed25519(x) => der::write_ed25519_spki(x),
            Point::P256(x, y) => der::write_p256_spki(x, y),
        }
    }

    /// Calls the key `kid` instead of what it was called.
    ///
    /// # Errors
    /// [`InvalidJwk::Kid`].
    pub fn with_kid(self, kid: &str) -> Result<Self, InvalidJwk> {
        let kid = Some(parse_kid(kid)?);
        Ok(Self { kid, ..self })
    }

    /// Calls the algorithm by its fully specified name (RFC 9864: `Ed25519`), in this key's tokens and where it is published:
    /// some readers warn about `EdDSA`, and some know no other.
    pub fn fully_specified(mut self) -> Self {
        self.alg = self.algorithm().fully_specified_name();
        self
    }

    /// What headers and documents call the key: the `kid` it came with, else its thumbprint.
    pub fn kid(&self) -> &str {
        self.kid.as_deref().unwrap_or(&self.thumbprint)
    }

    /// The thumbprint with SHA-256 (RFC 7638): 43 characters.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The one algorithm of the key.
    pub fn algorithm(&self) -> Algorithm {
        match self.point {
            Point::Ed25519(_) => Algorithm::EdDsa,
            Point::P256(..) => Algorithm::Es256,
        }
    }

    /// What headers and documents call the algorithm: as the key came, else `EdDSA` or `ES256`.
    pub fn alg(&self) -> &'static str {
        self.alg
    }

    /// Verifies a signature of 64 bytes over `input`.
    ///
    /// # Errors
    /// [`BadSignature`] for everything else, a key that is no point among it.
    pub fn verify(&self, input: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let verified = match &self.point {
            Point::Ed25519(x) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, x).verify(input, signature)
            }
            Point::P256(x, y) => {
                let algorithm = &signature::ECDSA_P256_SHA256_FIXED;
                let point = uncompressed(x, y);
                signature::UnparsedPublicKey::new(algorithm, point).verify(input, signature)
            }
        };
        verified.map_err(|_| BadSignature)
    }

    /// Writes the key with `kid`, `alg` and `use`, as a key set publishes it.
    pub fn to_json(&self) -> Value {
        let mut members = self.required_members();
        members.insert("alg".to_owned(), self.alg.into());
        members.insert("kid".to_owned(), self.kid().into());
        members.insert("use".to_owned(), "sig".into());
        Value::Object(members)
    }

    /// `x`, and `y` of P-256.
    pub(crate) fn coordinates(&self) -> (&[u8; 32], Option<&[u8; 32]>) {
        match &self.point {
            Point::Ed25519(x) => (x, None),
            Point::P256(x, y) => (x, Some(y)),
        }
    }

    /// The members that a key must have and no other (RFC 7638, section 3.2), as a proof carries it.
    pub(crate) fn required_members(&self) -> Map<String, Value> {
        let (x, y) = self.coordinates();
        let (crv, kty) = match y {
            None => ("Ed25519", "OKP"),
            Some(_) => ("P-256", "EC"),
        };
        let mut members = Map::new();
        members.insert("crv".to_owned(), crv.into());
        members.insert("kty".to_owned(), kty.into());
        members.insert("x".to_owned(), encoding::encode(x).into());
        if let Some(y) = y {
            members.insert("y".to_owned(), encoding::encode(y).into());
        }
        members
    }

    /// Reads the members of a JWK, and asks ring about the point.
    pub(crate) fn from_members(members: &Map<String, Value>) -> Result<Self, InvalidJwk> {
        Self::from_members_unproven(members)?.on_the_curve()
    }

    /// Reads the members of a JWK whose signature is verified next: ring refuses there a point that is not on the curve, and
    /// is not asked twice.
    pub(crate) fn from_members_unproven(members: &Map<String, Value>) -> Result<Self, InvalidJwk> {
        if let Some(private) = PRIVATE_MEMBERS.iter().find(|it| members.contains_key(**it)) {
            return Err(InvalidJwk::PrivateMember(private));
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let coordinate = |name: &'static str| {
            let bytes = text(name).and_then(encoding::decode_exactly::<32>);
            bytes.ok_or(InvalidJwk::Coordinate(name))
        };
        let point = match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Point::Ed25519(coordinate("x")?),
            (Some("EC"), Some("P-256")) => Point::P256(coordinate("x")?, coordinate("y")?),
            (Some("OKP" | "EC"), _) => return Err(InvalidJwk::Curve),
            _ => return Err(InvalidJwk::KeyType),
        };
        let mut key = Self::of(point);
        key.refuse_small_order()?;
        check_purpose(members, key.algorithm())?;
        if text("alg") == Some(key.algorithm().fully_specified_name()) {
            key = key.fully_specified();
        }
        key.kid = match members.get("kid") {
            None => None,
            Some(kid) => Some(parse_kid(kid.as_str().ok_or(InvalidJwk::Kid)?)?),
        };
        Ok(key)
    }

    fn of(point: Point) -> Self {
        let mut key = Self {
            point,
            alg: "",
            thumbprint: Arc::from(""),
            kid: None,
        };
        key.alg = key.algorithm().name();
        // The members stand in the order of their names, without white space: the canonical text of RFC 7638.
        let canonical = Value::Object(key.required_members()).to_string();
        key.thumbprint = encoding::sha256(canonical).into();
        key
    }

    fn on_the_curve(self) -> Result<Self, InvalidJwk> {
        self.refuse_small_order()?;
        if let Point::P256(x, y) = &self.point
            && !ring_takes(&uncompressed(x, y))
        {
            return Err(InvalidJwk::OffCurve);
        }
        Ok(self)
    }

    fn refuse_small_order(&self) -> Result<(), InvalidJwk> {
        match &self.point {
            Point::Ed25519(x) if is_of_small_order(x) => Err(InvalidJwk::SmallOrder),
            _ => Ok(()),
        }
    }
}

impl PartialEq for PublicJwk {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicJwk {}

impl Hash for PublicJwk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.point.hash(state);
    }
}

impl fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicJwk")
            .field("alg", &self.alg)
            .field("kid", &self.kid())
            .field("thumbprint", &self.thumbprint)
            .finish()
    }
}

impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// The members of a JWK, public or private.
pub(crate) fn members(json: &[u8]) -> Result<Map<String, Value>, InvalidJwk> {
    if json.len() > MAX_JWK_BYTES {
        return Err(InvalidJwk::TooLarge);
    }
    strict_json::object(json).map_err(|fault| match fault {
        strict_json::Fault::Syntax => InvalidJwk::Syntax,
        strict_json::Fault::Twice => InvalidJwk::MemberTwice,
    })
}

/// The point of SEC 1, section 2.3.3.
pub(crate) fn uncompressed(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    point[1..33].copy_from_slice(x);
    point[33..].copy_from_slice(y);
    point
}

/// An agreement with a key of the moment is how ring tells whether a point is on its curve.
fn ring_takes(point: &[u8; 65]) -> bool {
    let curve = &agreement::ECDH_P256;
    let key = agreement::EphemeralPrivateKey::generate(curve, &rand::SystemRandom::new());
    let other = agreement::UnparsedPublicKey::new(curve, point);
    key.is_ok_and(|key| agreement::agree_ephemeral(key, &other, |_| ()).is_ok())
}

fn parse_kid(kid: &str) -> Result<Arc<str>, InvalidJwk> {
    match kid.len() {
        1..=MAX_KID_BYTES => Ok(kid.into()),
        _ => Err(InvalidJwk::Kid),
    }
}

/// Reads `alg`, `use` and `key_ops`, each if it is there.
fn check_purpose(members: &Map<String, Value>, algorithm: Algorithm) -> Result<(), InvalidJwk> {
    let named = members.get("alg").map(|name| name.as_str());
    if named.is_some_and(|name| name.and_then(Algorithm::parse) != Some(algorithm)) {
        return Err(InvalidJwk::Algorithm);
    }
    let verifies = |operations: &Value| {
        let operations = operations.as_array();
        operations.is_some_and(|all| all.iter().any(|it| it == "verify"))
    };
    let fits = members.get("use").is_none_or(|it| it == "sig")
        && members.get("key_ops").is_none_or(verifies);
    match fits {
        true => Ok(()),
        false => Err(InvalidJwk::Use),
    }
}

/// The eight points of small order, as five values of `y`, two of which have a second spelling that is not reduced. The sign
/// of `x` does not matter.
const SMALL_ORDER: [[u8; 32]; 7] = [
    little_endian(0x00, 0x00, 0x00),
    little_endian(0x01, 0x00, 0x00),
    little_endian(0xec, 0xff, 0x7f),
    little_endian(0xed, 0xff, 0x7f),
    little_endian(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn little_endian(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

fn is_of_small_order(x: &[u8; 32]) -> bool {
    let mut without_sign = *x;
    without_sign[31] &= 0x7f;
    SMALL_ORDER.contains(&without_sign)
}
