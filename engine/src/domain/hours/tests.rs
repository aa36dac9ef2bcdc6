//! Opening hours as people write them, on the days that are not like others.

use super::*;
use crate::domain::time::Span;

const BERLIN: Tz = chrono_tz::Europe::Berlin;

fn calendar(hours: &str, holidays: &str) -> Calendar {
    Calendar {
        hours: serde_json::from_str(hours).expect("hours"),
        holidays: serde_json::from_str(holidays).expect("holidays"),
        zone: BERLIN,
    }
}

fn shop() -> Calendar {
    let hours = r#"{"mon": ["09:00-13:00", "14:00-18:00"], "fri": ["18:00-24:00"], "sat": ["00:00-02:00", "18:00-02:00"]}"#;
    let holidays = r#"[{"date": "2026-01-12", "name": "Stocktaking", "hours": ["10:00-11:00"]},
        {"date": "2026-01-16", "to": "2026-01-19"}]"#;
    calendar(hours, holidays)
}

/// A moment as Berlin's clocks show it; in a fold the first time.
fn at(text: &str) -> Timestamp {
    local::first(text.parse().expect("a time of the clock"), BERLIN)
}

fn shown(at: Option<Timestamp>) -> String {
    at.map_or_else(
        || "never".to_owned(),
        |at| {
            local::shown(at, BERLIN)
                .format("%a %d %H:%M:%S")
                .to_string()
        },
    )
}

#[track_caller]
fn check(calendar: &Calendar, time: &str, is_open: bool, opens_at: &str, closes_at: &str) {
    assert_eq!(calendar.is_open(at(time)), is_open, "is_open {time}");
    assert_eq!(
        shown(calendar.opens_at(at(time))),
        opens_at,
        "opens_at {time}"
    );
    assert_eq!(
        shown(calendar.closes_at(at(time))),
        closes_at,
        "closes_at {time}"
    );
}

#[test]
fn split_shifts_and_shifts_that_touch_at_midnight() {
    let shop = shop();
    // Monday, 5 January 2026.
    check(
        &shop,
        "2026-01-05T08:59:59",
        false,
        "Mon 05 09:00:00",
        "Mon 05 13:00:00",
    );
    check(
        &shop,
        "2026-01-05T09:00:00",
        true,
        "Mon 05 14:00:00",
        "Mon 05 13:00:00",
    );
    check(
        &shop,
        "2026-01-05T13:00:00",
        false,
        "Mon 05 14:00:00",
        "Mon 05 18:00:00",
    );
    check(
        &shop,
        "2026-01-09T18:00:00",
        true,
        "Sat 10 18:00:00",
        "Sat 10 02:00:00",
    );
    check(
        &shop,
        "2026-01-10T00:00:00",
        true,
        "Sat 10 18:00:00",
        "Sat 10 02:00:00",
    );
    check(
        &shop,
        "2026-01-10T02:00:00",
        false,
        "Sat 10 18:00:00",
        "Sun 11 02:00:00",
    );
    check(
        &shop,
        "2026-01-11T01:59:59",
        true,
        "Mon 12 10:00:00",
        "Sun 11 02:00:00",
    );
}

#[test]
fn holidays_have_hours_of_their_own_or_none() {
    let shop = shop();
    check(
        &shop,
        "2026-01-12T09:30:00",
        false,
        "Mon 12 10:00:00",
        "Mon 12 11:00:00",
    );
    check(
        &shop,
        "2026-01-12T11:00:00",
        false,
        "Fri 23 18:00:00",
        "Sat 24 02:00:00",
    );
    let name = |time: &str| shop.holiday(at(time)).map(|holiday| holiday.name.as_str());
    assert_eq!(name("2026-01-12T23:59:59"), Some("Stocktaking"));
    assert_eq!(name("2026-01-13T00:00:00"), None);
    assert_eq!(name("2026-01-19T12:00:00"), Some(""));
    // An evening before a holiday goes on past midnight.
    let bar = calendar(
        r#"{"thu": ["18:00-02:00"], "fri": ["18:00-02:00"]}"#,
        r#"[{"date": "2026-12-25"}]"#,
    );
    check(
        &bar,
        "2026-12-25T01:00:00",
        true,
        "Thu 31 18:00:00",
        "Fri 25 02:00:00",
    );
}

