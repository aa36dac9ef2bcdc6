//! One outgoing message and its attempts; its state never goes backwards.

use std::fmt;

use super::contact::Address;
use super::content::Content;
use super::ids::{ChannelId, ConversationId, DeliveryId, EventId, LocationId, RuleId, RunId};
use super::inbound::Stage;
use super::time::Timestamp;

/// One outgoing message and its attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The tenant.
    pub location_id: LocationId,
    /// This delivery; travels to the provider and comes back with its statuses.
    pub id: DeliveryId,
    /// Where it goes.
    pub conversation_id: ConversationId,
    /// The number it leaves by.
    pub channel_id: ChannelId,
    /// The customer's address, as far as it is at hand; otherwise the conversation knows it.
    pub address: Option<Address>,
    /// What wanted it.
    pub origin: Origin,
    /// What it says.
    pub content: Content,
    /// What goes out instead if the service window is shut.
    pub fallback: Option<Content>,
    /// The message it quotes, by the provider's id.
    pub reply_to: Option<String>,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The provider's id of it, once accepted.
    pub provider_id: Option<String>,
    /// Not before then.
    pub not_before: Timestamp,
    /// The refused delivery that this one replaces.
    pub fallback_of: Option<DeliveryId>,
    /// The order among the deliveries of its conversation: creation, then position within it.
    pub position: i64,
    /// Whether the rule wants to hear of its statuses.
    pub wants_status: bool,
    /// What else is true of it.
    pub flags: Flags,
    /// Since when attempt after attempt fails for its own reasons, not for those of its number.
    pub retrying_since: Option<Timestamp>,
    /// When it was decided.
    pub created_at: Timestamp,
}

impl Delivery {
    /// The position of the `nth` delivery that follows from the event numbered `seq`.
    pub const fn position(seq: i64, nth: i64) -> i64 {
        /// Room for the deliveries of one event between the positions of two events.
        const POSITIONS_PER_EVENT: i64 = 1_000;
        seq.saturating_mul(POSITIONS_PER_EVENT).saturating_add(nth)
    }
}

/// Something that is true of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It goes out although a person is in charge.
    WhenHeld,
    /// It was in doubt and was sent once more: it may have arrived twice.
    Resent,
    /// It stays in doubt, and its conversation waits for it no longer.
    LeftInDoubt,
    /// Nobody waits for it: a campaign, a follow-up, the answer to what came long ago. It leaves when its
    /// number has nothing better to do.
    Background,
    /// Its own retries held up its conversation for too long: others go before it.
    Overtaken,
}

impl Flag {
    const ALL: [Self; 5] = [
        Self::WhenHeld,
        Self::Resent,
        Self::LeftInDoubt,
        Self::Background,
        Self::Overtaken,
    ];

    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WhenHeld => "when_held",
            Self::Resent => "resent",
            Self::LeftInDoubt => "left_in_doubt",
            Self::Background => "background",
            Self::Overtaken => "overtaken",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What is true of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Nothing in particular.
    pub const NONE: Self = Self(0);

    /// Whether it is true.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & flag.bit() != 0
    }

    /// These, and this one.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Self {
        Self(self.0 | flag.bit())
    }

    /// These, but not this one.
    #[must_use]
    pub const fn without(self, flag: Flag) -> Self {
        Self(self.0 & !flag.bit())
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.has(*flag))
    }

    /// Reads what `Display` wrote; what it does not know is not true.
    pub fn parse(text: &str) -> Self {
        let named = |name: &str| Flag::ALL.into_iter().find(|flag| flag.name() == name);
        let flags = text.split(' ').filter_map(named);
        flags.fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, flag) in self.iter().enumerate() {
            let space = if nth == 0 { "" } else { " " };
            write!(f, "{space}{}", flag.name())?;
        }
        Ok(())
    }
}

/// What wanted a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A rule, in a run.
    Rule {
        /// The rule.
        rule_id: RuleId,
        /// The run.
        run_id: RunId,
        /// The event that the run looked at.
        event_id: EventId,
    },
    /// A person, through the API or the inbox.
    Person,
}

impl Origin {
    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule { .. } => "rule",
            Self::Person => "person",
        }
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be sent, or to be tried again.
    Ready,
    /// The request may be on its way.
    Sending,
    /// The request was written and no answer came: it may have been sent.
    InDoubt,
    /// The provider has it, and has come this far with it.
    Reached(Stage),
    /// It was given up before it was sent: someone took over, or the location is gone.
    Cancelled,
}

impl DeliveryState {
    /// The stable name, as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::InDoubt => "in_doubt",
            Self::Reached(stage) => stage.name(),
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads what `name` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }

    const ALL: [Self; 10] = [
        Self::Ready,
        Self::Sending,
        Self::InDoubt,
        Self::Reached(Stage::Accepted),
        Self::Reached(Stage::Sent),
        Self::Reached(Stage::Delivered),
        Self::Reached(Stage::Read),
        Self::Reached(Stage::Played),
        Self::Reached(Stage::Failed),
        Self::Cancelled,
    ];

    /// The state after the provider told `stage`, or `None` if that is no news: states do not go
    /// backwards, and what was delivered cannot fail any more.
    pub fn advance(self, stage: Stage) -> Option<Self> {
        let advances = match self {
            Self::Ready | Self::Sending | Self::InDoubt => true,
            // It was given up, and yet it was sent: the provider knows better.
            Self::Cancelled => stage != Stage::Failed,
            Self::Reached(Stage::Failed) => {
                matches!(stage, Stage::Delivered | Stage::Read | Stage::Played)
            }
            Self::Reached(Stage::Delivered | Stage::Read | Stage::Played)
                if stage == Stage::Failed =>
            {
                false
            }
            Self::Reached(reached) => stage > reached,
        };
        advances.then_some(Self::Reached(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_never_goes_backwards() {
        let stages = [
            Stage::Accepted,
            Stage::Sent,
            Stage::Delivered,
            Stage::Read,
            Stage::Played,
        ];
        for (i, reached) in stages.iter().enumerate() {
            for earlier in &stages[..=i] {
                assert_eq!(DeliveryState::Reached(*reached).advance(*earlier), None);
            }
        }
        assert_eq!(
            DeliveryState::Reached(Stage::Read).advance(Stage::Failed),
            None
        );
        assert_eq!(
            DeliveryState::Reached(Stage::Sent).advance(Stage::Failed),
            Some(DeliveryState::Reached(Stage::Failed))
        );
    }

    #[test]
    fn flags_read_back() {
        let flags = Flags::NONE.with(Flag::Overtaken).with(Flag::WhenHeld);
        assert_eq!(flags.to_string(), "when_held overtaken");
        assert_eq!(Flags::parse("when_held overtaken"), flags);
        assert_eq!(flags.without(Flag::WhenHeld).to_string(), "overtaken");
        assert_eq!(Flags::parse(""), Flags::NONE);
    }

    #[test]
    fn every_state_reads_back() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::parse(state.name()), Some(state));
        }
    }
}
