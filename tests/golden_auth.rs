//! Golden vectors of the HMAC wire: every line of `vectors/*.json` was computed by the original and is a test here. Where
//! ours deviates, the deviation has a name, and what ours does instead is asserted. Targets and messages also keep their
//! property (`hmac_testkit::hostile`), which compares the fast path with the long way.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a malformed vector file must fail the test"
)]

use std::collections::BTreeSet;

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::canonical::{
    hash_body, normalize_received_target, normalize_target, sign_request, signing_payload,
};
use hmac_auth::client_address::parse_address;
use hmac_auth::credential::ClientId;
use hmac_auth::record;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::signed_head::parse_timestamp;
use hmac_message::canonical_json::canonical_json;
use hmac_message::canonical_json::keys::compare_keys;
use hmac_message::message::{Message, message_hash, sign_message};
use hmac_testkit::hostile;
use serde_json::Value;

/// What ours does otherwise than the original, and where the wire contract says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deviation {
    /// 1.3: an allow-list whose every rule is unparsable denies; the original lets everyone in.
    UnreadableListDenies,
    /// 1.3, check 9: an IPv4 address mapped into IPv6 is that IPv4 address however it is spelled.
    MappedAddressInAnySpelling,
    /// 1.1: bodies that are not UTF-8 are hashed as they are.
    RawBytesAreHashed,
    /// 1.4: JSON, or text, without a valid hash is corrupt; the original takes the text for the hash.
    NoHashIsCorrupt,
    /// 1.3, check 5: a timestamp is a decimal integer.
    DecimalTimestampsOnly,
}

use Deviation::{
    DecimalTimestampsOnly, MappedAddressInAnySpelling, NoHashIsCorrupt, RawBytesAreHashed,
    UnreadableListDenies,
};

/// Runs `check` over every case and compares which deviations came up, so that none creeps in and none is forgotten.
#[track_caller]
fn check_all(cases: &Value, expected: &[Deviation], check: impl Fn(&Value) -> Option<Deviation>) {
    let cases = cases.as_array().expect("an array of cases");
    assert!(!cases.is_empty());
    let deviations: BTreeSet<_> = cases.iter().filter_map(check).collect();
    assert_eq!(deviations, expected.iter().copied().collect());
}

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("a vector file is JSON")
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is text in {case}"))
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn hash_of(case: &Value) -> SecretHash {
    let token = Secret::new(text(case, "token"));
    hash_client_secret(&Secret::new(text(case, "secret")), Some(&token))
}

mod hash_client_secret_json {
    use super::*;

    fn check(case: &Value) -> Option<Deviation> {
        assert_eq!(hash_of(case).expose(), text(case, "hash"), "{case}");
        None
    }

    #[test]
    fn every_line() {
        check_all(
            &vectors(include_str!("vectors/hash-client-secret.json"))["cases"],
            &[],
            check,
        );
    }
}

mod sign_request_json {
    use super::*;

    fn check(case: &Value) -> Option<Deviation> {
        hostile::path(text(case, "path").as_bytes());
        let path = normalize_target(text(case, "path")).expect("a target that the original signed");
        let body_hash = hash_body(text(case, "body").as_bytes());
        let timestamp = case["timestamp"].as_i64().expect("an integer");
        let payload = signing_payload(
            text(case, "method"),
            &path,
            timestamp,
            text(case, "nonce"),
            &body_hash,
        );
        assert_eq!(payload, text(case, "payload"));
        let secret_hash = SecretHash::parse(text(case, "secretHash")).expect("a hash");
        assert_eq!(
            sign_request(&secret_hash, &payload),
            text(case, "signature"),
            "{case}"
        );
        None
    }

    #[test]
    fn every_line() {
        check_all(
            &vectors(include_str!("vectors/sign-request.json"))["cases"],
            &[],
            check,
        );
    }
}

mod bodies_json {
    use super::*;

    fn check(case: &Value) -> Option<Deviation> {
        let body = bytes(text(case, "hex"));
        let theirs = text(case, "hashBodyOfLossyUtf8");
        assert_eq!(
            hash_body(String::from_utf8_lossy(&body).as_bytes()),
            theirs,
            "{case}"
        );
        let same = hash_body(&body) == theirs;
        assert_eq!(
            same,
            case["sameAsRaw"].as_bool().expect("a boolean"),
            "{case}"
        );
        assert_eq!(same, std::str::from_utf8(&body).is_ok(), "{case}");
        (!same).then_some(RawBytesAreHashed)
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).expect("hex"));
        digits
            .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
            .collect()
    }

    #[test]
    fn every_line() {
        check_all(
            &vectors(include_str!("vectors/bodies.json"))["cases"],
            &[RawBytesAreHashed],
            check,
        );
    }
}

