//! Keys as they come from outside: JWK, key sets, PEM in variables.

use jwt_auth::jwks::{InvalidJwks, MAX_JWKS_BYTES, MAX_KEYS, SkippedKey};
use jwt_auth::pem::{InvalidPem, PemProblem, repair};
use jwt_auth::public_jwk::{InvalidJwk, MAX_JWK_BYTES};
use jwt_auth::{
    Algorithm, Jwks, MemorySigner, PrivateKey, PublicJwk, Signer, read_private_key, read_public_key,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{b64, ed25519, members, p256};

fn parse(jwk: &Value) -> Result<PublicJwk, InvalidJwk> {
    PublicJwk::parse(jwk.to_string().as_bytes())
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let ed25519 = ed25519().key().thumbprint().to_owned();
    assert_eq!(
        ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "RFC 8037, A.3"
    );
    // RFC 9449, section 6.1.
    let of_proof = json!({
        "kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    });
    let key = parse(&of_proof).unwrap();
    assert_eq!(
        key.thumbprint(),
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    );
    assert_eq!(key.kid(), key.thumbprint());
}

#[test]
fn a_key_that_is_none_is_refused_for_its_reason() {
    let (ed, ec) = (members(ed25519().key()), members(p256().key()));
    let with = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let thirty_three = b64([1; 33]);
    for (jwk, expected) in [
        (with(&ed, "x", json!("AQ")), InvalidJwk::Coordinate("x")),
        (
            with(&ed, "x", json!(thirty_three)),
            InvalidJwk::Coordinate("x"),
        ),
        (with(&ed, "x", json!("")), InvalidJwk::Coordinate("x")),
        (with(&ed, "x", json!(7)), InvalidJwk::Coordinate("x")),
        (
            with(&ed, "x", json!(format!("{}=", b64([1; 32])))),
            InvalidJwk::Coordinate("x"),
        ),
        (with(&ec, "y", json!("AQ")), InvalidJwk::Coordinate("y")),
        (
            with(&ec, "y", json!(thirty_three)),
            InvalidJwk::Coordinate("y"),
        ),
        (with(&ec, "y", json!(b64([1; 32]))), InvalidJwk::OffCurve),
        (
            with(
                &with(&ec, "x", json!(b64([0; 32]))),
                "y",
                json!(b64([0; 32])),
            ),
            InvalidJwk::OffCurve,
        ),
        (
            with(
                &with(&ec, "x", json!(b64([255; 32]))),
                "y",
                json!(b64([255; 32])),
            ),
            InvalidJwk::OffCurve,
        ),
        (with(&ed, "crv", json!("X25519")), InvalidJwk::Curve),
        (with(&ed, "crv", json!("P-256")), InvalidJwk::Curve),
        (with(&ec, "crv", json!("secp256k1")), InvalidJwk::Curve),
        (with(&ed, "kty", json!("RSA")), InvalidJwk::KeyType),
        (json!({ "kty": "oct", "x": "AQ" }), InvalidJwk::KeyType),
        (json!({}), InvalidJwk::KeyType),
        (with(&ed, "alg", json!("ES256")), InvalidJwk::Algorithm),
        (with(&ec, "alg", json!("EdDSA")), InvalidJwk::Algorithm),
        (with(&ec, "alg", json!("none")), InvalidJwk::Algorithm),
        (with(&ec, "alg", json!(null)), InvalidJwk::Algorithm),
        (with(&ed, "use", json!("enc")), InvalidJwk::Use),
        (with(&ed, "key_ops", json!(["sign"])), InvalidJwk::Use),
        (with(&ed, "kid", json!(7)), InvalidJwk::Kid),
        (with(&ed, "kid", json!("")), InvalidJwk::Kid),
        (with(&ed, "kid", json!("k".repeat(257))), InvalidJwk::Kid),
        (
            with(&ed, "pad", json!("x".repeat(MAX_JWK_BYTES))),
            InvalidJwk::TooLarge,
        ),
    ] {
        assert_eq!(parse(&jwk), Err(expected), "{jwk}");
    }
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for value in [json!("AQ"), json!(""), json!(null), json!([])] {
            let jwk = with(&ec, name, value);
            assert_eq!(parse(&jwk), Err(InvalidJwk::PrivateMember(name)), "{jwk}");
        }
    }
    let twice = ed.to_string().replace('{', r#"{"kty":"EC","#);
    assert_eq!(
        PublicJwk::parse(twice.as_bytes()),
        Err(InvalidJwk::MemberTwice)
    );
    for wrong in ["", "[]", "null", "{", "\"x\""] {
        assert_eq!(PublicJwk::parse(wrong.as_bytes()), Err(InvalidJwk::Syntax));
    }
    for fine in [
        with(&ed, "alg", json!("Ed25519")),
        with(&ed, "alg", json!("EdDSA")),
        with(&ec, "use", json!("sig")),
        with(&ec, "key_ops", json!(["verify"])),
        with(&ec, "ext", json!(true)),
    ] {
        assert!(parse(&fine).is_ok(), "{fine}");
    }
}

/// Everybody can sign for such a point: ring accepts `R = A`, `S = 0` for one message in eight or more.
#[test]
fn points_of_small_order_are_refused() {
    const ORDER_8: [&str; 2] = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    let of_hex = |hex: &str| std::array::from_fn::<u8, 32, _>(|at| byte(hex, at));
    let edge = |first: u8, middle: u8, last: u8| {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let mut points = ORDER_8.map(of_hex).to_vec();
    points.extend([
        edge(0, 0, 0),
        edge(1, 0, 0),
        edge(0xec, 0xff, 0x7f),
        edge(0xed, 0xff, 0x7f),
    ]);
    points.push(edge(0xee, 0xff, 0x7f));
    let forged = |point: &[u8; 32]| {
        let identity = edge(1, 0, 0);
        let signature = [identity, [0; 32]].concat();
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, point);
        (0..200_u8).any(|message| key.verify(&[message], &signature).is_ok())
    };
    let mut seen = 0;
    for mut point in points {
        for sign in [0, 0x80] {
            point[31] ^= sign;
            seen += usize::from(forged(&point));
            assert_eq!(
                PublicJwk::ed25519(point),
                Err(InvalidJwk::SmallOrder),
                "{point:?}"
            );
        }
    }
    assert!(seen >= 7, "ring verifies forgeries of {seen}");
}

#[test]
fn a_key_set_keeps_what_it_can_use() {
    let (ed, ec) = (ed25519().key().to_json(), p256().key().to_json());
    let mut private = ed.clone();
    private["d"] = "AQ".into();
    let mut renamed = ec.clone();
    renamed["kid"] = ed["kid"].clone();
    let rsa = json!({ "kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "r" });
    let document = json!({ "keys": [rsa, private, ed, 7, renamed, ec, ed], "other": 1 });
    let (set, skipped) = Jwks::parse_and_tell(document.to_string().as_bytes()).unwrap();
    assert_eq!(set.keys(), [ed25519().key().clone(), p256().key().clone()]);
    assert_eq!(
        skipped,
        [
            (0, SkippedKey::Invalid(InvalidJwk::KeyType)),
            (1, SkippedKey::Invalid(InvalidJwk::PrivateMember("d"))),
            (3, SkippedKey::Invalid(InvalidJwk::Syntax)),
            (4, SkippedKey::SameKid),
            (6, SkippedKey::SameKid),
        ]
    );
    assert_eq!(set.find(ed25519().key().kid()), Some(ed25519().key()));
    assert_eq!(set.find("nobody"), None);
    assert_eq!(set.to_json(), json!({ "keys": [ed, ec] }));
    assert_eq!(Jwks::new(set.keys().iter().chain(set.keys()).cloned()), set);
}

#[test]
fn a_key_set_is_bounded() {
    let key = json!({ "kty": "RSA" });
    let of = |count: usize| json!({ "keys": vec![key.clone(); count] }).to_string();
    assert_eq!(Jwks::parse(of(MAX_KEYS).as_bytes()), Ok(Jwks::default()));
    assert_eq!(
        Jwks::parse(of(MAX_KEYS + 1).as_bytes()),
        Err(InvalidJwks::TooMany)
    );
    let large = format!("{}{}", of(1), " ".repeat(MAX_JWKS_BYTES));
    assert_eq!(Jwks::parse(large.as_bytes()), Err(InvalidJwks::TooLarge));
    for wrong in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
        assert_eq!(
            Jwks::parse(wrong.as_bytes()),
            Err(InvalidJwks::Syntax),
            "{wrong}"
        );
    }
    let twice = r#"{"keys":[],"keys":[]}"#;
    assert_eq!(Jwks::parse(twice.as_bytes()), Err(InvalidJwks::MemberTwice));
}

#[test]
fn no_key_set_publishes_a_private_member() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let published = Jwks::new([key.public().clone()]).to_json();
        let listed = published["keys"][0].as_object().unwrap();
        for name in listed.keys() {
            assert!(
                ["alg", "crv", "kid", "kty", "use", "x", "y"].contains(&name.as_str()),
                "{name}"
            );
        }
        let jwk = key.expose_jwk();
        let private = serde_json::from_str::<Value>(jwk.expose()).unwrap()["d"].to_string();
        assert!(!published.to_string().contains(private.trim_matches('"')));
    }
}

/// `openssl genpkey -algorithm ED25519`, and its public half.
const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const ED25519_PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const P256_PEM: &str = include_str!("../vectors/p256.pem");
const SEC1_PEM: &str = include_str!("../vectors/p256-sec1.pem");

fn problem<T: std::fmt::Debug>(read: Result<T, InvalidPem>) -> PemProblem {
    let error = read.unwrap_err();
    assert_eq!(error.variable, "INTERNAL_JWT_KEY");
    assert!(
        error.to_string().starts_with("INTERNAL_JWT_KEY "),
        "{error}"
    );
    assert!(
        !format!("{error} {error:?}").contains("MC4CAQ"),
        "{error:?}"
    );
    error.problem
}

#[test]
fn a_pem_survives_the_environment() {
    for pem in [ED25519_PEM, P256_PEM] {
        let key = read_private_key("K", Some(pem)).unwrap();
        let one_line = pem.trim().replace('\n', "\\n");
        for form in [
            one_line.clone(),
            one_line.replace('\\', "\\\\"),
            one_line.replace('\\', "\\\\\\\\"),
            format!("\"{one_line}\\n\""),
            format!("'{pem}'"),
            format!("  {pem}\n\n"),
            pem.replace('\n', "\r\n"),
            pem.trim().replace('\n', "\\r\\n"),
        ] {
            let read =
                read_private_key("K", Some(&form)).unwrap_or_else(|it| panic!("{form}: {it}"));
            assert_eq!(read.public(), key.public(), "{form}");
        }
    }
    let public = read_public_key("K", Some(&ED25519_PUBLIC_PEM.replace('\n', "\\n"))).unwrap();
    assert_eq!(
        &public,
        read_private_key("K", Some(ED25519_PEM)).unwrap().public()
    );
    assert_eq!(&public, ed25519().key());
}

#[test]
fn a_variable_that_holds_no_key_is_named() {
    let private = |value: Option<&str>| problem(read_private_key("INTERNAL_JWT_KEY", value));
    let public = |value: Option<&str>| problem(read_public_key("INTERNAL_JWT_KEY", value));
    assert_eq!(private(None), PemProblem::Unset);
    assert_eq!(private(Some(" \n")), PemProblem::Unset);
    assert_eq!(private(Some("secret")), PemProblem::NoPem);
    assert_eq!(private(Some(&ED25519_PEM[..60])), PemProblem::NoPem);
    assert_eq!(
        private(Some(&ED25519_PEM.replace("MC4", "M*4"))),
        PemProblem::NoPem
    );
    assert_eq!(private(Some(&ED25519_PEM.repeat(2))), PemProblem::Several);
    assert_eq!(private(Some(ED25519_PUBLIC_PEM)), PemProblem::PublicKey);
    assert_eq!(private(Some(SEC1_PEM)), PemProblem::NotPkcs8);
    let encrypted = ED25519_PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(private(Some(&encrypted)), PemProblem::NotPkcs8);
    assert_eq!(private(Some(&"x".repeat(9_000))), PemProblem::TooLarge);
    let broken = ED25519_PEM.replace("MC4CAQAwBQ", "MC4CAQAwBR");
    assert!(matches!(private(Some(&broken)), PemProblem::Private(_)));
    assert_eq!(public(Some(ED25519_PEM)), PemProblem::PrivateKey);
    assert_eq!(public(Some(SEC1_PEM)), PemProblem::PrivateKey);
    let broken = ED25519_PUBLIC_PEM.replace("MCowBQ", "MCowBR");
    assert!(matches!(
        public(Some(&broken)),
        PemProblem::Public(InvalidJwk::KeyType)
    ));
    let certificate = ED25519_PUBLIC_PEM.replace("PUBLIC KEY", "CERTIFICATE");
    assert_eq!(public(Some(&certificate)), PemProblem::NoKey);
}

proptest! {
    #[test]
    fn any_text_is_a_pem_or_a_named_problem(text: String, cut in 0_usize..120) {
        for value in [text.as_str(), &ED25519_PEM[..cut.min(ED25519_PEM.len())]] {
            let named = read_private_key("KEY", Some(value)).map_err(|error| error.to_string());
            prop_assert!(named.is_ok() || named.is_err_and(|error| error.starts_with("KEY ")));
            prop_assert!(read_public_key("KEY", Some(value)).is_err());
        }
        let once = repair(&text).into_owned();
        prop_assert!(!once.contains("\\n"));
    }

    #[test]
    fn spki_and_jwk_are_the_same_key(bytes: [u8; 64], on_p256: bool) {
        let (x, y) = bytes.split_at(32);
        let key = match on_p256 {
            true => PublicJwk::p256(x.try_into().unwrap(), y.try_into().unwrap()),
            false => PublicJwk::ed25519(x.try_into().unwrap()),
        };
        if let Ok(key) = key {
            prop_assert_eq!(PublicJwk::from_spki(&key.to_spki()), Ok(key.clone()));
            prop_assert_eq!(PublicJwk::parse(key.to_json().to_string().as_bytes()), Ok(key.clone()));
            prop_assert!(key.verify(b"input", &bytes).is_err());
        }
    }

    #[test]
    fn any_bytes_are_a_key_or_none(bytes: Vec<u8>) {
        let _ = PublicJwk::parse(&bytes);
        let _ = PublicJwk::from_spki(&bytes);
        let _ = Jwks::parse(&bytes);
        prop_assert!(PrivateKey::from_pkcs8(&bytes).is_err());
        prop_assert!(PrivateKey::from_jwk(&bytes).is_err());
    }
}

#[test]
fn every_signature_has_64_bytes_and_one_length_only() {
    for signer in [ed25519(), p256()] {
        let key = signer.key();
        for length in [0, 1, 63, 65, 70, 72, 128] {
            assert!(key.verify(b"input", &vec![1; length]).is_err(), "{length}");
        }
    }
    let signer = MemorySigner::new(&PrivateKey::generate(Algorithm::Es256).unwrap()).unwrap();
    let twice = format!(
        "{:?} {:?}",
        signer.key(),
        signer.key().clone().with_kid("mine")
    );
    assert!(twice.contains("kid: \"mine\""), "{twice}");
}

/// Readers of a key set take a key only for the name of the algorithm that is published with it.
#[test]
fn a_key_is_published_with_the_name_that_its_tokens_carry() {
    let classic = ed25519();
    let specified = ed25519().fully_specified();
    for (signer, name) in [(&classic, "EdDSA"), (&specified, "Ed25519")] {
        let published = signer.key().to_json();
        assert_eq!(published["alg"], name);
        assert_eq!(parse(&published).unwrap().alg(), name);
    }
    assert_eq!(classic.key(), specified.key());
    assert_eq!(p256().fully_specified().key().alg(), "ES256");
}
