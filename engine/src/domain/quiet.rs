//! Quiet hours: when a location writes to nobody on its own account.
//! Says where a follow-up goes that would come in them; knows nothing of timers, nor of the present.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::hours::{day_name, weekday};
use super::local;
use super::shift::{Period, Periods, Shift, clock, minutes};
use super::time::{Span, Timestamp};
use super::window::Window;

/// Further back than quiet hours can have begun, six quiet days and the nights around them, and as far ahead.
const REACH: Days = Days::new(9);
/// How long before quiet hours something comes that cannot wait for their end.
const BEFORE: Span = Span::minutes(1);

/// When follow-ups rest, on the location's clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct QuietHours {
    /// Minutes from midnight.
    from: u16,
    /// Minutes from midnight; at or below `from`: of the next day.
    to: u16,
    /// The days that are quiet throughout.
    days: Vec<Weekday>,
}

/// Quiet hours as people write them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    from: String,
    to: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<String>,
}

/// Quiet hours that cannot be meant, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuietError {
    /// A time that does not read.
    #[error("quiet_hours: '{0}' is not a time of the clock; write for example \"20:00\"")]
    Time(String),
    /// A day that is none.
    #[error("quiet_hours: '{0}' is not a day; write mon, tue, wed, thu, fri, sat or sun")]
    Day(String),
    /// Follow-ups would never come.
    #[error(
        "quiet_hours leave no time for follow-ups; write for example from \"20:00\" to \"08:00\""
    )]
    Always,
}

impl TryFrom<Written> for QuietHours {
    type Error = QuietError;

    fn try_from(written: Written) -> Result<Self, QuietError> {
        let time = |text: String| minutes(&text).ok_or(QuietError::Time(text));
        let (from, to) = (time(written.from)?, time(written.to)?);
        let mut days = Vec::new();
        for name in written.days {
            let day = weekday(&name).ok_or(QuietError::Day(name))?;
            if !days.contains(&day) {
                days.push(day);
            }
        }
        days.sort_by_key(Weekday::num_days_from_monday);
        let midnight = clock(24 * 60);
        if clock(from) == midnight {
            return Err(QuietError::Time(midnight));
        }
        let all_day = from % (24 * 60) == to % (24 * 60);
        if all_day || days.len() == 7 {
            return Err(QuietError::Always);
        }
        Ok(Self { from, to, days })
    }
}

