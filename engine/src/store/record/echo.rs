//! A person wrote, or the customer's account changed: rare, and written at once rather than in bulk.

use super::Recorder;
use crate::domain::contact::{Address, Peer};
use crate::domain::content::text_hash;
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::event::{EchoOrigin, EventState, Payload};
use crate::domain::inbound::{Stage, Status};
use crate::domain::message::{Message, SystemChangeKind};
use crate::store::known::KnownPeer;
use crate::store::{Error, address, contact, conversation, delivery, lane, message};

impl Recorder<'_> {
    /// The customer's account changed: the new addresses lead to the same contact.
    pub(super) async fn system(
        &mut self,
        place: KnownPeer,
        change: &SystemChangeKind,
    ) -> Result<(), Error> {
        let (phone, user_id) = match change {
            SystemChangeKind::Number { phone, user_id } => (phone.clone(), user_id.clone()),
            SystemChangeKind::UserId { user_id } => (None, Some(user_id.clone())),
            SystemChangeKind::Identity | SystemChangeKind::Other { .. } => return Ok(()),
        };
        let location_id = self.channel().location_id;
        let peer = Peer {
            phone,
            user_id,
            name: None,
        };
        for address in peer.addresses() {
            address::link(self.tx, location_id, &address, place.contact_id).await?;
        }
        if let Some(phone) = peer.phone {
            contact::change_phone(self.tx, location_id, place.contact_id, &phone).await?;
            conversation::readdress(
                self.tx,
                location_id,
                place.conversation_id,
                &Address::Phone(phone),
            )
            .await?;
        }
        self.recorded.peers_changed = true;
        Ok(())
    }

    pub(super) async fn echo(&mut self, peer: &Peer, message: &Message) -> Result<(), Error> {
        let (location_id, channel_id) = (self.channel().location_id, self.channel().id);
        // An echo of what we sent ourselves is no person.
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
        let hash = text_hash(message.body.text());
        if let Some(row) = delivery::find_unsettled_by_text(self.tx, location_id, id, &hash).await?
        {
            // Nobody else says the very words that we do not know the fate of: it is the evidence.
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
        if message.body.is_line() {
            self.line(id, "phone", message, self.at()).await?;
        } else {
            message::revise(self.tx, location_id, channel_id, &message.body).await?;
        }
        self.recorded.events.push(event);
        Ok(())
    }
}
