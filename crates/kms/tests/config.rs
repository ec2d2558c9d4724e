//! `kms.json`: every field by its path, everything that is wrong at once, and no input that panics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jwt_auth::Algorithm;
use kms::config::settings::HttpAuth;
use kms::config::{KmsConfig, ProviderSettings};
use proptest::prelude::*;
use serde_json::{Value, json};

fn variables(name: &str) -> Option<String> {
    match name {
        "KMS_TOKEN" => Some("t0k\"en".to_owned()),
        "TRICK" => Some("${KMS_TOKEN}".to_owned()),
        _ => None,
    }
}

fn parse(document: &Value) -> Result<KmsConfig, String> {
    let read = KmsConfig::parse(document.to_string().as_bytes(), &variables);
    read.map_err(|invalid| invalid.to_string())
}

fn of(provider: &Value) -> Result<KmsConfig, String> {
    parse(&json!({ "providers": [provider] }))
}

fn oauth2() -> Value {
    json!({ "id": "a", "type": "http", "baseUrl": "https://kms.example/", "auth": {
        "type": "oauth2-client-credentials", "tokenUrl": "https://login.example/token", "clientId": "c",
        "clientSecret": "s", "scope": "kms:sign",
        "tls": { "certFile": "c.pem", "keyFile": "k.pem", "caFile": "ca.pem" } } })
}

#[test]
fn every_provider_and_every_way_to_prove_oneself_is_read() {
    let config = parse(&json!({ "defaultProvider": "b", "providers": [
        { "id": "m", "type": "memory" },
        { "id": "s", "type": "sql", "databaseUrl": "sqlite:keys.db", "secretsKey": "k" },
        { "id": "n", "type": "http", "baseUrl": "http://127.0.0.1:1/", "auth": { "type": "none" } },
        { "id": "b", "type": "http", "baseUrl": "https://kms.example/v1", "keysPath": "/k", "healthPath": "/h",
          "auth": { "type": "bearer", "token": "${KMS_TOKEN}" }, "caFile": "ca.pem", "canImport": true,
          "algorithms": ["ES256"] },
        { "id": "t", "type": "http", "baseUrl": "https://kms.example",
          "auth": { "type": "mtls", "certFile": "c.pem", "keyFile": "k.pem" } },
        oauth2(),
        { "id": "v", "type": "vault-transit", "baseUrl": "https://bao.example", "token": "x", "mount": "team/transit",
          "namespace": "ns" },
    ] }))
    .unwrap();
    assert_eq!(config.default_provider.as_deref(), Some("b"));
    let kinds: Vec<&str> = config
        .providers
        .iter()
        .map(|it| it.settings.kind())
        .collect();
    assert_eq!(
        kinds,
        [
            "memory",
            "sql",
            "http",
            "http",
            "http",
            "http",
            "vault-transit"
        ]
    );
    let ProviderSettings::Http(bearer) = &config.providers[3].settings else {
        panic!("an http provider");
    };
    let HttpAuth::Bearer(token) = &bearer.auth else {
        panic!("a bearer token");
    };
    assert_eq!(token.expose(), "t0k\"en");
    assert_eq!(bearer.base_url.as_str(), "https://kms.example/v1");
    assert_eq!(
        (bearer.keys_path.as_str(), bearer.health_path.as_str()),
        ("/k", "/h")
    );
    assert!(bearer.can_import && bearer.tls.ca_file.is_some());
    assert_eq!(bearer.algorithms, [Algorithm::Es256]);
    let ProviderSettings::Http(oauth) = &config.providers[5].settings else {
        panic!("an http provider");
    };
    assert!(oauth.tls.client.is_some() && oauth.tls.ca_file.is_some());
    let shown = format!("{config:?}");
    assert!(!shown.contains("t0k"), "{shown}");
}

/// A document, and what is complained about.
fn complains(document: &Value, lines: &[&str]) {
    let complaint = parse(document).map(drop).unwrap_err();
    let got: Vec<&str> = complaint.lines().collect();
    assert_eq!(got, lines, "{document}");
}

