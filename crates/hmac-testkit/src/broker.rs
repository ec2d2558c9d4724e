//! What every [`Broker`] must do: [`broker_cases`](crate::broker_cases) makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

pub mod connection;
pub mod consuming;
pub mod depth;
pub mod publishing;
pub mod settling;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::broker::{Broker, Delivery, OutboundMessage, Settlement, Subscription};
use hmac_propagation::queue::PeerName;
use tokio::time::timeout;

/// Makes a test of each case, in a module named for the implementation. The expression makes a
/// [`Pair`] to a broker that has no queue yet; `one thread, name, make` runs each on one thread.
#[macro_export]
macro_rules! broker_cases {
    (one thread, $implementation:ident, $make:expr) => {
        $crate::broker_cases!(@ (flavor = "current_thread") $implementation, $make);
    };
    ($implementation:ident, $make:expr) => {
        $crate::broker_cases!(@ (flavor = "multi_thread", worker_threads = 2) $implementation, $make);
    };
    (@ $flavor:tt $implementation:ident, $make:expr) => {
        $crate::cases!($flavor $implementation, $make, broker {
            publishing {
                a_message_without_a_queue_is_returned,
                each_publish_learns_its_own_outcomes,
                a_large_batch_comes_whole,
            }
            consuming {
                messages_come_in_order,
                a_queue_waits_for_its_consumer,
                subscribing_declares_the_queue,
                no_more_than_the_prefetch_is_in_hand,
                a_larger_prefetch_lets_more_in,
                what_nobody_reads_is_not_kept,
                two_subscriptions_share_a_queue,
                a_cancelled_next_loses_nothing,
            }
            settling {
                a_requeued_message_comes_again,
                a_settled_message_never_comes_again,
                a_foreign_tag_settles_nothing,
                unsettled_deliveries_come_back_when_the_subscription_ends,
                unsettled_deliveries_come_back_when_the_broker_is_closed,
            }
            connection {
                the_status_tells_of_consuming,
                closing_ends_everything,
            }
            depth {
                a_queue_tells_its_depth,
            }
        });
    };
}

/// What must come comes within this time.
const SOON: Duration = Duration::from_secs(20);

/// What must not come is waited for this long.
const A_WHILE: Duration = Duration::from_millis(150);

/// Two connections to the same queues, and what must live as long as they do (a server of the test's
/// own).
pub struct Pair(pub [Arc<dyn Broker>; 2], pub Server);

/// Ends its server when it is dropped, if there is one.
pub type Server = Option<Arc<dyn Any + Send + Sync>>;

/// A peer of the tests.
///
/// # Panics
/// When `name` is no peer's name.
pub fn peer(name: &str) -> PeerName {
    PeerName::parse(name).expect("a peer's name")
}

/// A message with `body`, which is its id as well.
pub fn message(target: &PeerName, body: &str) -> OutboundMessage {
    OutboundMessage {
        target: target.clone(),
        message_id: format!("{target}-{body}"),
        timestamp_ms: 1_700_000_000_000,
        body: body.as_bytes().to_vec(),
    }
}

/// Publishes the numbers of `range` in one batch.
///
/// # Panics
/// When one is not confirmed.
pub async fn publish(broker: &Arc<dyn Broker>, target: &PeerName, range: std::ops::Range<usize>) {
    let messages: Vec<_> = range.map(|i| message(target, &i.to_string())).collect();
    let n = messages.len();
    assert_eq!(broker.publish(messages).await, vec![Ok(()); n]);
}

/// Takes `n` deliveries, in as many calls as it needs.
///
/// # Panics
/// When they do not come in time, or when more come.
pub async fn take(subscription: &mut Box<dyn Subscription>, n: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < n {
        let more = timeout(SOON, subscription.next(n - taken.len())).await;
        let more = more.unwrap_or_else(|_| Vec::new());
        assert!(!more.is_empty(), "{} of {n} deliveries came", taken.len());
        taken.extend(more);
    }
    assert_eq!(taken.len(), n);
    taken
}

/// Takes the deliveries with these bodies, in any order, and acknowledges them.
async fn take_all(subscription: &mut Box<dyn Subscription>, expected: &[String]) -> Vec<Delivery> {
    let deliveries = take(subscription, expected.len()).await;
    acknowledge(subscription, &deliveries).await;
    let came: BTreeSet<_> = deliveries.iter().map(text).collect();
    assert_eq!(
        came,
        expected.iter().map(String::as_str).collect::<BTreeSet<_>>()
    );
    deliveries
}

/// Acknowledges deliveries in one call.
///
/// # Panics
/// When the subscription refuses.
pub async fn acknowledge(subscription: &mut Box<dyn Subscription>, deliveries: &[Delivery]) {
    let settlements: Vec<_> = deliveries
        .iter()
        .map(|delivery| (delivery.tag, Settlement::Acknowledge))
        .collect();
    subscription.settle(&settlements).await.expect("settle");
}

fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.body).expect("text")
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(text).collect()
}

fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}
