//! A mutex without poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere while holding the lock leaves the data usable, for every holder changes
/// it in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
