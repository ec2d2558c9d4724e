//! Makes changes of the things that happened to a client: one for each generation, with a lane for each target.

use mesh_api::state::{DeliveryStatus, PivotState};
use mesh_api::timeline::HistoryEntry;

/// One change and its way to the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Which one.
    pub(crate) generation: i64,
    /// What it was: `ensured`, `rotated`, `revoked`; else the first thing that is known of it.
    pub(crate) what: String,
    /// Who asked for it, where that is known.
    pub(crate) by: Option<String>,
    /// When it was accepted, or the first thing that is known of it happened.
    pub(crate) at: i64,
    /// By target.
    pub(crate) lanes: Vec<Lane>,
}

/// A change's way to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// The target.
    pub(crate) target: String,
    /// What happened, the oldest first.
    pub(crate) marks: Vec<Mark>,
    /// How far it came.
    pub(crate) status: DeliveryStatus,
    /// How many times it was sent.
    pub(crate) attempts: i64,
    /// Why it came no further.
    pub(crate) reason: Option<String>,
}

/// One thing that happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// When.
    pub(crate) at: i64,
    /// What.
    pub(crate) what: String,
}

impl Change {
    /// When the last target acknowledged; `None` while one has not.
    pub(crate) fn ended(&self) -> Option<i64> {
        self.lanes
            .iter()
            .map(Lane::ended)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()
    }

    /// The last thing that happened, or `now` while the change is on its way.
    pub(crate) fn until(&self, now: i64) -> i64 {
        let last = self
            .lanes
            .iter()
            .filter_map(|lane| Some(lane.marks.last()?.at))
            .max()
            .unwrap_or(self.at);
        let on_its_way = self.lanes.iter().any(|lane| lane.ended().is_none());
        if on_its_way { now.max(last) } else { last }
    }

    /// How many targets acknowledged.
    pub(crate) fn reached(&self) -> usize {
        self.lanes
            .iter()
            .filter(|lane| lane.status == DeliveryStatus::Success)
            .count()
    }
}

impl Lane {
    /// When the target acknowledged.
    pub(crate) fn ended(&self) -> Option<i64> {
        if self.status != DeliveryStatus::Success {
            return None;
        }
        self.marks
            .iter()
            .rev()
            .find(|mark| mark.what == "success")
            .map(|mark| mark.at)
    }
}

/// Makes changes of what happened, the newest change first.
pub(crate) fn changes(entries: &[HistoryEntry], pivots: &[PivotState]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for entry in entries.iter().rev() {
        let index = changes
            .iter()
            .position(|change| change.generation == entry.generation);
        let index = index.unwrap_or_else(|| {
            changes.push(Change {
                generation: entry.generation,
                what: entry.transition.clone(),
                by: None,
                at: entry.at,
                lanes: Vec::new(),
            });
            changes.len() - 1
        });
        let change = &mut changes[index];
        // A sync that somebody asked for later is not the change.
        if is_asked_for(&entry.transition) && change.by.is_none() {
            change.by.clone_from(&entry.actor);
        }
        match &entry.target {
            None if is_change(&entry.transition) => change.what.clone_from(&entry.transition),
            None => {}
            Some(target) => note(change, target, entry),
        }
    }
    for pivot in pivots {
        complete(&mut changes, pivot);
    }
    changes.sort_by_key(|change| std::cmp::Reverse(change.generation));
    changes
}

fn note(change: &mut Change, target: &str, entry: &HistoryEntry) {
    let index = change
        .lanes
        .iter()
        .position(|lane| lane.target == target)
        .unwrap_or_else(|| {
            change.lanes.push(Lane {
                target: target.to_owned(),
                marks: Vec::new(),
                status: DeliveryStatus::Pending,
                attempts: 0,
                reason: None,
            });
            change.lanes.len() - 1
        });
    let lane = &mut change.lanes[index];
    lane.status = match entry.transition.as_str() {
        "success" => DeliveryStatus::Success,
        "error" | "unsendable" | "not sent" => DeliveryStatus::Error,
        "sent" => DeliveryStatus::Sent,
        _ => DeliveryStatus::Pending,
    };
    lane.attempts = lane.attempts.max(entry.attempt.unwrap_or_default());
    lane.reason.clone_from(&entry.reason);
    lane.marks.push(Mark {
        at: entry.at,
        what: entry.transition.clone(),
    });
}

