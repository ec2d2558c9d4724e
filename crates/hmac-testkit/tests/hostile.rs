//! What must hold for whatever comes from outside (`hmac_testkit::hostile`), over arbitrary bytes, over input of the right
//! shape, over the committed corpus of the fuzz targets and over what is near it, and over input that is as large as can be.

#![expect(clippy::panic, reason = "a property that is broken fails the test")]

#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use hmac_propagation::event::MAX_EVENT_BYTES;
use hmac_testkit::hostile::{self, PROPERTIES, Property};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::corpus::{Inputs, all_keep, busy, cases, corpus, near};

const HASH: &str = "53573f7d3f8a7f7bcada80253685d2b1e058d74729cde4370f7998ee7fb11a16";

/// The inputs that are kept of each property's fuzz target.
static CORPUS: LazyLock<Vec<(Property, Inputs)>> = LazyLock::new(|| {
    let read = PROPERTIES
        .iter()
        .map(|(name, property)| (*property, corpus(name)));
    read.collect()
});

#[test]
fn every_input_of_the_corpus_keeps_its_property() {
    all_keep(&CORPUS);
}

/// Each is what takes a careless parser time that grows with the square of the length.
#[test]
fn an_input_as_large_as_can_be_is_done_with_in_time() {
    const LENGTH: usize = 64 * 1024;
    let filled = |piece: &str| piece.repeat(LENGTH / piece.len());
    let half = |piece: &str| piece.repeat(LENGTH / 2 / piece.len());
    let numbered =
        |count: usize, piece: fn(usize) -> String| (0..count).map(piece).collect::<String>();
    let pair = |key: &str| format!("{{\"a{0}\":1,\"b{0}\":2}}", half(key));
    let rules = numbered(17_000, |at| format!("\"10.{}.{}.1\",", at >> 8, at & 255));
    let event = |rules: &str| {
        format!(
            r#"{{"eventId":"e","ts":1,"propagationSecret":"p","senderAmqpQueue":"s","op":"credential.update","track":"http","clientId":"c","payload":{{"secretHash":"{HASH}","allowedIps":[{rules}]}}}}"#
        )
    };
    let inputs: Vec<(Property, String)> = vec![
        (hostile::canonical_json, pair("\u{f71}")),
        (hostile::canonical_json, pair("\u{301}\u{323}")),
        (
            hostile::canonical_json,
            pair(&format!("a{}", "\u{f71}".repeat(30))),
        ),
        (hostile::canonical_json, pair("é")),
        (hostile::canonical_json, pair("\\u0001")),
        (hostile::canonical_json, format!("[{}0]", filled("{},"))),
        (hostile::canonical_json, filled("{\"a\":")),
        (
            hostile::canonical_json,
            format!(
                "{}\"{}\"{}",
                "{\"a\":".repeat(127),
                filled("x"),
                "}".repeat(127)
            ),
        ),
        (
            hostile::canonical_json,
            format!(
                "{{{}\"z\":1}}",
                numbered(5_000, |at| format!("\"é{at}\":1,"))
            ),
        ),
        (
            hostile::canonical_json,
            format!(
                "{{{}\"z\":1}}",
                numbered(5_000, |at| format!("\"\\n{at}\":1,"))
            ),
        ),
        (hostile::canonical_json, format!("[{}]", filled("9"))),
        (hostile::event, event(rules.trim_end_matches(','))),
        (hostile::event, event(&format!("\"{}\"", filled("x")))),
        // As long as an event may be: so is the rule that the answer would repeat.
        (
            hostile::event,
            event(&format!(
                "\"{}\"",
                "x".repeat(MAX_EVENT_BYTES - event("\"\"").len())
            )),
        ),
        (hostile::event, filled("[")),
        (
            hostile::record,
            format!("{{\"secretHash\":\"{HASH}\",\"allowedIps\":[{rules}5]}}"),
        ),
        (
            hostile::record,
            format!("{{\"allowedIps\":{}", filled("{\"a\":")),
        ),
        (hostile::rules, rules.replace(['"', ','], "\n")),
        (hostile::rules, filled("1,")),
        (hostile::path, format!("/{}", filled("../"))),
        (hostile::path, filled("/%2e%2")),
        (hostile::path, format!("/?{}", filled("é'"))),
        (
            hostile::headers,
            format!(
                "GET /\n{}\nx-client-id:orders\n\n{}",
                filled("x-forwarded-for:,\n"),
                filled("b")
            ),
        ),
    ];
    for (property, input) in inputs {
        let before = busy();
        property(input.as_bytes());
        let took = busy().saturating_sub(before);
        let beginning: String = input.chars().take(80).collect();
        assert!(
            took < Duration::from_secs(3),
            "{took:?} for {} bytes: {beginning}...",
            input.len()
        );
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn arbitrary_bytes_keep_every_property(bytes: Vec<u8>, text: String) {
        for (_, property) in PROPERTIES {
            property(&bytes);
            property(text.as_bytes());
        }
    }

    #[test]
    fn what_is_near_the_corpus_keeps_every_property(
        first: Index,
        picks in proptest::collection::vec(
            (any::<Index>(), any::<Index>(), any::<Index>(), proptest::collection::vec(any::<u8>(), 0..4)), 1..4,
        ),
    ) {
        for (property, inputs) in &*CORPUS {
            property(&near(inputs, &picks, first));
        }
    }

    #[test]
    fn targets_keep_their_property(
        target in "/?(a|/|\\.|%2e|%2E|%|\\?|#|é|\\\\| |\t|:|@|\\*|http:|'|\\^|\\||`|\\{|\\PC){0,12}",
    ) {
        hostile::path(target.as_bytes());
    }

    #[test]
    fn messages_keep_their_property(json in message()) {
        hostile::canonical_json(json.as_bytes());
    }

    #[test]
    fn events_keep_their_property(body in event()) {
        hostile::event(body.as_bytes());
    }

    #[test]
    fn records_keep_their_property(
        hash in one_of(&["\"H\"", "\"h\"", "null", "5", "\"H \""]),
        times in proptest::array::uniform3("-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[0-9]{1,3})?|\"x\"|null|\\[\\]|true"),
        rules in rule_list(),
    ) {
        let [created, updated, expires] = times;
        let hash = hash.replace('H', HASH);
        let text = format!(
            r#"{{"secretHash":{hash},"createdAt":{created},"updatedAt":{updated},"expiresAt":{expires},"allowedIps":{rules}}}"#
        );
        hostile::record(text.as_bytes());
        hostile::record(hash.trim_matches('"').as_bytes());
    }

    #[test]
    fn rules_keep_their_property(rules in proptest::collection::vec(rule(), 0..6)) {
        hostile::rules(rules.join("\n").as_bytes());
    }

    #[test]
    fn requests_keep_their_property(request in request()) {
        hostile::headers(request.as_bytes());
    }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(texts).prop_map(str::to_owned)
}

fn rule() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(/[0-9]{1,2})?(:[0-9]{1,5})?",
        "\\[?(::)?(ffff|FFFF|[0-9a-f]{1,4})?(:[0-9a-f]{1,4}){0,7}(::)?(10\\.0\\.0\\.1)?\\]?(/[0-9]{1,3}|%e|:80)?",
        "[0-9a-fA-F:./%,\\[\\] ]{0,24}",
    ]
}

