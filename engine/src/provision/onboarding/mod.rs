//! Connecting a number, step by step: begun, gone on with, a step repeated alone. What came of each step is
//! kept before the next one is taken, so that it can be resumed after whatever happened.

mod given;
mod steps;
mod watch;
mod written;

use self::steps::Journey;
pub(super) use self::steps::{Urls, in_time, read_templates};
pub(super) use self::written::write_down;

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::time::Duration;

use tokio::time::Instant;

use super::{Problem, name};
use crate::adapter::{Adapter, Credentials, Onboard, OnboardingRoute};
use crate::core::{Core, Hand};
use crate::domain::ids::{LocationId, OnboardingId};
use crate::domain::onboarding::{Facts, Onboarding, Step, StepState};
use crate::engine::Engine;
use crate::setup;
use crate::store::{BeginOnboarding, DeleteOnboarding, StoredOnboarding};

/// How long a person waits for the engine's own look at an onboarding …
const PATIENCE: Duration = Duration::from_secs(30);
/// … and how often it is seen whether that has ended.
const REST: Duration = Duration::from_millis(20);
/// Letters of a field's value at most; a token has some 300.
const MAX_VALUE_BYTES: usize = 4_096;

/// What a person gives for an onboarding, by the names of the route's fields.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// What may be seen.
    pub facts: Facts,
    /// What must stay hidden.
    pub secrets: Credentials,
}

/// An onboarding to be begun.
#[derive(Clone, Debug)]
pub struct NewOnboarding {
    /// One of the routes of `Engine::onboarding_routes`.
    pub route: String,
    /// What people will call the channel.
    pub name: String,
    /// What is given already; what is missing is asked for on the way.
    pub given: Given,
}

/// Which steps are to be taken.
#[derive(Clone, Debug)]
enum Errand {
    /// All that are not settled, in order, up to one that fails or asks.
    Rest,
    /// This one, whatever came of it before.
    One(String),
}

