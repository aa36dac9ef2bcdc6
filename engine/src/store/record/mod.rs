//! Accepting: the items of a verified webhook become events, conversations, windows and holds, once,
//! in one transaction.

mod echo;
mod import;
mod number;
mod place;

use std::borrow::Cow;
use std::sync::Arc;

use sea_orm::DatabaseTransaction;
use sha2::{Digest, Sha256};

use crate::domain::channel::Channel;
use crate::domain::contact::Peer;
use crate::domain::delivery::Delivery;
use crate::domain::event::{Event, EventState, Payload};
use crate::domain::ids::{ConversationId, EventId, LocationId};
use crate::domain::inbound::{Inbound, Item, Status, Topic, Update};
use crate::domain::message::{Body, Message};
use crate::domain::time::{Span, Timestamp};
use crate::domain::window::Window;
use crate::mutant::Mutant;
use crate::store::batch::{self, Batch, Flushed};
use crate::store::event::NewEvent;
use crate::store::known::{Known, KnownPeer};
use crate::store::message::NewMessage;
use crate::store::status::{self, News};
use crate::store::{
    Error, Operation, Store, Urgency, contact, event, lane, message, template, unrouted,
};

/// An item of a verified webhook, with the channel that it was sent to.
#[derive(Clone, Debug)]
pub(crate) struct RecordItem {
    pub(crate) channel: Arc<Channel>,
    /// How long a person's message keeps the conversation theirs.
    pub(crate) hold: Span,
    pub(crate) inbound: Inbound,
}

/// An item that belongs to no channel.
#[derive(Clone, Debug)]
pub(crate) struct Stray {
    pub(crate) provider: &'static str,
    /// Whose secret verified the webhook.
    pub(crate) verifier: String,
    pub(crate) reason: String,
    pub(crate) raw: String,
}

/// The items of one webhook.
pub(crate) struct Record {
    pub(crate) items: Vec<RecordItem>,
    pub(crate) strays: Vec<Stray>,
    pub(crate) received_at: Timestamp,
}

/// What came of the items of one webhook.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// The events that wait for their rules.
    events: Vec<Event>,
    /// The templates that go out in place of what was refused.
    pub(crate) fallbacks: Vec<Delivery>,
    /// The conversations in which what waited for the fate of a delivery, or for its arrival, may go on.
    pub(crate) settled: Vec<(LocationId, ConversationId)>,
    /// Items stored for the first time.
    pub(crate) stored: usize,
    /// Items that were stored before.
    pub(crate) duplicates: usize,
    /// Items of a location that is gone.
    pub(crate) dropped: usize,
    /// Places to be remembered once they are on disk.
    places: Vec<(crate::domain::ids::ChannelId, Peer, KnownPeer)>,
    peers_changed: bool,
    /// What was known of addresses when the items were stored.
    epoch: u64,
}

impl Store {
    /// Stores the items of a webhook. Once this returns they are on disk.
    pub(crate) async fn record(&self, record: Record) -> Result<Recorded, Error> {
        let operation = Recording {
            record,
            known: Arc::clone(&self.known),
        };
        let is_message = |item: &RecordItem| matches!(item.inbound.item, Item::Message { .. });
        if Mutant::EarlyAcknowledgement.is_loose() && operation.record.items.iter().any(is_message)
        {
            let writer = self.writer.clone();
            tokio::spawn(async move { writer.write(Urgency::Inbound, operation).await });
            return Ok(Recorded::default());
        }
        let mut recorded = self.writer.write(Urgency::Inbound, operation).await?;
        if recorded.peers_changed {
            self.known.forget_peers();
        } else {
            let places = std::mem::take(&mut recorded.places);
            self.known.remember(recorded.epoch, places);
        }
        Ok(recorded)
    }
}

struct Recording {
    record: Record,
    known: Arc<Known>,
}

impl Operation for Recording {
    type Output = Recorded;

    async fn apply(&self, tx: &DatabaseTransaction, batch: &mut Batch) -> Result<Recorded, Error> {
        let mut recorded = Recorded {
            epoch: self.known.epoch(),
            ..Recorded::default()
        };
        let received_at = self.record.received_at;
        for item in &self.record.items {
            let mut recorder = Recorder {
                tx,
                batch: &mut *batch,
                known: &self.known,
                item,
                received_at,
                recorded: &mut recorded,
            };
            recorder.record().await?;
        }
        for stray in &self.record.strays {
            unrouted::insert(tx, stray, received_at).await?;
        }
        Ok(recorded)
    }

