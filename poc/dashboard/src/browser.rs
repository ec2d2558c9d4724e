//! What only a browser can do. On the server each of these does nothing, so that components need not ask where they are.

#[cfg(feature = "hydrate")]
mod events;
#[cfg(feature = "hydrate")]
mod fetch;
#[cfg(feature = "hydrate")]
mod forms;
#[cfg(feature = "hydrate")]
mod live;
#[cfg(feature = "hydrate")]
mod matrix;
#[cfg(any(test, feature = "hydrate"))]
mod recent;
#[cfg(feature = "hydrate")]
mod secrets;
#[cfg(not(feature = "hydrate"))]
mod still;

#[cfg(not(feature = "hydrate"))]
pub(crate) use still::{check_all, copy, filter, filter_now, generate, go, live, submit};
#[cfg(feature = "hydrate")]
pub(crate) use {
    forms::{check_all, submit},
    live::live,
    matrix::{filter, filter_now, go},
    secrets::{copy, generate},
};
