//! When a cron line falls due, in a location's zone. The only owner of the cron crate.
//!
//! A line has five fields, as in unix cron, with weekdays by name only (the crate counts Sunday as
//! one, unix counts it as zero). A line with fixed hours fires once per date that local clocks show: in
//! a gap at the first valid moment after it, in a fold the first time only. A line whose hour is `*` or stepped
//! fires by elapsed time.

use std::str::FromStr;

use chrono::{Datelike, Duration, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule;

use super::local;
use super::time::Timestamp;

/// Nothing is looked for from this year on, nor before 1970: the crate's own years end sooner.
const END_YEAR: i32 = 2200;

/// A cron line, understood.
#[derive(Clone, Debug)]
pub struct CronLine {
    text: String,
    schedule: Schedule,
    fixed_hour: bool,
}

/// A cron line that could not be understood, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error(
        "'{0}' has not five fields; write minute hour day month weekday, for example \"0 9 * * MON-FRI\""
    )]
    Fields(String),
    /// Weekdays by number.
    #[error(
        "'{0}' gives the weekday by number, which systems count differently; write MON, TUE … SUN"
    )]
    WeekdayNumber(String),
    /// Day of the month together with a weekday.
    #[error("'{0}' names a day of the month and a weekday; use two lines, one for each")]
    DayAndWeekday(String),
    /// Anything else.
    #[error(
        "'{0}' is not a cron line; write minute hour day month weekday, for example \"0 9 * * MON-FRI\""
    )]
    Unreadable(String),
}

impl CronLine {
    /// Reads a line of five fields.
    ///
    /// # Errors
    /// A sentence for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let shown = || text.chars().take(80).collect::<String>();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [_, hour, day, _, weekday] = fields[..] else {
            return Err(CronError::Fields(shown()));
        };
        if weekday != "*"
            && weekday
                .split('/')
                .next()
                .is_some_and(|days| days.bytes().any(|b| b.is_ascii_digit()))
        {
            return Err(CronError::WeekdayNumber(shown()));
        }
        if day != "*" && weekday != "*" {
            return Err(CronError::DayAndWeekday(shown()));
        }
        let schedule = Schedule::from_str(&format!("0 {}", fields.join(" ")))
            .map_err(|_| CronError::Unreadable(shown()))?;
        Ok(Self {
            text: fields.join(" "),
            schedule,
            fixed_hour: !hour.contains(['*', '/']),
        })
    }

    /// The line, with single spaces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first moment after `after` at which the line falls due in `zone`, if there is one.
    pub fn next(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        let from = after.max(Timestamp::default());
        if from.to_utc().year() >= END_YEAR {
            return None;
        }
        let next = if self.fixed_hour {
            self.next_local(from, zone)
        } else {
            self.next_elapsed(from, zone)
        };
        // A moment beyond all calendars reads as one of long ago.
        next.filter(|at| *at > after)
    }

    /// Hour `*` or stepped: wherever the local clock shows a matching time, both times in a fold.
    /// The crate passes over the second time, so each stretch between two changes of the clock is
    /// walked as if its offset held for ever.
    fn next_elapsed(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        /// More changes of the clock than any zone makes between two matching times.
        const MAX_STRETCHES: usize = 64;
        let mut from = after.to_utc();
        for _ in 0..MAX_STRETCHES {
            let offset = from.with_timezone(&zone).offset().fix();
            let next = self
                .schedule
                .after(&from.with_timezone(&offset))
                .next()?
                .with_timezone(&Utc);
            if next.with_timezone(&zone).offset().fix() == offset {
                return Some(next.into());
            }
            // The clock changed in between: go on from the last moment before it did.
            from = local::last_with_offset(from, next, zone);
            let changed = from + Duration::seconds(1);
            let offset = changed.with_timezone(&zone).offset().fix();
            let first = self
                .schedule
                .after(&from.with_timezone(&offset))
                .next()?
                .with_timezone(&Utc);
            if first.with_timezone(&zone).offset().fix() == offset {
                return Some(first.into());
            }
            from = changed;
        }
        None
    }

    /// Fixed hours: walks the local calendar as if it had no gaps, then finds the moment.
    fn next_local(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        // A day back, so that an occurrence moved forward out of a gap is not passed over.
        let local = after.to_utc().with_timezone(&zone).naive_local() - Duration::days(1);
        self.schedule
            .after(&Utc.from_utc_datetime(&local))
            .take_while(|at| at.year() < END_YEAR)
            .map(|at| at.naive_utc())
            .filter(|at| local::has(at.date(), zone))
            .map(|at| local::first(at, zone))
            .find(|at| *at > after)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn utc(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text)
            .expect("a time")
            .with_timezone(&Utc)
            .into()
    }

    fn next(line: &str, after: &str, zone: Tz) -> String {
        let next = CronLine::parse(line)
            .expect("a line")
            .next(utc(after), zone);
        next.map_or_else(String::new, |at| at.to_utc().to_rfc3339())
    }

    #[test]
    fn a_fixed_hour_in_a_gap_fires_at_the_first_moment_after_it() {
        let zone = chrono_tz::Europe::London;
        assert_eq!(
            next("30 1 * * *", "2026-03-28T12:00:00Z", zone),
            "2026-03-29T01:00:00+00:00"
        );
        assert_eq!(
            next("30 1 * * *", "2026-03-29T01:00:00Z", zone),
            "2026-03-30T00:30:00+00:00"
        );
    }

    #[test]
    fn a_fixed_hour_in_a_fold_fires_the_first_time_only() {
        let zone = chrono_tz::Europe::London;
        assert_eq!(
            next("30 1 * * *", "2026-10-24T12:00:00Z", zone),
            "2026-10-25T00:30:00+00:00"
        );
        assert_eq!(
            next("30 1 * * *", "2026-10-25T00:30:00Z", zone),
            "2026-10-26T01:30:00+00:00"
        );
    }

    #[test]
    fn every_half_hour_goes_on_by_elapsed_time_through_a_fold() {
        let zone = chrono_tz::Europe::London;
        assert_eq!(
            next("*/30 * * * *", "2026-10-25T00:30:00Z", zone),
            "2026-10-25T01:00:00+00:00"
        );
        assert_eq!(
            next("*/30 * * * *", "2026-10-25T01:00:00Z", zone),
            "2026-10-25T01:30:00+00:00"
        );
    }

    #[test]
    fn mondays_at_nine_are_mondays() {
        let next = next(
            "0 9 * * MON",
            "2026-11-22T12:00:00Z",
            chrono_tz::Europe::Berlin,
        );
        assert_eq!(next, "2026-11-23T08:00:00+00:00");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_hint() {
        assert!(matches!(
            CronLine::parse("0 9 * *"),
            Err(CronError::Fields(_))
        ));
        assert!(matches!(
            CronLine::parse("0 9 * * 1"),
            Err(CronError::WeekdayNumber(_))
        ));
        assert!(matches!(
            CronLine::parse("0 9 1 * MON"),
            Err(CronError::DayAndWeekday(_))
        ));
        assert!(matches!(
            CronLine::parse("61 9 * * *"),
            Err(CronError::Unreadable(_))
        ));
    }
}
