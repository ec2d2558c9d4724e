//! Moments in UTC: as people read them, as machines read them, and as a form's `datetime-local` field has them.

use maud::{Markup, html};
use mesh_api::moment::Civil;

/// Shows a moment to the minute.
pub(super) fn time(at_ms: i64) -> Markup {
    let civil = Civil::of(at_ms);
    html! { time datetime=(rfc3339(at_ms)) { (civil.date()) " " (hour_minute(&civil)) " UTC" } }
}

/// Shows a moment to the second.
pub(super) fn precise_time(at_ms: i64) -> Markup {
    let civil = Civil::of(at_ms);
    html! { time datetime=(rfc3339(at_ms)) { (civil.date()) " " (civil.time()) " UTC" } }
}

/// Writes a moment as `2026-12-01T02:30:05.120Z`.
pub(super) fn rfc3339(at_ms: i64) -> String {
    let civil = Civil::of(at_ms);
    let (date, time) = (civil.date(), civil.time());
    format!("{date}T{time}.{:03}Z", civil.millisecond)
}

/// Writes a moment as a `datetime-local` field has it: `2026-12-01T02:30`, with seconds only where there are any.
pub(super) fn to_input(at_ms: i64) -> String {
    let civil = Civil::of(at_ms);
    let date = civil.date();
    match (civil.second, civil.millisecond) {
        (0, 0) => format!("{date}T{}", hour_minute(&civil)),
        (_, 0) => format!("{date}T{}", civil.time()),
        (_, millisecond) => format!("{date}T{}.{millisecond:03}", civil.time()),
    }
}

fn hour_minute(civil: &Civil) -> String {
    format!("{:02}:{:02}", civil.hour, civil.minute)
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
    let year = number(year, 4).filter(|year| *year > 0)?;
    let civil = Civil {
        year,
        month: number(month, 2)?,
        day: number(day, 2)?,
        hour: number(hour, 2)?,
        minute: number(minute, 2)?,
        second: number(second, 2)?,
        millisecond: number(fraction, 3)? * [1, 100, 10, 1].get(fraction.len())?,
    };
    civil.at_ms()
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
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
