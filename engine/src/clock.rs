//! The present, as a parameter. The only place that asks the operating system for the time.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use crate::domain::time::{Span, Timestamp};

/// Tells the time. Whoever waits for a moment also listens for the clock being moved.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Resolves when the clock was moved by hand; never for a clock that cannot be.
    fn moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the present"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from(chrono::Utc::now())
    }
}

/// A clock that stands still until it is moved: for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock {
    ms: AtomicI64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            ms: AtomicI64::new(start.ms()),
            moved: Notify::new(),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Span) {
        self.ms.fetch_add(span.ms(), Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.ms.load(Ordering::SeqCst))
    }

    fn moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(self.moved.notified())
    }
}

/// The operating system's clock, shifted by a span that can be moved: for the demo, where a day
/// passes in a second and yet messages take their time.
#[derive(Debug, Default)]
pub struct ShiftedClock {
    shift: ManualClock,
}

impl ShiftedClock {
    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        let shift = ManualClock::default();
        shift.advance(start.since(SystemClock.now()));
        Self { shift }
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Span) {
        self.shift.advance(span);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Span::from_ms(self.shift.now().ms())
    }

    fn moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        self.shift.moved()
    }
}
