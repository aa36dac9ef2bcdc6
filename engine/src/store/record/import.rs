//! What was there before the number was connected: messages and the phone app's address book.

use super::{Recorder, hash};
use crate::domain::event::{EventState, Payload};
use crate::domain::inbound::{AddressBookEntry, Item};
use crate::store::{Error, contact, delivery, message, write_json};

impl Recorder<'_> {
    /// Lines from before the number was connected: they trigger nothing and open no window.
    pub(super) async fn history(&mut self, item: &Item) -> Result<(), Error> {
        let Item::History {
            lines,
            progress,
            phase,
        } = item
        else {
            return Ok(());
        };
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let payload = Payload::History {
            lines: count,
            progress: *progress,
            phase: *phase,
        };
        let key = hash(&write_json(&lines));
        if self
            .event(None, &key, payload, EventState::Done)
            .await?
            .is_none()
        {
            return Ok(());
        }
        let (location_id, channel_id) = (self.channel().location_id, self.channel().id);
        for line in lines {
            let provider_id = &line.message.provider_id;
            let sent = delivery::find_by_provider_id(self.tx, location_id, channel_id, provider_id)
                .await?;
            if sent.is_some()
                || message::enrich(self.tx, location_id, channel_id, &line.message).await?
            {
                continue;
            }
            if let Some(place) = self.place(&line.peer).await? {
                let origin = if line.outgoing { "phone" } else { "customer" };
                self.line(place.conversation_id, origin, &line.message, line.at)
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn address_book(&mut self, entries: &[AddressBookEntry]) -> Result<(), Error> {
        let payload = Payload::AddressBook {
            entries: entries.to_vec(),
        };
        let key = hash(&format!("{}{}", self.at().ms(), write_json(&entries)));
        if self
            .event(None, &key, payload, EventState::Done)
            .await?
            .is_none()
        {
            return Ok(());
        }
        let location_id = self.channel().location_id;
        for entry in entries.iter().filter(|entry| !entry.removed) {
            let Some(id) =
                contact::resolve(self.tx, location_id, &entry.peer, self.received_at).await?
            else {
                continue;
            };
            if let Some(name) = entry.peer.name.as_deref().filter(|name| !name.is_empty()) {
                contact::rename(self.tx, location_id, id, name).await?;
            }
        }
        Ok(())
    }
}
