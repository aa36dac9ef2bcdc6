//! Shops of one engine: two with a number of Meta's, one with a number of Twilio's. Knows how customers write
//! to each and how each is told of its messages, not what they write.

use std::collections::HashSet;

use rejoinder_adapters::simulator::meta::{self, Registration};
use rejoinder_adapters::simulator::{Face, ReceivedMessage, twilio};
use rejoinder_engine::NewLocation;
use rejoinder_engine::adapter::Webhook;
use rejoinder_engine::clock::Clock as _;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::domain::location::{LocationSettings, LoopGuard};
use rejoinder_engine::store::NewRule;

use crate::checker::{Acknowledged, Evidence, Watch, breaches};
use crate::twilio::{Sender, sender_of, webhook, written_by};
use crate::world::{APP_SECRET, Customer, World, connect, number, signed};

/// A location, what was acknowledged of its customers' messages, and what it was seen to do.
pub(super) struct Shop {
    name: &'static str,
    location_id: LocationId,
    way: Way,
    acknowledged: Vec<Acknowledged>,
    /// Messages that the provider has told to be delivered.
    delivered: HashSet<String>,
    watch: Watch,
    /// What was seen to go backwards.
    backwards: Vec<String>,
}

enum Way {
    Meta(Box<Registration>),
    Twilio(Box<Sender>),
}

impl Shop {
    /// Opens the shops, each with the same rule.
    pub(super) async fn open_all(world: &World, rule: &str) -> Vec<Self> {
        let lima = locate(world, "Lima", rule).await;
        let first = number("106853218861311", "4930901821");
        let clinic = locate(world, "Clinic", rule).await;
        let second = number("106853218861312", "4930901822");
        for (location_id, number) in [(lima, &first), (clinic, &second)] {
            let _ = world.simulator.meta_number(number.clone());
            connect(&world.engine, location_id, number).await;
        }
        let agency = locate(world, "Agency", rule).await;
        let sender = sender_of(world, agency).await;
        vec![
            Self::new("Lima", lima, Way::Meta(Box::new(first))),
            Self::new("Clinic", clinic, Way::Meta(Box::new(second))),
            Self::new("Agency", agency, Way::Twilio(Box::new(sender))),
        ]
    }

    fn new(name: &'static str, location_id: LocationId, way: Way) -> Self {
        Self {
            name,
            location_id,
            way,
            acknowledged: Vec::new(),
            delivered: HashSet::new(),
            watch: Watch::default(),
            backwards: Vec::new(),
        }
    }

    pub(super) fn face(&self) -> Face {
        match self.way {
            Way::Meta(_) => Face::Meta,
            Way::Twilio(_) => Face::Twilio,
        }
    }

    /// A customer writes something new; `copies` webhooks of it come, at once or one after the other.
    pub(super) async fn hear(&mut self, world: &World, customer: Customer, copies: Copies) {
        let nth = self.acknowledged.len();
        let text = format!("{} says {nth} to {}", customer.name, self.name);
        let (webhook, id) = match &self.way {
            Way::Meta(number) => {
                let mut id = String::new();
                let body = world.arrival_at(number, customer, |number, arrival| {
                    arrival.id.clone_into(&mut id);
                    meta::text_message(number, arrival, &text)
                });
                (signed(APP_SECRET, &body), id)
            }
            Way::Twilio(sender) => {
                let sid = format!("SM{nth:032x}");
                (written_by(world, sender, customer, &sid, &text), sid)
            }
        };
        match copies {
            Copies::InTurn(count) => {
                for _ in 0..count {
                    self.accept(world, &webhook).await;
                }
            }
            Copies::AtOnce => {
                let accept = || self.accept(world, &webhook);
                tokio::join!(accept(), accept(), accept());
            }
        }
        self.acknowledged.push(Acknowledged {
            id,
            customer: customer.phone.to_owned(),
            text,
        });
    }

    async fn accept(&self, world: &World, webhook: &Webhook) {
        let kind = match self.way {
            Way::Meta(_) => "meta",
            Way::Twilio(_) => "twilio",
        };
        let accepted = world.engine.accept(kind, webhook).await;
        accepted.expect("it is acknowledged");
    }

