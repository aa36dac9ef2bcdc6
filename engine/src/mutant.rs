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
}

impl Mutant {
    /// All of them.
    #[cfg(feature = "mutants")]
    pub const ALL: [Self; 7] = [
        Self::BlindResend,
        Self::UnmarkedResend,
        Self::ForgottenKey,
        Self::PassedDoubt,
        Self::EarlySurrender,
        Self::ForgottenEvents,
        Self::LatestFirst,
    ];

    /// Lets it loose in this process, instead of any other.
    #[cfg(feature = "mutants")]
    pub fn let_loose(self) {
        LOOSE.store(self as u8, Ordering::SeqCst);
    }

    pub(crate) fn is_loose(self) -> bool {
        cfg!(feature = "mutants") && LOOSE.load(Ordering::Relaxed) == self as u8
    }
}

static LOOSE: AtomicU8 = AtomicU8::new(0);