#[test]
fn without_hours_it_is_always_open_but_for_holidays() {
    let always = calendar("null", "[]");
    check(&always, "2026-01-05T03:00:00", true, "never", "never");
    let closed_once = calendar("null", r#"[{"date": "2026-12-25", "to": "2026-12-26"}]"#);
    check(
        &closed_once,
        "2026-12-24T12:00:00",
        true,
        "Sun 27 00:00:00",
        "Fri 25 00:00:00",
    );
    check(
        &closed_once,
        "2026-12-26T12:00:00",
        false,
        "Sun 27 00:00:00",
        "never",
    );
    let never_again = calendar(
        r#"{"mon": ["09:00-10:00"]}"#,
        r#"[{"date": "2026-01-01", "to": "2030-01-01"}]"#,
    );
    check(&never_again, "2026-01-05T09:30:00", false, "never", "never");
}

#[test]
fn all_day_every_day_has_no_seams() {
    let all = r#"["00:00-24:00"]"#;
    let days: Vec<String> = DAYS.iter().map(|day| format!("\"{day}\": {all}")).collect();
    let always = calendar(&format!("{{{}}}", days.join(", ")), "[]");
    check(&always, "2026-03-29T02:30:00", true, "never", "never");
    check(&always, "2026-10-25T00:00:00", true, "never", "never");
}

#[test]
fn where_clocks_change_a_shift_lasts_as_the_clock_shows_it() {
    let bar = calendar(r#"{"sat": ["22:00-02:30"], "sun": ["02:30-04:00"]}"#, "[]");
    // In spring 02:00 becomes 03:00: the shift ends there, and the one that touches it begins.
    let saturday = at("2026-03-28T22:00:00");
    let closes_at = bar.closes_at(saturday).expect("a closing");
    assert_eq!(closes_at.since(saturday), Span::hours(5));
    let night = calendar(r#"{"sat": ["22:00-02:30"]}"#, "[]");
    let saturday = at("2026-10-24T22:00:00");
    let closes_at = night.closes_at(saturday).expect("a closing");
    // In autumn there are two times 02:30; it closes at the second, and not twice.
    assert_eq!(closes_at.since(saturday), Span::minutes(5 * 60 + 30));
    // A shift within the hour that clocks pass over does not take place.
    let early = calendar(r#"{"sun": ["02:10-02:50"]}"#, "[]");
    check(
        &early,
        "2026-03-28T12:00:00",
        false,
        "Sun 05 02:10:00",
        "Sun 05 02:50:00",
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for (json, hint) in [
        (
            r#"{"monday": ["09:00-10:00"]}"#,
            "'monday' is not a day; write mon",
        ),
        (
            r#"{"mon": ["9-10"]}"#,
            "opening_hours, mon: '9-10' is not a shift",
        ),
        (r#"{"mon": ["09:00-25:00"]}"#, "is not a shift"),
        (r#"{"mon": ["24:00-02:00"]}"#, "is not a shift"),
        (
            r#"{"mon": ["09:00-09:00"]}"#,
            "write \"00:00-24:00\" for a whole day",
        ),
        (
            r#"{"mon": ["12:00-18:00", "09:00-13:00"]}"#,
            "09:00-13:00 and 12:00-18:00 overlap",
        ),
        (r#"{"mon": []}"#, "null for always open"),
        (r#"{"mon": "09:00-13:00"}"#, "expected a sequence"),
    ] {
        let error = serde_json::from_str::<OpeningHours>(json)
            .expect_err(json)
            .to_string();
        assert!(error.contains(hint), "{error}");
    }
    for (json, hint) in [
        (
            r#"[{"date": "2026-12-25", "to": "2026-12-24"}]"#,
            "which is before it",
        ),
        (
            r#"[{"date": "25.12.2026"}]"#,
            "write for example \"2026-12-25\"",
        ),
        (
            r#"[{"date": "2026-12-25", "closed": true}]"#,
            "unknown field `closed`",
        ),
        (
            r#"[{"date": "2026-12-25", "hours": ["09:00-12:00", "11:00-13:00"]}]"#,
            "2026-12-25: 09:00",
        ),
    ] {
        let error = serde_json::from_str::<Holidays>(json)
            .expect_err(json)
            .to_string();
        assert!(error.contains(hint), "{error}");
    }
}

#[test]
fn hours_are_written_as_they_were_read() {
    let json = r#"{"fri":["18:00-02:00"],"mon":["00:00-24:00"]}"#;
    let hours: OpeningHours = serde_json::from_str(json).expect("hours");
    assert_eq!(serde_json::to_string(&hours).expect("json"), json);
    let json = r#"[{"date":"2026-12-25","to":"2026-12-26","name":"Christmas","hours":["09:00-12:00"]},{"date":"2027-01-01"}]"#;
    let holidays: Holidays = serde_json::from_str(json).expect("holidays");
    assert_eq!(serde_json::to_string(&holidays).expect("json"), json);
}