mod normalize_path_json {
    use super::*;

    fn check(case: &Value) -> Option<Deviation> {
        let target = text(case, "in");
        hostile::path(target.as_bytes());
        let normal = normalize_target(target);
        assert_eq!(normal.as_deref().ok(), case["ok"].as_str(), "{case}");
        // What the verifier does not refuse, it brings into the same form.
        if let Ok(received) = normalize_received_target(target) {
            assert_eq!(Ok(received), normal, "{case}");
        }
        None
    }

    #[test]
    fn every_line() {
        check_all(
            &vectors(include_str!("vectors/normalize-path.json"))["cases"],
            &[],
            check,
        );
    }
}

mod timestamps_json {
    use super::*;

    fn check(case: &Value) -> Option<Deviation> {
        let ours = parse_timestamp(text(case, "in")).map(|timestamp| timestamp.to_string());
        match (ours, case["signedAs"].as_str()) {
            (Some(ours), theirs) => {
                assert_eq!(Some(ours.as_str()), theirs, "{case}");
                None
            }
            (None, None) => None,
            (None, Some(_)) => {
                assert!(case["finite"].as_bool().expect("a boolean"), "{case}");
                let digits = text(case, "in").trim_ascii().trim_start_matches('-');
                let decimal =
                    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                assert!(!decimal, "ours refuses an integer: {case}");
                Some(DecimalTimestampsOnly)
            }
        }
    }

    #[test]
    fn every_line() {
        check_all(
            &vectors(include_str!("vectors/timestamps.json"))["cases"],
            &[DecimalTimestampsOnly],
            check,
        );
    }
}

mod records_json {
    use super::*;

    const HASH: &str = "53573f7d3f8a7f7bcada80253685d2b1e058d74729cde4370f7998ee7fb11a16";

    fn check(case: &Value) -> Option<Deviation> {
        let stored = text(case, "in");
        let corrupt = record::decode(stored).expect_err("no line of this file has a valid hash");
        assert!(!corrupt.to_string().contains(stored), "{case}");
        // With a valid hash in the place of theirs, all the rest must be read as they read it.
        let with_hash = match text(&case["out"], "secretHash") {
            "abc" => HASH.to_owned(),
            "h" => stored.replacen("\"h\"", &format!("\"{HASH}\""), 1),
            _ => return Some(NoHashIsCorrupt),
        };
        check_readable(&with_hash, &case["out"]).or(Some(NoHashIsCorrupt))
    }

    fn check_readable(stored: &str, theirs: &Value) -> Option<Deviation> {
        let ours = record::decode(stored).expect("a record with a hash is readable");
        assert_eq!(ours.secret_hash.expose(), HASH);
        assert_eq!(
            Some(ours.created_at),
            theirs["createdAt"].as_i64(),
            "{stored}"
        );
        assert_eq!(
            Some(ours.updated_at),
            theirs["updatedAt"].as_i64(),
            "{stored}"
        );
        assert_eq!(ours.expires_at, theirs["expiresAt"].as_i64(), "{stored}");
        assert_eq!(
            ours.allowed_ips.rules(),
            texts(&theirs["allowedIps"]),
            "{stored}"
        );
        ours.allowed_ips
            .denies_everyone()
            .then_some(UnreadableListDenies)
    }

    #[test]
    fn every_line() {
        let deviations = [NoHashIsCorrupt, UnreadableListDenies];
        check_all(
            &vectors(include_str!("vectors/records.json"))["cases"],
            &deviations,
            check,
        );
    }
}

mod allowed_ips_json {
    use super::*;

    fn file() -> Value {
        vectors(include_str!("vectors/allowed-ips.json"))
    }

    fn check_rule(case: &Value) -> Option<Deviation> {
        let rule = text(case, "in");
        let lenient = AllowedIps::parse_lenient([rule]);
        let theirs = texts(&case["lenient"]);
        if lenient.rules() != theirs {
            assert_eq!(
                (rule, lenient.rules()),
                ("::FFFF:10.0.0.1", &["10.0.0.1".to_owned()][..])
            );
            return Some(MappedAddressInAnySpelling);
        }
        match AllowedIps::parse([rule]) {
            Ok(strict) => {
                assert_eq!(strict.rules(), texts(&case["strict"]["ok"]), "{case}");
                None
            }
            Err(error) => {
                assert_eq!(error.to_string(), text(&case["strict"], "error"));
                assert!(lenient.denies_everyone(), "{case}");
                Some(UnreadableListDenies)
            }
        }
    }

