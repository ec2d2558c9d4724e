//! Who asked, as the audit has it.

use hmac_propagation::management::{
    ChangeRequest, PendingQuery, ResyncQuery, ResyncRow, ResyncScope, Rotation,
};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;

use super::{NOW, RESEND_AFTER, Source, ensure, http, query, revoke, rotation};

fn ada() -> Origin {
    Origin::of("ada@example.org").in_request(Some("r-1"))
}

fn bob() -> Origin {
    Origin::of("b\u{f6}b").in_request(None)
}

fn by(origin: Origin, request: ChangeRequest) -> ChangeRequest {
    ChangeRequest { origin, ..request }
}

async fn rebook(source: &Source, rows: &[ResyncRow], now_ms: i64, origin: &Origin) {
    let rebooked = source.management().rebook(rows, now_ms, None, origin).await;
    rebooked.expect("rebooked");
}

/// What, where and by whom: in a line each, in the order of these lines among equals.
async fn steps(source: &Source, key: &CredentialKey) -> Vec<String> {
    let steps = source.inspect.steps(key).await.into_iter();
    let steps = steps.map(|step| {
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let [target, actor, request] = [step.target, step.actor, step.request_id].map(or_nothing);
        format!("{} {target} {actor} {request}", step.transition)
    });
    steps.collect()
}

/// Each of its rows does; one that nobody is known to have asked for says nobody.
pub async fn a_change_says_who_asked(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("asked"));
    let first = ensure(&key, "plain", &["a", "b"], NOW);
    source.change(&by(ada(), first)).await;
    let rotation = Rotation {
        origin: bob(),
        ..rotation(&key, "other", NOW + 1)
    };
    let rotated = source.management().rotate_credential_secret(&rotation);
    rotated.await.expect("the rotation is accepted");
    source.change(&ensure(&key, "third", &[], NOW + 2)).await;
    source
        .change(&by(ada(), revoke(&key, &["a"], NOW + 3)))
        .await;
    assert_eq!(
        steps(&source, &key).await,
        [
            "ensured a ada@example.org r-1",
            "ensured b ada@example.org r-1",
            "rotated a b\u{f6}b -",
            "rotated b b\u{f6}b -",
            "ensured - - -",
            "revoked a ada@example.org r-1",
        ]
    );
    assert_eq!(steps(&source, &http("other")).await, [""; 0]);
}

/// One does not answer for another.
pub async fn each_of_a_batch_says_who_asked(source: Source) {
    let origins = [ada(), Origin::default(), bob()];
    let keys = ["one", "two", "three"].map(http);
    let requests = keys.iter().zip(origins);
    let requests = requests.map(|(key, origin)| by(origin, ensure(key, "plain", &[], NOW)));
    let requests: Vec<ChangeRequest> = requests.collect();
    let accepted = source
        .management()
        .upsert_credentials_with_targets(&requests)
        .await;
    assert!(accepted.iter().all(Result::is_ok), "{accepted:?}");
    let expected = [
        "ensured - ada@example.org r-1",
        "ensured - - -",
        "ensured - b\u{f6}b -",
    ];
    for (key, expected) in keys.iter().zip(expected) {
        assert_eq!(steps(&source, key).await, [expected]);
    }
}

/// A resync is asked for by somebody else than the change, and what is sent then means the same.
pub async fn what_is_said_again_says_who_asked(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("again"));
    source
        .change(&by(ada(), ensure(&key, "plain", &["a"], NOW)))
        .await;
    let page = ResyncQuery {
        scope: ResyncScope::Credential(key.clone()),
        now_ms: NOW + 1,
        limit: 10,
        after: None,
    };
    let rows = source.management().resync_rows(&page).await.expect("rows");
    rebook(&source, &rows, NOW + 1, &bob()).await;
    // A row of another generation is left.
    rebook(&source, &rows, NOW + 2, &ada()).await;
    assert_eq!(
        steps(&source, &key).await,
        ["ensured a ada@example.org r-1", "rebooked a b\u{f6}b -"]
    );
}

/// Where a claim leaves a trace; what the targets do, nobody asked for.
pub async fn a_claim_says_who_asked_for_the_sync(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("claimed"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let row = source.claim_one(NOW).await;
    source.sent(&row, NOW).await;
    let later = NOW + RESEND_AFTER;
    let query = PendingQuery {
        origin: ada(),
        ..query(later, 10)
    };
    let claimed = source.management().fetch_pending_propagations(&query);
    let claimed = claimed.await.expect("the claim");
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    source.sent(&claimed[0], later).await;
    source.acknowledge(&claimed[0], later).await;
    assert_eq!(
        steps(&source, &key).await,
        [
            "ensured a - -",
            "sent a - -",
            "claimed a ada@example.org r-1",
            "sent a - -",
            "success a - -",
        ]
    );
}
