//! Moments and spans of time as the engine stores them: whole milliseconds, UTC.
//! Knows no clock: whoever needs the present is given it.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that is `ms` milliseconds after the Unix epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// The moment that is `seconds` after the Unix epoch, as providers write it.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Reads a moment as letters of the Internet are dated: `Thu, 01 Jan 2026 00:00:00 +0000`.
    pub fn parse_rfc2822(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc2822(text).ok()?;
        Some(Self(at.timestamp_millis()))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The moment in the calendar, UTC; a value outside the calendar's range becomes the epoch.
    pub fn to_utc(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0)
            .single()
            .unwrap_or_default()
    }

    /// How long after `earlier` this is; negative if it is before.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_utc().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A length of time in milliseconds; may be negative.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span that a script may name: ten years.
    pub const MAX_WRITTEN: Self = Self::days(3660);

    /// A span of `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// A span of `seconds`.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    /// A span of `minutes`.
    pub const fn minutes(minutes: i64) -> Self {
        Self::seconds(minutes * 60)
    }

    /// A span of `hours`.
    pub const fn hours(hours: i64) -> Self {
        Self::minutes(hours * 60)
    }

    /// A span of `days` of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self::hours(days * 24)
    }

    /// The span in milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The span for the standard library; a negative one is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads `90m`, `2d`, `1h30m`, `45s`, `1w`: numbers with units w, d, h, m, s, largest first.
    ///
    /// # Errors
    /// A sentence for the person who wrote it, with an example.
    pub fn parse(text: &str) -> Result<Self, ParseSpanError> {
        let refuse = || ParseSpanError(text.chars().take(40).collect());
        let mut total: i64 = 0;
        let mut number: Option<i64> = None;
        let mut last_unit = i64::MAX;
        for letter in text.trim().chars() {
            if let Some(digit) = letter.to_digit(10) {
                let so_far = number.unwrap_or(0);
                number = so_far
                    .checked_mul(10)
                    .and_then(|n| n.checked_add(i64::from(digit)));
                if number.is_none() {
                    return Err(refuse());
                }
                continue;
            }
            let unit = UNITS
                .iter()
                .find(|(name, _)| *name == letter)
                .map(|(_, ms)| *ms);
            match (number.take(), unit) {
                (Some(count), Some(ms)) if ms < last_unit => {
                    let part = count.checked_mul(ms).ok_or_else(refuse)?;
                    total = total.checked_add(part).ok_or_else(refuse)?;
                    last_unit = ms;
                }
                _ => return Err(refuse()),
            }
        }
        if number.is_some() || last_unit == i64::MAX || total > Self::MAX_WRITTEN.0 {
            return Err(refuse());
        }
        Ok(Self(total))
    }
}

const UNITS: [(char, i64); 5] = [
    ('w', 604_800_000),
    ('d', 86_400_000),
    ('h', 3_600_000),
    ('m', 60_000),
    ('s', 1_000),
];

/// Writes the span as `parse` reads it; milliseconds are dropped.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        let mut written = false;
        for (name, ms) in UNITS.iter().filter(|(name, _)| *name != 'w') {
            let ms = ms.unsigned_abs();
            if rest >= ms {
                write!(f, "{}{name}", rest / ms)?;
                rest %= ms;
                written = true;
            }
        }
        if written { Ok(()) } else { f.write_str("0s") }
    }
}

/// A span of time that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a duration; write for example \"45s\", \"90m\", \"1h30m\" or \"2d\" (ten years at most)"
)]
pub struct ParseSpanError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(Span::parse("90m"), Ok(Span::minutes(90)));
        assert_eq!(Span::parse("1h30m"), Ok(Span::minutes(90)));
        assert_eq!(Span::parse("2d"), Ok(Span::days(2)));
        assert_eq!(Span::parse("1w"), Ok(Span::days(7)));
        for wrong in [
            "",
            "2",
            "d",
            "30m1h",
            "2 d",
            "-1h",
            "1h1h",
            "99999999999d",
            "1.5h",
        ] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_print_as_they_are_read() {
        for text in ["45s", "1h30m", "2d", "1d1h1m1s", "0s"] {
            assert_eq!(Span::parse(text).expect("readable").to_string(), text);
        }
    }
}
