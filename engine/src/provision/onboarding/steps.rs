//! One step after the other: taken by the adapter, or here where it is about our own channel; then kept.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{busy, watch};
use crate::adapter::{
    Adapter, CHANNEL_STEP, Case, ChannelDraft, Credentials, MESSAGE_STEP, Onboard, Progress,
    StepError, TEMPLATES_STEP,
};
use crate::core::Core;
use crate::crypto::{DataKey, Secret};
use crate::domain::channel::{Channel, ChannelSettings};
use crate::domain::contact::Phone;
use crate::domain::ids::{ChannelId, LocationId};
use crate::domain::onboarding::{Onboarding, Reports, StepState};
use crate::domain::time::{Span, Timestamp};
use crate::engine::Engine;
use crate::provision::{ChannelChange, NewChannel, Problem, template};
use crate::setup;
use crate::store::{self, SaveOnboarding, StoredOnboarding};

/// A step takes no longer: a handful of requests of eight seconds each.
const STEP: Duration = Duration::from_secs(90);
/// Messages of the channel that are searched for the test word.
const MAX_SEARCHED: u64 = 500;
/// How often a step's outcome is laid over what other processes kept meanwhile.
const MAX_RESCUES: usize = 5;
/// The fact that holds the word of the first message.
const TEST_WORD: &str = "test_word";
/// The fact that holds the address which opens WhatsApp with that word.
const TEST_LINK: &str = "test_link";

/// An onboarding in hand.
pub(super) struct Journey<'a> {
    pub(super) engine: &'a Engine,
    pub(super) onboard: &'a dyn Onboard,
    pub(super) adapter: &'a dyn Adapter,
    pub(super) key: DataKey,
    pub(super) stored: StoredOnboarding,
    pub(super) secrets: Credentials,
}

