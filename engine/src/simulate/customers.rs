//! What customers of a simulated world do, and what is done around them.
//! Knows no rule: whatever follows, follows by itself.

use serde_json::Value;

use super::phones::{Arrived, Wants};
use super::world::{Error, World};
use crate::domain::contact::{Address, Contact, Peer, Phone};
use crate::domain::content::Content;
use crate::domain::conversation::Conversation;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{ConversationId, DeliveryId};
use crate::domain::inbound::{self, Item, Stage, Status, Topic, Update};
use crate::domain::message::{Body, Message};
use crate::provision::PersonSend;
use crate::script::testing::{CustomerKey, Heard, Person, Said};
use crate::store::{DeliveryFilter, Introduce};

/// Customers of a world at most: a test needs two or three.
const MAX_CUSTOMERS: usize = 200;
/// Messages to one customer that are looked through at most.
const MAX_DELIVERIES: u64 = 1_000;

impl World {
    /// A customer, who need not exist before they write. One of whom something is known already exists
    /// from now on, like a contact that was imported.
    ///
    /// # Errors
    /// There are too many, or two share a number.
    pub async fn add_customer(&mut self, person: Person) -> Result<CustomerKey, Error> {
        let place = self.people.len();
        if place >= MAX_CUSTOMERS {
            return Err(Error::Senseless(format!(
                "a simulated world has {MAX_CUSTOMERS} customers at most"
            )));
        }
        let phone = match &person.phone {
            Some(phone) => phone.clone(),
            None => Phone::parse(&format!("+4915550{:06}", place + 1)).expect("it is one"),
        };
        if self
            .people
            .iter()
            .any(|(_, known)| known.phone.as_ref() == Some(&phone))
        {
            return Err(Error::Senseless(format!(
                "another customer has the number {phone} already"
            )));
        }
        let peer = Peer {
            phone: Some(phone),
            user_id: None,
            name: Some(person.name.clone()),
        };
        let is_known =
            !person.language.is_empty() || !person.tags.is_empty() || !person.attributes.is_empty();
        self.people.push((person, peer));
        let key = CustomerKey(place);
        if is_known {
            self.introduce(key).await?;
        }
        Ok(key)
    }

    /// The customers, in the order in which they were named.
    pub fn customers(&self) -> impl Iterator<Item = (CustomerKey, &Person)> {
        let people = self.people.iter().enumerate();
        people.map(|(place, (person, _))| (CustomerKey(place), person))
    }

    async fn introduce(&self, customer: CustomerKey) -> Result<ConversationId, Error> {
        let (person, peer) = self.person(customer)?;
        let introduce = Introduce {
            location_id: self.location.id,
            channel_id: self.channel.id,
            peer: peer.clone(),
            language: person.language.clone(),
            tags: person.tags.clone(),
            attributes: person.attributes.clone(),
            now: self.now(),
        };
        Ok(self.engine.core.store.write(introduce).await?)
    }

    fn person(&self, customer: CustomerKey) -> Result<&(Person, Peer), Error> {
        let person = self.people.get(customer.0);
        person.ok_or_else(|| Error::Senseless("there is no such customer in this world".to_owned()))
    }

    fn address(&self, customer: CustomerKey) -> Result<Address, Error> {
        let (_, peer) = self.person(customer)?;
        let address = peer.addresses().next();
        address.ok_or_else(|| Error::Senseless("this customer has no address".to_owned()))
    }

