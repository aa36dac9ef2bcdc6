//! Parts of days by the clock, `"09:00-13:00"`, and the periods of time that they become day by day.
//! Knows nothing of what they are for.

use std::fmt;
use std::str::FromStr;

use chrono::{Duration, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::local;
use super::time::Timestamp;

/// Minutes of a day by the clock.
const DAY: u16 = 24 * 60;
/// Shifts of one day at most; more would be a mistake.
const MAX_SHIFTS: usize = 12;

/// A part of a day by the clock; it may reach past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift {
    /// Minutes from midnight.
    from: u16,
    /// Minutes from the same midnight, above `from`; a day and more for one that ends the next day.
    to: u16,
}

/// A part of a day that cannot be meant, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShiftError {
    /// It does not read.
    #[error(
        "'{0}' is not a shift; write for example \"09:00-13:00\", over midnight \"18:00-02:00\", all day \"00:00-24:00\""
    )]
    Unreadable(String),
    /// It begins when it ends.
    #[error("'{0}' begins when it ends; write \"00:00-24:00\" for a whole day")]
    Empty(String),
    /// Two shifts of a day overlap.
    #[error("{0} and {1} overlap; write them as one")]
    Overlap(Shift, Shift),
    /// Too many.
    #[error("{MAX_SHIFTS} shifts a day at most")]
    TooMany,
}

impl Shift {
    /// The whole day.
    pub const ALL_DAY: Self = Self { from: 0, to: DAY };

    /// From one time of the clock to the next time that it shows the other.
    pub(super) const fn between(from: u16, to: u16) -> Self {
        let to = if to <= from { to + DAY } else { to };
        Self { from, to }
    }

    /// Shifts of a day in the order of the day.
    fn in_order(mut shifts: Vec<Self>) -> Result<Vec<Self>, ShiftError> {
        if shifts.len() > MAX_SHIFTS {
            return Err(ShiftError::TooMany);
        }
        shifts.sort();
        match shifts.windows(2).find(|two| two[1].from < two[0].to) {
            Some(two) => Err(ShiftError::Overlap(two[0], two[1])),
            None => Ok(shifts),
        }
    }
}

/// Reads the shifts of a day.
pub(super) fn shifts(texts: &[String]) -> Result<Vec<Shift>, ShiftError> {
    let shifts: Result<Vec<Shift>, ShiftError> = texts.iter().map(|text| text.parse()).collect();
    Shift::in_order(shifts?)
}

/// Reads a time of the clock as minutes from midnight; `24:00` is the end of the day.
pub(super) fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

/// Writes minutes from midnight as the clock shows them.
pub(super) fn clock(minutes: u16) -> String {
    let minutes = if minutes > DAY {
        minutes - DAY
    } else {
        minutes
    };
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl FromStr for Shift {
    type Err = ShiftError;

    fn from_str(text: &str) -> Result<Self, ShiftError> {
        let shown = || text.chars().take(40).collect::<String>();
        let times = text.split_once('-');
        let times = times.and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
        match times {
            Some((from, to)) if from == to => Err(ShiftError::Empty(shown())),
            Some((from, to)) if from < DAY => Ok(Self::between(from, to)),
            _ => Err(ShiftError::Unreadable(shown())),
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", clock(self.from), clock(self.to))
    }
}

/// A stretch of time without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// Its first moment.
    pub(super) from: Timestamp,
    /// The first moment after it; absent if it goes on beyond what was looked at.
    pub(super) until: Option<Timestamp>,
}

/// The shifts of one day after another as periods, in order; those that touch are one.
pub(super) struct Periods<F> {
    date: Option<NaiveDate>,
    last: NaiveDate,
    zone: Tz,
    shifts: F,
    /// Shifts of the days looked at that no period has taken yet, as moments, the next one last.
    ahead: Vec<(Timestamp, Timestamp)>,
}

impl<F: Fn(NaiveDate) -> Vec<Shift>> Periods<F> {
    /// The periods of the days from `first` to `last`, both included.
    pub(super) const fn new(first: NaiveDate, last: NaiveDate, zone: Tz, shifts: F) -> Self {
        Self {
            date: Some(first),
            last,
            zone,
            shifts,
            ahead: Vec::new(),
        }
    }

    /// The next shift as moments, without being taken.
    fn peek(&mut self) -> Option<(Timestamp, Timestamp)> {
        while self.ahead.is_empty() {
            let date = self.date.filter(|date| *date <= self.last)?;
            self.date = date.succ_opt();
            let midnight = date.and_time(NaiveTime::MIN);
            for shift in (self.shifts)(date).into_iter().rev() {
                let at = |minutes: u16| midnight + Duration::minutes(i64::from(minutes));
                let from = local::first(at(shift.from), self.zone);
                let until = local::last(at(shift.to), self.zone);
                // Clocks may pass over a whole shift.
                if from < until {
                    self.ahead.push((from, until));
                }
            }
        }
        self.ahead.last().copied()
    }

    /// The moment from which on no day was looked at.
    fn horizon(&self) -> Timestamp {
        let next = self.last.succ_opt().unwrap_or(self.last);
        local::midnight(next, self.zone)
    }
}

impl<F: Fn(NaiveDate) -> Vec<Shift>> Iterator for Periods<F> {
    type Item = Period;

    fn next(&mut self) -> Option<Period> {
        let (from, mut until) = self.peek()?;
        self.ahead.pop();
        while let Some((next_from, next_until)) = self.peek()
            && next_from <= until
        {
            until = until.max(next_until);
            self.ahead.pop();
        }
        Some(Period {
            from,
            until: (until < self.horizon()).then_some(until),
        })
    }
}