impl Journey<'_> {
    /// The steps that something is still to be done about.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let steps = self.stored.onboarding.steps.iter();
        steps
            .filter(|step| !step.state.is_settled())
            .map(|step| step.name.clone())
            .collect()
    }

    /// Takes one step, and keeps what came of it.
    pub(super) async fn step(&mut self, name: &str) -> Result<StepState, Problem> {
        if self.stored.onboarding.step(name).is_none() {
            let names = self.stored.onboarding.steps.iter();
            let names: Vec<&str> = names.map(|step| step.name.as_str()).collect();
            return Err(Problem::Invalid(format!(
                "there is no step '{name}'; there are: {}",
                names.join(", ")
            )));
        }
        let secrets = self.all_secrets().await?;
        let taken = self.taken(name, &secrets).await?;
        let state = self.note(name, &taken, &secrets);
        if self.is_kept().await? {
            return Ok(state);
        }
        self.rescue(name, &taken, &secrets).await?;
        Err(busy())
    }

    /// What comes of a step, which is not kept yet.
    pub(super) async fn taken(
        &mut self,
        name: &str,
        secrets: &Credentials,
    ) -> Result<Result<Progress, StepError>, Problem> {
        match name {
            CHANNEL_STEP => self.channel(secrets).await,
            TEMPLATES_STEP => self.templates().await,
            MESSAGE_STEP => self.message().await,
            _ => self.take(name, secrets).await,
        }
    }

    /// Forgets the secrets once the channel has them and nothing more is to be done.
    pub(super) async fn tidy_up(&mut self) -> Result<(), Problem> {
        let is_done = self.stored.onboarding.state() == StepState::Done;
        if !is_done || self.stored.secrets.is_empty() {
            return Ok(());
        }
        self.secrets = Credentials::default();
        self.keep().await
    }

    /// Another process was quicker: what came of the step is kept over what that process kept, unless the step
    /// is settled there. A code can be exchanged once, and nobody has its token but us.
    async fn rescue(
        &mut self,
        name: &str,
        taken: &Result<Progress, StepError>,
        secrets: &Credentials,
    ) -> Result<(), Problem> {
        let store = &self.engine.core.store;
        let Onboarding {
            location_id, id, ..
        } = self.stored.onboarding;
        for _ in 0..MAX_RESCUES {
            let stored = store.of(location_id).onboarding(id).await?;
            let made = self.stored.onboarding.channel_id;
            self.stored = stored.ok_or(Problem::Missing("onboarding"))?;
            let channel_id = &mut self.stored.onboarding.channel_id;
            *channel_id = channel_id.or(made);
            self.secrets = setup::open_onboarding(&self.key, &self.stored)?;
            let step = self.stored.onboarding.step(name);
            let is_settled = step.is_some_and(|step| step.state.is_settled());
            if is_settled || taken.is_err() {
                break;
            }
            self.note(name, taken, secrets);
            if self.is_kept().await? {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn keep(&mut self) -> Result<(), Problem> {
        let is_kept = self.is_kept().await?;
        is_kept.then_some(()).ok_or_else(busy)
    }

    /// Notes what is in hand, unless another process was quicker.
    pub(super) async fn is_kept(&mut self) -> Result<bool, Problem> {
        self.stored.version += 1;
        self.stored.onboarding.updated_at = self.now();
        self.stored.due_at = watch::due(&self.stored.onboarding, self.now());
        setup::seal_onboarding(&self.key, &mut self.stored, &self.secrets);
        let save = SaveOnboarding(self.stored.clone());
        Ok(self.engine.core.store.write(save).await?)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engine.core.clock.now()
    }

    /// What the channel has, and over it what was given here.
    pub(super) async fn all_secrets(&self) -> Result<Credentials, Problem> {
        let mut secrets = match self.stored.onboarding.channel_id {
            Some(id) => self.credentials_of(id).await?,
            None => Credentials::default(),
        };
        for (name, secret) in self.secrets.iter() {
            secrets.set(name, secret.clone());
        }
        Ok(secrets)
    }

    async fn credentials_of(&self, id: ChannelId) -> Result<Credentials, Problem> {
        let core = &self.engine.core;
        let store = core.store.of(self.stored.onboarding.location_id);
        let Some(stored) = store.channel(id).await? else {
            return Ok(Credentials::default());
        };
        Ok(setup::open(&self.key, stored)?.credentials)
    }

    async fn take(
        &self,
        name: &str,
        secrets: &Credentials,
    ) -> Result<Result<Progress, StepError>, Problem> {
        let onboarding = &self.stored.onboarding;
        let urls = Urls::of(self.engine, self.adapter.kind(), onboarding.channel_id);
        let reports = self.reports().await?;
        let case = self.case(secrets, &urls, reports);
        Ok(in_time(self.onboard.take(name, &case)).await)
    }

    fn case<'b>(&'b self, secrets: &'b Credentials, urls: &'b Urls, reports: Reports) -> Case<'b> {
        let onboarding = &self.stored.onboarding;
        Case {
            facts: &onboarding.facts,
            secrets,
            shared_webhook_url: &urls.shared,
            channel_webhook_url: &urls.own,
            reports,
            since: onboarding.created_at,
            now: self.now(),
        }
    }

    async fn reports(&self) -> Result<Reports, Problem> {
        let Onboarding {
            location_id,
            channel_id,
            created_at,
            ..
        } = self.stored.onboarding;
        match channel_id {
            Some(id) => {
                let store = self.engine.core.store.of(location_id);
                Ok(store.reports(id, created_at).await?)
            }
            None => Ok(Reports::default()),
        }
    }

    /// Makes the channel, or gives the one of this number its new credentials.
    async fn channel(
        &mut self,
        secrets: &Credentials,
    ) -> Result<Result<Progress, StepError>, Problem> {
        // They prove that the number is the giver's: a number that is merely named may be another tenant's.
        let steps = self.stored.onboarding.steps.iter();
        let unproven = steps
            .take_while(|step| step.name != CHANNEL_STEP)
            .find(|step| !step.state.is_settled());
        if let Some(step) = unproven {
            return Ok(Err(StepError::new(
                "not_known_yet",
                format!("the step '{}' comes before it", step.name),
                "take the steps before this one",
            )));
        }
        let urls = Urls::default();
        let drafted = self
            .onboard
            .draft(&self.case(secrets, &urls, Reports::default()));
        let draft = match drafted {
            Ok(draft) => draft,
            Err(error) => return Ok(Err(error)),
        };
        let channel = match self.save_channel(&draft, secrets).await {
            Ok(channel) => channel,
            Err(Problem::Invalid(sentence)) => return Ok(Err(unfit(sentence))),
            Err(Problem::Store(store::Error::Conflict(_))) => return Ok(Err(elsewhere())),
            Err(other) => return Err(other),
        };
        self.stored.onboarding.channel_id = Some(channel.id);
        let word = test_word(&self.stored.onboarding);
        let digits = channel.phone.digits();
        let link = format!("https://wa.me/{digits}?text={word}");
        let says = format!("{} is the channel {}", channel.phone, channel.id);
        Ok(Ok(Progress::done(says)
            .fact(TEST_WORD, word)
            .fact(TEST_LINK, link)))
    }

    async fn save_channel(
        &self,
        draft: &ChannelDraft,
        secrets: &Credentials,
    ) -> Result<Channel, Problem> {
        let onboarding = &self.stored.onboarding;
        let location_id = onboarding.location_id;
        let phone = Phone::parse(&draft.phone)
            .ok_or_else(|| Problem::Invalid(format!("'{}' is not a phone number", draft.phone)))?;
        let mut credentials = Credentials::default();
        for field in self.adapter.credential_fields() {
            if let Some(secret) = secrets.get(field.name) {
                credentials.set(field.name, secret.clone());
            }
        }
        let channels = self.engine.core.store.of(location_id).channels().await?;
        let known = channels
            .into_iter()
            .find(|channel| channel.provider == onboarding.provider && channel.key == draft.key);
        if let Some(known) = known {
            for field in draft.outdated {
                if credentials.get(field).is_none() {
                    credentials.set(field, Secret::new(String::new()));
                }
            }
            // What a person has set stays, unless the number has come from a phone or gone to one.
            let settings = if known.settings.coexistence == draft.settings.coexistence {
                ChannelSettings {
                    messaging_service: draft.settings.messaging_service.clone(),
                    ..known.settings
                }
            } else {
                draft.settings.clone()
            };
            let change = ChannelChange {
                account: Some(draft.account.clone()),
                settings: Some(settings),
                enabled: Some(true),
                credentials,
                ..ChannelChange::default()
            };
            let changed = self
                .engine
                .change_proven_channel(location_id, known.id, change);
            return changed.await.map_err(|error| match error {
                Problem::Store(store::Error::Conflict(sentence)) => Problem::Invalid(sentence),
                other => other,
            });
        }
        let new = NewChannel {
            provider: onboarding.provider.clone(),
            account: draft.account.clone(),
            key: Some(draft.key.clone()),
            phone,
            name: onboarding.name.clone(),
            settings: draft.settings.clone(),
            credentials,
        };
        self.engine.create_channel(location_id, new).await
    }

    /// Reads the account's list of templates, so that rules can be checked against it.
    async fn templates(&self) -> Result<Result<Progress, StepError>, Problem> {
        let onboarding = &self.stored.onboarding;
        match onboarding.channel_id {
            Some(id) => read_templates(&self.engine.core, onboarding.location_id, id).await,
            None => Ok(Err(no_channel())),
        }
    }

    /// Whether somebody wrote the test word yet.
    async fn message(&self) -> Result<Result<Progress, StepError>, Problem> {
        let onboarding = &self.stored.onboarding;
        let (Some(id), Some(word)) = (onboarding.channel_id, onboarding.facts.get(TEST_WORD))
        else {
            return Ok(Err(no_channel()));
        };
        let store = self.engine.core.store.of(onboarding.location_id);
        // Providers date messages to the second, and by their own clocks.
        let since = onboarding.created_at - Span::minutes(1);
        let said = store.said_to(id, since, MAX_SEARCHED);
        let said = said.await?;
        let found = said
            .iter()
            .find(|(text, _)| text.to_lowercase().contains(word));
        Ok(Ok(match found {
            Some((_, at)) => Progress::done(format!("a message with the word came at {at}")),
            None => Progress::waiting(format!(
                "write '{word}' to the number from a phone; the address in {TEST_LINK} opens WhatsApp with it"
            )),
        }))
    }
}

