//! End-to-end stories over real processes and real servers: what all of them use. The programs of the guides are compiled here.

pub mod front_door;
pub mod gateway;
pub mod programs;
pub mod wait;

#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/using/actix.md")]
    struct Actix;
    #[doc = include_str!("../../docs/using/axum.md")]
    struct Axum;
    #[doc = include_str!("../../docs/using/client.md")]
    struct Client;
    #[doc = include_str!("../../docs/using/leptos-actix.md")]
    struct LeptosActix;
    #[doc = include_str!("../../docs/using/leptos-axum.md")]
    struct LeptosAxum;
}
