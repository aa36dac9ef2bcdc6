//! Numbers on their way to being connected, and what webhooks told of them. What must stay hidden is
//! sealed by the caller.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};

use super::batch::Batch;
use super::{
    Error, LocationStore, Operation, Store, event, location, read_json, sweep, write_json,
};
use crate::domain::event::Payload;
use crate::domain::ids::{ChannelId, LocationId, OnboardingId};
use crate::domain::onboarding::{Onboarding, Reports};
use crate::domain::time::Timestamp;

/// Onboardings of a location that are kept: those before them go when a new one begins.
const MAX_KEPT: u64 = 50;
/// Events that are looked at: of a large import the newest tell how far it is.
const MAX_PARTS: u64 = 10_000;
/// News that is handed on.
const MAX_UPDATES: usize = 200;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_onboarding")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider: String,
    pub route: String,
    pub name: String,
    pub facts: String,
    pub steps: String,
    pub secrets: String,
    pub version: i32,
    pub channel_id: Option<Uuid>,
    pub created_at: i64,
    pub updated_at: i64,
    pub due_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// An onboarding with its secrets as sealed.
#[derive(Clone, Debug)]
pub(crate) struct StoredOnboarding {
    pub(crate) onboarding: Onboarding,
    /// Empty if there are none any more.
    pub(crate) secrets: String,
    /// It grows with each change.
    pub(crate) version: i32,
    /// When it is looked after again by itself, if it waits.
    pub(crate) due_at: Option<Timestamp>,
}

impl TryFrom<Model> for StoredOnboarding {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            onboarding: Onboarding {
                location_id: LocationId::from_uuid(row.location_id),
                id: OnboardingId::from_uuid(row.id),
                provider: row.provider,
                route: row.route,
                name: row.name,
                facts: read_json("onboarding", &row.facts)?,
                steps: read_json("onboarding", &row.steps)?,
                channel_id: row.channel_id.map(ChannelId::from_uuid),
                created_at: Timestamp::from_ms(row.created_at),
                updated_at: Timestamp::from_ms(row.updated_at),
            },
            secrets: row.secrets,
            version: row.version,
            due_at: row.due_at.map(Timestamp::from_ms),
        })
    }
}

/// One that is to be looked after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DueOnboarding {
    pub(crate) location_id: LocationId,
    pub(crate) id: OnboardingId,
    /// When anything last came of it.
    pub(crate) updated_at: Timestamp,
}

impl Store {
    /// Onboardings of all locations that are to be looked after, the most overdue first.
    pub(crate) async fn due_onboardings(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<DueOnboarding>, Error> {
        let rows: Vec<(Uuid, Uuid, i64)> = Entity::find()
            .select_only()
            .columns([Column::LocationId, Column::Id, Column::UpdatedAt])
            .filter(Column::DueAt.lte(now.ms()))
            .order_by_asc(Column::DueAt)
            .limit(limit)
            .into_tuple()
            .all(&self.reader)
            .await?;
        let due = |(location_id, id, updated_at)| DueOnboarding {
            location_id: LocationId::from_uuid(location_id),
            id: OnboardingId::from_uuid(id),
            updated_at: Timestamp::from_ms(updated_at),
        };
        Ok(rows.into_iter().map(due).collect())
    }
}

impl LocationStore<'_> {
    /// The location's onboardings, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn onboardings(&self) -> Result<Vec<Onboarding>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_desc(Column::Id)
            .all(self.reader())
            .await?;
        let ids = |row: &Model| (row.location_id, row.id);
        let stored = self.store.readable(rows, ids, StoredOnboarding::try_from);
        Ok(stored.into_iter().map(|stored| stored.onboarding).collect())
    }

    pub(crate) async fn onboarding(
        &self,
        id: OnboardingId,
    ) -> Result<Option<StoredOnboarding>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?;
        row.map(StoredOnboarding::try_from).transpose()
    }

    /// What webhooks of a channel told since a time, besides messages and statuses.
    pub(crate) async fn reports(
        &self,
        channel_id: ChannelId,
        since: Timestamp,
    ) -> Result<Reports, Error> {
        let of_kinds = |kinds: &[&'static str]| {
            event::Entity::find()
                .filter(event::Column::LocationId.eq(self.location_id.uuid()))
                .filter(event::Column::ChannelId.eq(channel_id.uuid()))
                .filter(event::Column::Kind.is_in(kinds.iter().copied()))
                .filter(event::Column::ReceivedAt.gte(since.ms()))
        };
        // Where messages are swept for, and statuses looked up, neither says that webhooks come.
        let key = (self.location_id.uuid(), channel_id.uuid());
        let sweep = sweep::Entity::find_by_id(key).one(self.reader()).await?;
        let heard = match sweep {
            None => of_kinds(&["message", "status", "echo"]),
            Some(sweep) => of_kinds(&["message", "echo"])
                .filter(event::Column::ReceivedAt.gt(sweep.found_at.unwrap_or(0))),
        };
        let is_heard = heard.limit(1).one(self.reader()).await?.is_some();
        let rows = of_kinds(&["history", "address_book", "update"])
            .order_by_desc(event::Column::Id)
            .limit(MAX_PARTS)
            .all(self.reader())
            .await?;
        let mut reports = Reports {
            is_heard,
            ..Reports::default()
        };
        for row in rows {
            match read_json("event", &row.payload)? {
                Payload::History {
                    lines,
                    progress,
                    phase,
                } => {
                    reports.lines += u64::from(lines);
                    // The parts may come in any order.
                    reports.progress = reports.progress.max(Some(progress));
                    reports.phase = reports.phase.max(phase);
                }
                Payload::AddressBook { entries } => {
                    reports.contacts += entries.len().try_into().unwrap_or(u64::MAX);
                }
                Payload::Update { update } if reports.updates.len() < MAX_UPDATES => {
                    reports.updates.push(update);
                }
                _ => {}
            }
        }
        Ok(reports)
    }
}