/// A step, unless the provider is too slow.
pub(in crate::provision) async fn in_time(
    taking: impl Future<Output = Result<Progress, StepError>>,
) -> Result<Progress, StepError> {
    tokio::time::timeout(STEP, taking)
        .await
        .unwrap_or_else(|_| {
            let seconds = STEP.as_secs();
            Err(StepError::new(
                "timeout",
                format!("the step did not come to its end within {seconds} seconds"),
                "take it again; the provider is slow at the moment",
            ))
        })
}

/// Reads the list of templates of a channel's account, as a step.
pub(in crate::provision) async fn read_templates(
    core: &Core,
    location_id: LocationId,
    id: ChannelId,
) -> Result<Result<Progress, StepError>, Problem> {
    let read = template::sync_channel(core, location_id, id).await?;
    Ok(match read {
        Ok(Some(count)) => Ok(Progress::done(format!(
            "the account has {count} template(s)"
        ))),
        Ok(None) => Ok(Progress::skipped("the provider keeps no list of templates")),
        Err(error) => {
            let mut failure = StepError::new(
                error.code(),
                format!("the list of templates could not be read: {}", error.detail),
                "take the step again; if the token lacks a permission, give one that has it",
            );
            failure.failure.provider_code = error.provider_code;
            Err(failure)
        }
    })
}

/// The addresses of webhooks.
#[derive(Default)]
pub(in crate::provision) struct Urls {
    pub(in crate::provision) shared: String,
    pub(in crate::provision) own: String,
}

impl Urls {
    pub(in crate::provision) fn of(
        engine: &Engine,
        provider: &str,
        channel_id: Option<ChannelId>,
    ) -> Self {
        let own = channel_id.and_then(|id| engine.webhook_url(provider, Some(id)));
        Self {
            shared: engine.webhook_url(provider, None).unwrap_or_default(),
            own: own.unwrap_or_default(),
        }
    }
}

/// A word that nobody writes by chance, the same for one onboarding.
fn test_word(onboarding: &Onboarding) -> String {
    /// Without the letters and digits that people take for each other.
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let hash = Sha256::digest(onboarding.id.bytes());
    let letters = hash.iter().take(6);
    let letters: String = letters
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect();
    format!("connect-{letters}")
}

fn no_channel() -> StepError {
    StepError::new(
        "no_channel",
        "there is no channel yet",
        "take the steps before this one",
    )
}

fn unfit(sentence: String) -> StepError {
    StepError::new("channel", sentence, "correct it, and take the step again")
}

fn elsewhere() -> StepError {
    StepError::new(
        "connected_elsewhere",
        "another location has this number",
        "disconnect it there first (`rejoinder channel disconnect`), or choose another number",
    )
}
