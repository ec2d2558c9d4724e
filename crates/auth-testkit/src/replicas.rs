//! Two replicas of one store: each with connections of its own, on one database.

use std::any::Any;

/// What a suite is given whose cases let two replicas meet.
pub struct Replicas<S> {
    /// The first.
    pub one: S,
    /// The other, on the same database.
    pub other: S,
    /// A server or a folder that lives as long as they do.
    pub kept: Box<dyn Any + Send + Sync>,
}

impl<S> Replicas<S> {
    /// Takes two stores, and what must live as long.
    pub fn new(one: S, other: S, kept: impl Any + Send + Sync) -> Self {
        Self {
            one,
            other,
            kept: Box::new(kept),
        }
    }
}

impl<S: Clone> Replicas<S> {
    /// Takes a store whose clones share what is in it.
    pub fn of_clones(store: S) -> Self {
        Self::new(store.clone(), store, ())
    }
}
