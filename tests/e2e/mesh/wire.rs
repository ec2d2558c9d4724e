//! The broker beside the peers: what a peer of the original, or a forger, could send and read.

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::Value;

use super::until;

/// The queue of a peer.
pub(super) fn queue_of(peer: &str) -> String {
    format!("hmac-{peer}.queue")
}

/// A connection of its own to the broker.
pub(crate) struct Wire {
    channel: Channel,
    connection: Connection,
}

/// A message as it was on the wire.
pub(crate) struct Message {
    /// Its body.
    pub(crate) body: Value,
    /// Its properties.
    pub(crate) properties: BasicProperties,
}

impl Wire {
    pub(super) async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .expect("the broker");
        let channel = connection.create_channel().await.expect("a channel");
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .expect("confirms");
        Self {
            channel,
            connection,
        }
    }

    /// Declares the queue of a peer as the contract has it.
    pub(crate) async fn declare(&self, peer: &str) {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let queue = queue_of(peer).as_str().into();
        self.channel
            .queue_declare(queue, options, FieldTable::default())
            .await
            .expect("the queue");
    }

    /// How many messages wait in the queue of a peer and are with nobody.
    pub(crate) async fn waiting(&self, peer: &str) -> u32 {
        let options = QueueDeclareOptions {
            passive: true,
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let queue = queue_of(peer).as_str().into();
        let channel = self.connection.create_channel().await.expect("a channel");
        let queue = channel
            .queue_declare(queue, options, FieldTable::default())
            .await
            .expect("the queue");
        channel
            .close(200, "done".into())
            .await
            .expect("the channel closes");
        queue.message_count()
    }

    /// Publishes to the queue of a peer, with the properties that the original sets, and waits for the confirm.
    pub(crate) async fn publish(&self, peer: &str, body: &[u8]) {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_headers(FieldTable::default())
            .with_delivery_mode(2);
        let queue = queue_of(peer).as_str().into();
        let options = BasicPublishOptions::default();
        let confirm = self
            .channel
            .basic_publish("".into(), queue, options, body, properties)
            .await;
        confirm.expect("a publish").await.expect("a confirm");
    }

    /// Takes the next message of the queue of a peer, and ends the connection with it in hand: the broker has it again.
    pub(crate) async fn take_and_go(self, peer: &str) {
        let queue = queue_of(peer);
        until(&format!("a message is in {queue}"), async || {
            let got = self
                .channel
                .basic_get(queue.as_str().into(), BasicGetOptions::default())
                .await
                .map_err(|error| error.to_string())?;
            got.map(drop).ok_or("the queue is empty")?;
            Ok::<_, String>(())
        })
        .await;
        let closed = self.connection.close(200, "done".into()).await;
        closed.expect("the connection closes");
    }

    /// Takes the next message out of the queue of a peer, which may not be there yet, and waits for it.
    pub(crate) async fn next(&self, peer: &str) -> Message {
        let queue = queue_of(peer);
        self.declare(peer).await;
        until(&format!("a message is in {queue}"), async || {
            let options = BasicGetOptions { no_ack: true };
            let got = self
                .channel
                .basic_get(queue.as_str().into(), options)
                .await
                .map_err(|error| error.to_string())?;
            let delivery = got.ok_or("the queue is empty")?.delivery;
            let body = serde_json::from_slice(&delivery.data).map_err(|error| error.to_string())?;
            Ok::<_, String>(Message {
                body,
                properties: delivery.properties,
            })
        })
        .await
    }
}
