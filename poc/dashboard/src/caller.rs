//! Who looks at the page: what they are called, the way to the gateway's own pages, and what they may not do here.

use leptos::prelude::*;
use mesh_api::permission::{Permission, Role};
use mesh_api::routes::Operation;

use crate::name;
use crate::page::Caller;
use crate::state::State;

/// Who is signed in; nothing where nobody is asked who they are.
pub(crate) fn account(state: State) -> Option<impl IntoView + use<>> {
    let caller = state.caller.get_value()?;
    let role = format!(" ({})", Role::smallest_with(&caller.permissions));
    let gateway = caller.has_session.then(|| gateway(&caller));
    Some(view! {
        <div class="account" role="group" aria-label="Account">
            <p>"Signed in as " <bdi>{name::shown(&caller.name)}</bdi> {role}</p>
            {gateway}
        </div>
    })
}

/// What the gateway serves beside the peer's pages, at the same address.
fn gateway(caller: &Caller) -> impl IntoView + use<> {
    let sees_others = caller.permissions.contains(&Permission::AccountsWrite);
    let of_others = sees_others.then(|| {
        view! {
            <a href="/account/audit">"Audit"</a>
            <a href="/account/people">"People"</a>
        }
    });
    view! {
        <a href="/account/sessions">"Your sessions"</a>
        {of_others}
        <form method="post" action="/logout">
            <button type="submit" class="link">"Sign out"</button>
        </form>
    }
}

/// What stands in the place of forms that the caller may not send.
pub(crate) fn only_others(operation: Operation) -> impl IntoView + use<> {
    operation.permission().map(|permission| {
        view! { <p class="denied">{format!("Only people with {permission} may change this.")}</p> }
    })
}
