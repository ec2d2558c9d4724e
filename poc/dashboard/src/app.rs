//! The whole page: what is on every page, and the page itself.

use leptos::either::EitherOf5;
use leptos::prelude::*;

use crate::notice::{notice, problem};
use crate::page::{Page, PageData};
use crate::state::{Connection, State};
use crate::{browser, caller, client, health, icon, matrix, targets};

/// The whole page.
pub(crate) fn app(data: PageData) -> impl IntoView {
    let state = State::new(data);
    browser::live(state);
    let page = match state.page {
        Page::Matrix => EitherOf5::A(matrix::page(state)),
        Page::Client => EitherOf5::B(client::page(state)),
        Page::Targets => EitherOf5::C(targets::page(state)),
        Page::Health => EitherOf5::D(health::page(state)),
        Page::NotFound => EitherOf5::E(not_found()),
    };
    view! {
        <a class="skip" href="#main">"Skip to the content"</a>
        {icon::shapes()}
        {header(state)}
        <main id="main" tabindex="-1">
            {notice(state)}
            {problem(state)}
            {page}
        </main>
        {footer()}
    }
}

fn header(state: State) -> impl IntoView + use<> {
    let links = [
        (Page::Matrix, "/"),
        (Page::Targets, "/targets"),
        (Page::Health, "/health"),
    ]
    .map(|(page, address)| link(page, address, state.page));
    view! {
        <header class="top">
            {caller::account(state)}
            <a class="brand" href="/">
                {icon::shape(|| "mesh-shape")}
                <span class="product">"hmac-mesh"</span>
                <span class="peer">{state.peer.get_value()}</span>
            </a>
            <nav aria-label="Pages">{links}</nav>
            <p class="connection" role="status" class:live=move || state.connection.get() == Connection::Live
                class:lost=move || state.connection.get() == Connection::Lost
            >
                {move || match state.connection.get() {
                    Connection::Still => "",
                    Connection::Live => "Live",
                    Connection::Lost => "Reconnecting",
                }}
            </p>
            <button type="button" class="theme live-only" id="theme" aria-label="Theme: as the system">
                {icon::shape(|| "theme-shape")}
            </button>
        </header>
    }
}

fn link(page: Page, address: &'static str, current: Page) -> impl IntoView {
    view! {
        <a href=address aria-current=(page == current).then_some("page")>
            {page.title()}
        </a>
    }
}

fn not_found() -> impl IntoView + use<> {
    view! {
        <div class="empty">
            <h1>"There is no such page"</h1>
            <p>"The address may be mistyped. " <a href="/">"Go to the matrix"</a> "."</p>
        </div>
    }
}

fn footer() -> impl IntoView + use<> {
    view! {
        <footer>
            <p>"All times are UTC."</p>
            <ul>
                <li><a href="/docs">"HTTP API"</a></li>
                <li><a href="/metrics">"Metrics"</a></li>
                <li><a href="/readyz">"Readiness"</a></li>
            </ul>
        </footer>
    }
}
