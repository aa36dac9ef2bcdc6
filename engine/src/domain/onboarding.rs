//! A number on its way to being connected: steps, each with what came of it. Knows no provider and does
//! nothing: who takes the steps is the provider's adapter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{ChannelId, LocationId, OnboardingId};
use super::inbound::Update;
use super::time::Timestamp;

/// What is known on the way, by name; nothing that must stay hidden.
pub type Facts = BTreeMap<String, String>;

/// A number on its way to being connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarding {
    /// The tenant.
    pub location_id: LocationId,
    /// This onboarding.
    pub id: OnboardingId,
    /// The adapter's kind.
    pub provider: String,
    /// The adapter's name of the way that is gone: `meta-signup`, `meta-keys`, `twilio`.
    pub route: String,
    /// What people will call the channel.
    pub name: String,
    /// What is known so far.
    pub facts: Facts,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The channel, once there is one.
    pub channel_id: Option<ChannelId>,
    /// When it began.
    pub created_at: Timestamp,
    /// When anything last came of it.
    pub updated_at: Timestamp,
}

impl Onboarding {
    /// How it stands as a whole: what needs a person comes before what only takes time.
    pub fn state(&self) -> StepState {
        let states = [
            StepState::Failed,
            StepState::Asking,
            StepState::Open,
            StepState::Waiting,
        ];
        let has = |state: &StepState| self.steps.iter().any(|step| step.state == *state);
        states.into_iter().find(has).unwrap_or(StepState::Done)
    }

    /// The step of a name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }
}

/// One step of an onboarding, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, by which it is repeated.
    pub name: String,
    /// How it stands.
    pub state: StepState,
    /// How often it was taken.
    pub attempts: u32,
    /// When it was last taken.
    pub at: Option<Timestamp>,
    /// What came of it, in a sentence.
    pub says: String,
    /// What was asked of the provider, and answered, when it was last taken.
    pub evidence: Vec<Evidence>,
    /// Why it failed, if it did.
    pub failure: Option<StepFailure>,
    /// What a person must give or choose, if the step asks for something.
    pub ask: Option<Ask>,
}

impl Step {
    /// A step that was not taken yet.
    pub fn open(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: StepState::Open,
            attempts: 0,
            at: None,
            says: String::new(),
            evidence: Vec::new(),
            failure: None,
            ask: None,
        }
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It was not taken yet.
    Open,
    /// It is done.
    Done,
    /// It is not needed here.
    Skipped,
    /// It was begun, and what it waits for comes by itself. Later steps do not wait for it.
    Waiting,
    /// A person must give or choose something.
    Asking,
    /// It failed, and says why. Later steps wait.
    Failed,
}

impl StepState {
    /// The stable name, as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Waiting => "waiting",
            Self::Asking => "asking",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more is to be done about it.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// One request to a provider, and what was answered. Free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was asked: method and path, without the query.
    pub request: String,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The provider's id of the request, by which its support finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What was answered, in a sentence.
    pub says: String,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// One of a closed list of the adapter's, such as `token_expired`.
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What to do about it.
    pub fix: String,
    /// The provider's own code, or 0.
    #[serde(default)]
    pub provider_code: i64,
    /// The provider's finer code, or 0.
    #[serde(default)]
    pub provider_subcode: i64,
    /// The provider's id of the failed request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Something that a person must give, or choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The field to be given.
    pub field: String,
    /// What it is, and where to find it.
    pub help: String,
    /// What may be chosen from; empty if anything may be given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
}

/// One of several things to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What to give.
    pub value: String,
    /// What people know it by.
    pub label: String,
}

/// What webhooks of a channel told, besides what messages and statuses say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reports {
    /// Whether any message or status has come.
    pub is_heard: bool,
    /// How much of the history has come, 0 to 100; `None` if none has.
    pub progress: Option<u8>,
    /// In which of Meta's phases the newest part was: 0 for the last day, 1 for 90 days, 2 for 180.
    pub phase: Option<u8>,
    /// Lines of history that have come.
    pub lines: u64,
    /// News of the account, the number and its templates, and errors that belong to no message; the latest first.
    pub updates: Vec<Update>,
    /// Entries of the address book that have come.
    pub contacts: u64,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One whose steps stand like this, of the beginning of time.
    pub(crate) fn onboarding(states: &[StepState]) -> Onboarding {
        let step = |state: &StepState| Step {
            state: *state,
            ..Step::open("a")
        };
        Onboarding {
            location_id: LocationId::generate(),
            id: OnboardingId::generate(),
            provider: "meta".to_owned(),
            route: "meta-keys".to_owned(),
            name: "Shop".to_owned(),
            facts: Facts::new(),
            steps: states.iter().map(step).collect(),
            channel_id: None,
            created_at: Timestamp::from_ms(0),
            updated_at: Timestamp::from_ms(0),
        }
    }

    #[test]
    fn what_needs_a_person_is_said_before_what_takes_time() {
        use StepState::{Asking, Done, Failed, Open, Skipped, Waiting};
        for (states, expected) in [
            (&[Done, Waiting, Failed][..], Failed),
            (&[Done, Asking, Open], Asking),
            (&[Done, Open, Waiting], Open),
            (&[Done, Waiting, Skipped], Waiting),
            (&[Done, Skipped], Done),
        ] {
            assert_eq!(onboarding(states).state(), expected, "{states:?}");
        }
    }
}
