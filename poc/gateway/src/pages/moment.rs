//! Moments in UTC: as people read them, as machines read them, and as a form's `datetime-local` field has them.

use maud::{Markup, html};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Shows a moment to the minute.
pub(super) fn time(at_ms: i64) -> Markup {
    let Parts {
        date, hour_minute, ..
    } = Parts::of(at_ms);
    html! { time datetime=(rfc3339(at_ms)) { (date) " " (hour_minute) " UTC" } }
}

/// Shows a moment to the second.
pub(super) fn precise_time(at_ms: i64) -> Markup {
    let Parts {
        date,
        hour_minute,
        second,
        ..
    } = Parts::of(at_ms);
    html! { time datetime=(rfc3339(at_ms)) { (date) " " (hour_minute) ":" (second) " UTC" } }
}

/// Writes a moment as `2026-12-01T02:30:05.120Z`.
pub(super) fn rfc3339(at_ms: i64) -> String {
    let Parts {
        date,
        hour_minute,
        second,
        millisecond,
    } = Parts::of(at_ms);
    format!("{date}T{hour_minute}:{second}.{millisecond}Z")
}

/// Writes a moment as a `datetime-local` field has it: `2026-12-01T02:30`, with seconds only where there are any.
pub(super) fn to_input(at_ms: i64) -> String {
    let Parts {
        date,
        hour_minute,
        second,
        millisecond,
    } = Parts::of(at_ms);
    match at_ms.rem_euclid(MINUTE) {
        0 => format!("{date}T{hour_minute}"),
        rest if rest % SECOND == 0 => format!("{date}T{hour_minute}:{second}"),
        _ => format!("{date}T{hour_minute}:{second}.{millisecond}"),
    }
}

/// Reads what a `datetime-local` field sends, `2026-12-01T02:30` with or without seconds, as UTC in epoch milliseconds.
pub fn from_input(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next().unwrap_or("0"));
    if date.next().is_some() || time.next().is_some() {
        return None;
    }
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let days = days(
        number(year, 4, 1..=9999)?,
        number(month, 2, 1..=12)?,
        number(day, 2, 1..=31)?,
    )?;
    let fraction = number(fraction, 3, 0..=999)? * [1, 100, 10, 1].get(fraction.len())?;
    Some(
        days * DAY
            + number(hour, 2, 0..=23)? * HOUR
            + number(minute, 2, 0..=59)? * MINUTE
            + number(second, 2, 0..=59)? * SECOND
            + fraction,
    )
}

fn number(text: &str, digits: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let plain = text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain)?;
    range.contains(&number).then_some(number)
}

/// Counts the days since 1970, by Howard Hinnant's `days_from_civil`. There is no 30th of February.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Year, month and day, by Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A moment, in pieces.
struct Parts {
    date: String,
    hour_minute: String,
    second: String,
    millisecond: String,
}

impl Parts {
    fn of(at_ms: i64) -> Self {
        let (year, month, day) = civil(at_ms.div_euclid(DAY));
        let rest = at_ms.rem_euclid(DAY);
        Self {
            date: format!("{year:04}-{month:02}-{day:02}"),
            hour_minute: format!("{:02}:{:02}", rest / HOUR, rest % HOUR / MINUTE),
            second: format!("{:02}", rest % MINUTE / SECOND),
            millisecond: format!("{:03}", rest % SECOND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(
            time(1_796_092_205_120).into_string(),
            "<time datetime=\"2026-12-01T02:30:05.120Z\">2026-12-01 02:30 UTC</time>"
        );
        assert_eq!(
            precise_time(951_782_400_000).into_string(),
            "<time datetime=\"2000-02-29T00:00:00.000Z\">2000-02-29 00:00:00 UTC</time>"
        );
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        for extreme in [i64::MIN, i64::MAX] {
            assert!(rfc3339(extreme).ends_with('Z'));
        }
    }

    #[test]
    fn what_a_field_shows_is_read_back() {
        for moment in [
            0,
            1_796_092_200_000,
            1_796_092_205_000,
            1_796_092_205_120,
            951_782_400_000,
        ] {
            assert_eq!(from_input(&to_input(moment)), Some(moment));
        }
        assert_eq!(from_input("2026-12-01T02:30"), Some(1_796_092_200_000));
        assert_eq!(
            from_input("2026-12-01T02:30:05.12"),
            Some(1_796_092_205_120)
        );
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "T",
            "2026-12-01",
            "2026-02-30T00:00",
            "2026-13-01T00:00",
            "2026-12-01T24:00",
            "2026-12-01T00:60",
            "2026-12-01T00:00:00.",
            "2026-12-01T00:00:00.1234",
            "+026-12-01T00:00",
            "2026-12-01T00:00Z",
            "2026-12-01T00:00:00:00",
            "0000-01-01T00:00",
            "2026-12-01-01T00:00",
        ] {
            assert_eq!(from_input(text), None, "{text}");
        }
    }
}
