//! A person's message from the inbox or the API: its delivery, the hold that follows, and the event.

use sea_orm::DatabaseTransaction;

use super::batch::Batch;
use super::event::NewEvent;
use super::{Error, Operation, delivery, event, lane};
use crate::domain::conversation::Hold;
use crate::domain::delivery::Delivery;
use crate::domain::event::{EchoOrigin, Event, EventState, Payload};
use crate::domain::message::{Body, Message};
use crate::domain::time::Timestamp;

/// Stores a person's message, and puts them in charge.
pub(crate) struct PersonWrites {
    pub(crate) delivery: Delivery,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) hold: Hold,
    pub(crate) now: Timestamp,
}

impl Operation for PersonWrites {
    /// The delivery in its place, and the event; `None` if the same was asked before.
    type Output = Option<(Delivery, Vec<Event>)>;

    fn take_events(&self, output: &mut Self::Output) -> Vec<Event> {
        output
            .as_mut()
            .map(|(_, events)| std::mem::take(events))
            .unwrap_or_default()
    }

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        batch: &mut Batch,
    ) -> Result<Self::Output, Error> {
        let mut delivery = self.delivery.clone();
        let (location_id, id) = (delivery.location_id, delivery.conversation_id);
        // The delivery's id follows from the caller's key: another conversation's is not a repetition.
        if let Some(row) = delivery::find(tx, location_id, delivery.id).await? {
            if row.delivery.conversation_id == id {
                return Ok(None);
            }
            return Err(Error::Conflict(
                "this idempotency key was used in another conversation, and nothing was sent; \
                 use a new key for each message"
                    .to_owned(),
            ));
        }
        let message = Message {
            // The provider has no id for it yet: ours stands in.
            provider_id: delivery.id.to_string(),
            body: Body::Text {
                text: delivery.content.text().to_owned(),
            },
            reply_to: None,
            forwarded: false,
            referral: None,
        };
        let new = NewEvent {
            location_id,
            channel_id: delivery.channel_id,
            conversation_id: Some(id),
            external_key: &delivery.id.to_string(),
            payload: Payload::Echo {
                message,
                origin: EchoOrigin::Inbox,
            },
            at: self.now,
            received_at: self.now,
            rule_id: None,
            state: EventState::Pending,
        };
        let Some(event) = event::insert(tx, batch, new).await? else {
            return Ok(None);
        };
        lane::advance(tx, location_id, id).await?;
        lane::note_person(tx, location_id, id, self.now, event.seq, self.hold).await?;
        delivery::cancel_automatic(tx, location_id, id, self.now).await?;
        delivery.position = Delivery::position(event.seq, 0);
        delivery::insert(tx, &delivery, self.idempotency_key.as_deref()).await?;
        Ok(Some((delivery, vec![event])))
    }
}