#[test]
fn every_field_is_complained_about_by_its_path() {
    let wrong_fields: &[(&str, Value, &str)] = &[
        ("id", json!(""), "must not be empty"),
        ("id", json!(1), "must be a text, is a number"),
        (
            "id",
            json!("a/b"),
            "must be 1 to 64 of A-Z, a-z, 0-9, - _ and .",
        ),
        (
            "type",
            json!("x"),
            "must be one of memory, sql, http, vault-transit",
        ),
        ("baseUrl", json!("kms"), "must be a URL"),
        ("baseUrl", json!(" "), "must not be empty"),
        (
            "baseUrl",
            json!("ftp://kms"),
            "must begin with https:// or http://",
        ),
        (
            "baseUrl",
            json!("https://u:p@kms"),
            "must hold no credentials",
        ),
        (
            "baseUrl",
            json!("https://kms?a"),
            "must have no query and no fragment",
        ),
        (
            "baseUrl",
            json!("http://kms.example"),
            "must begin with https://: the client shows a certificate",
        ),
        (
            "keysPath",
            json!("keys"),
            "must be a path such as /keys, without a / at its end",
        ),
        (
            "keysPath",
            json!("/a/../b"),
            "must be a path such as /keys, without a / at its end",
        ),
        (
            "healthPath",
            json!("/h?x"),
            "must be a path such as /keys, without a / at its end",
        ),
        ("caFile", json!([]), "must be a text, is a list"),
        ("canImport", json!("yes"), "must be a boolean, is a text"),
        ("allowPlain", json!(0), "must be a boolean, is a number"),
        (
            "algorithms",
            json!(["RS256"]),
            "must be a list of EdDSA and ES256, with one at least",
        ),
        ("algorithms", json!("ES256"), "must be a list, is a text"),
        ("auth", json!(null), "must be an object, is null"),
        (
            "auth.type",
            json!("basic"),
            "must be one of none, bearer, oauth2-client-credentials, mtls",
        ),
        (
            "auth.tokenUrl",
            json!("http://login.example"),
            "must begin with https://: the client shows a certificate",
        ),
        ("auth.clientId", json!(""), "must not be empty"),
        (
            "auth.clientSecret",
            json!({}),
            "must be a text, is an object",
        ),
        ("auth.scope", json!(""), "must not be empty"),
        (
            "auth.tls.certFile",
            json!("a\nb"),
            "must have no control character",
        ),
        ("auth.tls.keyFile", json!(""), "must not be empty"),
        ("auth.other", json!(1), "is unknown"),
        ("other", json!(1), "is unknown"),
    ];
    for (path, value, problem) in wrong_fields {
        let mut provider = oauth2();
        let mut at = &mut provider;
        for part in path.split('.') {
            at = &mut at[part];
        }
        *at = value.clone();
        let complaint = of(&provider).map(drop).unwrap_err();
        assert_eq!(complaint, format!("providers[0].{path}: {problem}"));
    }
    for missing in ["id", "type", "baseUrl", "auth"] {
        let mut provider = oauth2();
        provider.as_object_mut().unwrap().remove(missing);
        let complaint = of(&provider).map(drop).unwrap_err();
        assert_eq!(complaint, format!("providers[0].{missing}: is required"));
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let document = json!({ "defaultProvider": "nobody", "extra": 1, "providers": [
        { "id": "a", "type": "http", "baseUrl": "http://kms.example", "auth": { "type": "bearer" } },
        { "id": "a", "type": "memory", "x": "${KMS_URL} and ${OTHER}" },
        7,
        { "id": "s", "type": "sql", "databaseUrl": "${DATABASE_URL}", "secretsKey": "" },
    ] });
    complains(
        &document,
        &[
            "Missing environment variables: DATABASE_URL, KMS_URL, OTHER",
            "providers[0].auth.token: is required",
            "providers[0].baseUrl: must begin with https://, unless it is this machine or allowPlain is true",
            "providers[1].id: is the id of an earlier provider",
            "providers[1].x: is unknown",
            "providers[2]: must be an object, is a number",
            "providers[3].secretsKey: must not be empty",
            "defaultProvider: is the id of no provider",
            "extra: is unknown",
        ],
    );
    complains(
        &json!({ "providers": [] }),
        &["providers: must list 1 to 64 providers"],
    );
    complains(&json!({}), &["providers: is required"]);
    complains(&json!([]), &["must be an object, is a list"]);
}

#[test]
fn a_member_that_comes_twice_is_told() {
    let twice = br#"{"providers":[{"id":"a","type":"memory","type":"memory"}]}"#;
    let complaint = KmsConfig::parse(twice, &variables).unwrap_err();
    assert_eq!(complaint.to_string(), "providers[0].type: comes twice");
    let broken = KmsConfig::parse(b"{\"providers\":\n[}", &variables).unwrap_err();
    assert_eq!(
        broken.to_string(),
        "the document is no JSON: line 2, column 2"
    );
}

#[test]
fn placeholders_are_filled_once() {
    let with = |token: &str| {
        let provider =
            json!({ "id": "v", "type": "vault-transit", "baseUrl": "https://bao", "token": token });
        of(&provider).map(|config| match &config.providers[0].settings {
            ProviderSettings::Transit(transit) => transit.token.expose().to_owned(),
            _ => panic!("a transit provider"),
        })
    };
    assert_eq!(with("a${KMS_TOKEN}b").unwrap(), "at0k\"enb");
    assert_eq!(with("${TRICK}").unwrap(), "${KMS_TOKEN}");
    assert_eq!(with("$KMS_TOKEN }").unwrap(), "$KMS_TOKEN }");
    let missing = with("${A}${KMS_TOKEN}${B}").unwrap_err();
    assert_eq!(missing, "Missing environment variables: A, B");
    for wrong in ["${", "${}", "${A", "${A B}", "${1}", "${A${B}}"] {
        let complaint = with(wrong).unwrap_err();
        assert_eq!(
            complaint, "providers[0].token: has a placeholder that is not ${NAME}",
            "{wrong}"
        );
    }
}

#[test]
fn plain_http_goes_to_this_machine_only() {
    let with = |url: &str, allow: bool| {
        of(
            &json!({ "id": "a", "type": "http", "baseUrl": url, "allowPlain": allow, "auth": { "type": "none" } }),
        )
    };
    for near in [
        "http://localhost:1",
        "http://127.8.9.1",
        "http://[::1]:8080",
    ] {
        assert!(with(near, false).is_ok(), "{near}");
    }
    for far in [
        "http://kms",
        "http://10.0.0.1",
        "http://localhost.example",
        "http://[::2]",
    ] {
        assert!(with(far, false).is_err(), "{far}");
        assert!(with(far, true).is_ok(), "{far}");
    }
}

proptest! {
    #[test]
    fn no_document_panics_and_none_is_half_read(bytes: Vec<u8>, text in "[{}\\[\\]\",:a$ ]{0,60}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(config) = KmsConfig::parse(input, &variables) {
                prop_assert!(!config.providers.is_empty());
            }
        }
    }

    #[test]
    fn a_member_replaced_by_anything_is_read_or_told(
        at in 0_usize..12, value in prop_oneof![Just(json!(null)), Just(json!([])), Just(json!({})), "\\PC{0,20}".prop_map(Value::from)]
    ) {
        let mut provider = oauth2();
        let names = ["id", "type", "baseUrl", "auth", "keysPath", "healthPath", "caFile", "canImport", "allowPlain",
            "algorithms", "mount", "token"];
        provider[names[at]] = value;
        if let Err(complaint) = of(&provider) {
            prop_assert!(!complaint.is_empty());
        }
    }
}

