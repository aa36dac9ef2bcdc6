//! From what the clocks of a place show to moments: gaps and folds are met here, once for everybody.
//! Knows nothing of why someone asks.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::time::Timestamp;

/// Further from UTC than any clock ever was, in seconds.
const FURTHEST: i64 = 26 * 3600;

/// When clocks in `zone` show `local`: the first of two times, or the first moment after a gap.
pub fn first(local: NaiveDateTime, zone: Tz) -> Timestamp {
    match zone.from_local_datetime(&local).earliest() {
        Some(at) => at.to_utc().into(),
        None => after_gap(local, zone),
    }
}

/// When clocks in `zone` show `local`: the last of two times, or the first moment after a gap.
pub fn last(local: NaiveDateTime, zone: Tz) -> Timestamp {
    match zone.from_local_datetime(&local).latest() {
        Some(at) => at.to_utc().into(),
        None => after_gap(local, zone),
    }
}

/// What clocks in `zone` show at a moment.
pub fn shown(at: Timestamp, zone: Tz) -> NaiveDateTime {
    at.to_utc().with_timezone(&zone).naive_local()
}

/// When a day begins by the clock: at midnight, or at the first moment after a gap there.
pub fn midnight(date: NaiveDate, zone: Tz) -> Timestamp {
    first(date.and_time(NaiveTime::MIN), zone)
}

/// Whether clocks in `zone` ever show a date: some crossed the date line and passed over one.
pub fn has(date: NaiveDate, zone: Tz) -> bool {
    shown(midnight(date, zone), zone).date() == date
}

/// The last whole second from `from` on at which `zone` has the offset that it has at `from`; at `to` it
/// has another.
pub(super) fn last_with_offset(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let offset = |at: i64| seconds(at).with_timezone(&zone).offset().fix();
    let before = offset(from.timestamp());
    let same = |at: i64| offset(at) == before;
    seconds(last_where(from.timestamp(), to.timestamp(), same))
}

/// Clocks pass over `local`: the first moment at which they show something later.
fn after_gap(local: NaiveDateTime, zone: Tz) -> Timestamp {
    let middle = local.and_utc().timestamp();
    let earlier = |at: i64| seconds(at).with_timezone(&zone).naive_local() < local;
    let last = last_where(middle - FURTHEST, middle + FURTHEST, earlier);
    seconds(last + 1).into()
}

/// The last whole second of which something holds that holds at `yes` and no longer at `no`.
fn last_where(mut yes: i64, mut no: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

fn seconds(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(at, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().expect("a time of the clock")
    }

    fn utc(at: Timestamp) -> String {
        at.to_utc().format("%Y-%m-%d %H:%M").to_string()
    }

    #[test]
    fn in_a_fold_there_are_a_first_and_a_last_time() {
        let (time, zone) = (local("2026-10-25T02:30:00"), chrono_tz::Europe::Berlin);
        assert_eq!(utc(first(time, zone)), "2026-10-25 00:30");
        assert_eq!(utc(last(time, zone)), "2026-10-25 01:30");
    }

    #[test]
    fn in_a_gap_it_is_the_first_moment_after_it() {
        let (time, zone) = (local("2026-03-29T02:30:00"), chrono_tz::Europe::Berlin);
        assert_eq!(utc(first(time, zone)), "2026-03-29 01:00");
        assert_eq!(utc(last(time, zone)), "2026-03-29 01:00");
    }

    #[test]
    fn a_day_that_a_zone_passed_over_begins_when_the_next_one_does() {
        let (apia, day) = (chrono_tz::Pacific::Apia, local("2011-12-30T00:00:00"));
        assert_eq!(utc(midnight(day.date(), apia)), "2011-12-30 10:00");
        let next = day.date().succ_opt().expect("a day");
        assert_eq!(midnight(next, apia), midnight(day.date(), apia));
    }
}
