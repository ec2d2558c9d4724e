//! Moments of these types, which are epoch milliseconds, as a date and a time of day in UTC.

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A date of the Gregorian calendar and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Before the year 1 it goes on with 0 and -1.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 to 999.
    pub millisecond: i64,
}

impl Civil {
    /// Of any moment. Days are counted by Howard Hinnant's `civil_from_days`.
    pub fn of(at_ms: i64) -> Self {
        let (days, rest) = (at_ms.div_euclid(DAY), at_ms.rem_euclid(DAY));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: rest / HOUR,
            minute: rest % HOUR / MINUTE,
            second: rest % MINUTE / SECOND,
            millisecond: rest % SECOND,
        }
    }

    /// The date, as `2026-11-23`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// The time of day, as `02:34:21`.
    pub fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// The moment, in epoch milliseconds, by Howard Hinnant's `days_from_civil`; `None` for what is none: there is no 30th of
    /// February. Years are those of four digits.
    pub fn at_ms(&self) -> Option<i64> {
        let fits = (-9_999..=9_999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && (0..=23).contains(&self.hour)
            && (0..=59).contains(&self.minute)
            && (0..=59).contains(&self.second)
            && (0..=999).contains(&self.millisecond);
        if !fits {
            return None;
        }
        let shifted = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let time = self.hour * HOUR + self.minute * MINUTE + self.second * SECOND;
        let at_ms = days * DAY + time + self.millisecond;
        (Self::of(at_ms) == *self).then_some(at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_and_taken_back() {
        for at_ms in [
            0,
            -1,
            1_796_092_205_120,
            951_782_400_000,
            -62_135_596_800_000,
        ] {
            assert_eq!(Civil::of(at_ms).at_ms(), Some(at_ms));
        }
        let civil = Civil::of(1_796_092_205_120);
        assert_eq!(
            (civil.date().as_str(), civil.time().as_str()),
            ("2026-12-01", "02:30:05")
        );
        for extreme in [i64::MIN, i64::MAX] {
            assert_eq!(Civil::of(extreme).at_ms(), None);
        }
    }

    #[test]
    fn what_is_no_date_is_no_moment() {
        let civil = Civil::of(0);
        for wrong in [
            Civil {
                month: 2,
                day: 30,
                ..civil
            },
            Civil { month: 13, ..civil },
            Civil { day: 0, ..civil },
            Civil { hour: 24, ..civil },
            Civil {
                minute: 60,
                ..civil
            },
        ] {
            assert_eq!(wrong.at_ms(), None, "{wrong:?}");
        }
    }
}
