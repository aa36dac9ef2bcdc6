//! The clocks of all zones from 2000 to 2040, and what cron lines and opening hours make of each of
//! their changes. What is expected is found minute by minute, from offsets alone.

use std::collections::HashSet;

use chrono::{NaiveDate, NaiveTime, Offset};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::hours::{Calendar, Holidays, OpeningHours};
use super::occurrence::CronLine;
use super::time::{Span, Timestamp};

const FROM: i64 = 946_684_800;
const UNTIL: i64 = 2_240_524_800;
const MINUTE: i64 = 60;
const QUARTER: i64 = 15 * MINUTE;
const DAY: i64 = 86_400;
/// What is looked at on either side of a change.
const AROUND: i64 = DAY + DAY / 4;

/// A change of the clocks of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Change {
    /// The first second after it.
    at: i64,
    /// Seconds east of UTC before it.
    before: i32,
    /// Seconds east of UTC after it.
    after: i32,
}

fn offset(zone: Tz, at: i64) -> i32 {
    let at = Timestamp::from_seconds(at).to_utc();
    at.with_timezone(&zone).offset().fix().local_minus_utc()
}

/// The changes of a zone. No zone changes its clocks twice within two days.
fn changes(zone: Tz) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut before = offset(zone, FROM);
    for from in (FROM..UNTIL).step_by(172_800) {
        let after = offset(zone, from + 172_800);
        if after == before {
            continue;
        }
        let (mut same, mut other) = (from, from + 172_800);
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if offset(zone, middle) == before {
                same = middle;
            } else {
                other = middle;
            }
        }
        changes.push(Change {
            at: other,
            before,
            after,
        });
        before = after;
    }
    changes
}

/// Every change of every zone, each with one zone that makes it: many make the same.
fn all_changes() -> Vec<(Tz, Change)> {
    let mut seen = HashSet::new();
    let zones = TZ_VARIANTS.iter();
    let all = zones.flat_map(|zone| changes(*zone).into_iter().map(|change| (*zone, change)));
    all.filter(|(_, change)| seen.insert(*change)).collect()
}

/// What clocks show, in seconds since they showed midnight of the first of January 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shown(i64);

impl Shown {
    const fn minute_of_day(self) -> i64 {
        self.0.rem_euclid(DAY) / MINUTE
    }