    /// The customer sends something; gives the provider's id of it.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn send(&mut self, customer: CustomerKey, said: &Said) -> Result<String, Error> {
        let (_, peer) = self.person(customer)?;
        let message = Message {
            provider_id: self.phones.next_id("in"),
            body: said.body.clone(),
            reply_to: said.reply_to.clone(),
            forwarded: said.forwarded,
            referral: said.referral.clone(),
        };
        let id = message.provider_id.clone();
        let peer = peer.clone();
        self.accept(vec![Item::Message { peer, message }]).await?;
        self.settle().await?;
        Ok(id)
    }

    /// The owner answers the customer from the phone app.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn owner_says(&mut self, customer: CustomerKey, text: &str) -> Result<(), Error> {
        let (_, peer) = self.person(customer)?;
        let message = Message {
            provider_id: self.phones.next_id("owner"),
            body: Body::Text {
                text: text.to_owned(),
            },
            reply_to: None,
            forwarded: false,
            referral: None,
        };
        let peer = peer.clone();
        self.accept(vec![Item::Echo { peer, message }]).await?;
        self.settle().await
    }

    /// A person answers the customer from the inbox; gives the message that is to leave.
    ///
    /// # Errors
    /// The provider would not take it.
    pub async fn agent_says(
        &mut self,
        customer: CustomerKey,
        content: Content,
    ) -> Result<DeliveryId, Error> {
        let conversation_id = self.introduce(customer).await?;
        let send = PersonSend {
            content,
            fallback: None,
            reply_to: None,
            idempotency_key: None,
        };
        let sent = self.engine.send(self.location.id, conversation_id, send);
        let id = sent.await?;
        self.settle().await?;
        Ok(id)
    }

    /// The customer opens everything that arrived.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn reads(&mut self, customer: CustomerKey) -> Result<(), Error> {
        let address = self.address(customer)?;
        let Some(latest) = self.phones.latest(address.value()) else {
            return Err(Error::Senseless(
                "nothing has arrived that could be read".to_owned(),
            ));
        };
        self.accept(vec![status(&latest, Stage::Read, None)])
            .await?;
        self.settle().await
    }

    /// The latest message to the customer turns out not to have arrived: `unreachable`, or a code of
    /// the provider.
    ///
    /// # Errors
    /// There is no such failure, or no message.
    pub async fn message_fails(
        &mut self,
        customer: CustomerKey,
        failure: &str,
    ) -> Result<(), Error> {
        let error = self
            .phones
            .provider()
            .error(failure)
            .map_err(Error::Senseless)?;
        let address = self.address(customer)?;
        let Some(latest) = self.phones.latest(address.value()) else {
            return Err(Error::Senseless(
                "nothing was sent that could fail".to_owned(),
            ));
        };
        let failure = error.to_failure();
        self.phones.lose_latest(address.value(), failure.clone());
        let told = status(&latest, Stage::Failed, Some(failure));
        self.accept(vec![told]).await?;
        self.settle().await
    }

    /// The customer switches templates of this business off in WhatsApp, or on again.
    async fn set_wants_templates(
        &mut self,
        customer: CustomerKey,
        wants: Wants,
    ) -> Result<(), Error> {
        let address = self.address(customer)?;
        let (_, peer) = self.person(customer)?;
        let update = Update {
            field: "user_preferences".to_owned(),
            topic: Topic::Preference {
                peer: peer.clone(),
                opted_out: wants == Wants::None,
            },
            value: Value::Null,
            key: self.phones.next_id("preference"),
        };
        self.phones.set_wants_templates(address.value(), wants);
        self.accept(vec![Item::Update(update)]).await?;
        self.settle().await
    }

    /// The customer switches templates of this business off in WhatsApp.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn opts_out(&mut self, customer: CustomerKey) -> Result<(), Error> {
        self.set_wants_templates(customer, Wants::None).await
    }

    /// The customer switches them on again.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn opts_in(&mut self, customer: CustomerKey) -> Result<(), Error> {
        self.set_wants_templates(customer, Wants::Them).await
    }

    /// The provider shuts the customer's service window early, and does not tell: the engine learns of
    /// it when it next sends free text.
    ///
    /// # Errors
    /// There is no such customer.
    pub fn close_window(&mut self, customer: CustomerKey) -> Result<(), Error> {
        self.phones.close_window(self.address(customer)?.value());
        Ok(())
    }

    /// The provider meets the next message with this failure: a word such as `unreachable`, or its own code.
    ///
    /// # Errors
    /// There is no such failure.
    pub fn fail_next_send(&mut self, failure: &str) -> Result<(), Error> {
        let error = self
            .phones
            .provider()
            .error(failure)
            .map_err(Error::Senseless)?;
        self.phones.fail_next(error);
        Ok(())
    }

    /// What reached the customer's phone, oldest first.
    pub fn heard(&self, customer: CustomerKey) -> Vec<Heard> {
        self.address(customer)
            .map(|address| self.phones.at(address.value()))
            .unwrap_or_default()
    }

    /// The conversation with a customer and what is known of them, once there is one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn conversation(
        &self,
        customer: CustomerKey,
    ) -> Result<Option<(Conversation, Contact)>, Error> {
        const ALL: u64 = MAX_CUSTOMERS as u64;
        let address = self.address(customer)?;
        let store = self.engine.store().of(self.location.id);
        let conversations = store.conversations(None, ALL).await?;
        let found = conversations.into_iter().find(|one| one.address == address);
        match found {
            Some(found) => Ok(store.conversation_and_contact(found.id).await?),
            None => Ok(None),
        }
    }

    /// Whether free text would reach a customer: as the rules see it, and as the provider does.
    pub(super) fn provider_window_is_open(&self, customer: CustomerKey) -> bool {
        self.address(customer)
            .is_ok_and(|address| self.phones.window_is_open(address.value()))
    }

    /// The messages to a customer that failed, oldest first: why, in a word and a sentence. One that the
    /// provider took back after it was delivered counts, though it stays delivered for the engine.
    pub(super) async fn failures(
        &self,
        customer: CustomerKey,
    ) -> Result<Vec<(String, String)>, Error> {
        let Some((conversation, _)) = self.conversation(customer).await? else {
            return Ok(Vec::new());
        };
        let filter = DeliveryFilter {
            conversation_id: Some(conversation.id),
            ..DeliveryFilter::default()
        };
        let store = self.engine.store().of(self.location.id);
        let rows = store.deliveries(&filter, MAX_DELIVERIES).await?.into_iter();
        let failures = rows.filter_map(|row| match row.delivery.state {
            DeliveryState::Reached(Stage::Failed) => row.failure,
            _ => self.phones.lost(row.delivery.id),
        });
        Ok(failures
            .map(|failure| (failure.kind, failure.detail))
            .collect())
    }
}

pub(super) fn status(message: &Arrived, stage: Stage, failure: Option<inbound::Failure>) -> Item {
    Item::Status(Status {
        provider_id: message.heard.provider_id.clone(),
        stage,
        delivery_id: Some(message.delivery_id),
        peer: Peer::default(),
        failure,
        pricing: None,
    })
}
