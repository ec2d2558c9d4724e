//! What it costs to sign a message of JSON.
//!
//! `cargo bench -p hmac-message`

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up must stop"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hmac_auth::{ClientId, Secret, hash_client_secret};
use hmac_message::{Message, sign_message};

fn sign(criterion: &mut Criterion) {
    let client_id = ClientId::parse("orders").expect("a client id");
    let key = hash_client_secret(&Secret::new("plain-text-secret"), None);
    let json = r#"{"eventId":"5f0c","amount":12.5,"createdAt":1700000000000,"items":[{"sku":"a","count":2}],"note":"x"}"#;
    criterion.bench_function("sign a JSON message, 100 bytes", |bencher| {
        bencher.iter(|| sign_message(&client_id, &key, Message::Json(black_box(json))));
    });
}

criterion_group!(benches, sign);
criterion_main!(benches);
