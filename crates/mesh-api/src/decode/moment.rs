//! Moments as a form writes them.

/// Reads epoch milliseconds, or `YYYY-MM-DDTHH:MM` with or without seconds, taken as UTC.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) = (
        digits(date.next()?, 4)?,
        digits(date.next()?, 2)?,
        digits(date.next()?, 2)?,
    );
    let mut time = time.split(':');
    let (hour, minute) = (digits(time.next()?, 2)?, digits(time.next()?, 2)?);
    let second = time.next().map_or(Some(0), |second| digits(second, 2))?;
    let is_real = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_real || date.next().is_some() || time.next().is_some() {
        return None;
    }
    Some(
        (((days_before(year, month) + day - 1) * 24 + hour) * 60 + minute) * 60_000
            + second * 1_000,
    )
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>()
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_utc() {
        for (text, expected) in [
            ("0", 0),
            ("1798761599000", 1_798_761_599_000),
            ("1970-01-01T00:00", 0),
            ("2000-02-29T12:34", 951_827_640_000),
            ("2026-12-31T23:59:59", 1_798_761_599_000),
            ("2100-03-01T00:00", 4_107_542_400_000),
            (" 2027-01-01T00:00 ", 1_798_761_600_000),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "-1",
            "99999999999999999999",
            "tomorrow",
            "2026-12-31",
            "2026-02-29T00:00",
            "2026-13-01T00:00",
            "2026-12-31T24:00",
            "2026-12-31T23:59:60",
            "2026-1-01T00:00",
            "2026-12-31T23:59Z",
            "2026-12-31T23:59:00:00",
            "2026-12-31-1T23:59",
            "1969-12-31T23:59",
            "+026-12-31T23:59",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
