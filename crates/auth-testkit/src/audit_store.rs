//! What every [`AuditStore`] must do; [`crate::audit_store_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use accounts::{
    AuditCursor, AuditFilter, AuditId, AuditPage, AuditRow, AuditStore, AuditText, Outcome,
};

use crate::replicas::Replicas;

/// Makes a test of each case. The expression makes [`Replicas`] without rows:
/// `audit_store_cases!(memory, Replicas::of_clones(MemoryAccounts::new()));`.
#[macro_export]
macro_rules! audit_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, audit_store {
                what_is_appended_is_told,
                a_row_is_kept_once,
                pages_follow_each_other,
                a_filter_tells_what_was_asked_for,
                whatever_is_sent_is_written_down,
                the_oldest_are_swept,
            }
        }
    };
}

const NOW: i64 = 1_800_000_000_000;

fn row(number: u8, at_ms: i64) -> AuditRow {
    AuditRow {
        id: AuditId::from_bytes([number; 16]),
        at_ms,
        actor: "ada".into(),
        action: "login".into(),
        subject: "ada".into(),
        outcome: Outcome::Done,
        reason: None,
        peer: None,
        request_id: None,
        address: None,
    }
}

fn full(number: u8, at_ms: i64) -> AuditRow {
    AuditRow {
        actor: "b\u{f6}b \u{1f980}".into(),
        action: "account.disable".into(),
        subject: "cy".into(),
        outcome: Outcome::Refused,
        reason: Some("LAST_ADMIN".into()),
        peer: Some("authority".into()),
        request_id: Some("r-1".into()),
        address: Some("2001:db8::1".into()),
        ..row(number, at_ms)
    }
}

async fn append(store: &impl AuditStore, rows: &[AuditRow]) {
    for row in rows {
        store.append(row).await.expect("the store answers");
    }
}

async fn list(
    store: &impl AuditStore,
    filter: &AuditFilter,
    after: Option<AuditCursor>,
    most: u32,
) -> AuditPage {
    let page = store.list(filter, after, most).await;
    page.expect("the store answers")
}

async fn all(store: &impl AuditStore) -> Vec<AuditRow> {
    list(store, &AuditFilter::default(), None, 100).await.rows
}

/// Nothing of a row gets lost, and the newest is first.
pub async fn what_is_appended_is_told<S: AuditStore>(stores: Replicas<S>) {
    assert_eq!(all(&stores.one).await, []);
    let rows = [row(1, NOW), full(2, NOW + 1)];
    append(&stores.one, &rows).await;
    assert_eq!(all(&stores.other).await, [rows[1].clone(), rows[0].clone()]);
}

/// Who got no answer appends again.
pub async fn a_row_is_kept_once<S: AuditStore>(stores: Replicas<S>) {
    let rows = [full(1, NOW), full(1, NOW)];
    append(&stores.one, &rows).await;
    append(&stores.other, &rows).await;
    assert_eq!(all(&stores.one).await, rows[..1]);
}

/// Pages tell each row once, rows of one moment among them, and what comes meanwhile disturbs them not.
pub async fn pages_follow_each_other<S: AuditStore>(stores: Replicas<S>) {
    let mut rows: Vec<AuditRow> = (1..=9)
        .map(|number| row(number, NOW + i64::from(number / 4)))
        .collect();
    append(&stores.one, &rows).await;
    rows.reverse();
    let (mut told, mut after) = (Vec::new(), None);
    for most in [2, 3, 1, 2, 1] {
        let page = list(&stores.other, &AuditFilter::default(), after, most).await;
        assert_eq!(page.rows.len(), usize::try_from(most).expect("a few"));
        told.extend(page.rows);
        after = page.next;
        append(
            &stores.one,
            &[row(100 + u8::try_from(most).expect("a few"), NOW + 100)],
        )
        .await;
    }
    assert_eq!((told, after), (rows, None));
    for (asked, expected) in [(0, 1), (u32::MAX, 12)] {
        let page = list(&stores.one, &AuditFilter::default(), None, asked).await;
        assert_eq!(page.rows.len(), expected, "{asked}");
    }
}

