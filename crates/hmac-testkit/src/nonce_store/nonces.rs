//! What is known, to whom, and for how long.

use std::sync::Arc;
use std::time::Duration;

use auth_base::nonce_store::NonceStore;
use futures_util::future::join_all;

use crate::wait::eventually;

const MINUTE: Duration = Duration::from_secs(60);

/// Through whichever handle it is asked again.
pub async fn a_nonce_is_accepted_once([store, other]: &[Arc<dyn NonceStore>; 2]) {
    assert!(remember(store, "once", "n", 1, MINUTE).await);
    assert!(!remember(store, "once", "n", 1, MINUTE).await);
    assert!(!remember(other, "once", "n", 1, MINUTE).await);
}

/// Fifty callers at once through two handles, forty times over.
pub async fn one_of_many_callers_is_accepted(stores: &[Arc<dyn NonceStore>; 2]) {
    for round in 0..40 {
        let nonce = format!("round {round}");
        let accepted =
            join_all((0..50).map(|i| remember(&stores[i % 2], "crowd", &nonce, 1, MINUTE))).await;
        assert_eq!(
            accepted.iter().filter(|&&accepted| accepted).count(),
            1,
            "{nonce}"
        );
    }
}

/// The same nonce of another client, or with another timestamp, is another nonce.
pub async fn a_nonce_belongs_to_its_client_and_timestamp([store, _]: &[Arc<dyn NonceStore>; 2]) {
    for (client_id, nonce, timestamp_ms) in [
        ("a", "n", 1),
        ("a", "n", 2),
        ("a", "n", -2),
        ("b", "n", 1),
        ("A", "n", 1),
        ("日本語", "n", 1),
        ("a b", "*", 1),
        ("a", "N", 1),
        ("a", "", 1),
        ("a", "n", i64::MAX),
    ] {
        assert!(
            remember(store, client_id, nonce, timestamp_ms, MINUTE).await,
            "{client_id} {nonce} {timestamp_ms} was taken for another"
        );
    }
}

/// Less than a second counts as a second, then the nonce is forgotten; the longest time is no error.
pub async fn any_time_to_live_is_at_least_a_second([store, _]: &[Arc<dyn NonceStore>; 2]) {
    assert!(remember(store, "short", "n", 1, Duration::ZERO).await);
    assert!(!remember(store, "short", "n", 1, Duration::ZERO).await);
    eventually("the nonce is forgotten", async || {
        remember(store, "short", "n", 1, Duration::from_millis(1)).await
    })
    .await;
    assert!(remember(store, "long", "n", 1, Duration::MAX).await);
    assert!(!remember(store, "long", "n", 1, Duration::MAX).await);
}

async fn remember(
    store: &Arc<dyn NonceStore>,
    owner: &str,
    nonce: &str,
    timestamp_ms: i64,
    ttl: Duration,
) -> bool {
    store
        .remember(owner, nonce, timestamp_ms, ttl)
        .await
        .expect("remember")
}
