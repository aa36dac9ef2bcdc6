//! Named places at which tests let the process die, fail or stall. Only the feature `mutants` can set one,
//! and only tests have it; without it passing a place is nothing. Knows nothing of what happens there.

#[cfg(feature = "mutants")]
use std::time::Duration;

/// The places, with their names: one list, so that a test which walks it forgets none.
macro_rules! points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A place at which it matters that the process ends.
        #[cfg_attr(
            not(feature = "mutants"),
            expect(unreachable_pub, reason = "it can be reached where tests are")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[$doc])* $variant,)*
        }

        #[cfg(feature = "mutants")]
        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name, as tests set it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

points! {
    /// A group is about to be written.
    WriterBegins = "writer.begins",
    /// A group is written, and not committed.
    WriterApplied = "writer.applied",
    /// A group is committed, and nobody was told.
    WriterCommitted = "writer.committed",
    /// A webhook was verified and read.
    AcceptVerified = "accept.verified",
    /// A webhook is on disk, and its sender was not answered.
    AcceptRecorded = "accept.recorded",
    /// A status is stored, and its delivery does not know of it.
    StatusStored = "status.stored",
    /// An attempt at an event was counted.
    DecideCounted = "decide.counted",
    /// An event was decided, and the decision is nowhere.
    DecideDecided = "decide.decided",
    /// A decision is on disk, and its deliveries are in nobody's hands.
    DecideCommitted = "decide.committed",
    /// A delivery is about to be written as *sending*.
    DeliverIntends = "deliver.intends",
    /// A delivery is *sending* on disk, and no request was made.
    DeliverIntended = "deliver.intended",
    /// The provider has answered, and only memory knows.
    DeliverSent = "deliver.sent",
    /// What became of a request is on disk.
    DeliverSettled = "deliver.settled",
    /// The wait for evidence about a message is over.
    DoubtEnds = "doubt.ends",
    /// What comes of a doubt is on disk.
    DoubtEnded = "doubt.ended",
    /// Something is due.
    FireDue = "fire.due",
    /// What was due is an event.
    FireFired = "fire.fired",
    /// The next page of a fan-out is due.
    FanoutDue = "fanout.due",
    /// The page was turned.
    FanoutTurned = "fanout.turned",
    /// An endpoint is about to be called.
    RequestDue = "request.due",
    /// The endpoint has answered, and only memory knows.
    RequestAnswered = "request.answered",
    /// The answer is an event.
    RequestWritten = "request.written",
    /// What the last process left is about to be read.
    ResumeBegins = "resume.begins",
    /// A delivery that the last process was sending is in doubt.
    ResumeOrphaned = "resume.orphaned",
    /// Everything that was left is in memory.
    ResumeEnds = "resume.ends",
}

/// A place that answered with an error, as it was told to.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the failpoint was set")]
pub(crate) struct Tripped;

impl Point {
    /// Goes on, unless a test wants otherwise.
    #[inline]
    pub(crate) async fn pass(self) -> Result<(), Tripped> {
        #[cfg(feature = "mutants")]
        match set::due(self) {
            None => {}
            Some(Action::Abort) => std::process::abort(),
            Some(Action::Error) => return Err(Tripped),
            Some(Action::Stall) => tokio::time::sleep(STALL).await,
        }
        Ok(())
    }
}

/// How long a stall lasts: longer than any rest after an error.
#[cfg(feature = "mutants")]
const STALL: Duration = Duration::from_secs(2);

/// What happens at a place.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process ends.
    Abort,
    /// The place answers with an error.
    Error,
    /// The place is held up for two seconds.
    Stall,
}

#[cfg(feature = "mutants")]
impl Action {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Abort, Self::Error, Self::Stall];

    /// The stable name, as tests set it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Error => "error",
            Self::Stall => "stall",
        }
    }
}

#[cfg(feature = "mutants")]
pub use set::Failpoint;

/// What was set, and how often its place was passed.
#[cfg(feature = "mutants")]
mod set {
    use std::sync::Mutex;

    use super::{Action, Point};

    /// Something that happens once, at a place.
    #[derive(Clone, Copy, Debug)]
    pub struct Failpoint {
        /// Where.
        pub point: Point,
        /// What.
        pub action: Action,
        /// At the how manieth passing, from 1.
        pub nth: u32,
        /// Told before it happens.
        pub told: fn(Point),
    }

    static SET: Mutex<Vec<Failpoint>> = Mutex::new(Vec::new());

    impl Failpoint {
        /// Sets it in this process, beside those that are set.
        pub fn set(self) {
            lock().push(self);
        }
    }

    /// What happens at this passing.
    pub(super) fn due(point: Point) -> Option<Action> {
        let mut set = lock();
        let at = set.iter().position(|failpoint| failpoint.point == point)?;
        if set[at].nth > 1 {
            set[at].nth -= 1;
            return None;
        }
        let due = set.remove(at);
        (due.told)(point);
        Some(due.action)
    }

    fn lock() -> std::sync::MutexGuard<'static, Vec<Failpoint>> {
        SET.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