fn rule_list() -> impl Strategy<Value = String> {
    let list = proptest::collection::vec(rule().prop_map(|rule| format!("\"{rule}\"")), 0..4);
    prop_oneof![
        4 => list.prop_map(|rules| format!("[{}]", rules.join(","))),
        1 => one_of(&["null", "5", "[5]", "\"10.0.0.1\"", "{}", "[\"10.0.0.1\",null]"]),
    ]
}

/// JSON as nobody would write it: keys that sort equal, come twice, need escapes; every spelling of numbers; white space.
fn message() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
    let string = "\"([ -!#-\\[\\]-~é漢]|\\\\[\"\\\\/bfnrt]|\\\\u(00[0-9a-fA-F]{2}|d83d\\\\udd10|[dD][89a-fA-F]00)){0,6}\"";
    let key = prop_oneof![
        Just(string.to_owned()).prop_flat_map(|string| {
            proptest::string::string_regex(&string).unwrap_or_else(|error| panic!("{error}"))
        }),
        "\"[aAbBéÉ\u{301}\u{f71}\u{200b}_-]{0,4}\"",
        "\"[0-9]{1,3}\"",
        one_of(&[
            "\"__proto__\"",
            "\"4294967294\"",
            "\"4294967295\"",
            "\"\\u0061\"",
            "\"\\u0000a\"",
            "\"a\""
        ]),
    ]
    .boxed();
    let leaf = prop_oneof![
        number,
        string,
        one_of(&["null", "true", "false", "1e400", "-0.0", "5e-324"])
    ]
    .boxed();
    leaf.prop_recursive(4, 48, 24, move |inner| {
        let member = (key.clone(), "[ \t\n\r]?", inner.clone())
            .prop_map(|(key, space, value)| format!("{space}{key}:{space}{value}{space}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..6)
                .prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(member, 0..24)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

fn event() -> impl Strategy<Value = String> {
    let common = (
        one_of(&[
            "\"e\"",
            "\"\"",
            "5",
            "\"\\u0000\"",
            "\"01890a5d-ac96-774b-bcce-b302099a8057\"",
        ]),
        one_of(&[
            "1700000000000",
            "1700000000000.0",
            "1.5",
            "-1",
            "1e15",
            "9223372036854775807",
            "1e19",
            "null",
        ]),
        one_of(&["\"p\"", "\"\"", "null", "\"secret-of-consumer\""]),
        one_of(&["\"s\"", "\"a b\"", "\"leptos-axum\"", "5"]),
    );
    let op = one_of(&[
        "credential.create",
        "credential.update",
        "credential.delete",
        "credential.ack",
        "other",
    ]);
    let apply = (
        one_of(&["\"http\"", "\"message\"", "\"x\"", "null"]),
        one_of(&["\"c\"", "\" c \"", "\"\"", "\"\\n\"", "null", "\"é\""]),
        one_of(&["\"H\"", "\"\"", "null"]),
        rule_list(),
        one_of(&["null", "1", "1.0", "1.5", "\"1\"", "-1e300"]),
    );
    let ack = (
        one_of(&["\"x\"", "\"\"", "null"]),
        one_of(&["\"applied\"", "\"error\"", "\"maybe\"", "1"]),
        one_of(&["null", "\"why\"", "\"\\ud83d\\udd10\"", "5"]),
    );
    (common, op, apply, ack, any::<u16>()).prop_map(|(common, op, apply, ack, present)| {
        let (track, client, hash, rules, expiry) = apply;
        let payload = format!(
            "{{\"secretHash\":{}{}}}",
            hash.replace('H', HASH),
            [("allowedIps", rules), ("expiresAt", expiry)]
                .iter()
                .enumerate()
                .filter(|(at, _)| present >> (14 + at) & 1 == 1)
                .fold(String::new(), |mut fields, (_, (name, value))| {
                    let _ = write!(fields, ",\"{name}\":{value}");
                    fields
                })
        );
        let fields = [
            ("eventId", common.0),
            ("ts", common.1),
            ("propagationSecret", common.2),
            ("senderAmqpQueue", common.3),
            ("op", format!("\"{op}\"")),
            ("track", track),
            ("clientId", client),
            ("payload", payload),
            ("ackEventId", ack.0),
            ("ackResult", ack.1),
            ("ackReason", ack.2),
        ];
        // One event in sixteen lacks a field.
        let lacks = usize::from(present % 256);
        let fields = fields.iter().enumerate().filter(|(at, _)| *at != lacks);
        let fields: Vec<_> = fields
            .map(|(_, (name, value))| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}

fn request() -> impl Strategy<Value = String> {
    let client = one_of(&[
        "orders",
        " orders ",
        "restricted",
        "expired",
        "nobody",
        "",
        "é",
    ]);
    let time = prop_oneof![
        4 => one_of(&["1700000000000", " 1700000000001", "1699999700000", "1700000300000"]),
        1 => one_of(&["1700000300001", "1.7e12", "-1", "", "9223372036854775808"]),
    ];
    let nonce = "[0-9a-f]{0,32}|[ -~é]{0,8}";
    let target = "/(a|/|\\.|%2e|\\?|é|\\\\|'){0,6}";
    let forwarded = one_of(&[
        "192.0.2.7",
        "192.0.2.7, 10.0.0.1",
        "198.51.100.1",
        "unknown",
        "",
    ]);
    (("(GET|post|\\PC{0,4})", target), client, time, nonce, forwarded, "\\PC{0,20}", any::<u8>()).prop_map(
        |((method, target), client, time, nonce, forwarded, body, more)| {
            let again = if more < 16 { "X-Nonce:again\n" } else { "" };
            format!(
                "{method} {target}\nx-client-id:{client}\nx-timestamp:{time}\n{again}x-nonce:{nonce}\n\
                 x-signature:{HASH}\nx-forwarded-for:{forwarded}\n\n{body}"
            )
        },
    )
}