    fn complete(&self, mut recorded: Recorded, flushed: &Flushed) -> Recorded {
        let (mut stored, mut duplicates) = (0, 0);
        recorded.events.retain_mut(|event| {
            if event.seq != UNNUMBERED {
                return true;
            }
            match flushed.seq(event.id) {
                Some(seq) => {
                    event.seq = seq;
                    stored += 1;
                    true
                }
                None => {
                    duplicates += 1;
                    false
                }
            }
        });
        recorded.stored += stored;
        recorded.duplicates += duplicates;
        recorded
    }

    fn take_events(&self, recorded: &mut Recorded) -> Vec<Event> {
        std::mem::take(&mut recorded.events)
    }
}

/// The number of an event that is written in bulk, until it is known.
const UNNUMBERED: i64 = -1;

/// Stores one item.
struct Recorder<'a> {
    tx: &'a DatabaseTransaction,
    batch: &'a mut Batch,
    known: &'a Known,
    item: &'a RecordItem,
    received_at: Timestamp,
    recorded: &'a mut Recorded,
}

impl Recorder<'_> {
    async fn record(&mut self) -> Result<(), Error> {
        let inbound = &self.item.inbound;
        if !self.has_place().await? {
            self.recorded.dropped += 1;
            return Ok(());
        }
        match &inbound.item {
            Item::Message { peer, message } => self.message(peer, message).await,
            Item::Echo { peer, message } => self.echo(peer, message).await,
            Item::Status(status) => self.status(status).await,
            Item::Update(update) => self.update(update).await,
            Item::History { .. } => self.history(&inbound.item).await,
            Item::AddressBook { entries } => self.address_book(entries).await,
            Item::Unknown { reason } => {
                self.unknown(reason, inbound.raw.as_deref().unwrap_or(""))
                    .await
            }
        }
    }

    fn channel(&self) -> &Channel {
        &self.item.channel
    }

    /// The provider's time, or ours where it gave none.
    fn at(&self) -> Timestamp {
        self.item.inbound.at.unwrap_or(self.received_at)
    }

    async fn message(&mut self, peer: &Peer, message: &Message) -> Result<(), Error> {
        let Some(place) = self.place(peer).await? else {
            return self.unknown("the message names no sender", "").await;
        };
        let place = if message.body.opens_window() {
            self.follow(place, peer, message).await?
        } else {
            place
        };
        let payload = Payload::Message {
            message: message.clone(),
        };
        match &message.body {
            Body::Reaction { .. } | Body::Edit { .. } | Body::Revoke { .. } | Body::System(_) => {
                self.change(place, message, payload).await
            }
            _ => {
                self.said(&place, message, payload);
                Ok(())
            }
        }
    }

    /// The customer said something: the common case, written in bulk.
    fn said(&mut self, place: &KnownPeer, message: &Message, payload: Payload) {
        let (channel, conversation_id) = (&self.item.channel, place.conversation_id);
        let (location_id, channel_id, at) = (channel.location_id, channel.id, self.at());
        let event_id = EventId::generate();
        let external_key = if Mutant::ForgottenKey.is_loose() {
            Cow::Owned(format!("{} {event_id}", message.provider_id))
        } else if Mutant::ForgetfulDedupe.is_loose() {
            // The same for as long as this process lives.
            Cow::Owned(format!("{} {}", message.provider_id, std::process::id()))
        } else {
            Cow::Borrowed(message.provider_id.as_str())
        };
        let new = NewEvent {
            location_id,
            channel_id,
            conversation_id: Some(conversation_id),
            external_key: &external_key,
            payload,
            at,
            received_at: self.received_at,
            rule_id: None,
            state: EventState::Pending,
        };
        let line = NewMessage {
            location_id,
            channel_id,
            conversation_id,
            origin: "customer",
            message,
            at,
        };
        let opens = message.body.opens_window();
        self.batch.inbound(batch::Inbound {
            location_id,
            conversation_id,
            event_id,
            event: event::row(&new, event_id),
            message: message::row(&line),
            received_at: self.received_at,
            window_until: opens.then(|| Window::until(at, self.received_at)),
        });
        self.recorded
            .events
            .push(new.into_event(event_id, UNNUMBERED));
    }

    /// The customer reacted, changed or took back something, or changed their own account.
    async fn change(
        &mut self,
        place: KnownPeer,
        message: &Message,
        payload: Payload,
    ) -> Result<(), Error> {
        let id = place.conversation_id;
        let Some(event) = self
            .event(Some(id), &message.provider_id, payload, EventState::Pending)
            .await?
        else {
            return Ok(());
        };
        let (location_id, channel_id) = (self.channel().location_id, self.channel().id);
        lane::advance(self.tx, location_id, id).await?;
        if let Body::System(change) = &message.body {
            self.line(id, "customer", message, self.at()).await?;
            self.system(place.contact_id, &change.change).await?;
        } else {
            message::revise(self.tx, location_id, channel_id, &message.body).await?;
        }
        self.recorded.events.push(event);
        Ok(())
    }

    async fn status(&mut self, status: &Status) -> Result<(), Error> {
        let news = News {
            status,
            at: self.at(),
            received_at: self.received_at,
        };
        let applied = status::record(self.tx, self.batch, &self.item.channel, &news).await?;
        if applied.orphan {
            self.known.add_orphan(&status.provider_id);
        }
        self.recorded.duplicates += usize::from(applied.duplicate);
        self.recorded.events.extend(applied.event);
        self.recorded.fallbacks.extend(applied.fallback);
        self.recorded.stored += usize::from(!applied.duplicate);
        self.recorded
            .settled
            .extend(applied.settled.map(|id| (self.channel().location_id, id)));
        Ok(())
    }

    async fn update(&mut self, update: &Update) -> Result<(), Error> {
        let payload = Payload::Update {
            update: update.clone(),
        };
        let Some(_) = self
            .event(None, &update.key, payload, EventState::Done)
            .await?
        else {
            return Ok(());
        };
        let location_id = self.channel().location_id;
        match &update.topic {
            Topic::Preference { peer, opted_out } => {
                let contact = contact::resolve(self.tx, location_id, peer, self.received_at);
                if let Some(id) = contact.await? {
                    contact::set_opted_out(self.tx, location_id, id, *opted_out).await?;
                }
            }
            Topic::Template { news: Some(news) } => {
                let account = &self.channel().account;
                template::set_status(self.tx, location_id, account, news, self.at()).await?;
            }
            Topic::Template { news: None } | Topic::Account | Topic::Number | Topic::Error => {}
        }
        Ok(())
    }

    async fn unknown(&mut self, reason: &str, raw: &str) -> Result<(), Error> {
        let whole;
        let raw = if raw.is_empty() {
            whole = crate::store::write_json(&self.item.inbound);
            &whole
        } else {
            raw
        };
        let payload = Payload::Unknown {
            reason: reason.to_owned(),
            raw: raw.to_owned(),
        };
        let key = hash(raw);
        self.event(None, &key, payload, EventState::Parked).await?;
        Ok(())
    }

    /// Stores an event of this channel; `None`, and counted, if it was stored before.
    async fn event(
        &mut self,
        conversation_id: Option<ConversationId>,
        external_key: &str,
        payload: Payload,
        state: EventState,
    ) -> Result<Option<Event>, Error> {
        let new = NewEvent {
            location_id: self.channel().location_id,
            channel_id: self.channel().id,
            conversation_id,
            external_key,
            payload,
            at: self.at(),
            received_at: self.received_at,
            rule_id: None,
            state,
        };
        let event = event::insert(self.tx, self.batch, new).await?;
        match event {
            Some(_) => self.recorded.stored += 1,
            None => self.recorded.duplicates += 1,
        }
        Ok(event)
    }

    async fn line(
        &self,
        conversation_id: ConversationId,
        origin: &str,
        message: &Message,
        at: Timestamp,
    ) -> Result<(), Error> {
        let (location_id, channel_id) = (self.channel().location_id, self.channel().id);
        message::insert(
            self.tx,
            &NewMessage {
                location_id,
                channel_id,
                conversation_id,
                origin,
                message,
                at,
            },
        )
        .await
    }
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
