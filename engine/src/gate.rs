//! How much is let in: what can be done in a moment and no more, so that whoever was let in does not wait for
//! long. First come, first served, but what hardly comes again is turned away last. Knows neither what comes
//! nor where it waits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::time::{Span, Timestamp};

/// What is let in is decided after this long at most, as far as can be told from how fast others were.
const WAIT_INSIDE: Span = Span::from_ms(400);
/// How long it is waited outside at most. Together they leave more than a second of two to whatever comes then.
const WAIT_OUTSIDE: Duration = Duration::from_millis(300);
/// Likewise for what hardly comes again: better late than never.
const WAIT_OUTSIDE_ONCE: Duration = Duration::from_secs(2);
/// So many are let in whatever was done of late: less would leave workers without work.
const FEW: usize = 100;
/// More are never let in: they only wait.
const MANY: usize = 1_000;
/// So many times as many if what comes hardly comes again: it has this room for itself.
const ROOM_ONCE: usize = 4;
/// Whatever is held in memory, also what waits for a provider that has paused or for its time, is no more than
/// this: a few kilobytes each, so that a process of some gigabytes does not die of them.
const MOST_HELD: usize = 500_000;
/// How long is counted before it is reckoned how fast work is done.
const STRETCH: Span = Span::from_ms(250);
/// How often it is looked whether there is room.
const GLANCE: Duration = Duration::from_millis(5);

/// The gate. Whoever is let in counts until `Inside` is dropped, then where it waits, and then at work.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    lines: [tokio::sync::Mutex<()>; 2],
    /// Those who were let in and do not wait yet, and those who are worked on.
    inside: AtomicUsize,
    done: AtomicUsize,
    pace: Mutex<Pace>,
}

/// Who wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever is turned away comes again.
    ComesAgain,
    /// Whoever is turned away hardly comes again.
    ComesOnce,
}

/// What was let in before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Where someone waits for a turn.
    pub(crate) waiting: usize,
    /// All that is held in memory.
    pub(crate) held: usize,
}

/// How fast work was done of late.
#[derive(Debug, Default)]
struct Pace {
    since: Timestamp,
    per_second: usize,
}

/// Something that was let in, or is worked on.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// Waits for room beside the `crowd`; none came if nothing is given.
    pub(crate) async fn enter(
        &self,
        caller: Caller,
        clock: &dyn Clock,
        crowd: impl Fn() -> Crowd,
    ) -> Option<Inside<'_>> {
        let (line, patience, share) = match caller {
            Caller::ComesAgain => (&self.lines[0], WAIT_OUTSIDE, 1),
            Caller::ComesOnce => (&self.lines[1], WAIT_OUTSIDE_ONCE, ROOM_ONCE),
        };
        let entering = async {
            let _first = line.lock().await;
            while !self.has_room(crowd(), clock.now(), share) {
                tokio::time::sleep(GLANCE).await;
            }
            self.count()
        };
        tokio::time::timeout(patience, entering).await.ok()
    }

    /// Whether there is no room now for what can come again.
    pub(crate) fn is_full(&self, now: Timestamp, crowd: Crowd) -> bool {
        !self.has_room(crowd, now, 1)
    }

    fn has_room(&self, crowd: Crowd, now: Timestamp, share: usize) -> bool {
        let ahead = self.inside.load(Ordering::Relaxed) + crowd.waiting;
        crowd.held < MOST_HELD && ahead < self.room(now) * share
    }

    /// Counts something as worked on, although nobody may have let it in just now.
    pub(crate) fn count(&self) -> Inside<'_> {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Inside(self)
    }

    /// Counts something that was let in as done.
    pub(crate) fn done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// How many may be inside or wait.
    fn room(&self, now: Timestamp) -> usize {
        let mut pace = self.pace.lock().expect("no one panics while holding it");
        let passed = now.since(pace.since);
        if passed >= STRETCH || passed < Span::default() {
            let done = self.done.swap(0, Ordering::Relaxed);
            let ms = usize::try_from(passed.ms()).unwrap_or(usize::MAX).max(1);
            let per_second = done.saturating_mul(1_000) / ms;
            // Half of it from before, because a stretch is short.
            pace.per_second = usize::midpoint(pace.per_second, per_second);
            pace.since = now;
        }
        let ms = usize::try_from(WAIT_INSIDE.ms()).unwrap_or_default();
        (pace.per_second * ms / 1_000).clamp(FEW, MANY)
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::ManualClock;

    use super::*;

    fn of(waiting: usize, held: usize) -> impl Fn() -> Crowd + Copy {
        move || Crowd { waiting, held }
    }

    #[tokio::test]
    async fn as_many_are_let_in_as_are_done_in_a_moment() {
        let clock = ManualClock::starting_at(Timestamp::from_seconds(1));
        let gate = Gate::default();
        let nobody = of(0, 0);
        let mut inside = Vec::new();
        for _ in 0..FEW {
            inside.push(
                gate.enter(Caller::ComesAgain, &clock, nobody)
                    .await
                    .expect("there is room"),
            );
        }
        assert!(
            gate.enter(Caller::ComesAgain, &clock, nobody)
                .await
                .is_none(),
            "it is full"
        );
        for _ in 0..10 {
            for _ in 0..100 {
                gate.done();
            }
            clock.advance(STRETCH);
            let _ = gate.room(clock.now());
        }
        // 400 a second are done, of which 160 in the time that one may wait.
        while let Some(another) = gate.enter(Caller::ComesAgain, &clock, nobody).await {
            inside.push(another);
        }
        assert!((150..=160).contains(&inside.len()), "{}", inside.len());
        inside.clear();
        assert!(
            gate.enter(Caller::ComesAgain, &clock, of(150, 0))
                .await
                .is_some()
        );
        assert!(
            gate.enter(Caller::ComesAgain, &clock, of(160, 0))
                .await
                .is_none(),
            "others wait"
        );
    }

    #[tokio::test]
    async fn what_hardly_comes_again_is_turned_away_last() {
        let clock = ManualClock::starting_at(Timestamp::from_seconds(1));
        let gate = Gate::default();
        assert!(gate.is_full(clock.now(), of(FEW, 0)()));
        let again = gate.enter(Caller::ComesAgain, &clock, of(FEW, 0)).await;
        assert!(again.is_none());
        let once = gate.enter(Caller::ComesOnce, &clock, of(FEW, 0)).await;
        assert!(once.is_some(), "it has room for itself");
        let full = of(FEW * ROOM_ONCE, 0);
        assert!(gate.enter(Caller::ComesOnce, &clock, full).await.is_none());
    }

    #[tokio::test]
    async fn nothing_is_let_in_once_too_much_is_held_although_nobody_waits_for_a_turn() {
        let clock = ManualClock::starting_at(Timestamp::from_seconds(1));
        let gate = Gate::default();
        for caller in [Caller::ComesAgain, Caller::ComesOnce] {
            let nearly = gate.enter(caller, &clock, of(0, MOST_HELD - 1)).await;
            assert!(nearly.is_some());
            assert!(gate.enter(caller, &clock, of(0, MOST_HELD)).await.is_none());
        }
    }
}
