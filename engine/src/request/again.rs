//! Whether and when a request is made again: pure.

use crate::domain::ids::RequestId;
use crate::domain::time::{Span, Timestamp};

/// The pauses before the second attempt and before the third, which is the last; each between half of
/// it and all of it.
const PAUSES: [Span; 2] = [Span::seconds(4), Span::seconds(15)];
/// An endpoint that asks for a longer pause is taken at its word: its answer is the answer.
const LONGEST_PAUSE: Span = Span::seconds(15);

/// When the attempt after the `attempts` that were made comes; `asked` is the pause that the endpoint wants.
pub(super) fn again_at(
    id: RequestId,
    attempts: u32,
    asked: Option<Span>,
    now: Timestamp,
) -> Option<Timestamp> {
    let made = usize::try_from(attempts).ok()?;
    let most = PAUSES.get(made.checked_sub(1)?)?;
    if asked.is_some_and(|asked| asked > LONGEST_PAUSE) {
        return None;
    }
    let half = most.ms() / 2;
    let pause = Span::from_ms(half + i64::from(chance(id, attempts)) * half / i64::from(u16::MAX));
    Some(now + pause.max(asked.unwrap_or(Span::ZERO)))
}

/// Chance without a generator: it differs between requests and attempts, and repeats in a simulation.
fn chance(id: RequestId, attempts: u32) -> u16 {
    let mixed = RequestId::derive(&[id.bytes(), &attempts.to_be_bytes()]);
    let bytes = mixed.bytes();
    u16::from_be_bytes([bytes[0], bytes[1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::Endpoint;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn after(attempts: u32, asked: Option<Span>) -> Option<i64> {
        let at = again_at(RequestId::derive(&[b"one"]), attempts, asked, NOW)?;
        Some(at.since(NOW).ms())
    }

    #[test]
    fn there_are_three_attempts_and_the_pauses_grow() {
        assert!((2_000..=4_000).contains(&after(1, None).expect("a second")));
        assert!((7_500..=15_000).contains(&after(2, None).expect("a third")));
        assert_eq!(after(3, None), None);
    }

    #[test]
    fn all_of_it_is_over_within_two_minutes() {
        let calls = 3 * Endpoint::MAX_TIMEOUT.ms();
        let pauses = 2 * LONGEST_PAUSE.ms();
        assert!(calls + pauses <= Span::minutes(2).ms());
        assert!(PAUSES.iter().all(|pause| *pause <= LONGEST_PAUSE));
    }

    #[test]
    fn an_endpoint_that_asks_for_a_pause_gets_it_unless_it_is_too_long() {
        assert_eq!(after(1, Some(Span::seconds(9))), Some(9_000));
        assert_eq!(after(1, Some(Span::seconds(16))), None);
    }
}
