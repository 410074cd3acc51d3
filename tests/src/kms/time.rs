//! The two spellings of a moment that AWS uses: `20150830T123600Z` in signatures, `2015-08-30T12:36:00Z` in logs.

const DAY: u64 = 86_400;

/// `YYYY-MM-DDThh:mm:ssZ` of a moment in seconds since the epoch.
pub(super) fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since the epoch of `YYYYMMDDThhmmssZ`; `None` if it is anything else.
pub(super) fn parse_amz_date(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let marked = bytes.len() == 16 && bytes[8] == b'T' && bytes[15] == b'Z';
    let digits = |range: std::ops::Range<usize>| -> Option<u64> {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    let in_range = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    (marked && in_range && hour < 24 && minute < 60 && second < 61)
        .then(|| days(year, month, day) * DAY + hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counting years from March.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

/// The inverse of [`days`].
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_moment() {
        assert_eq!(parse_amz_date("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(rfc3339(1_440_938_160), "2015-08-30T12:36:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(parse_amz_date("20000229T000000Z"), Some(951_782_400));
        for day in (0..60_000).step_by(7) {
            let text = rfc3339(day * DAY).replace(['-', ':'], "");
            assert_eq!(parse_amz_date(&text), Some(day * DAY));
        }
    }

    #[test]
    fn anything_else_is_no_moment() {
        for text in
            ["", "20150830", "20150830T123600", "20151330T123600Z", "2015083 T123600Z", "20150830T253600Z"]
        {
            assert_eq!(parse_amz_date(text), None, "{text}");
        }
    }
}
