//! What rules made of events, and why.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::json;

use super::{Error, LocationStore, batch, read_json, write_json};
use crate::domain::ids::{EventId, LocationId, RuleId, RunId};
use crate::domain::run::Run;
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub event_id: Uuid,
    pub rule_id: Uuid,
    pub version: i32,
    pub handler: String,
    pub outcome: String,
    pub effects: String,
    pub trace: String,
    pub decided_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A run as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// What was looked at, who looked, and what came of it.
    pub run: Run,
    /// The moment of decision: what `now()` said.
    pub decided_at: Timestamp,
}

impl TryFrom<Model> for RunRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            run: Run {
                id: RunId::from_uuid(row.id),
                event_id: EventId::from_uuid(row.event_id),
                rule_id: RuleId::from_uuid(row.rule_id),
                version: row.version,
                handler: row.handler,
                outcome: read_json("run", &row.outcome)?,
                effects: read_json("run", &row.effects)?,
                trace: read_json("run", &row.trace)?,
            },
            decided_at: Timestamp::from_ms(row.decided_at),
        })
    }
}

impl LocationStore<'_> {
    /// The runs that looked at an event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runs(&self, event_id: EventId) -> Result<Vec<RunRow>, Error> {
        let mut rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::EventId.eq(event_id.uuid()))
            .all(self.reader())
            .await?;
        // Asked for an order, SQLite walks all runs of the location in it instead of looking the event up.
        rows.sort_by_key(|row| row.id);
        rows.into_iter().map(RunRow::try_from).collect()
    }
}

impl LocationStore<'_> {
    /// The location's first `limit` runs, in the order in which they were decided.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn all_runs(&self, limit: u64) -> Result<Vec<RunRow>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_asc(Column::DecidedAt)
            .order_by_asc(Column::EventId)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(RunRow::try_from).collect()
    }
}

/// A run as it is written in bulk.
pub(super) fn row(location_id: LocationId, run: &Run, decided_at: Timestamp) -> batch::Row {
    vec![
        batch::uuid(location_id.uuid()),
        batch::uuid(run.id.uuid()),
        batch::uuid(run.event_id.uuid()),
        batch::uuid(run.rule_id.uuid()),
        json!(run.version),
        json!(run.handler),
        json!(write_json(&run.outcome)),
        json!(write_json(&run.effects)),
        json!(write_json(&run.trace)),
        json!(decided_at.ms()),
    ]
}
