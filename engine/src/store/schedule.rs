//! When the cron lines of published rules next fall due.

use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, IntoActiveModel, QueryOrder, QuerySelect};

use super::{Error, Store, location};
use crate::domain::ids::{LocationId, RuleId};
use crate::domain::misfire::Misfire;
use crate::domain::occurrence::CronLine;
use crate::domain::time::{Span, Timestamp};
use crate::script::ScheduleLine;

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
    pub misfire: String,
    pub within_ms: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The next moment of a line that never falls due again.
const NEVER: i64 = i64::MAX;

/// A cron line of a published rule, and when it next falls due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) location_id: LocationId,
    pub(crate) rule_id: RuleId,
    pub(crate) handler: String,
    pub(crate) cron: String,
    pub(crate) next_at: Timestamp,
    pub(crate) misfire: Misfire,
}

impl From<Model> for Schedule {
    fn from(row: Model) -> Self {
        Self {
            location_id: LocationId::from_uuid(row.location_id),
            rule_id: RuleId::from_uuid(row.rule_id),
            handler: row.handler,
            cron: row.cron,
            next_at: Timestamp::from_ms(row.next_at),
            // What is unknown to this version is of a later one, which will look after it.
            misfire: Misfire::read(&row.misfire, row.within_ms.map(Span::from_ms))
                .unwrap_or_default(),
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

    /// When the next cron line of any location falls due.
    pub(crate) async fn next_schedule(&self) -> Result<Option<Timestamp>, Error> {
        let row = Entity::find()
            .filter(Column::NextAt.lt(NEVER))
            .order_by_asc(Column::NextAt)
            .one(&self.reader)
            .await?;
        Ok(row.map(|row| Timestamp::from_ms(row.next_at)))
    }
}

/// Replaces a rule's cron lines by those of its new version. A line that stays keeps its next moment,
/// which is one of the location's zone: `move_to` sees to it when the zone changes.
pub(super) async fn replace(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    rule_id: RuleId,
    lines: &[ScheduleLine],
    now: Timestamp,
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
    let zone = location::time_zone(tx, location_id).await?;
    for line in lines {
        let same = |old: &&Schedule| old.handler == line.handler && old.cron == line.cron.text();
        let kept = kept.iter().find(same).map(|old| old.next_at);
        let Some(next_at) = kept.or_else(|| line.cron.next(now, zone)) else {
            continue;
        };
        let row = ActiveModel {
            location_id: Set(location_id.uuid()),
            rule_id: Set(rule_id.uuid()),
            handler: Set(line.handler.clone()),
            cron: Set(line.cron.text().to_owned()),
            next_at: Set(next_at.ms()),
            misfire: Set(line.misfire.name().to_owned()),
            within_ms: Set(line.misfire.within().map(Span::ms)),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// The location's clocks are elsewhere now: its cron lines fall due by them.
pub(super) async fn move_to(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    zone: Tz,
    now: Timestamp,
) -> Result<(), Error> {
    let rows = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .all(tx)
        .await?;
    for row in rows {
        // Every line was read when it was published; one of an older grammar stays as it is.
        let Ok(line) = CronLine::parse(&row.cron) else {
            continue;
        };
        let next_at = line.next(now, zone).map_or(NEVER, Timestamp::ms);
        let mut row = row.into_active_model();
        row.next_at = Set(next_at);
        Entity::update(row).exec(tx).await?;
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
    let next_at = next_at.map_or(NEVER, Timestamp::ms);
    let updated = key
        .set(ActiveModel {
            next_at: Set(next_at),
            ..Default::default()
        })
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}
