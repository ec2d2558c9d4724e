//! What the tests of faults share.

use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::broker::{Broker, BrokerStatus};
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;
use tokio::time::timeout;

/// Waits for what must come true.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// As usual, but back soon. A broker may be slow for seconds while others start beside it: only a test of a bound has a short one.
pub(crate) fn options(url: &str, name: &str) -> AmqpOptions {
    let mut options = AmqpOptions::from_url(url, name).unwrap();
    options.backoff_max = Duration::from_millis(500);
    options
}

pub(crate) fn connect(options: AmqpOptions) -> Arc<dyn Broker> {
    Arc::new(AmqpBroker::connect(options))
}

/// Waits until the status is as asked, at this moment or at any later one.
pub(crate) async fn status(
    broker: &Arc<dyn Broker>,
    what: &str,
    holds: impl FnMut(&BrokerStatus) -> bool,
) -> BrokerStatus {
    let mut watch = broker.status();
    let now = timeout(SOON, watch.wait_for(holds))
        .await
        .map(|status| status.unwrap().clone());
    now.unwrap_or_else(|_| {
        panic!(
            "not in time: {what}; now {:?}",
            broker.status().borrow().clone()
        )
    })
}

pub(crate) async fn healthy(broker: &Arc<dyn Broker>) -> BrokerStatus {
    status(broker, "connected and consuming", |status| {
        status.connected && status.consuming
    })
    .await
}
