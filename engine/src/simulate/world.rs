//! One simulated world: a location with its rules, customers, and a clock that somebody moves.
//! Knows no script language and no test: it does what it is told, and everything that follows.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::business::{Business, Workshop};
use super::customers::status;
use super::endpoints::Endpoints;
use super::phones::{KIND, Phones};
use crate::adapter::{Credentials, Method, Webhook};
use crate::clock::{Clock as _, ManualClock};
use crate::crypto::{Secret, Vault};
use crate::domain::channel::{Channel, ChannelSettings};
use crate::domain::contact::{Peer, Phone};
use crate::domain::ids::RuleId;
use crate::domain::inbound::{ChannelKey, Inbound, Item, Stage};
use crate::domain::location::Location;
use crate::domain::time::{Span, Timestamp};
use crate::engine::{self, Engine};
use crate::provision::{LocationChange, NewChannel, NewLocation, Problem};
use crate::script::testing::Person;
use crate::store::{self, NewRule};

/// Moments at which something falls due on the way through time, at most: a month of every quarter.
const MAX_MOMENTS: usize = 3_000;
/// The longest stretch of time that a world may see: two years.
const MAX_LIFE: Span = Span::days(731);
/// The number of the simulated business.
const BUSINESS_PHONE: &str = "+49 30 901820";

