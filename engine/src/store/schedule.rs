//! When the cron lines of published rules next fall due.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};

use super::{Error, Store};
use crate::domain::ids::{LocationId, RuleId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_schedule")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub handler: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub cron: String,
    pub next_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// A cron line of a published rule, and when it next falls due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) location_id: LocationId,
    pub(crate) rule_id: RuleId,
    pub(crate) handler: String,
    pub(crate) cron: String,
    pub(crate) next_at: Timestamp,
}

impl From<Model> for Schedule {
    fn from(row: Model) -> Self {
        Self {
            location_id: LocationId::from_uuid(row.location_id),
            rule_id: RuleId::from_uuid(row.rule_id),
            handler: row.handler,
            cron: row.cron,
            next_at: Timestamp::from_ms(row.next_at),
        }
    }
}

impl Store {
    /// The cron lines of every location that are due, the longest due first.
    pub(crate) async fn due_schedules(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<Schedule>, Error> {
        let rows = Entity::find()
            .filter(Column::NextAt.lte(now.ms()))
            .order_by_asc(Column::NextAt)
            .limit(limit)
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(Schedule::from).collect())
    }
}

/// Replaces a rule's cron lines by those of its new version. A line that stays keeps its next moment.
pub(super) async fn replace(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    rule_id: RuleId,
    schedules: &[Schedule],
) -> Result<(), Error> {
    let kept: Vec<Schedule> = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::RuleId.eq(rule_id.uuid()))
        .all(tx)
        .await?
        .into_iter()
        .map(Schedule::from)
        .collect();
    clear(tx, location_id, rule_id).await?;
    for schedule in schedules {
        let same = |old: &&Schedule| old.handler == schedule.handler && old.cron == schedule.cron;
        let next_at = kept
            .iter()
            .find(same)
            .map_or(schedule.next_at, |old| old.next_at);
        let row = ActiveModel {
            location_id: Set(location_id.uuid()),
            rule_id: Set(rule_id.uuid()),
            handler: Set(schedule.handler.clone()),
            cron: Set(schedule.cron.clone()),
            next_at: Set(next_at.ms()),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Drops a rule's cron lines.
pub(super) async fn clear(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    rule_id: RuleId,
) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::RuleId.eq(rule_id.uuid()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Moves a cron line on from one moment to the next; false if another node did, or the line is gone.
pub(super) async fn advance(
    tx: &DatabaseTransaction,
    schedule: &Schedule,
    next_at: Option<Timestamp>,
) -> Result<bool, Error> {
    let key = Entity::update_many()
        .filter(Column::LocationId.eq(schedule.location_id.uuid()))
        .filter(Column::RuleId.eq(schedule.rule_id.uuid()))
        .filter(Column::Handler.eq(&schedule.handler))
        .filter(Column::Cron.eq(&schedule.cron))
        .filter(Column::NextAt.eq(schedule.next_at.ms()));
    let next_at = next_at.map_or(i64::MAX, Timestamp::ms);
    let updated = key
        .set(ActiveModel {
            next_at: Set(next_at),
            ..Default::default()
        })
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}
