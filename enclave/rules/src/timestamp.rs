//! Points in time as the signed statements write them: RFC 3339, UTC, whole seconds.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Seconds since 1970-01-01T00:00:00Z, from year 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// Why a text is no [`Timestamp`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a time as 2026-01-31T23:59:59Z: UTC, whole seconds, years 1970 to 9999")]
pub struct TimestampError;

const SECONDS_A_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

impl Timestamp {
    /// From seconds since the epoch; later years than 9999 become the last second that is written.
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// From milliseconds since the epoch, rounded down.
    pub fn from_millis(millis: u64) -> Self {
        Self::from_seconds(millis / 1000)
    }

    /// Seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'Z'] =
            text.as_bytes()
        else {
            return Err(TimestampError);
        };
        let year = number(&[y1, y2, y3, y4])?;
        let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
        let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
        let in_range = year >= 1970
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return Err(TimestampError);
        }
        seconds_at(year, month, day, hour, minute, second).map(Self).ok_or(TimestampError)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, of_day) = (self.0 / SECONDS_A_DAY, self.0 % SECONDS_A_DAY);
        let mut year = 1970;
        while days >= days_in_year(year) {
            days = days.saturating_sub(days_in_year(year));
            year = year.saturating_add(1);
        }
        let mut month = 1;
        while days >= days_in(year, month) {
            days = days.saturating_sub(days_in(year, month));
            month = month.saturating_add(1);
        }
        let day = days.saturating_add(1);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn seconds_at(year: u64, month: u64, day: u64, hour: u64, minute: u64, second: u64) -> Option<u64> {
    let years: u64 = (1970..year).map(days_in_year).sum();
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    let days = years.checked_add(months)?.checked_add(day)?.checked_sub(1)?;
    let of_day = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    days.checked_mul(SECONDS_A_DAY)?.checked_add(of_day)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn number(digits: &[u8]) -> Result<u64, TimestampError> {
    digits.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'9' => Ok(value.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))),
        _ => Err(TimestampError),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_instants() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-21T20:49:00Z", 1_795_294_140),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "2026-11-21 20:49:00Z",
            "2026-11-21T20:49:00+00:00",
            "2026-11-21T20:49:00.0Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "+026-01-01T00:00:00Z",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_round_trips(seconds in 0..=LAST) {
            let written = Timestamp::from_seconds(seconds).to_string();
            prop_assert_eq!(written.parse::<Timestamp>().unwrap().seconds(), seconds);
        }
    }
}