impl From<QuietHours> for Written {
    fn from(quiet: QuietHours) -> Self {
        Self {
            from: clock(quiet.from),
            to: clock(quiet.to),
            days: quiet
                .days
                .into_iter()
                .map(day_name)
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// When a follow-up comes, quiet hours considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// When it was to come.
    AsAsked,
    /// When the quiet hours are over.
    After(Timestamp),
    /// Before they begin: after them the service window would be shut.
    Before(Timestamp),
}

impl QuietHours {
    /// When the quiet hours end that last at `at`; `None` if it is not quiet then.
    pub fn until(&self, at: Timestamp, zone: Tz) -> Option<Timestamp> {
        self.around(at, zone).map(|(_, until)| until)
    }

    /// When something comes that a run at `now` sets for `due_at`.
    pub fn place(&self, due_at: Timestamp, now: Timestamp, window: Window, zone: Tz) -> Place {
        let due_at = due_at.max(now);
        let Some((from, until)) = self.around(due_at, zone) else {
            return Place::AsAsked;
        };
        let shuts = window
            .closes_at()
            .is_some_and(|closes_at| due_at < closes_at && closes_at <= until);
        let before = from - BEFORE;
        if shuts && before > now {
            Place::Before(before)
        } else {
            Place::After(until)
        }
    }

    /// The last moment at or before `due_at` that is not in quiet hours.
    pub fn before(&self, due_at: Timestamp, zone: Tz) -> Timestamp {
        self.around(due_at, zone)
            .map_or(due_at, |(from, _)| from - BEFORE)
    }

    /// The quiet hours that last at `at`.
    fn around(&self, at: Timestamp, zone: Tz) -> Option<(Timestamp, Timestamp)> {
        let today = local::shown(at, zone).date();
        let first = today.checked_sub_days(REACH)?;
        let last = today.checked_add_days(REACH)?;
        let quiet = |date: NaiveDate| {
            let all_day = self.days.contains(&date.weekday());
            let whole = all_day.then_some(Shift::ALL_DAY);
            let shifts = whole
                .into_iter()
                .chain([Shift::between(self.from, self.to)]);
            shifts.collect()
        };
        Periods::new(first, last, zone, quiet)
            .take_while(|period| period.from <= at)
            .find_map(|Period { from, until }| Some((from, until.filter(|until| at < *until)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    fn quiet(json: &str) -> QuietHours {
        serde_json::from_str(json).expect("quiet hours")
    }

    fn nights() -> QuietHours {
        quiet(r#"{"from": "20:00", "to": "08:00", "days": ["sun"]}"#)
    }

    /// A moment as Berlin's clocks show it; in a fold the first time.
    fn at(text: &str) -> Timestamp {
        local::first(text.parse().expect("a time of the clock"), BERLIN)
    }

    fn until(quiet: &QuietHours, text: &str) -> Option<String> {
        let until = quiet.until(at(text), BERLIN)?;
        Some(local::shown(until, BERLIN).format("%a %H:%M").to_string())
    }

    #[test]
    fn a_night_lasts_over_midnight_and_a_quiet_day_joins_the_nights_around_it() {
        let nights = nights();
        // The 9th of January 2026 is a Friday.
        assert_eq!(until(&nights, "2026-01-09T19:59:59"), None);
        assert_eq!(
            until(&nights, "2026-01-09T20:00:00").as_deref(),
            Some("Sat 08:00")
        );
        assert_eq!(
            until(&nights, "2026-01-10T07:59:59").as_deref(),
            Some("Sat 08:00")
        );
        assert_eq!(until(&nights, "2026-01-10T08:00:00"), None);
        assert_eq!(
            until(&nights, "2026-01-10T20:00:00").as_deref(),
            Some("Mon 08:00")
        );
        assert_eq!(
            until(&nights, "2026-01-11T12:00:00").as_deref(),
            Some("Mon 08:00")
        );
        assert_eq!(
            nights.before(at("2026-01-11T12:00:00"), BERLIN),
            at("2026-01-10T19:59:00")
        );
        let noon = quiet(r#"{"from": "12:00", "to": "14:00"}"#);
        assert_eq!(
            until(&noon, "2026-01-09T13:00:00").as_deref(),
            Some("Fri 14:00")
        );
        assert_eq!(until(&noon, "2026-01-09T14:00:00"), None);
    }

    #[test]
    fn a_night_ends_by_the_clock_also_when_clocks_change() {
        let nights = nights();
        for (evening, hours) in [("2026-03-28T20:00:00", 35), ("2026-10-24T20:00:00", 37)] {
            let evening = at(evening);
            let until = nights.until(evening, BERLIN).expect("quiet");
            // Saturday evening to Monday morning, over the change of Sunday.
            assert_eq!(until.since(evening), Span::hours(hours));
        }
    }

    #[test]
    fn what_cannot_wait_for_the_end_comes_before_the_beginning() {
        let nights = nights();
        let now = at("2026-01-08T10:00:00");
        let window = |text: &str| Window {
            until: Some(at(text) + super::super::window::MARGIN),
        };
        let place = |due: &str, shuts: &str| nights.place(at(due), now, window(shuts), BERLIN);
        let (day, night) = ("2026-01-08T12:00:00", "2026-01-09T02:00:00");
        let morning = at("2026-01-09T08:00:00");
        assert_eq!(place(day, "2026-01-09T07:00:00"), Place::AsAsked);
        assert_eq!(place(night, "2026-01-09T09:00:00"), Place::After(morning));
        let evening = at("2026-01-08T19:59:00");
        assert_eq!(place(night, "2026-01-09T07:00:00"), Place::Before(evening));
        assert_eq!(
            place(night, "2026-01-09T08:00:00"),
            Place::Before(evening),
            "shut at the very end"
        );
        assert_eq!(
            place(night, "2026-01-09T01:00:00"),
            Place::After(morning),
            "shut when it is due"
        );
        let late = at("2026-01-08T21:00:00");
        let due = nights.place(at(night), late, window("2026-01-09T07:00:00"), BERLIN);
        assert_eq!(due, Place::After(morning), "the beginning is past");
        let past = nights.place(now, late, Window::default(), BERLIN);
        assert_eq!(past, Place::After(morning), "what is overdue waits as well");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_hint() {
        for (json, hint) in [
            (
                r#"{"from": "8", "to": "09:00"}"#,
                "write for example \"20:00\"",
            ),
            (
                r#"{"from": "24:00", "to": "09:00"}"#,
                "write for example \"20:00\"",
            ),
            (r#"{"from": "20:00", "to": "20:00"}"#, "leave no time"),
            (r#"{"from": "00:00", "to": "24:00"}"#, "leave no time"),
            (
                r#"{"from": "20:00", "to": "08:00", "days": ["sunday"]}"#,
                "write mon, tue",
            ),
            (
                r#"{"from": "20:00", "to": "08:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}"#,
                "leave no time",
            ),
            (
                r#"{"from": "20:00", "until": "08:00"}"#,
                "unknown field `until`",
            ),
        ] {
            let error = serde_json::from_str::<QuietHours>(json)
                .expect_err(json)
                .to_string();
            assert!(error.contains(hint), "{error}");
        }
        let json = r#"{"from":"20:00","to":"08:00","days":["sun"]}"#;
        assert_eq!(serde_json::to_string(&quiet(json)).expect("json"), json);
    }
}
