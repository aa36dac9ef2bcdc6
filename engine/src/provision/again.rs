//! Running again what was not understood, or had no channel, when it came.

use super::Problem;
use crate::accept::{self, Counts};
use crate::core::Core;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, LocationId, UnroutedId};
use crate::domain::inbound::{Inbound, Item};
use crate::engine::Engine;
use crate::lanes::Urgency;
use crate::store::{EventRow, ForgetUnrouted, Requeue, Unpark};

impl Engine {
    /// Runs an event again that was not understood when it came, or that was put aside because it never came
    /// to an end.
    ///
    /// # Errors
    /// It still is not understood; it was neither; it is not there; the database failed.
    pub async fn rerun_event(
        &self,
        location_id: LocationId,
        id: EventId,
    ) -> Result<Counts, Problem> {
        let core = &self.core;
        let row = core
            .store
            .of(location_id)
            .event(id)
            .await?
            .ok_or(Problem::Missing("event"))?;
        let Payload::Unknown { raw, .. } = &row.event.payload else {
            return attempt_again(core, row).await;
        };
        let channels = core.setup.channels().await?;
        let channel = channels
            .get(row.event.channel_id)
            .ok_or(Problem::Missing("channel"))?;
        let provider = channel.channel.provider.clone();
        let items = parse_again(core, &provider, raw, None);
        if items
            .iter()
            .any(|item| matches!(item.item, Item::Unknown { .. }))
        {
            return Err(Problem::Invalid(
                "it is still not understood; it stays listed".to_owned(),
            ));
        }
        let counts = again(core, &provider, &accept::verifier_of(channel), items).await?;
        core.store.write(Unpark { location_id, id }).await?;
        Ok(counts)
    }

    /// Runs an item again that belonged to no channel when it came.
    ///
    /// # Errors
    /// It still belongs to none, or is not there, or the database failed.
    pub async fn rerun_unrouted(&self, id: UnroutedId) -> Result<Counts, Problem> {
        let core = &self.core;
        let row = core
            .store
            .unrouted_item(id)
            .await?
            .ok_or(Problem::Missing("unrouted item"))?;
        let inbound: Inbound = serde_json::from_str(&row.raw).map_err(|error| {
            Problem::Invalid(format!("the kept item does not read any more: {error}"))
        })?;
        let items = match (&inbound.item, &inbound.raw) {
            (Item::Unknown { .. }, Some(raw)) => {
                parse_again(core, &row.provider, raw, Some(&inbound))
            }
            _ => vec![inbound],
        };
        let counts = again(core, &row.provider, &row.verifier, items).await?;
        if counts.unrouted > 0 {
            return Err(Problem::Invalid(format!(
                "it still belongs to no channel ({}); it stays listed",
                row.reason
            )));
        }
        core.store.write(ForgetUnrouted(id)).await?;
        Ok(counts)
    }
}

/// Lets an event that was put aside wait for its rules once more.
async fn attempt_again(core: &Core, row: EventRow) -> Result<Counts, Problem> {
    let event = row.event;
    let requeue = Requeue {
        location_id: event.location_id,
        id: event.id,
    };
    if !core.store.write(requeue).await? {
        return Err(Problem::Invalid(
            "only an event that was not understood, or was put aside, can be run again".to_owned(),
        ));
    }
    let lane = (event.location_id, event.conversation_id);
    core.inbox.restore(lane, event, Urgency::Live);
    Ok(Counts {
        stored: 1,
        duplicates: 0,
        unrouted: 0,
        dropped: 0,
    })
}

fn parse_again(
    core: &Core,
    provider: &str,
    raw: &str,
    otherwise: Option<&Inbound>,
) -> Vec<Inbound> {
    let items = core
        .adapters
        .get(provider)
        .map(|adapter| adapter.parse(raw))
        .unwrap_or_default();
    if items.is_empty() {
        otherwise.cloned().into_iter().collect()
    } else {
        items
    }
}

async fn again(
    core: &Core,
    provider: &str,
    verifier: &str,
    items: Vec<Inbound>,
) -> Result<Counts, Problem> {
    accept::repeat(core, provider, verifier, items)
        .await
        .map_err(|error| match error {
            accept::Error::NotStored(error) => Problem::Store(error),
            other => Problem::Invalid(other.to_string()),
        })
}
