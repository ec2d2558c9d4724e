//! What every use of a channel begins with.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection};

use crate::failure::{Failure, answer};

/// Opens a channel.
pub(crate) async fn open(connection: &Connection, bound: Duration) -> Result<Channel, Failure> {
    answer(bound, connection.create_channel()).await
}

/// Declares a peer's queue: durable, without arguments.
pub(crate) async fn declare(
    channel: &Channel,
    queue: &str,
    bound: Duration,
) -> Result<(), Failure> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declaring = channel.queue_declare(queue.into(), options, FieldTable::default());
    answer(bound, declaring).await?;
    Ok(())
}