/// Begins an onboarding, and forgets the oldest where there are too many.
pub(crate) struct BeginOnboarding(pub(crate) StoredOnboarding);

impl Operation for BeginOnboarding {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let location_id = self.0.onboarding.location_id;
        location::must_be_there(tx, location_id).await?;
        Entity::insert(row(&self.0))
            .exec_without_returning(tx)
            .await?;
        let oldest_kept = Entity::find()
            .filter(Column::LocationId.eq(location_id.uuid()))
            .order_by_desc(Column::Id)
            .offset(MAX_KEPT)
            .limit(1)
            .one(tx)
            .await?;
        if let Some(first_to_go) = oldest_kept {
            Entity::delete_many()
                .filter(Column::LocationId.eq(location_id.uuid()))
                .filter(Column::Id.lte(first_to_go.id))
                .exec(tx)
                .await?;
        }
        Ok(())
    }
}

/// Notes what came of an onboarding; `version` is the one that follows what was read. False if somebody else
/// was quicker, or it is gone.
pub(crate) struct SaveOnboarding(pub(crate) StoredOnboarding);

impl Operation for SaveOnboarding {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let onboarding = &self.0.onboarding;
        let saved = Entity::update_many()
            .set(row(&self.0))
            .filter(Column::LocationId.eq(onboarding.location_id.uuid()))
            .filter(Column::Id.eq(onboarding.id.uuid()))
            .filter(Column::Version.eq(self.0.version - 1))
            .exec(tx)
            .await?;
        Ok(saved.rows_affected == 1)
    }
}

/// Has an onboarding looked after at another time, or not any more, unless somebody has said so meanwhile.
pub(crate) struct PostponeOnboarding {
    pub(crate) location_id: LocationId,
    pub(crate) id: OnboardingId,
    pub(crate) now: Timestamp,
    pub(crate) due_at: Option<Timestamp>,
}

impl Operation for PostponeOnboarding {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        Entity::update_many()
            .col_expr(Column::DueAt, Expr::value(self.due_at.map(Timestamp::ms)))
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::Id.eq(self.id.uuid()))
            .filter(Column::DueAt.lte(self.now.ms()))
            .exec(tx)
            .await?;
        Ok(())
    }
}

/// Forgets an onboarding; false if it was not there.
pub(crate) struct DeleteOnboarding {
    pub(crate) location_id: LocationId,
    pub(crate) id: OnboardingId,
}

impl Operation for DeleteOnboarding {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let key = (self.location_id.uuid(), self.id.uuid());
        let deleted = Entity::delete_by_id(key).exec(tx).await?;
        Ok(deleted.rows_affected > 0)
    }
}

fn row(stored: &StoredOnboarding) -> ActiveModel {
    let onboarding = &stored.onboarding;
    ActiveModel {
        location_id: Set(onboarding.location_id.uuid()),
        id: Set(onboarding.id.uuid()),
        provider: Set(onboarding.provider.clone()),
        route: Set(onboarding.route.clone()),
        name: Set(onboarding.name.clone()),
        facts: Set(write_json(&onboarding.facts)),
        steps: Set(write_json(&onboarding.steps)),
        secrets: Set(stored.secrets.clone()),
        version: Set(stored.version),
        channel_id: Set(onboarding.channel_id.map(ChannelId::uuid)),
        created_at: Set(onboarding.created_at.ms()),
        updated_at: Set(onboarding.updated_at.ms()),
        due_at: Set(stored.due_at.map(Timestamp::ms)),
    }
}