    /// The messages of this shop that the provider took, in the order taken.
    pub(super) fn taken(&self, world: &World) -> Vec<ReceivedMessage> {
        let mut taken = world.simulator.received();
        taken.retain(|message| match &self.way {
            Way::Meta(number) => {
                message.face == Face::Meta && message.number == number.phone_number_id
            }
            Way::Twilio(_) => message.face == Face::Twilio,
        });
        taken
    }

    /// The provider tells how far a message has come; that it failed only after it was delivered, which is
    /// wrong.
    pub(super) async fn tell(&mut self, world: &World, message: &ReceivedMessage, stage: &str) {
        if stage == "failed" && !self.delivered.contains(&message.provider_id) {
            return;
        }
        if stage == "delivered" {
            self.delivered.insert(message.provider_id.clone());
        }
        self.pass_on(world, message, stage).await;
    }

    /// The provider tells of a message that nobody knows.
    pub(super) async fn tell_of_nothing(&self, world: &World, message: &ReceivedMessage) {
        let unknown = ReceivedMessage {
            provider_id: format!("{}0", message.provider_id),
            delivery_id: None,
            ..message.clone()
        };
        self.pass_on(world, &unknown, "delivered").await;
    }

    async fn pass_on(&self, world: &World, message: &ReceivedMessage, stage: &str) {
        let code = (stage == "failed").then_some(131_026);
        let webhook = match &self.way {
            Way::Meta(number) => {
                let update = meta::StatusUpdate {
                    id: &message.provider_id,
                    status: stage,
                    to: &message.to,
                    at: world.clock.now(),
                    // Of what nobody knows, nothing of ours comes back.
                    callback: message.delivery_id.and(message.callback.as_deref()),
                    error_code: code,
                };
                signed(APP_SECRET, &meta::status(number, &update))
            }
            Way::Twilio(sender) => {
                let update = twilio::StatusUpdate {
                    sid: &message.provider_id,
                    status: stage,
                    to: &message.to,
                    error_code: code,
                };
                let params = twilio::status(sender.number.registration(), &update);
                let callback = message.callback.as_deref().expect("every one has one");
                let mut webhook = webhook(callback, &params);
                webhook.channel_id = Some(sender.channel_id);
                webhook
            }
        };
        self.accept(world, &webhook).await;
    }

    /// Looks whether anything goes backwards.
    pub(super) async fn look(&mut self, world: &World) {
        let store = world.engine.store();
        let seen = self.watch.look(store, self.location_id).await;
        self.backwards.extend(seen);
    }

    /// What of the promise is broken.
    pub(super) async fn breaches(&self, world: &World) -> Vec<String> {
        let taken = self.taken(world);
        let evidence = Evidence {
            store: world.engine.store(),
            location_id: self.location_id,
            acknowledged: &self.acknowledged,
            also: Vec::new(),
            received: &taken,
        };
        let mut found = breaches(&evidence).await;
        found.extend(self.backwards.iter().cloned());
        found
    }
}

/// How often a webhook comes.
#[derive(Clone, Copy)]
pub(super) enum Copies {
    InTurn(usize),
    /// Three of them.
    AtOnce,
}

async fn locate(world: &World, name: &str, rule: &str) -> LocationId {
    let new = NewLocation {
        name: name.into(),
        time_zone: chrono_tz::Europe::Berlin,
        settings: LocationSettings {
            // Its customers write as fast as no person does.
            loop_guard: LoopGuard::OFF,
            ..LocationSettings::default()
        },
    };
    let location = world.engine.create_location(new).await.expect("a location");
    let new = NewRule {
        name: "rule".into(),
        source: rule.into(),
        tests: String::new(),
        position: None,
    };
    let rule = world.engine.create_rule(location.id, new).await;
    let rule = rule.expect("a rule");
    let published = world.engine.publish_rule(location.id, rule.id).await;
    published.unwrap_or_else(|problem| panic!("{problem}"));
    location.id
}
