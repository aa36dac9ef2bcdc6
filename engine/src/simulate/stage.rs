//! A world as a test drives it: opened when the test first does something, on the test's own thread.
//! Knows what tests may ask for, not how they write it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono_tz::Tz;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::business::{Business, Workshop, first_morning};
use super::suite::Suite;
use super::world::{Error, World};
use crate::domain::ids::CountedIds;
use crate::domain::run::{Outcome, Run};
use crate::domain::time::Timestamp;
use crate::provision::Problem;
use crate::script::testing::{
    CustomerKey, Happening, Heard, Person, Place, RuleError, Said, Stage, Told, View,
};

/// Runs looked through at most.
const MAX_RUNS: u64 = 10_000;
/// Notes of a chat looked at.
const MAX_NOTES: u64 = 200;

/// A world that opens when something first happens in it.
pub(super) struct LazyWorld {
    suite: Suite,
    give_up_at: Instant,
    runtime: Runtime,
    state: Mutex<State>,
}

struct State {
    business: Business,
    start: Timestamp,
    before: Vec<String>,
    after: Vec<String>,
    /// Everybody who was named, in order; in the world once it is open.
    people: Vec<Person>,
    world: Option<World>,
}

impl LazyWorld {
    /// A world for one test; must be used on this thread, which does nothing else meanwhile.
    pub(super) fn new(suite: Suite, give_up_at: Instant) -> Result<(Self, CountedIds), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| format!("a thread for the simulated world is missing: {error}"))?;
        let business = Business::clone(&suite.business);
        let state = State {
            start: first_morning(business.time_zone),
            business,
            before: Vec::new(),
            after: Vec::new(),
            people: Vec::new(),
            world: None,
        };
        let world = Self {
            suite,
            give_up_at,
            runtime,
            state: Mutex::new(state),
        };
        Ok((world, CountedIds::begin()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in the world, which opens if need be.
    fn with<T>(&self, act: impl AsyncFnOnce(&mut World) -> Result<T, Error>) -> Told<T> {
        let mut state = self.state();
        let state = &mut *state;
        self.runtime.block_on(async {
            if state.world.is_none() {
                state.world = Some(self.open(state).await?);
            }
            match &mut state.world {
                Some(world) => act(world).await.map_err(told),
                None => Err("the world did not open".to_owned()),
            }
        })
    }

    async fn open(&self, state: &State) -> Told<World> {
        let workshop: &Workshop = &self.suite.workshop;
        let mut world = World::open(workshop, &state.business, state.start)
            .await
            .map_err(told)?;
        world.give_up_at(self.give_up_at);
        for name in &state.before {
            self.publish(&mut world, name).await?;
        }
        let rule = &self.suite.rule;
        publish(&mut world, &rule.name, &rule.text).await?;
        for name in &state.after {
            self.publish(&mut world, name).await?;
        }
        for person in &state.people {
            world.add_customer(person.clone()).await.map_err(told)?;
        }
        Ok(world)
    }

    /// Publishes a rule that stands beside the one under test.
    async fn publish(&self, world: &mut World, name: &str) -> Told<()> {
        let Some(source) = (self.suite.beside)(name) else {
            return Err(format!("there is no rule '{name}' beside this one"));
        };
        publish(world, name, &source).await
    }

    /// What happened, for a person; empty if nothing did.
    pub(super) fn tell(&self) -> String {
        let state = self.state();
        let Some(world) = &state.world else {
            return String::new();
        };
        let story = self.runtime.block_on(world.story(None));
        story.map_or_else(|error| error.to_string(), |story| story.to_string())
    }
}

async fn publish(world: &mut World, name: &str, source: &str) -> Told<()> {
    match world.publish(name, source).await {
        Ok(_) => Ok(()),
        Err(Error::Problem(Problem::Script(diagnostics))) => {
            let lines = diagnostics
                .iter()
                .map(|diagnostic| format!("{name}:{diagnostic}"));
            Err(lines.collect::<Vec<_>>().join("\n"))
        }
        Err(other) => Err(told(other)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn told(error: Error) -> String {
    error.to_string()
}

impl Stage for LazyWorld {
    fn now(&self) -> Timestamp {
        let state = self.state();
        state.world.as_ref().map_or(state.start, World::now)
    }

    fn zone(&self) -> Tz {
        let state = self.state();
        let world = state.world.as_ref();
        world.map_or(state.business.time_zone, |world| world.location().time_zone)
    }

    fn start_at(&self, at: Timestamp) -> Told<()> {
        let mut state = self.state();
        if state.world.is_some() {
            return Err(
                "start_at(…) stands before anything has happened; later write wait_until(…)"
                    .to_owned(),
            );
        }
        state.start = at;
        Ok(())
    }

    fn change_location(&self, changes: &Map<String, Value>) -> Told<()> {
        let mut state = self.state();
        if state.world.is_some() {
            drop(state);
            return self.with(async |world| world.change_location(changes).await);
        }
        let zone = state.business.time_zone;
        state.business = state.business.clone().merged(changes)?;
        if state.start == first_morning(zone) {
            state.start = first_morning(state.business.time_zone);
        }
        Ok(())
    }

    fn add_rule(&self, name: &str, place: Place) -> Told<()> {
        if (self.suite.beside)(name).is_none() {
            return Err(format!("there is no rule '{name}' beside this one"));
        }
        let mut state = self.state();
        match (&state.world, place) {
            (None, Place::Before) => state.before.push(name.to_owned()),
            (None, Place::After) => state.after.push(name.to_owned()),
            (Some(_), _) => {
                return Err(
                    "rules stand at the beginning of a test, before anything has happened"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    fn customer(&self, person: &Person) -> Told<CustomerKey> {
        let mut state = self.state();
        let mut known = state.people.iter();
        if let Some(place) = known.position(|known| known.name == person.name) {
            let plain = Person {
                name: person.name.clone(),
                ..Person::default()
            };
            // Without anything told about them, the name means the one who is there.
            return if state.people[place] == *person || plain == *person {
                Ok(CustomerKey(place))
            } else {
                Err(format!(
                    "there is a customer {} already; give the second one another name",
                    person.name
                ))
            };
        }
        let key = CustomerKey(state.people.len());
        if let Some(world) = &mut state.world {
            let added = self.runtime.block_on(world.add_customer(person.clone()));
            added.map_err(told)?;
        }
        state.people.push(person.clone());
        Ok(key)
    }

    fn send(&self, customer: CustomerKey, said: &Said) -> Told<String> {
        self.with(async |world| world.send(customer, said).await)
    }

    fn happen(&self, customer: CustomerKey, event: &Happening) -> Told<()> {
        self.with(async |world| match event {
            Happening::Owner(text) => world.owner_says(customer, text).await,
            Happening::Agent(content) => {
                let sent = world.agent_says(customer, content.clone());
                sent.await.map(drop)
            }
            Happening::Reads => world.reads(customer).await,
            Happening::Fails(failure) => world.message_fails(customer, failure).await,
            Happening::WindowCloses => world.close_window(customer),
            Happening::OptsOut => world.opts_out(customer).await,
            Happening::OptsIn => world.opts_in(customer).await,
        })
    }

    fn wait_until(&self, at: Timestamp) -> Told<()> {
        self.with(async |world| world.wait_until(at).await)
    }

    fn fail_next_send(&self, failure: &str) -> Told<()> {
        self.with(async |world| world.fail_next_send(failure))
    }

    fn endpoint(&self, name: &str) -> Told<()> {
        let mut state = self.state();
        if state.world.is_some() {
            drop(state);
            return self.with(async |world| world.add_endpoint(name).await);
        }
        if !state.business.endpoints.iter().any(|known| known == name) {
            state.business.endpoints.push(name.to_owned());
        }
        Ok(())
    }

    fn endpoint_answers(&self, name: &str, status: u16, body: &Value) -> Told<()> {
        self.with(async |world| {
            world.endpoint_answers(name, status, body);
            Ok(())
        })
    }

    fn endpoint_fails(&self, name: &str, how: &str) -> Told<()> {
        self.with(async |world| world.endpoint_fails(name, how))
    }

    fn endpoint_asked(&self, name: &str) -> Told<Vec<Map<String, Value>>> {
        self.with(async |world| Ok(world.endpoint_asked(name)))
    }

    fn heard(&self, customer: CustomerKey) -> Vec<Heard> {
        let state = self.state();
        let world = state.world.as_ref();
        world.map(|world| world.heard(customer)).unwrap_or_default()
    }

    fn failures(&self, customer: CustomerKey) -> Told<Vec<(String, String)>> {
        self.with(async |world| world.failures(customer).await)
    }

    fn look(&self, customer: CustomerKey) -> Told<View> {
        self.with(async |world| {
            let Some((conversation, contact)) = world.conversation(customer).await? else {
                return Ok(View::default());
            };
            let now = world.now();
            let store = world.engine().store().of(world.location().id);
            let notes = store.notes(conversation.id, MAX_NOTES).await?;
            let notes = notes.into_iter().map(|note| (note.text, note.created_at));
            Ok(View {
                notes: notes.collect(),
                tags: contact.tags,
                attributes: contact.attributes,
                opted_out: contact.opted_out,
                held_by: conversation.held(now).map_or("", |hold| hold.by.name()),
                window_is_open: conversation.window.is_open(now)
                    && world.provider_window_is_open(customer),
                assigned_to: conversation.assigned_to,
            })
        })
    }

    fn logged(&self) -> Told<Vec<String>> {
        self.with(async |world| {
            let lines = runs(world).await?.into_iter().flat_map(|run| run.trace);
            Ok(lines.map(|line| line.text).collect())
        })
    }

    fn errors(&self) -> Told<Vec<RuleError>> {
        if self.state().world.is_none() {
            return Ok(Vec::new());
        }
        self.with(async |world| {
            let errors = runs(world)
                .await?
                .into_iter()
                .filter_map(|run| match run.outcome {
                    Outcome::Error {
                        message,
                        line,
                        column,
                    } => Some(RuleError {
                        rule: world.rule_name(run.rule_id).to_owned(),
                        message,
                        line,
                        column,
                    }),
                    _ => None,
                });
            Ok(errors.collect())
        })
    }
}

/// Every run so far, in order.
async fn runs(world: &World) -> Result<Vec<Run>, Error> {
    let store = world.engine().store().of(world.location().id);
    let rows = store.all_runs(MAX_RUNS).await?.into_iter();
    Ok(rows.map(|row| row.run).collect())
}
