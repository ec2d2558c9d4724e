//! Server-sent events, without a framework: a stream of whole blocks of text.

use std::pin::Pin;

use futures_util::Stream;

/// The content type of the answer.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// Blocks of text, each a whole event or comment with the empty line that ends it. They end when the peer is asked to stop.
pub type Events = Pin<Box<dyn Stream<Item = String> + Send>>;
