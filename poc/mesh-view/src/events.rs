//! Changes of the mesh as server-sent events: each item is one whole block of text.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use peer_kit::shutdown::Stop;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Blocks a subscriber may be behind before it is told to read everything anew.
pub(crate) const CAPACITY: usize = 1_024;

/// A silent stream says something this often, so that what stands between does not cut it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event as text.
pub(crate) fn block(event: &str, data: &impl Serialize) -> Arc<str> {
    // JSON has no line breaks of its own, so it is one line of data.
    format!("event: {event}\ndata: {}\n\n", json!(data)).into()
}

/// Reads anew: something was left out.
pub(crate) fn reload() -> Arc<str> {
    block("reload", &json!({}))
}

struct Subscriber {
    first: Option<Arc<str>>,
    receiver: Receiver<Arc<str>>,
    stop: Stop,
}

/// The stream of one subscriber: `first`, then what is told, until the peer is asked to stop.
pub(crate) fn stream(
    first: Arc<str>,
    receiver: Receiver<Arc<str>>,
    stop: Stop,
) -> impl Stream<Item = String> + Send + 'static {
    unfold(
        Subscriber {
            first: Some(first),
            receiver,
            stop,
        },
        async |mut subscriber| {
            let block = subscriber.next().await?;
            Some((block, subscriber))
        },
    )
}

impl Subscriber {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first.to_string());
        }
        let told = tokio::select! {
            () = self.stop.asked() => return None,
            told = timeout(KEEP_ALIVE, self.receiver.recv()) => told,
        };
        match told {
            Err(_) => Some(": keep-alive\n\n".to_owned()),
            Ok(Ok(block)) => Some(block.to_string()),
            Ok(Err(RecvError::Closed)) => None,
            Ok(Err(RecvError::Lagged(_))) => {
                // What is still there to be read is old news after a reload.
                self.receiver = self.receiver.resubscribe();
                Some(reload().to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::StreamExt;
    use tokio::sync::broadcast;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_subscriber_is_told_to_reload_and_a_silent_stream_speaks() {
        let sender = broadcast::Sender::new(4);
        let stop = Stop::default();
        let mut slow = pin!(stream(block("hello", &1), sender.subscribe(), stop.clone()));
        for n in 0..10 {
            sender.send(block("client", &n)).unwrap();
        }
        assert_eq!(slow.next().await.unwrap(), "event: hello\ndata: 1\n\n");
        assert_eq!(slow.next().await.unwrap(), "event: reload\ndata: {}\n\n");
        sender.send(block("client", &"a\nb")).unwrap();
        assert_eq!(
            slow.next().await.unwrap(),
            "event: client\ndata: \"a\\nb\"\n\n"
        );
        assert_eq!(slow.next().await.unwrap(), ": keep-alive\n\n");
        stop.ask();
        assert_eq!(slow.next().await, None);
    }
}
