//! The service window: when free-form text is allowed, and the evidence for it.
//! WhatsApp allows a business to write freely for 24 hours after the customer's last message.

use super::time::{Span, Timestamp};

/// How long a customer's message keeps the window open.
pub const LENGTH: Span = Span::hours(24);

/// We stop this long before the end, for clocks that differ and messages on their way.
pub const MARGIN: Span = Span::seconds(60);

/// The service window of one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Window {
    /// When it closes by the provider's reckoning; `None` if the customer never wrote.
    pub until: Option<Timestamp>,
}

impl Window {
    /// When a message that the provider dates `at` and that came `received` lets the window close.
    /// The earlier of the two counts: a provider's clock ahead of ours opens nothing.
    pub fn until(at: Timestamp, received: Timestamp) -> Timestamp {
        at.min(received) + LENGTH
    }

    /// Whether free-form text may leave at `now`.
    pub fn is_open(self, now: Timestamp) -> bool {
        self.left(now) > Span::ZERO
    }

    /// How long free-form text may still leave; zero when shut.
    pub fn left(self, now: Timestamp) -> Span {
        self.closes_at()
            .map_or(Span::ZERO, |closes_at| closes_at.since(now).max(Span::ZERO))
    }

    /// The moment from which we treat it as shut.
    pub fn closes_at(self) -> Option<Timestamp> {
        self.until.map(|until| until - MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_shuts_a_minute_before_twenty_four_hours() {
        let at = Timestamp::from_seconds(1_000_000);
        let window = Window {
            until: Some(Window::until(at, at + Span::seconds(5))),
        };
        assert!(window.is_open(at + Span::hours(24) - Span::seconds(61)));
        assert!(!window.is_open(at + Span::hours(24) - Span::seconds(60)));
        assert!(!Window::default().is_open(at));
    }

    #[test]
    fn a_time_from_the_future_opens_no_more_than_the_time_of_receipt() {
        let received = Timestamp::from_seconds(1_000_000);
        assert_eq!(
            Window::until(received + Span::days(3), received),
            received + LENGTH
        );
    }
}
