//! What becomes of a cron line's occurrences that nobody fired in time, because the server was down.
//! Pure: the line, the present and the policy decide.

use chrono_tz::Tz;

use super::occurrence::CronLine;
use super::time::{Span, Timestamp};

/// What becomes of missed occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfire {
    /// They are left out; a minute late is still in time.
    Skip,
    /// The latest one comes late, unless it is older than this.
    Once {
        /// How late.
        within: Span,
    },
    /// Each comes late, in order.
    All,
}

impl Misfire {
    /// How late the latest missed occurrence comes, unless a rule says otherwise.
    pub const WITHIN: Span = Span::minutes(15);
    /// How late an occurrence may be that must not be late: a step of the engine takes less.
    const IN_TIME: Span = Span::minutes(1);
    /// Missed occurrences that come late at most: more are a line that fires every minute after a night
    /// that the server was down, and would occupy it for long.
    pub const MAX_MISSED: usize = 1_000;

    /// The stable name, as stored and as scripts write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once { .. } => "once",
            Self::All => "all",
        }
    }

    /// How late the latest missed occurrence may come.
    pub const fn within(self) -> Option<Span> {
        match self {
            Self::Once { within } => Some(within),
            Self::Skip | Self::All => None,
        }
    }

    /// Reads what `name` and `within` wrote.
    pub fn read(name: &str, within: Option<Span>) -> Option<Self> {
        match name {
            "skip" => Some(Self::Skip),
            "once" => Some(Self::Once {
                within: within.unwrap_or(Self::WITHIN),
            }),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

impl Default for Misfire {
    fn default() -> Self {
        Self::Once {
            within: Self::WITHIN,
        }
    }
}

/// The occurrences to fire now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Those to fire, the oldest first.
    pub fire: Vec<Timestamp>,
    /// Whether some were left out because there were too many.
    pub too_many: bool,
}

/// Which occurrences from `due_at` to `now`, both included, are fired now. `due_at` is the first of them.
pub fn missed(
    line: &CronLine,
    zone: Tz,
    due_at: Timestamp,
    now: Timestamp,
    misfire: Misfire,
) -> Missed {
    let not_before = |late: Span| due_at.max(now - late);
    match misfire {
        Misfire::Skip => Missed {
            fire: newest(line, zone, not_before(Misfire::IN_TIME), now, usize::MAX),
            too_many: false,
        },
        Misfire::Once { within } => {
            let mut fire = newest(line, zone, not_before(within), now, 1);
            fire.drain(..fire.len().saturating_sub(1));
            Missed {
                fire,
                too_many: false,
            }
        }
        Misfire::All => {
            let mut fire = newest(line, zone, due_at, now, Misfire::MAX_MISSED + 1);
            let surplus = fire.len().saturating_sub(Misfire::MAX_MISSED);
            fire.drain(..surplus);
            Missed {
                fire,
                too_many: surplus > 0,
            }
        }
    }
}

/// The occurrences from `from` to `until`, both included, the oldest first; where there are more than
/// `count`, at least the newest `count` of them. Looks back in ever longer steps, so that a line that
/// fires every minute costs no more after a year than after an hour.
fn newest(
    line: &CronLine,
    zone: Tz,
    from: Timestamp,
    until: Timestamp,
    count: usize,
) -> Vec<Timestamp> {
    const AN_INSTANT: Span = Span::from_ms(1);
    let from = from - AN_INSTANT;
    let mut back = Span::hours(1);
    loop {
        let after = from.max(until - back);
        let next = |at: &Timestamp| line.next(*at, zone);
        let found: Vec<Timestamp> = std::iter::successors(line.next(after, zone), next)
            .take_while(|at| *at <= until)
            .collect();
        if found.len() >= count || after == from {
            return found;
        }
        back = back + back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::Europe::Berlin;

    fn at(text: &str) -> Timestamp {
        super::super::local::first(text.parse().expect("a time of the clock"), ZONE)
    }

    fn fired(line: &str, due: &str, now: &str, misfire: Misfire) -> Vec<String> {
        let line = CronLine::parse(line).expect("a line");
        let missed = missed(&line, ZONE, at(due), at(now), misfire);
        let shown = |at: &Timestamp| super::super::local::shown(*at, ZONE).format("%d %H:%M");
        missed.fire.iter().map(|at| shown(at).to_string()).collect()
    }

    #[test]
    fn once_is_the_latest_unless_it_is_too_old() {
        let once = Misfire::default();
        let hourly = "0 * * * *";
        let due = "2026-01-05T09:00:00";
        assert_eq!(
            fired(hourly, due, "2026-01-05T09:00:00", once),
            ["05 09:00"]
        );
        assert_eq!(
            fired(hourly, due, "2026-01-06T17:15:00", once),
            ["06 17:00"]
        );
        assert_eq!(fired(hourly, due, "2026-01-06T17:15:01", once), [""; 0]);
        let patient = Misfire::Once {
            within: Span::days(3),
        };
        let daily = "0 9 * * *";
        assert_eq!(
            fired(daily, due, "2026-01-08T08:00:00", patient),
            ["07 09:00"]
        );
        assert_eq!(fired(daily, due, "2026-01-08T08:00:00", once), [""; 0]);
    }

    #[test]
    fn skip_is_in_time_or_not_at_all() {
        let (hourly, due) = ("0 * * * *", "2026-01-05T09:00:00");
        assert_eq!(
            fired(hourly, due, "2026-01-05T09:01:00", Misfire::Skip),
            ["05 09:00"]
        );
        assert_eq!(
            fired(hourly, due, "2026-01-05T10:00:30", Misfire::Skip),
            ["05 10:00"]
        );
        assert_eq!(
            fired(hourly, due, "2026-01-05T09:01:01", Misfire::Skip),
            [""; 0]
        );
    }

    #[test]
    fn all_are_all_in_order_the_newest_where_there_are_too_many() {
        let (daily, due) = ("0 9 * * *", "2026-01-05T09:00:00");
        let days = ["05 09:00", "06 09:00", "07 09:00"];
        assert_eq!(fired(daily, due, "2026-01-08T08:59:00", Misfire::All), days);
        let line = CronLine::parse("* * * * *").expect("a line");
        let now = at("2027-01-05T09:00:00");
        let missed = missed(&line, ZONE, at(due), now, Misfire::All);
        assert_eq!(
            (missed.fire.len(), missed.too_many),
            (Misfire::MAX_MISSED, true)
        );
        assert_eq!(missed.fire.last(), Some(&now));
        assert_eq!(missed.fire.first(), Some(&(now - Span::minutes(999))));
    }
}