impl Engine {
    /// The ways in which numbers can be connected, with the adapter's kind of each.
    pub fn onboarding_routes(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static OnboardingRoute)> + '_ {
        let adapters = self.core.adapters.values();
        adapters.flat_map(|adapter| {
            let routes = adapter.onboard().map_or(&[][..], Onboard::routes);
            routes.iter().map(|route| (adapter.kind(), route))
        })
    }

    /// Begins to connect a number, and goes as far as it gets.
    ///
    /// # Errors
    /// The location or the route is not there, a field is not the route's, or the database failed.
    pub async fn begin_onboarding(
        &self,
        location_id: LocationId,
        new: NewOnboarding,
    ) -> Result<Onboarding, Problem> {
        let noted = self.note_onboarding(location_id, new).await?;
        self.continue_onboarding(location_id, noted.id, Given::default())
            .await
    }

    /// Notes that a number is to be connected, and takes no step yet: `continue_onboarding` does.
    ///
    /// # Errors
    /// As of `begin_onboarding`.
    pub async fn note_onboarding(
        &self,
        location_id: LocationId,
        new: NewOnboarding,
    ) -> Result<Onboarding, Problem> {
        let stored = self.new_onboarding(location_id, new).await?;
        let onboarding = stored.onboarding.clone();
        self.core.store.write(BeginOnboarding(stored)).await?;
        Ok(onboarding)
    }

    /// An onboarding of which no step was taken, as it will be stored.
    pub(super) async fn new_onboarding(
        &self,
        location_id: LocationId,
        new: NewOnboarding,
    ) -> Result<StoredOnboarding, Problem> {
        let core = &self.core;
        let (adapter, route) = route_of(core, &new.route)?;
        let given = checked(route, new.given)?;
        let name = name(&new.name)?;
        if core.store.location(location_id).await?.is_none() {
            return Err(Problem::Missing("location"));
        }
        let now = core.clock.now();
        let mut stored = StoredOnboarding {
            onboarding: Onboarding {
                location_id,
                id: OnboardingId::generate(),
                provider: adapter.kind().to_owned(),
                route: route.name.to_owned(),
                name,
                facts: given.facts,
                steps: route.steps.iter().map(|it| Step::open(it.name)).collect(),
                channel_id: None,
                created_at: now,
                updated_at: now,
            },
            secrets: String::new(),
            version: 1,
            due_at: None,
        };
        let key = core.setup.data_key(location_id).await?;
        setup::seal_onboarding(&key, &mut stored, &given.secrets);
        Ok(stored)
    }

    /// Goes on with an onboarding: takes what is given, and the steps that are not settled.
    ///
    /// # Errors
    /// It is not there, a field is not the route's, somebody is at it already, or the database failed.
    pub async fn continue_onboarding(
        &self,
        location_id: LocationId,
        id: OnboardingId,
        given: Given,
    ) -> Result<Onboarding, Problem> {
        self.run_onboarding(location_id, id, given, Errand::Rest)
            .await
    }

    /// Takes one step of an onboarding again, and no other.
    ///
    /// # Errors
    /// As of `continue_onboarding`; or the route has no such step.
    pub async fn repeat_step(
        &self,
        location_id: LocationId,
        id: OnboardingId,
        step: &str,
        given: Given,
    ) -> Result<Onboarding, Problem> {
        self.run_onboarding(location_id, id, given, Errand::One(step.to_owned()))
            .await
    }

    /// Forgets an onboarding with all that it holds. A channel that came of it stays.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn delete_onboarding(
        &self,
        location_id: LocationId,
        id: OnboardingId,
    ) -> Result<(), Problem> {
        let delete = DeleteOnboarding { location_id, id };
        let was_there = self.core.store.write(delete).await?;
        was_there
            .then_some(())
            .ok_or(Problem::Missing("onboarding"))
    }

    /// In a task of its own: who asked may hang up, and a step that was begun is ended all the same.
    async fn run_onboarding(
        &self,
        location_id: LocationId,
        id: OnboardingId,
        given: Given,
        errand: Errand,
    ) -> Result<Onboarding, Problem> {
        let engine = self.clone();
        let work = async move {
            // What is another location's is not there, whoever is at it.
            let store = engine.core.store.of(location_id);
            if store.onboarding(id).await?.is_none() {
                return Err(Problem::Missing("onboarding"));
            }
            let _turn = Turn::wait(&engine.core, id).await?;
            engine.go_on(location_id, id, given, errand).await
        };
        tokio::spawn(Box::pin(work)).await.unwrap_or_else(|_| {
            Err(Problem::Invalid(
                "the onboarding ended in a mistake of the program; what came of its steps was kept"
                    .to_owned(),
            ))
        })
    }

    async fn go_on(
        &self,
        location_id: LocationId,
        id: OnboardingId,
        given: Given,
        errand: Errand,
    ) -> Result<Onboarding, Problem> {
        let core = &self.core;
        let (mut journey, route) = self.journey(location_id, id).await?;
        let given = checked(route, given)?;
        journey.take_along(route, given).await?;
        match errand {
            Errand::Rest => {
                let names: Vec<String> = journey.unsettled();
                for name in names {
                    // Whoever starts again goes on from here.
                    if core.halt.is_asked() {
                        break;
                    }
                    let state = journey.step(&name).await?;
                    if matches!(state, StepState::Failed | StepState::Asking) {
                        break;
                    }
                }
            }
            Errand::One(name) => {
                journey.step(&name).await?;
            }
        }
        journey.tidy_up().await?;
        Ok(journey.stored.onboarding)
    }

    /// An onboarding as it was kept, in hand.
    async fn journey(
        &self,
        location_id: LocationId,
        id: OnboardingId,
    ) -> Result<(Journey<'_>, &'static OnboardingRoute), Problem> {
        let core = &self.core;
        let stored = core.store.of(location_id).onboarding(id).await?;
        let stored = stored.ok_or(Problem::Missing("onboarding"))?;
        let (adapter, route) = route_of(core, &stored.onboarding.route)?;
        let onboard = adapter
            .onboard()
            .ok_or(Problem::Missing("way to connect a number"))?;
        let key = core.setup.data_key(location_id).await?;
        let secrets = setup::open_onboarding(&key, &stored)?;
        let journey = Journey {
            engine: self,
            onboard,
            adapter: &**adapter,
            key,
            stored,
            secrets,
        };
        Ok((journey, route))
    }
}