    fn check_match(case: &Value) -> Option<Deviation> {
        let list = AllowedIps::parse_lenient(texts(&case["rules"]));
        let address = parse_address(text(case, "ip"));
        let ours = address.map_or(list.is_empty(), |address| list.allow(address));
        let theirs = case["out"].as_bool().expect("a boolean");
        if ours == theirs {
            return None;
        }
        let ip = text(case, "ip").to_ascii_lowercase();
        assert!(ours && ip.starts_with("::ffff:"), "{case}");
        Some(MappedAddressInAnySpelling)
    }

    /// The first candidate that is an address; a candidate is a header's value, or all of its values.
    fn check_extraction(case: &Value) -> Option<Deviation> {
        let candidates = case["in"].as_array().expect("an array");
        let mut values = candidates.iter().flat_map(|candidate| match candidate {
            Value::Array(values) => texts(&Value::Array(values.clone()))
                .into_iter()
                .map(str::to_owned)
                .collect(),
            other => other
                .as_str()
                .map(str::to_owned)
                .into_iter()
                .collect::<Vec<_>>(),
        });
        let ours = values
            .find_map(|value| parse_address(&value))
            .map(|address| address.to_string());
        assert_eq!(ours.as_deref(), case["out"].as_str(), "{case}");
        None
    }

    #[test]
    fn every_rule() {
        let deviations = [UnreadableListDenies, MappedAddressInAnySpelling];
        check_all(&file()["rules"], &deviations, check_rule);
    }

    #[test]
    fn every_repetition() {
        let file = file();
        let list = AllowedIps::parse(texts(&file["dedup"]["in"])).expect("good rules");
        assert_eq!(list.rules(), texts(&file["dedup"]["out"]));
    }

    #[test]
    fn every_match() {
        check_all(
            &file()["matching"],
            &[MappedAddressInAnySpelling],
            check_match,
        );
    }

    #[test]
    fn every_extraction() {
        check_all(&file()["extraction"], &[], check_extraction);
    }
}

mod message_json {
    use super::*;

    fn file() -> Value {
        vectors(include_str!("vectors/message.json"))
    }

    /// The file does not say who signed with what, so `signature` cannot be computed anew here; `sign-message.json` holds
    /// signatures with their secrets.
    fn check(case: &Value) -> Option<Deviation> {
        hostile::canonical_json(text(case, "json").as_bytes());
        let message = Message::Json(text(case, "json"));
        assert_eq!(
            canonical_json(text(case, "json")).as_deref(),
            Ok(text(case, "canonical"))
        );
        assert_eq!(
            message_hash(message).as_deref(),
            Ok(text(case, "messageHash")),
            "{case}"
        );
        None
    }

    #[test]
    fn every_line() {
        check_all(&file()["cases"], &[], check);
    }

    #[test]
    fn every_pair_of_keys() {
        let file = file();
        for sample in file["keyOrder"]["samples"].as_array().expect("an array") {
            let (left, right) = (
                sample[0].as_str().expect("text"),
                sample[1].as_str().expect("text"),
            );
            assert_eq!(
                compare_keys(left, right) as i64,
                sample[2].as_i64().expect("a number"),
                "{sample}"
            );
            for pair in [[left, right], [right, left]] {
                let [first, second] = pair.map(|key| Value::from(key).to_string());
                hostile::canonical_json(format!("{{{first}:1,{second}:2}}").as_bytes());
            }
        }
        let ascii = text(&file["keyOrder"], "ascii");
        let mut sorted: Vec<_> = ascii.chars().rev().map(String::from).collect();
        sorted.sort_by(|left, right| compare_keys(left, right));
        assert_eq!(sorted.concat(), ascii);
    }
}

mod sign_message_json {
    use super::*;

    fn check(case: &Value) -> Option<Deviation> {
        let client_id = ClientId::parse(text(case, "clientId")).expect("a client id");
        let json = case["message"].to_string();
        hostile::canonical_json(json.as_bytes());
        let message = Message::Json(&json);
        assert_eq!(
            message_hash(message).as_deref(),
            Ok(text(case, "messageHash")),
            "{case}"
        );
        let signature = sign_message(&client_id, &hash_of(case), message);
        assert_eq!(signature.as_deref(), Ok(text(case, "signature")), "{case}");
        None
    }

    #[test]
    fn every_line() {
        check_all(
            &vectors(include_str!("vectors/sign-message.json"))["cases"],
            &[],
            check,
        );
    }
}