/// Adds what only the row knows: when the target applied the change, and how far it is now.
fn complete(changes: &mut [Change], pivot: &PivotState) {
    let lane = changes
        .iter_mut()
        .filter(|change| change.generation == pivot.generation)
        .flat_map(|change| &mut change.lanes)
        .find(|lane| lane.target == pivot.target_amqp_queue);
    let Some(lane) = lane else {
        return;
    };
    lane.status = pivot.status;
    lane.attempts = lane.attempts.max(pivot.attempt_count);
    if pivot.status != DeliveryStatus::Success {
        lane.reason.clone_from(&pivot.reason);
    }
    let known = [(pivot.sent_at, "sent"), (pivot.applied_at, "applied")];
    for (at, what) in known.into_iter().filter_map(|(at, what)| Some((at?, what))) {
        if !lane.marks.iter().any(|mark| mark.what == what) {
            lane.marks.push(Mark {
                at,
                what: what.to_owned(),
            });
        }
    }
    // Sent comes before applied and applied before acknowledged, where clocks say the same.
    lane.marks.sort_by_key(|mark| (mark.at, order(&mark.what)));
}

fn order(what: &str) -> u8 {
    match what {
        "sent" => 1,
        "applied" => 2,
        "success" | "error" => 3,
        _ => 0,
    }
}

fn is_change(transition: &str) -> bool {
    matches!(transition, "ensured" | "rotated" | "revoked")
}

/// Whether it makes a generation of its own.
fn is_asked_for(transition: &str) -> bool {
    is_change(transition) || transition == "rebooked"
}

/// Says what a transition means.
pub(crate) fn words(transition: &str) -> &str {
    match transition {
        "rebooked" => "booked again",
        "reopened" => "was not there any more",
        "claimed" => "taken up again",
        "unsendable" => "cannot be sent",
        "not sent" => "the broker did not take it",
        "success" => "acknowledged",
        "error" => "refused",
        "propagated" => "reached all targets",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(
        id: i64,
        at: i64,
        generation: i64,
        target: Option<&str>,
        transition: &str,
    ) -> HistoryEntry {
        HistoryEntry {
            id,
            at,
            generation,
            target: target.map(str::to_owned),
            transition: transition.to_owned(),
            attempt: Some(1),
            ..HistoryEntry::default()
        }
    }

    #[test]
    fn a_change_ends_when_the_last_target_acknowledged() {
        let entries = [
            entry(9, 180, 2, Some("b"), "success"),
            entry(8, 160, 2, Some("a"), "success"),
            entry(7, 110, 2, Some("b"), "rotated"),
            entry(6, 110, 2, Some("a"), "rotated"),
            entry(5, 110, 2, None, "rotated"),
            entry(2, 10, 1, Some("a"), "error"),
            entry(1, 5, 1, None, "ensured"),
        ];
        let pivot = PivotState {
            target_amqp_queue: "a".to_owned(),
            status: DeliveryStatus::Success,
            generation: 2,
            sent_at: Some(120),
            applied_at: Some(160),
            attempt_count: 1,
            ..PivotState::default()
        };
        let changes = changes(&entries, &[pivot]);
        assert_eq!(changes.len(), 2);
        let (second, first) = (&changes[0], &changes[1]);
        assert_eq!(
            (second.generation, second.what.as_str(), second.at),
            (2, "rotated", 110)
        );
        assert_eq!(
            (second.ended(), second.reached(), second.until(999)),
            (Some(180), 2, 180)
        );
        let what: Vec<&str> = second.lanes[0]
            .marks
            .iter()
            .map(|mark| mark.what.as_str())
            .collect();
        assert_eq!(what, ["rotated", "sent", "applied", "success"]);
        assert_eq!(
            (first.lanes[0].status, first.ended(), first.until(999)),
            (DeliveryStatus::Error, None, 999)
        );
    }

    #[test]
    fn a_change_is_by_who_asked_for_it() {
        let by = |actor: &str, entry| HistoryEntry {
            actor: Some(actor.to_owned()),
            ..entry
        };
        let entries = [
            by("carol", entry(6, 60, 3, Some("a"), "claimed")),
            entry(5, 50, 3, Some("a"), "rotated"),
            by("bob", entry(4, 40, 2, Some("a"), "rebooked")),
            entry(3, 30, 1, Some("a"), "success"),
            by("ada", entry(2, 10, 1, Some("b"), "ensured")),
            by("ada", entry(1, 10, 1, Some("a"), "ensured")),
        ];
        let changes = changes(&entries, &[]);
        let by: Vec<_> = changes.iter().map(|change| change.by.as_deref()).collect();
        assert_eq!(by, [None, Some("bob"), Some("ada")]);
    }

    #[test]
    fn a_page_that_begins_in_the_middle_is_shown_too() {
        let changes = changes(&[entry(4, 50, 7, Some("a"), "sent")], &[]);
        assert_eq!((changes[0].what.as_str(), changes[0].at), ("sent", 50));
        assert_eq!(changes[0].lanes[0].status, DeliveryStatus::Sent);
    }
}
