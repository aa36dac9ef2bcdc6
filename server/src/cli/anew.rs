//! What failed or was put aside is done anew: `rejoinder deliveries replay` and `rejoinder events run`. Knows no
//! reason why it failed.

use clap::{Subcommand, value_parser};
use rejoinder_engine::Engine;
use rejoinder_engine::domain::ids::{ConversationId, DeliveryId, EventId};
use rejoinder_engine::store::FailedFilter;

use super::traffic::{DELIVERY_COLUMNS, EVENT_COLUMNS, free};
use super::{Failure, open};
use crate::api::deliveries::{self, DeliveriesJson, DeliveryJson, MAX_REPLAYED};
use crate::api::events::{self, CountsJson, MAX_RERUN, RanJson};
use crate::out::{self, Column, Format};

const RAN_COLUMNS: [Column; 2] = [("EVENT", "id"), ("PROBLEM", "problem")];

#[derive(Debug, Subcommand)]
pub(super) enum Deliveries {
    /// Send what failed anew: one, or all that are meant
    Replay {
        /// Only this one [default: all that failed]
        #[arg(conflicts_with_all = ["reason", "conversation", "limit", "dry_run"])]
        delivery: Option<DeliveryId>,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
        /// Those that failed for one reason, such as expired
        #[arg(long)]
        reason: Option<String>,
        /// Those of one conversation
        #[arg(long, value_name = "ID")]
        conversation: Option<ConversationId>,
        /// Show what would be sent, and send nothing
        #[arg(long)]
        dry_run: bool,
        /// How many at most, the oldest first
        #[arg(long, default_value_t = MAX_REPLAYED, value_parser = value_parser!(u64).range(1..=MAX_REPLAYED))]
        limit: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Run again what was put aside or not understood
    Run {
        /// Only this one [default: all that were put aside]
        #[arg(conflicts_with_all = ["limit", "dry_run"])]
        event: Option<EventId>,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
        /// Show what would be run, and run nothing
        #[arg(long)]
        dry_run: bool,
        /// How many at most, the oldest first
        #[arg(long, default_value_t = MAX_RERUN, value_parser = value_parser!(u64).range(1..=MAX_RERUN))]
        limit: u64,
    },
}

impl Deliveries {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let Self::Replay {
            delivery,
            location,
            reason,
            conversation,
            dry_run,
            limit,
        } = self;
        let location = open::location(engine, location.as_deref()).await?;
        let store = engine.store().of(location.id);
        if let Some(id) = delivery {
            free(engine, "POST /api/v1/locations/{id}/deliveries/{id}/replay").await?;
            let new = engine.replay_delivery(location.id, id).await?;
            if let Some(row) = store.delivery(new).await? {
                format.one(&DeliveryJson::from(row));
            }
            leaves_later();
            return Ok(());
        }
        let filter = FailedFilter {
            reason: reason.as_deref().map(deliveries::reason).transpose()?,
            conversation_id: conversation,
        };
        let rows = if dry_run {
            store.failed(&filter, limit).await?
        } else {
            free(engine, "POST /api/v1/locations/{id}/deliveries/replay").await?;
            deliveries::replay_all(engine, location.id, &filter, limit).await?
        };
        let is_stored = !dry_run && !rows.is_empty();
        format.list(&DeliveriesJson::from(rows), "deliveries", &DELIVERY_COLUMNS);
        if is_stored {
            leaves_later();
        }
        Ok(())
    }
}

impl Events {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let Self::Run {
            event,
            location,
            dry_run,
            limit,
        } = self;
        let location = open::location(engine, location.as_deref()).await?;
        if let Some(id) = event {
            free(engine, "POST /api/v1/locations/{id}/events/{id}/run").await?;
            let counts = engine.rerun_event(location.id, id).await?;
            format.one(&CountsJson::from(counts));
        } else if dry_run {
            let parked = events::parked(&engine.store().of(location.id), limit).await?;
            format.list(&parked, "events", &EVENT_COLUMNS);
            return Ok(());
        } else {
            free(engine, "POST /api/v1/locations/{id}/events/run").await?;
            let ran = engine.rerun_parked(location.id, limit).await?;
            format.list(&RanJson::from(ran), "events", &RAN_COLUMNS);
        }
        out::note("What waits for its rules is decided once `rejoinder serve` runs.");
        Ok(())
    }
}

fn leaves_later() {
    out::note("It is stored, and leaves once `rejoinder serve` runs.");
}
