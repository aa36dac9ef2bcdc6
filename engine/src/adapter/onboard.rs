//! How numbers are connected at a provider, and looked after: routes, their steps, and what a step comes to.
//! Knows neither where this is kept nor who asks.

use futures_util::future::BoxFuture;

use super::Credentials;
use crate::crypto::Secret;
use crate::domain::channel::{Channel, ChannelSettings};
use crate::domain::finding::Finding;
use crate::domain::onboarding::{Ask, Choice, Evidence, Facts, Reports, StepFailure};
use crate::domain::time::Timestamp;

/// The step at which the engine makes the channel, or gives one that is there its new credentials.
pub const CHANNEL_STEP: &str = "channel";
/// The step at which the engine reads the account's list of templates.
pub const TEMPLATES_STEP: &str = "templates";
/// The step that is done once a first message has come.
pub const MESSAGE_STEP: &str = "message";

/// The part of an adapter that connects numbers.
pub trait Onboard: Send + Sync + 'static {
    /// The ways in which a number can be connected.
    fn routes(&self) -> &'static [OnboardingRoute];

    /// Takes one step. Called again for the same step it does no harm: what was done is found to be done.
    fn take<'a>(
        &'a self,
        step: &'a str,
        case: &'a Case<'a>,
    ) -> BoxFuture<'a, Result<Progress, StepError>>;

    /// The channel to be made of what is known.
    ///
    /// # Errors
    /// Something is missing, or does not read.
    fn draft(&self, case: &Case<'_>) -> Result<ChannelDraft, StepError>;

    /// What is known of a number that is connected, as its steps would have learnt it.
    fn facts_of(&self, channel: &Channel) -> Facts;

    /// Looks at everything that can be wrong with a connected number at its provider.
    fn examine<'a>(&'a self, case: &'a Case<'a>) -> BoxFuture<'a, Vec<Finding>>;
}

/// A way in which a number can be connected.
#[derive(Debug, PartialEq, Eq)]
pub struct OnboardingRoute {
    /// Its name; no other route of any adapter has it.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub title: &'static str,
    /// What a person gives.
    pub fields: &'static [OnboardingField],
    /// The steps, in order.
    pub steps: &'static [OnboardingStep],
}

impl OnboardingRoute {
    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static OnboardingField> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Something that a person gives.
#[derive(Debug, PartialEq, Eq)]
pub struct OnboardingField {
    /// Its name in the API and on the command line.
    pub name: &'static str,
    /// Whether it must stay hidden.
    pub is_secret: bool,
    /// What it is and where to find it, in one sentence.
    pub help: &'static str,
    /// The fields in which it is found if nobody gives it: once one of them changes, it is found anew.
    pub within: &'static [&'static str],
    /// Of a secret: no step looks at it before the one that asks for it, so that an answer has no other taken again.
    pub is_looked_at_late: bool,
    /// Of a secret: a new one comes of a new beginning at the provider, so that what was found by the old one is
    /// found anew, and what could be asked for once can be asked for again.
    pub begins_anew: bool,
}

impl OnboardingField {
    /// Something that may be seen.
    pub const fn open(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            is_secret: false,
            help,
            within: &[],
            is_looked_at_late: false,
            begins_anew: false,
        }
    }

    /// Something that must stay hidden.
    pub const fn secret(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            is_secret: true,
            help,
            within: &[],
            is_looked_at_late: false,
            begins_anew: false,
        }
    }

    /// The same, to be found anew once one of these fields changes.
    #[must_use]
    pub const fn within(mut self, fields: &'static [&'static str]) -> Self {
        self.within = fields;
        self
    }

    /// The same, at which no step looks before the one that asks for it.
    #[must_use]
    pub const fn late(mut self) -> Self {
        self.is_looked_at_late = true;
        self
    }

    /// The same, which comes of a new beginning at the provider.
    #[must_use]
    pub const fn anew(mut self) -> Self {
        self.begins_anew = true;
        self
    }
}

/// A step of a route.
#[derive(Debug, PartialEq, Eq)]
pub struct OnboardingStep {
    /// Its name, by which it is repeated.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
}

impl OnboardingStep {
    /// A step by its name.
    pub const fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title }
    }
}

/// What a step knows.
#[derive(Debug)]
pub struct Case<'a> {
    /// What is known.
    pub facts: &'a Facts,
    /// What must stay hidden: what was given, and what steps before learnt.
    pub secrets: &'a Credentials,
    /// The address of webhooks that all channels of the provider share; "" without a public address.
    pub shared_webhook_url: &'a str,
    /// The address of webhooks of this channel alone; "" without a public address or a channel.
    pub channel_webhook_url: &'a str,
    /// What webhooks told of the number.
    pub reports: Reports,
    /// When the onboarding began, or the channel was made.
    pub since: Timestamp,
    /// The present.
    pub now: Timestamp,
}