/// Whose turn it is: one task at a time goes on with an onboarding.
struct Turn<'a> {
    core: &'a Core,
    id: OnboardingId,
    hand: Hand,
}

impl<'a> Turn<'a> {
    /// A person's, who waits for the engine's own look to end.
    async fn wait(core: &'a Core, id: OnboardingId) -> Result<Self, Problem> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Self::take(core, id, Hand::Person) {
                Ok(turn) => return Ok(turn),
                Err(Hand::Watch) if Instant::now() < deadline => tokio::time::sleep(REST).await,
                Err(_) => return Err(busy()),
            }
        }
    }

    /// Or who has it in hand already.
    fn take(core: &'a Core, id: OnboardingId, hand: Hand) -> Result<Self, Hand> {
        match core.onboardings().entry(id) {
            Entry::Occupied(theirs) => Err(*theirs.get()),
            Entry::Vacant(free) => {
                free.insert(hand);
                if hand == Hand::Person {
                    // A stop waits for the step: what it learnt may be told once only.
                    core.halt.take_off();
                }
                Ok(Self { core, id, hand })
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.core.onboardings().remove(&self.id);
        if self.hand == Hand::Person {
            self.core.halt.land();
        }
    }
}

/// Somebody else goes on with it at the moment.
fn busy() -> Problem {
    Problem::Store(crate::store::Error::Conflict(
        "somebody is at this onboarding at the moment; look again in a few seconds".to_owned(),
    ))
}

/// The route of a name, with its adapter.
fn route_of<'a>(
    core: &'a Core,
    name: &str,
) -> Result<(&'a std::sync::Arc<dyn Adapter>, &'static OnboardingRoute), Problem> {
    let mut names = BTreeSet::new();
    for adapter in core.adapters.values() {
        for route in adapter.onboard().map_or(&[][..], Onboard::routes) {
            if route.name == name {
                return Ok((adapter, route));
            }
            names.insert(route.name);
        }
    }
    let names: Vec<&str> = names.into_iter().collect();
    Err(Problem::Invalid(format!(
        "there is no way '{name}' to connect a number; there are: {}",
        names.join(", ")
    )))
}

/// What was given, if the route has such fields.
fn checked(route: &OnboardingRoute, given: Given) -> Result<Given, Problem> {
    let refuse = |sentence: String| Err(Problem::Invalid(sentence));
    let secrets = given.secrets.fields().map(|name| (name, true));
    let facts = given.facts.keys().map(|name| (name.as_str(), false));
    for (name, is_secret) in secrets.chain(facts) {
        let Some(field) = route.field(name) else {
            let names: Vec<&str> = route.fields.iter().map(|field| field.name).collect();
            return refuse(format!(
                "'{}' has no field '{name}'; it has: {}",
                route.name,
                names.join(", ")
            ));
        };
        match (field.is_secret, is_secret) {
            (true, false) => {
                return refuse(format!(
                    "'{name}' must stay hidden: give it as a credential, not as a field"
                ));
            }
            (false, true) => {
                return refuse(format!(
                    "'{name}' is no credential: give it as a field, so that it can be seen"
                ));
            }
            _ => {}
        }
    }
    let lengths = given
        .facts
        .iter()
        .map(|(name, value)| (name.as_str(), value.len()));
    let secrets = given.secrets.iter();
    let secrets = secrets.map(|(name, secret)| (name, secret.expose().len()));
    if let Some((name, _)) = lengths
        .chain(secrets)
        .find(|(_, length)| *length > MAX_VALUE_BYTES)
    {
        return refuse(format!("'{name}' has more than {MAX_VALUE_BYTES} bytes"));
    }
    Ok(Given {
        facts: trimmed(given.facts),
        secrets: given.secrets,
    })
}

fn trimmed(facts: Facts) -> Facts {
    let facts = facts.into_iter();
    facts
        .map(|(name, value)| (name, value.trim().to_owned()))
        .collect()
}
