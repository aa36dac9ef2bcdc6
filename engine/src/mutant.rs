//! Deliberate mistakes, one at a time, by which tests prove that they would notice one. Only the feature
//! `mutants` can let one loose, and only tests have it. Knows nothing of what it breaks.

use std::sync::atomic::{AtomicU8, Ordering};

/// A mistake that would break the promise.
#[cfg_attr(
    not(feature = "mutants"),
    expect(unreachable_pub, reason = "it can be reached where tests are")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// What may have been sent counts as not sent, and is sent again.
    BlindResend = 1,
    /// What is sent once more is not marked.
    UnmarkedResend,
    /// A webhook that comes again is a new event.
    ForgottenKey,
    /// A conversation does not wait for evidence of what is in doubt.
    PassedDoubt,
    /// What was certainly not sent is given up at once.
    EarlySurrender,
    /// Events that waited when the process ended are not looked for.
    ForgottenEvents,
    /// Of a conversation's events the latest goes first.
    LatestFirst,
    /// A status that comes late takes the delivery back.
    BackwardStatus,
    /// A webhook is acknowledged while it is still being written.
    EarlyAcknowledgement,
    /// What was seen before is known to memory only.
    ForgetfulDedupe,
    /// The request is made before the delivery is *sending* on disk.
    SendBeforeIntent,
    /// What the last process was sending counts as not sent.
    OrphanIsReady,
    /// SQLite commits without waiting for the disk.
    LazySync,
}

/// What it takes for a mistake to show.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Faults of customers and providers, and an engine that starts anew.
    BySimulation,
    /// A process that ends in the middle of something.
    ByCrash,
    /// A disk that loses what was not synced.
    ByPowerCut,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::BlindResend,
        Self::UnmarkedResend,
        Self::ForgottenKey,
        Self::PassedDoubt,
        Self::EarlySurrender,
        Self::ForgottenEvents,
        Self::LatestFirst,
        Self::BackwardStatus,
        Self::EarlyAcknowledgement,
        Self::ForgetfulDedupe,
        Self::SendBeforeIntent,
        Self::OrphanIsReady,
        Self::LazySync,
    ];

    /// Those that show in one way.
    pub fn shown(by: Shown) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |it| it.shows() == by)
    }

    const fn shows(self) -> Shown {
        match self {
            Self::BlindResend
            | Self::UnmarkedResend
            | Self::ForgottenKey
            | Self::PassedDoubt
            | Self::EarlySurrender
            | Self::ForgottenEvents
            | Self::LatestFirst
            | Self::BackwardStatus => Shown::BySimulation,
            Self::EarlyAcknowledgement
            | Self::ForgetfulDedupe
            | Self::SendBeforeIntent
            | Self::OrphanIsReady => Shown::ByCrash,
            Self::LazySync => Shown::ByPowerCut,
        }
    }

    /// Lets it loose in this process, instead of any other.
    pub fn let_loose(self) {
        LOOSE.store(self as u8, Ordering::SeqCst);
    }
}

impl Mutant {
    pub(crate) fn is_loose(self) -> bool {
        cfg!(feature = "mutants") && LOOSE.load(Ordering::Relaxed) == self as u8
    }
}

static LOOSE: AtomicU8 = AtomicU8::new(0);