impl Case<'_> {
    /// A fact that is known and not empty.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts
            .get(name)
            .map(String::as_str)
            .filter(|fact| !fact.is_empty())
    }

    /// Whether a fact is known to be true.
    pub fn is(&self, name: &str) -> bool {
        self.fact(name) == Some(YES)
    }
}

/// How a fact says that something is so.
pub const YES: &str = "yes";
/// How a fact says that something is not so.
pub const NO: &str = "no";

/// What taking a step came to.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How the step stands.
    pub outcome: StepOutcome,
    /// What was learnt, over what was known.
    pub facts: Facts,
    /// What was learnt that must stay hidden.
    pub secrets: Credentials,
    /// Secrets that are of no more use.
    pub spent: Vec<&'static str>,
    /// What was asked of the provider, and answered.
    pub evidence: Vec<Evidence>,
}

/// How a step stands after it was taken.
#[derive(Clone, Debug)]
pub enum StepOutcome {
    /// It is done: what came of it, in a sentence.
    Done(String),
    /// It is not needed here, because …
    Skipped(String),
    /// It was begun, and something must come by itself: what.
    Waiting(String),
    /// A person must give or choose something.
    Ask(Ask),
}

impl Progress {
    /// A step that came to `outcome`, and learnt nothing.
    pub fn new(outcome: StepOutcome) -> Self {
        Self {
            outcome,
            facts: Facts::new(),
            secrets: Credentials::default(),
            spent: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// A step that is done.
    pub fn done(says: impl Into<String>) -> Self {
        Self::new(StepOutcome::Done(says.into()))
    }

    /// A step that is not needed.
    pub fn skipped(because: impl Into<String>) -> Self {
        Self::new(StepOutcome::Skipped(because.into()))
    }

    /// A step that waits for something.
    pub fn waiting(what_for: impl Into<String>) -> Self {
        Self::new(StepOutcome::Waiting(what_for.into()))
    }

    /// A step that asks for a field, with what may be chosen from, if anything.
    pub fn ask(field: &str, help: impl Into<String>, options: Vec<Choice>) -> Self {
        Self::new(StepOutcome::Ask(Ask {
            field: field.to_owned(),
            help: help.into(),
            options,
        }))
    }

    /// The same, with a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// The same, with a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: Secret) -> Self {
        self.secrets.set(name, value);
        self
    }

    /// The same, without a secret that is of no more use.
    #[must_use]
    pub fn spend(mut self, name: &'static str) -> Self {
        self.spent.push(name);
        self
    }
}

/// A step could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", failure.code, failure.detail)]
pub struct StepError {
    /// Why, and what to do.
    pub failure: Box<StepFailure>,
    /// What was asked of the provider, and answered.
    pub evidence: Vec<Evidence>,
    /// A field that a person must give (anew), if that is what helps.
    pub ask: Option<Box<Ask>>,
    /// Secrets that must not be tried again.
    pub spent: Vec<&'static str>,
}

impl StepError {
    /// A failure in the adapter's own words.
    pub fn new(code: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            failure: Box::new(StepFailure {
                code: code.to_owned(),
                detail: detail.into(),
                fix: fix.into(),
                provider_code: 0,
                provider_subcode: 0,
                request_id: None,
            }),
            evidence: Vec::new(),
            ask: None,
            spent: Vec::new(),
        }
    }

    /// The same, with a secret that must not be tried again: the step asks for another instead.
    #[must_use]
    pub fn spends(mut self, field: &'static str) -> Self {
        self.spent.push(field);
        self
    }

    /// The same, with a field that a person must give (anew).
    #[must_use]
    pub fn asks(mut self, field: &str, help: impl Into<String>) -> Self {
        self.ask = Some(Box::new(Ask {
            field: field.to_owned(),
            help: help.into(),
            options: Vec::new(),
        }));
        self
    }
}

/// A channel to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelDraft {
    /// The account at the provider.
    pub account: String,
    /// The provider's own key of the number.
    pub key: String,
    /// The number that customers see, as written.
    pub phone: String,
    /// How it behaves.
    pub settings: ChannelSettings,
    /// Credentials that the channel of this number must not keep, if it has them from before.
    pub outdated: &'static [&'static str],
}