    /// Days since the first of January 1970.
    const fn date(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// From Monday, 0; that day was a Thursday.
    const fn weekday(self) -> i64 {
        (self.date() + 3).rem_euclid(7)
    }
}

/// Moments around a change, and what the clocks show at each: quarters of an hour, which all lines and
/// shifts here begin and end at, or minutes where clocks change in between. Seldom there is another
/// change among them.
fn minutes(zone: Tz, change: Change) -> Vec<(i64, Shown)> {
    let until = change.at + AROUND;
    let from = change.at - AROUND;
    let alone = offset(zone, from) == change.before && offset(zone, until) == change.after;
    let east = |at: i64| match alone {
        true if at < change.at => change.before,
        true => change.after,
        false => offset(zone, at),
    };
    let shown = |at: i64| Shown(at + i64::from(east(at)));
    let in_quarters = |seconds: i64| seconds % QUARTER == 0;
    let parts = [change.at, change.before.into(), change.after.into()];
    let step = if alone && parts.into_iter().all(in_quarters) {
        QUARTER
    } else {
        MINUTE
    };
    let from = from.div_euclid(step) * step;
    let minutes = (0..)
        .map(|nth| from + nth * step)
        .take_while(|at| *at < until);
    minutes.map(|at| (at, shown(at))).collect()
}

/// The occurrences within the minutes, as `next` tells them one after the other.
fn told(line: &CronLine, zone: Tz, minutes: &[(i64, Shown)]) -> Vec<i64> {
    let (first, last) = (minutes[0].0, minutes[minutes.len() - 1].0);
    let mut told: Vec<i64> = Vec::new();
    let mut after = Timestamp::from_seconds(first - 1);
    while let Some(next) = line.next(after, zone) {
        assert!(next > after, "{zone}: {after} → {next}");
        if next.ms() > last * 1000 {
            break;
        }
        told.push(next.ms() / 1000);
        after = next;
    }
    told
}

/// From moments between occurrences, the next is the same as from the one before.
fn check_between(line: &CronLine, zone: Tz, minutes: &[(i64, Shown)], told: &[i64]) {
    for (at, _) in minutes.iter().step_by(83) {
        let next = line.next(Timestamp::from_seconds(*at), zone);
        let expected = told.iter().find(|own| *own > at);
        if let Some(expected) = expected {
            let expected = Timestamp::from_seconds(*expected);
            assert_eq!(next, Some(expected), "{zone} {} after {at}", line.text());
        }
    }
}

/// Something that what clocks show tells.
type Tells = fn(Shown) -> bool;

/// When a line with fixed times comes: for each date that the clocks show, the first minute at which they
/// show the time, or have passed over it.
fn fixed(minutes: &[(i64, Shown)], times: &[i64], falls: Tells) -> Vec<i64> {
    let mut dates: Vec<i64> = minutes.iter().map(|(_, shown)| shown.date()).collect();
    dates.dedup();
    // The latest that clocks have shown so far: that does not go back where they do.
    let mut latest = minutes[0].1;
    let latest: Vec<Shown> = minutes
        .iter()
        .map(|(_, shown)| {
            latest = latest.max(*shown);
            latest
        })
        .collect();
    let mut expected = Vec::new();
    for date in dates {
        for time in times {
            let wanted = Shown(date * DAY + time * MINUTE);
            let nth = latest.partition_point(|shown| *shown < wanted);
            // What came before the first minute is not looked at.
            if let Some((at, _)) = minutes.get(nth).filter(|_| nth > 0 && falls(wanted)) {
                expected.push(*at);
            }
        }
    }
    expected.sort_unstable();
    expected.dedup();
    expected
}

#[test]
fn a_fixed_hour_comes_once_for_each_date_in_all_zones() {
    const fn always(_: Shown) -> bool {
        true
    }
    let lines: [(&str, Vec<i64>, Tells); 6] = [
        ("30 1 * * *", vec![90], always),
        ("15 2 * * *", vec![135], always),
        ("0 0 * * *", vec![0], always),
        ("0,30 2-3 * * *", vec![120, 150, 180, 210], always),
        ("30 23 * * *", vec![23 * 60 + 30], always),
        ("0 9 * * MON-FRI", vec![540], |wanted| wanted.weekday() < 5),
    ];
    let lines =
        lines.map(|(line, times, falls)| (CronLine::parse(line).expect("a line"), times, falls));
    for (zone, change) in all_changes() {
        let minutes = minutes(zone, change);
        for (line, times, falls) in &lines {
            let expected = fixed(&minutes, times, *falls);
            let mut told = told(line, zone, &minutes);
            told.retain(|at| *at > minutes[0].0);
            assert_eq!(told, expected, "{zone} {} at {}", line.text(), change.at);
            check_between(line, zone, &minutes, &told);
        }
    }
}

#[test]
fn a_stepped_line_comes_whenever_clocks_show_it_in_all_zones() {
    let lines: [(&str, Tells); 3] = [
        ("*/30 * * * *", |shown| shown.minute_of_day() % 30 == 0),
        ("15 */2 * * *", |shown| shown.minute_of_day() % 120 == 15),
        ("0 * * * SUN", |shown| {
            shown.minute_of_day() % 60 == 0 && shown.weekday() == 6
        }),
    ];
    let lines = lines.map(|(line, matches)| (CronLine::parse(line).expect("a line"), matches));
    for (zone, change) in all_changes() {
        let minutes = minutes(zone, change);
        for (line, matches) in &lines {
            let matching = minutes.iter().filter(|(_, shown)| matches(*shown));
            let expected: Vec<i64> = matching.map(|(at, _)| *at).collect();
            let told = told(line, zone, &minutes);
            assert_eq!(told, expected, "{zone} {} at {}", line.text(), change.at);
            check_between(line, zone, &minutes, &told);
        }
    }
}

/// Shifts of every day, in minutes from midnight.
const SHIFTS: [(i64, i64); 3] = [(0, 150), (9 * 60, 13 * 60), (22 * 60, 24 * 60 + 30)];

/// Whether what clocks show lies in a shift: of its date, or of the date before.
fn shows_open(shown: Shown) -> bool {
    let minute = shown.minute_of_day();
    let within = |minute: i64| {
        SHIFTS
            .iter()
            .any(|(from, to)| (*from..*to).contains(&minute))
    };
    within(minute) || within(minute + 24 * 60)
}

#[test]
fn it_opens_and_closes_when_it_says_in_all_zones() {
    let shifts = r#"["00:00-02:30", "09:00-13:00", "22:00-00:30"]"#;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours = days.map(|day| format!("\"{day}\": {shifts}")).join(", ");
    let hours: OpeningHours = serde_json::from_str(&format!("{{{hours}}}")).expect("hours");
    for (zone, change) in all_changes() {
        let calendar = Calendar {
            hours: Some(hours.clone()),
            holidays: Holidays::default(),
            zone,
        };
        let minutes = minutes(zone, change);
        let mut at = Timestamp::from_seconds(minutes[0].0);
        let mut flips = vec![at];
        let last = Timestamp::from_seconds(minutes[minutes.len() - 1].0);
        while at <= last {
            let open = calendar.is_open(at);
            let (opens, closes) = (calendar.opens_at(at), calendar.closes_at(at));
            let next = if open { closes } else { opens }.expect("it never stays so");
            assert!(next > at, "{zone}: {at} → {next}");
            let before = next - Span::from_ms(1);
            assert_eq!(calendar.is_open(before), open, "{zone} before {next}");
            assert_eq!(calendar.is_open(next), !open, "{zone} at {next}");
            at = next;
            flips.push(at);
        }
        let began_open = calendar.is_open(flips[0]);
        for (minute, shown) in minutes.iter().step_by(3) {
            let moment = Timestamp::from_seconds(*minute);
            let turned = flips[1..].iter().filter(|flip| **flip <= moment).count();
            let open = began_open != (turned % 2 == 1);
            assert_eq!(calendar.is_open(moment), open, "{zone} at {moment}");
            // Where clocks go back a shift is not broken up; it is never closed where they show it open.
            let back = (change.at - *minute).abs() < DAY / 4 && change.after < change.before;
            if shows_open(*shown) || !back {
                assert_eq!(open, shows_open(*shown), "{zone} at {moment}");
            }
        }
    }
}

#[test]
fn a_date_that_clocks_pass_over_has_no_occurrence() {
    let line = CronLine::parse("0 9 * * *").expect("a line");
    let zone = chrono_tz::Pacific::Apia;
    let nine = NaiveTime::from_hms_opt(9, 0, 0).expect("a time");
    let date = NaiveDate::from_ymd_opt(2011, 12, 29).expect("a date");
    let after = super::local::first(date.and_time(nine), zone);
    let next = line.next(after, zone).expect("an occurrence");
    assert_eq!(
        next.since(after),
        Span::days(1),
        "the 30th was left out: it is the 31st"
    );
}
