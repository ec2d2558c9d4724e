//! A change's way to its targets, as bars: short on one line a target, or on an axis with every mark.

use leptos::prelude::*;
use mesh_api::state::DeliveryStatus;

use crate::history::{Change, Lane, words};
use crate::icon;
use crate::moment::{duration, precise};
use crate::state::State;
use crate::timeline::head::head;
use crate::words::of_status;

/// Widths are drawn in these parts.
const WIDTH: i64 = 1_000;

/// A change on one line, and one for each target.
pub(super) fn compact(state: State, change: &Change, newest: bool) -> impl IntoView + use<> {
    let scale = Scale::of(state, change, newest);
    let rows: Vec<_> = change
        .lanes
        .iter()
        .map(|lane| row(change, lane, scale, newest))
        .collect();
    view! {
        <li>
            {head(state, change, newest)}
            <ul class="lanes">{rows}</ul>
        </li>
    }
}

fn row(change: &Change, lane: &Lane, scale: Scale, newest: bool) -> impl IntoView + use<> {
    let took = lane
        .ended()
        .map(|ended| duration(ended - change.at))
        .unwrap_or_default();
    view! {
        <li class=format!("lane {}", tone(lane, newest))>
            <span class="name">{lane.target.clone()}</span>
            {bar(change, lane, scale, false)}
            <span class="took">{took}</span>
            {verdict(lane, newest)}
        </li>
    }
}

/// A change on an axis of its own, with all its marks.
pub(super) fn lanes(state: State, change: &Change, newest: bool) -> impl IntoView + use<> {
    let scale = Scale::of(state, change, newest);
    let rows: Vec<_> = change
        .lanes
        .iter()
        .map(|lane| marked(change, lane, scale, newest))
        .collect();
    let ticks: Vec<_> = (0..=4)
        .map(|tick| view! { <span>{duration(scale.span * tick / 4)}</span> })
        .collect();
    let axis = (!change.lanes.is_empty())
        .then(|| view! { <div class="axis" aria-hidden="true">{ticks}</div> });
    view! {
        <li>
            {head(state, change, newest)}
            {axis}
            <ul class="lanes marked">{rows}</ul>
        </li>
    }
}

fn marked(change: &Change, lane: &Lane, scale: Scale, newest: bool) -> impl IntoView + use<> {
    let marks: Vec<_> = lane
        .marks
        .iter()
        .map(|mark| {
            let since = duration(mark.at - change.at);
            view! {
                <li>
                    <span class="what">{words(&mark.what).to_owned()}</span>
                    <span class="since" title=precise(mark.at)>{format!("+{since}")}</span>
                </li>
            }
        })
        .collect();
    view! {
        <li class=format!("lane {}", tone(lane, newest))>
            <span class="name">{lane.target.clone()}</span>
            {bar(change, lane, scale, true)}
            {verdict(lane, newest)}
            <ol class="marks">{marks}</ol>
        </li>
    }
}

/// From the change to the acknowledgement; the part until it was sent is lighter.
fn bar(change: &Change, lane: &Lane, scale: Scale, marks: bool) -> impl IntoView + use<> {
    let end = lane.ended().unwrap_or(match lane.status {
        DeliveryStatus::Pending | DeliveryStatus::Sent => change.at + scale.span,
        _ => lane.marks.last().map_or(change.at, |mark| mark.at),
    });
    let sent = lane
        .marks
        .iter()
        .find(|mark| mark.what == "sent" && mark.at <= end)
        .map(|mark| mark.at);
    let (sent, end) = (
        scale.place(change, sent.unwrap_or(change.at)),
        scale.place(change, end),
    );
    let dots: Vec<_> = lane
        .marks
        .iter()
        .filter(|_| marks)
        .map(|mark| {
            let at = scale.place(change, mark.at).min(WIDTH - 4).to_string();
            view! { <rect class="mark" x=at width="4" y="0" height="12"></rect> }
        })
        .collect();
    view! {
        <svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">
            <rect class="axis-line" x="0" y="5.5" width="1000" height="1"></rect>
            <rect class="waited" x="0" y="3" width=sent.max(4).to_string() height="6"></rect>
            <rect class="went" x=sent.min(WIDTH - 6).to_string() y="2" width=(end - sent).max(6).to_string() height="8"></rect>
            {dots}
        </svg>
    }
}

/// How far it came, in words.
fn verdict(lane: &Lane, newest: bool) -> impl IntoView + use<> {
    let shape = if newest || lane.status == DeliveryStatus::Success {
        icon::of_status(lane.status)
    } else {
        "none"
    };
    let attempts = (lane.attempts > 1).then(|| format!(" · {} attempts", lane.attempts));
    let reason = lane
        .reason
        .clone()
        .map(|reason| view! { <span class="why">{reason}</span> });
    view! {
        <span class="verdict">{icon::shape(move || shape)} {of_status(lane.status)} {attempts} {reason}</span>
    }
}

fn tone(lane: &Lane, newest: bool) -> &'static str {
    match lane.status {
        DeliveryStatus::Success => "in-sync",
        _ if !newest => "none",
        DeliveryStatus::Error => "unexpected",
        DeliveryStatus::Pending | DeliveryStatus::Sent => "behind",
    }
}

/// How time becomes width.
#[derive(Clone, Copy)]
struct Scale {
    span: i64,
}

impl Scale {
    /// A change that is on its way reaches to now; one that was overtaken ends with its last mark.
    fn of(state: State, change: &Change, newest: bool) -> Self {
        let now = if newest {
            state.now.get_untracked()
        } else {
            i64::MIN
        };
        Self {
            span: (change.until(now) - change.at).max(1),
        }
    }

    fn place(self, change: &Change, at: i64) -> i64 {
        (at - change.at).clamp(0, self.span).saturating_mul(WIDTH) / self.span
    }
}
