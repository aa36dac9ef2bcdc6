//! A person wrote from the phone app: rare, and written at once rather than in bulk.

use super::Recorder;
use crate::domain::contact::Peer;
use crate::domain::content::{Content, text_hash};
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::event::{EchoOrigin, EventState, Payload};
use crate::domain::ids::ConversationId;
use crate::domain::inbound::{Stage, Status};
use crate::domain::message::{Body, Message};
use crate::domain::time::Span;
use crate::store::delivery::DeliveryRow;
use crate::store::{Error, delivery, lane, message};

/// How long after an attempt an echo of its words is evidence of it: the provider tells within
/// seconds, and much later the same words are more likely a person's own.
const EVIDENCE: Span = Span::minutes(10);

impl Recorder<'_> {
    pub(super) async fn echo(&mut self, peer: &Peer, message: &Message) -> Result<(), Error> {
        let (location_id, channel_id) = (self.channel().location_id, self.channel().id);
        // An echo of what we sent ourselves is no person, even if we learnt its id in this very group.
        self.batch.flush_accepted(self.tx).await?;
        if delivery::find_by_provider_id(self.tx, location_id, channel_id, &message.provider_id)
            .await?
            .is_some()
        {
            self.recorded.duplicates += 1;
            return Ok(());
        }
        let Some(place) = self.place(peer).await? else {
            return self.unknown("the echo names no customer", "").await;
        };
        let id = place.conversation_id;
        if let Some(row) = self.evidence(id, message).await? {
            let status = Status {
                provider_id: message.provider_id.clone(),
                stage: Stage::Accepted,
                delivery_id: Some(row.delivery.id),
                peer: peer.clone(),
                failure: None,
                pricing: None,
            };
            return self.status(&status).await;
        }
        let payload = Payload::Echo {
            message: message.clone(),
            origin: EchoOrigin::Phone,
        };
        let Some(event) = self
            .event(Some(id), &message.provider_id, payload, EventState::Pending)
            .await?
        else {
            return Ok(());
        };
        lane::advance(self.tx, location_id, id).await?;
        let hold = Hold {
            by: HeldBy::Phone,
            until: self.received_at + self.item.hold,
        };
        lane::note_person(self.tx, location_id, id, self.received_at, event.seq, hold).await?;
        delivery::cancel_automatic(self.tx, location_id, id, self.received_at).await?;
        // What rested at the head of the conversation may be cancelled.
        self.recorded.settled.push((location_id, id));
        if message.body.is_line() {
            self.line(id, "phone", message, self.at()).await?;
        } else {
            message::revise(self.tx, location_id, channel_id, &message.body).await?;
        }
        self.recorded.events.push(event);
        Ok(())
    }

    /// The delivery whose fate is open and which this echo shows to have arrived. Only the very words,
    /// as a message of the same kind, soon after the attempt, are evidence; in doubt it is a person,
    /// since a person who is not seen is talked over, and a delivery in doubt finds other evidence.
    async fn evidence(
        &mut self,
        id: ConversationId,
        message: &Message,
    ) -> Result<Option<DeliveryRow>, Error> {
        let text = message.body.text();
        if !message.body.is_line() || text.trim().is_empty() {
            return Ok(None);
        }
        let (location_id, hash) = (self.channel().location_id, text_hash(text));
        let since = self.received_at - EVIDENCE;
        let mut rows = delivery::unsettled_by_text(self.tx, location_id, id, &hash, since).await?;
        rows.retain(|row| same_kind(&row.delivery.content, &message.body));
        Ok(if rows.len() == 1 { rows.pop() } else { None })
    }
}

/// Whether an echo of `content` would look like `body`: text as text, a file as a file of that kind.
fn same_kind(content: &Content, body: &Body) -> bool {
    match (content, body) {
        (Content::Text { .. }, Body::Text { .. }) => true,
        (Content::Media(sent), Body::Media(seen)) => sent.media == seen.media,
        _ => false,
    }
}