/// Something could not be done in a simulated world.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It makes no sense; the sentence says why.
    #[error("{0}")]
    Senseless(String),
    /// The engine refused it.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The world could not be made.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// What happened was not accepted.
    #[error(transparent)]
    Accept(#[from] crate::accept::Error),
    /// The throw-away database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A simulated world.
pub struct World {
    pub(super) engine: Engine,
    pub(super) phones: Arc<Phones>,
    pub(super) endpoints: Endpoints,
    pub(super) location: Location,
    pub(super) channel: Channel,
    pub(super) people: Vec<(Person, Peer)>,
    clock: Arc<ManualClock>,
    rules: Vec<(RuleId, String)>,
    began_at: Timestamp,
    moments: usize,
    give_up_at: Option<Instant>,
    /// Whether a rule wants to hear how its messages fared.
    someone_listens: bool,
}

impl World {
    /// Opens a world that begins at `start`, without rules and customers.
    ///
    /// # Errors
    /// The business's settings do not do.
    pub async fn open(
        workshop: &Workshop,
        business: &Business,
        start: Timestamp,
    ) -> Result<Self, Error> {
        let clock = Arc::new(ManualClock::starting_at(start));
        let phones = Arc::new(Phones::new(
            clock.clone(),
            workshop.provider.clone(),
            business.templates.clone(),
        ));
        let endpoints = Endpoints::default();
        let ring = Vault::generate_ring("simulated");
        let vault = Vault::from_ring(&ring).map_err(|error| Error::Senseless(error.to_string()))?;
        let engine = Engine::on(workshop.scratch.open().await?)
            .vault(vault)
            .clock(clock.clone())
            .script_host(workshop.scripts.clone())
            .shared_adapter(phones.clone())
            .caller(endpoints.clone())
            .server_secret(KIND, Secret::new("simulated".to_owned()))
            .build()
            .await?;
        let location = engine
            .create_location(NewLocation {
                name: business.name.clone(),
                time_zone: business.time_zone,
                settings: business.settings.clone(),
            })
            .await?;
        let phone = Phone::parse(BUSINESS_PHONE).expect("it is one");
        let channel = engine
            .create_channel(
                location.id,
                NewChannel {
                    provider: KIND.to_owned(),
                    account: "simulated".to_owned(),
                    key: None,
                    phone,
                    name: "shop".to_owned(),
                    settings: ChannelSettings::default(),
                    credentials: Credentials::default(),
                },
            )
            .await?;
        let mut world = Self {
            engine,
            clock,
            phones,
            endpoints,
            location,
            channel,
            people: Vec::new(),
            rules: Vec::new(),
            began_at: start,
            moments: 0,
            give_up_at: None,
            someone_listens: false,
        };
        for name in &business.endpoints {
            world.add_endpoint(name).await?;
        }
        for shape in &business.templates {
            let put = world
                .engine
                .put_template(world.location.id, None, shape.clone());
            put.await?;
        }
        Ok(world)
    }

    /// Waits no longer than until then, by the real clock, whatever falls due.
    pub(super) fn give_up_at(&mut self, at: Instant) {
        self.give_up_at = Some(at);
    }

    /// The engine at work.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The location.
    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// The number that customers write to.
    pub const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The rules in the order in which they were published, with the names they were given.
    pub fn rules(&self) -> &[(RuleId, String)] {
        &self.rules
    }

    /// The name of a rule.
    pub fn rule_name(&self, id: RuleId) -> &str {
        let found = self.rules.iter().find(|(own, _)| *own == id);
        found.map_or("a rule", |(_, name)| name)
    }

    /// Publishes a rule; it is asked after those that are there, or in the place of the one of its name.
    ///
    /// # Errors
    /// It has mistakes.
    pub async fn publish(&mut self, name: &str, source: &str) -> Result<RuleId, Error> {
        let known = self.rules.iter().find(|(_, known)| known == name);
        let rule = match known.map(|(id, _)| *id) {
            Some(id) => {
                let draft = source.to_owned();
                let saved = self.engine.save_draft(self.location.id, id, draft, None);
                saved.await?
            }
            None => {
                let new = NewRule {
                    name: name.to_owned(),
                    source: source.to_owned(),
                    tests: String::new(),
                    position: None,
                };
                self.engine.create_rule(self.location.id, new).await?
            }
        };
        let rule = self.engine.publish_as_is(rule).await?;
        if self.rules.iter().all(|(known, _)| *known != rule.id) {
            self.rules.push((rule.id, name.to_owned()));
        }
        let setup = self.engine.core.setup.location(self.location.id).await?;
        self.someone_listens = setup.is_some_and(|setup| {
            let mut rules = setup.rules.iter();
            rules.any(|rule| rule.script.defines("on_status"))
        });
        Ok(rule.id)
    }

    /// Takes a rule out of service, until it is published again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn retire(&mut self, id: RuleId) -> Result<(), Error> {
        let switched = self.engine.set_rule_enabled(self.location.id, id, false);
        switched.await?;
        Ok(())
    }

    /// Changes the location's name, zone or settings by what stands in `changes`.
    ///
    /// # Errors
    /// There is no such setting, or its value does not do.
    pub async fn change_location(&mut self, changes: &Map<String, Value>) -> Result<(), Error> {
        let current = Business {
            name: self.location.name.clone(),
            time_zone: self.location.time_zone,
            settings: self.location.settings.clone(),
            ..Business::default()
        };
        let business = current.merged(changes).map_err(Error::Senseless)?;
        let change = LocationChange {
            name: Some(business.name),
            time_zone: Some(business.time_zone),
            settings: Some(business.settings),
        };
        self.location = self
            .engine
            .change_location(self.location.id, change)
            .await?;
        self.settle().await
    }

    /// Time passes up to `at`, and what falls due on the way happens at its own time.
    ///
    /// # Errors
    /// It is past, too far away, or too much falls due on the way.
    pub async fn wait_until(&mut self, at: Timestamp) -> Result<(), Error> {
        if at < self.now() {
            return Err(Error::Senseless("time does not go back".to_owned()));
        }
        if at.since(self.began_at) > MAX_LIFE {
            return Err(Error::Senseless(
                "a simulated world lives two years at most".to_owned(),
            ));
        }
        while let Some(due) = self.engine.next_due().await?.filter(|due| *due <= at) {
            // What is due already and yet did not happen waits for something else.
            let step = due.since(self.now()).max(Span::seconds(1));
            if self.now() + step > at {
                break;
            }
            self.moments += 1;
            if self.give_up_at.is_some_and(|at| Instant::now() >= at) {
                return Err(Error::Senseless(
                    "this takes too long: too much falls due on the way".to_owned(),
                ));
            }
            if self.moments > MAX_MOMENTS {
                return Err(Error::Senseless(format!(
                    "more than {MAX_MOMENTS} things fall due on the way; wait for less"
                )));
            }
            self.clock.advance(step);
            self.settle().await?;
        }
        self.clock.advance(at.since(self.now()));
        self.settle().await
    }

    /// Everything that follows at this moment happens.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        loop {
            self.engine.run_once().await?;
            if !self.someone_listens {
                return Ok(());
            }
            let arrived = self.phones.take_untold();
            if arrived.is_empty() {
                return Ok(());
            }
            let news = arrived.iter().flat_map(|message| {
                let stages = [Stage::Sent, Stage::Delivered];
                stages.map(|stage| status(message, stage, None))
            });
            self.accept(news.collect()).await?;
        }
    }

    pub(super) async fn accept(&self, items: Vec<Item>) -> Result<(), Error> {
        let key = ChannelKey::Key(self.channel.key.clone());
        let inbound = items.into_iter().map(|item| Inbound {
            to: Some(key.clone()),
            at: Some(self.now()),
            item,
            raw: None,
        });
        let inbound: Vec<Inbound> = inbound.collect();
        let webhook = Webhook {
            method: Method::Post,
            channel_id: None,
            url: String::new(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::from(store::write_json(&inbound)),
        };
        self.engine.accept(KIND, &webhook).await?;
        Ok(())
    }
}
