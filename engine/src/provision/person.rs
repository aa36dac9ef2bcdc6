//! A person writes, from the inbox or through the API: a delivery, and an `echo` event for the rules.

use super::Problem;
use crate::core::OutLane;
use crate::domain::content::Content;
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::delivery::{Delivery, DeliveryState, Flag, Flags, Origin};
use crate::domain::ids::{ConversationId, DeliveryId, LocationId};
use crate::engine::Engine;
use crate::store::PersonWrites;

/// A message that a person sends.
#[derive(Clone, Debug)]
pub struct PersonSend {
    /// What it says.
    pub content: Content,
    /// The template that goes out instead when the service window is shut.
    pub fallback: Option<Content>,
    /// The message it quotes, by the provider's id.
    pub reply_to: Option<String>,
    /// The caller's own key: sending again under the same key sends nothing more.
    pub idempotency_key: Option<String>,
}

impl Engine {
    /// Sends a person's message: nothing automatic goes out to that customer for a while.
    ///
    /// # Errors
    /// The conversation is not there, the provider would not take it, or the database failed.
    pub async fn send(
        &self,
        location_id: LocationId,
        conversation_id: ConversationId,
        send: PersonSend,
    ) -> Result<DeliveryId, Problem> {
        let core = &self.core;
        let store = core.store.of(location_id);
        let conversation = store
            .conversation(conversation_id)
            .await?
            .ok_or(Problem::Missing("conversation"))?;
        let channels = core.setup.channels().await?;
        let channel = channels
            .get(conversation.channel_id)
            .ok_or(Problem::Missing("channel"))?;
        let adapter = core
            .adapters
            .get(channel.channel.provider.as_str())
            .ok_or(Problem::Missing("adapter of the channel"))?;
        for content in [Some(&send.content), send.fallback.as_ref()]
            .into_iter()
            .flatten()
        {
            adapter
                .check(content)
                .map_err(|error| Problem::Invalid(error.detail))?;
        }
        let location = core
            .setup
            .location(location_id)
            .await?
            .ok_or(Problem::Missing("location"))?;
        let now = core.clock.now();
        let id = send
            .idempotency_key
            .as_ref()
            .map_or_else(DeliveryId::generate, |key| {
                DeliveryId::derive(&[location_id.bytes(), b"idempotency", key.as_bytes()])
            });
        let delivery = Delivery {
            location_id,
            id,
            conversation_id,
            channel_id: conversation.channel_id,
            address: Some(conversation.address),
            origin: Origin::Person,
            content: send.content,
            fallback: send.fallback,
            reply_to: send.reply_to,
            state: DeliveryState::Ready,
            attempts: 0,
            provider_id: None,
            not_before: now,
            fallback_of: None,
            position: 0,
            wants_status: false,
            flags: Flags::NONE.with(Flag::WhenHeld),
            retrying_since: None,
            created_at: now,
        };
        let hold = Hold {
            by: HeldBy::Agent,
            until: now + location.location.settings.hold_ms,
        };
        let writes = PersonWrites {
            delivery,
            idempotency_key: send.idempotency_key,
            hold,
            now,
        };
        if let Some((delivery, _)) = core.store.write(writes).await? {
            // What rested at the head of the conversation may be cancelled.
            let lane = OutLane::of(&delivery);
            core.queue(Box::new(delivery));
            core.outbox.wake(lane);
        }
        Ok(id)
    }
}