/// A filter that one change makes of one that leaves all.
fn only(change: impl FnOnce(&mut AuditFilter)) -> AuditFilter {
    let mut filter = AuditFilter::default();
    change(&mut filter);
    filter
}

fn text(text: &str) -> Option<AuditText> {
    Some(AuditText::new(text))
}

/// Filters, and how many of four rows each tells: two of [`row`], two of [`full`], of four moments.
fn filters() -> Vec<(AuditFilter, usize)> {
    let all_at_once = only(|it| {
        (it.actor, it.outcome) = (text("ada"), Some(Outcome::Done));
        (it.from_ms, it.until_ms) = (Some(NOW + 2), Some(NOW + 4));
    });
    vec![
        (only(|it| it.actor = text("ada")), 2),
        (only(|it| it.actor = text("b\u{f6}b \u{1f980}")), 2),
        (only(|it| it.actor = text("ADA")), 0),
        (only(|it| it.action = text("login")), 2),
        (only(|it| it.subject = text("cy")), 2),
        (only(|it| it.subject = text("cy ")), 0),
        (only(|it| it.outcome = Some(Outcome::Done)), 2),
        (only(|it| it.outcome = Some(Outcome::Failed)), 0),
        (only(|it| it.peer = text("authority")), 2),
        (only(|it| it.peer = text("consumer")), 0),
        (only(|it| it.from_ms = Some(NOW + 2)), 3),
        (only(|it| it.until_ms = Some(NOW + 2)), 1),
        (all_at_once, 1),
        (AuditFilter::default(), 4),
    ]
}

/// Each part of a filter, and all of them together, on every page.
pub async fn a_filter_tells_what_was_asked_for<S: AuditStore>(stores: Replicas<S>) {
    let rows = [
        full(5, NOW + 4),
        row(4, NOW + 3),
        full(3, NOW + 2),
        row(2, NOW + 1),
    ];
    append(&stores.one, &rows).await;
    for (filter, expected) in filters() {
        let page = list(&stores.other, &filter, None, 100).await;
        let matching = rows.iter().filter(|row| filter.matches(row));
        let matching: Vec<AuditRow> = matching.cloned().collect();
        assert_eq!(page.rows, matching, "{filter:?}");
        assert_eq!((page.rows.len(), page.next), (expected, None), "{filter:?}");
        if expected > 1 {
            let first = list(&stores.one, &filter, None, 1).await;
            let next = list(&stores.one, &filter, first.next, 100).await;
            assert_eq!(next.rows, matching[1..], "{filter:?}");
        }
    }
}

/// Long and odd texts are kept, cut.
pub async fn whatever_is_sent_is_written_down<S: AuditStore>(stores: Replicas<S>) {
    let odd = [
        "\u{1f980}".repeat(1_000),
        "'; DROP TABLE audit; --".to_owned(),
        "a\0b\r\nc".to_owned(),
        " blanks ".to_owned(),
        String::new(),
    ];
    for (number, text) in (1..).zip(&odd) {
        let text = AuditText::new(text);
        let row = AuditRow {
            actor: text.clone(),
            reason: Some(text.clone()),
            address: Some(text),
            ..full(number, NOW)
        };
        append(&stores.one, std::slice::from_ref(&row)).await;
        assert_eq!(all(&stores.one).await[0], row);
    }
}

/// The oldest go first, a few at a time; what is not older stays.
pub async fn the_oldest_are_swept<S: AuditStore>(stores: Replicas<S>) {
    let rows: Vec<AuditRow> = (1..=6)
        .map(|number| row(number, NOW + i64::from(number)))
        .collect();
    append(&stores.one, &rows).await;
    for (swept, left) in [(3, 3), (1, 2), (0, 2)] {
        let count = stores.other.sweep(NOW + 5, 3).await.expect("answered");
        assert_eq!((count, all(&stores.one).await.len()), (swept, left));
    }
    assert_eq!(all(&stores.one).await, [rows[5].clone(), rows[4].clone()]);
}
