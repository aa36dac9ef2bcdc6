//! When a location is open: hours by weekday, split shifts, shifts over midnight, and holidays.
//! Pure, and by the clocks on the location's wall; knows nothing of who asks, nor of the present.
//!
//! A shift belongs to the day on which it begins: an evening before a holiday goes on past midnight.
//! Where clocks go back, a shift lasts from the first time that they show its beginning to the last time
//! that they show its end; where they go forward, what they pass over is not open.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::local;
use super::shift::{Periods, Shift, ShiftError, shifts};
use super::time::Timestamp;

/// How far ahead an opening or a closing is looked for: a year, and the holidays around its end.
const HORIZON: Days = Days::new(400);
/// Shifts that may have begun earlier: over midnight, and over a date that the zone passes over.
const LOOK_BACK: Days = Days::new(2);
/// Holidays at most: what people plan in some years, and little enough to be looked through each time.
const MAX_HOLIDAYS: usize = 200;
/// Letters of a holiday's name at most.
const MAX_NAME: usize = 100;

/// How a date is written.
const DATE: &str = "%Y-%m-%d";
/// The names of the days, from Monday.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The hours of each weekday. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, Vec<String>>",
    into = "BTreeMap<&'static str, Vec<String>>"
)]
pub struct OpeningHours(Arc<[Vec<Shift>; 7]>);

/// The days that are not like other days, the first that names a day counts. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Holiday>", into = "Vec<Holiday>")]
pub struct Holidays(Arc<[Holiday]>);

/// A day, or several, with hours of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Holiday {
    /// The first day.
    pub date: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// What people call it, or "".
    pub name: String,
    /// When it is open all the same; empty: closed.
    pub hours: Vec<Shift>,
}

/// A holiday as people write it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hours: Vec<String>,
}

/// Hours that cannot be meant, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// A day that is none.
    #[error("opening_hours: '{0}' is not a day; write mon, tue, wed, thu, fri, sat or sun")]
    Day(String),
    /// No day at all.
    #[error(
        "opening_hours names no shift, so it would never be open; write for example {{\"mon\": [\"09:00-18:00\"]}}, or null for always open"
    )]
    Never,
    /// A shift that does not read, or overlaps another.
    #[error("opening_hours, {0}: {1}")]
    Shift(&'static str, ShiftError),
    /// Too many holidays.
    #[error("holidays: {MAX_HOLIDAYS} at most; leave out those that are past")]
    TooMany,
    /// A date that does not read.
    #[error("holidays: '{0}' is not a date; write for example \"2026-12-25\"")]
    Date(String),
    /// A holiday that ends before it begins.
    #[error("holidays: {0} goes to {1}, which is before it")]
    Backwards(NaiveDate, NaiveDate),
    /// A holiday's hours do not read, or overlap.
    #[error("holidays, {0}: {1}")]
    Holiday(String, ShiftError),
    /// A holiday's name is too long.
    #[error("holidays, {0}: a name has {MAX_NAME} letters at most")]
    Name(String),
}

impl TryFrom<BTreeMap<String, Vec<String>>> for OpeningHours {
    type Error = HoursError;

    fn try_from(written: BTreeMap<String, Vec<String>>) -> Result<Self, HoursError> {
        let mut days: [Vec<Shift>; 7] = Default::default();
        for (name, texts) in &written {
            let nth = weekday(name).ok_or_else(|| HoursError::Day(name.clone()))?;
            let nth = nth.num_days_from_monday() as usize;
            days[nth] = shifts(texts).map_err(|error| HoursError::Shift(DAYS[nth], error))?;
        }
        if days.iter().all(Vec::is_empty) {
            return Err(HoursError::Never);
        }
        Ok(Self(Arc::new(days)))
    }
}

impl From<OpeningHours> for BTreeMap<&'static str, Vec<String>> {
    fn from(hours: OpeningHours) -> Self {
        let texts = |shifts: &Vec<Shift>| shifts.iter().map(Shift::to_string).collect();
        let days = DAYS.into_iter().zip(hours.0.iter());
        days.filter(|(_, shifts)| !shifts.is_empty())
            .map(|(day, shifts)| (day, texts(shifts)))
            .collect()
    }
}

impl TryFrom<Written> for Holiday {
    type Error = HoursError;

