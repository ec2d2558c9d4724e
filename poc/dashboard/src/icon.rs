//! Shapes: drawn once at the top of the page, used by name.

use leptos::prelude::*;
use mesh_api::health::PeerState;
use mesh_api::state::DeliveryStatus;

/// Every shape.
pub(crate) fn shapes() -> impl IntoView {
    view! {
        <svg class="shapes" aria-hidden="true" width="0" height="0">
            <symbol id="in-sync" viewBox="0 0 16 16">
                <circle cx="8" cy="8" r="7" class="fill"></circle>
                <path d="M4.7 8.3 7 10.6l4.4-4.8" class="cut"></path>
            </symbol>
            <symbol id="behind" viewBox="0 0 16 16">
                <path d="M13.5 8a5.5 5.5 0 1 1-1.7-4" class="line"></path>
                <path d="M13.8 1.6v3.2h-3.2" class="line"></path>
            </symbol>
            <symbol id="missing" viewBox="0 0 16 16">
                <circle cx="8" cy="8" r="5.9" class="line dashed"></circle>
            </symbol>
            <symbol id="unexpected" viewBox="0 0 16 16">
                <path d="M8 .9 15.1 8 8 15.1.9 8Z" class="fill"></path>
                <path d="M8 4.6v4M8 11v.2" class="cut"></path>
            </symbol>
            <symbol id="unknown" viewBox="0 0 16 16">
                <path d="M5.6 6a2.4 2.4 0 1 1 3.5 2.2c-.8.4-1.1.8-1.1 1.6M8 12.3v.2" class="line"></path>
            </symbol>
            <symbol id="none" viewBox="0 0 16 16">
                <path d="M5 8h6" class="line"></path>
            </symbol>
            <symbol id="theme-shape" viewBox="0 0 16 16">
                <circle cx="8" cy="8" r="6" class="line"></circle>
                <path d="M8 2a6 6 0 0 1 0 12Z" class="fill"></path>
            </symbol>
            <symbol id="mesh-shape" viewBox="0 0 20 20">
                <path d="M5 5h10v10H5ZM5 5l10 10M15 5 5 15" class="line"></path>
                <circle cx="5" cy="5" r="3" class="fill"></circle>
                <circle cx="15" cy="5" r="3" class="fill"></circle>
                <circle cx="5" cy="15" r="3" class="fill"></circle>
                <circle cx="15" cy="15" r="3" class="fill"></circle>
            </symbol>
        </svg>
    }
}

/// One shape. What it says must stand beside it in words.
pub(crate) fn shape(name: impl Fn() -> &'static str + Send + Sync + 'static) -> impl IntoView {
    view! {
        <svg class="shape" aria-hidden="true" focusable="false">
            <use href=move || format!("#{}", name())></use>
        </svg>
    }
}

/// One shape that stays what it is.
pub(crate) fn fixed(name: &'static str) -> impl IntoView {
    view! {
        <svg class="shape" aria-hidden="true" focusable="false">
            <use href=format!("#{name}")></use>
        </svg>
    }
}

/// The shape of a peer's state.
pub(crate) fn of_peer(state: PeerState) -> &'static str {
    match state {
        PeerState::Ready => "in-sync",
        PeerState::Unavailable => "unexpected",
        PeerState::Stopped => "none",
        PeerState::Unreachable => "missing",
    }
}

/// The shape of a change's state on a target.
pub(crate) fn of_status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Success => "in-sync",
        DeliveryStatus::Error => "unexpected",
        DeliveryStatus::Sent => "behind",
        DeliveryStatus::Pending => "missing",
    }
}
