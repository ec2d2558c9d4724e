//! What every use of a channel begins with.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Queue};

use crate::failure::{Failure, answer, is_not_found};

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

/// Looks at a queue; `None` when there is none, and then the broker closes the channel.
pub(crate) async fn look(
    channel: &Channel,
    queue: &str,
    bound: Duration,
) -> Result<Option<Queue>, Failure> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let asking = async {
        let declaring = channel.queue_declare(queue.into(), options, FieldTable::default());
        match declaring.await {
            Err(error) if is_not_found(&error) => Ok(None),
            answer => answer.map(Some),
        }
    };
    answer(bound, asking).await
}