    fn try_from(written: Written) -> Result<Self, HoursError> {
        let read = |text: &str| {
            let shown = || HoursError::Date(text.chars().take(40).collect());
            NaiveDate::parse_from_str(text, DATE).map_err(|_| shown())
        };
        let date = read(&written.date)?;
        let until = written.to.as_deref().map_or(Ok(date), read)?;
        if until < date {
            return Err(HoursError::Backwards(date, until));
        }
        if written.name.chars().count() > MAX_NAME {
            return Err(HoursError::Name(written.date));
        }
        let hours =
            shifts(&written.hours).map_err(|error| HoursError::Holiday(written.date, error))?;
        Ok(Self {
            date,
            until,
            name: written.name,
            hours,
        })
    }
}

impl From<Holiday> for Written {
    fn from(holiday: Holiday) -> Self {
        let until = (holiday.until != holiday.date).then_some(holiday.until);
        Self {
            date: holiday.date.format(DATE).to_string(),
            to: until.map(|until| until.format(DATE).to_string()),
            name: holiday.name,
            hours: holiday.hours.iter().map(Shift::to_string).collect(),
        }
    }
}

impl TryFrom<Vec<Holiday>> for Holidays {
    type Error = HoursError;

    fn try_from(holidays: Vec<Holiday>) -> Result<Self, HoursError> {
        if holidays.len() > MAX_HOLIDAYS {
            return Err(HoursError::TooMany);
        }
        Ok(Self(holidays.into()))
    }
}

impl From<Holidays> for Vec<Holiday> {
    fn from(holidays: Holidays) -> Self {
        holidays.0.to_vec()
    }
}

/// The weekday of a name.
pub(super) fn weekday(name: &str) -> Option<Weekday> {
    let nth = DAYS.iter().position(|day| *day == name)?;
    Weekday::try_from(u8::try_from(nth).ok()?).ok()
}

/// The name of a weekday.
pub(super) const fn day_name(day: Weekday) -> &'static str {
    DAYS[day.num_days_from_monday() as usize]
}

/// When a location is open, on its own clocks. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// By weekday; absent: always open.
    pub hours: Option<OpeningHours>,
    /// The days that are not like others.
    pub holidays: Holidays,
    /// Where its clocks are.
    pub zone: Tz,
}

impl Calendar {
    /// Whether it is open at a moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.periods(at)
            .take_while(|period| period.from <= at)
            .any(|period| period.until.is_none_or(|until| at < until))
    }

    /// The next moment after `after` at which it turns from closed to open, whether it is open then or
    /// not; `None` if there is none within 400 days.
    pub fn opens_at(&self, after: Timestamp) -> Option<Timestamp> {
        self.periods(after)
            .map(|period| period.from)
            .find(|from| *from > after)
    }

    /// When the present opening ends, or if it is closed, when the next one does; `None` if that is not
    /// within 400 days.
    pub fn closes_at(&self, after: Timestamp) -> Option<Timestamp> {
        self.periods(after)
            .find(|period| period.until.is_none_or(|until| until > after))?
            .until
    }

    /// The holiday of the day that it is at a moment.
    pub fn holiday(&self, at: Timestamp) -> Option<&Holiday> {
        self.holiday_on(local::shown(at, self.zone).date())
    }

    fn holiday_on(&self, date: NaiveDate) -> Option<&Holiday> {
        let covers = |holiday: &&Holiday| holiday.date <= date && date <= holiday.until;
        self.holidays.0.iter().find(covers)
    }

    /// The openings, from those that may last at `at` on.
    fn periods(&self, at: Timestamp) -> Periods<impl Fn(NaiveDate) -> Vec<Shift> + '_> {
        let today = local::shown(at, self.zone).date();
        let first = today.checked_sub_days(LOOK_BACK).unwrap_or(today);
        let last = today.checked_add_days(HORIZON).unwrap_or(today);
        Periods::new(first, last, self.zone, |date| self.shifts(date))
    }

    fn shifts(&self, date: NaiveDate) -> Vec<Shift> {
        match (self.holiday_on(date), &self.hours) {
            (Some(holiday), _) => holiday.hours.clone(),
            (None, Some(hours)) => hours.0[date.weekday().num_days_from_monday() as usize].clone(),
            (None, None) => vec![Shift::ALL_DAY],
        }
    }
}

#[cfg(test)]
mod tests;