/// Every block of JSON in `docs/kms.md` can be pasted.
#[test]
fn the_examples_of_the_page_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/kms.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = page.split("```json\n").skip(1);
    let mut read = [0, 0, 0];
    for block in blocks {
        let text = block.split("```").next().unwrap();
        let json: Value = serde_json::from_str(text).unwrap();
        let provider = |auth: &Value| json!({ "id": "a", "type": "http", "baseUrl": "https://kms", "auth": auth });
        let document = match &json {
            // The callers of the key server.
            Value::Array(_) => continue,
            whole if whole["providers"].is_array() => {
                read[0] += 1;
                whole.clone()
            }
            one if one["id"].is_string() => {
                read[1] += 1;
                json!({ "providers": [one] })
            }
            auth => {
                read[2] += 1;
                json!({ "providers": [provider(auth)] })
            }
        };
        let config = KmsConfig::parse(document.to_string().as_bytes(), &|_| {
            Some("value".to_owned())
        });
        config
            .map(drop)
            .map_err(|invalid| format!("{text}{invalid}"))
            .unwrap();
    }
    assert_eq!(read, [2, 4, 4]);
}

#[test]
fn authorities_stand_in_one_place() {
    for auth in [
        oauth2()["auth"].clone(),
        json!({ "type": "mtls", "certFile": "c.pem", "keyFile": "k.pem", "caFile": "ca.pem" }),
    ] {
        let document = |ca: Value| {
            let mut provider =
                json!({ "id": "a", "type": "http", "baseUrl": "https://a", "auth": auth });
            provider["caFile"] = ca;
            of(&provider)
        };
        assert_eq!(
            document("other.pem".into()).unwrap_err(),
            "providers[0].caFile: must not stand beside the caFile of the certificate"
        );
    }
}
