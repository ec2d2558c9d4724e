//! Why the service does not start or go on.

use std::error::Error;

/// What a `main` adds nothing to: it is logged with its sources, and the process ends.
pub type Failure = Box<dyn Error + Send + Sync>;
