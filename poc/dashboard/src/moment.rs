//! Moments and durations in words: in UTC, and relative to now.

use mesh_api::moment::Civil;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Writes a moment as `2026-11-23T02:34:21Z`.
pub(crate) fn iso(moment: i64) -> String {
    let civil = Civil::of(moment);
    format!("{}T{}Z", civil.date(), civil.time())
}

/// Writes a moment as `2026-11-23 02:34:21 UTC`.
pub(crate) fn utc(moment: i64) -> String {
    let civil = Civil::of(moment);
    format!("{} {} UTC", civil.date(), civil.time())
}

/// Writes the time of day, to the millisecond.
pub(crate) fn precise(moment: i64) -> String {
    let civil = Civil::of(moment);
    format!("{}.{:03}", civil.time(), civil.millisecond)
}

/// Writes how long ago a moment is, or in how long it will be, in one unit: `now`, `12 s ago`, `in 3 d`.
pub(crate) fn relative(moment: i64, now: i64) -> String {
    // Clocks of peers differ by a little: what has just happened never lies ahead.
    match now.saturating_sub(moment) {
        -2_000..SECOND => "now".to_owned(),
        past @ SECOND.. => format!("{} ago", coarse(past)),
        future => format!("in {}", coarse(future.saturating_neg())),
    }
}

/// Writes how old something is, in one unit.
pub(crate) fn age(moment: i64, now: i64) -> String {
    match now.saturating_sub(moment) {
        past @ SECOND.. => coarse(past),
        _ => "now".to_owned(),
    }
}

/// Writes a duration as one measures it: `84 ms`, `3.2 s`, `2 min 5 s`.
pub(crate) fn duration(span: i64) -> String {
    match span {
        ..SECOND => format!("{} ms", span.max(0)),
        SECOND..MINUTE => format!("{}.{} s", span / SECOND, span % SECOND / 100),
        MINUTE..HOUR => format!("{} min {} s", span / MINUTE, span % MINUTE / SECOND),
        HOUR..DAY => format!("{} h {} min", span / HOUR, span % HOUR / MINUTE),
        _ => format!("{} d {} h", span / DAY, span % DAY / HOUR),
    }
}

fn coarse(span: i64) -> String {
    match span {
        ..MINUTE => format!("{} s", span / SECOND),
        MINUTE..HOUR => format!("{} min", span / MINUTE),
        HOUR..DAY => format!("{} h", span / HOUR),
        _ => format!("{} d", span / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(iso(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_401_261_123), "2026-11-23 02:34:21 UTC");
        assert_eq!(precise(1_795_401_261_023), "02:34:21.023");
        assert_eq!(utc(-1), "1969-12-31 23:59:59 UTC");
    }

    #[test]
    fn relative_moments_have_one_unit() {
        let now = 1_000_000_000;
        for (before, words) in [
            (0, "now"),
            (-1_500, "now"),
            (1_000, "1 s ago"),
            (59_999, "59 s ago"),
            (60_000, "1 min ago"),
            (7_200_000, "2 h ago"),
            (3 * DAY, "3 d ago"),
            (-5 * MINUTE, "in 5 min"),
        ] {
            assert_eq!(relative(now - before, now), words);
        }
        assert_eq!(age(now - 61_000, now), "1 min");
        assert_eq!(
            relative(i64::MIN, i64::MAX),
            format!("{} d ago", i64::MAX / DAY)
        );
    }

    #[test]
    fn durations_are_as_one_measures_them() {
        for (span, words) in [
            (-5, "0 ms"),
            (84, "84 ms"),
            (3_240, "3.2 s"),
            (125_000, "2 min 5 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(span), words);
        }
    }
}
