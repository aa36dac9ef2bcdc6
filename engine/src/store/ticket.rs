//! Tickets of the bridge page, by the hash of their word. Knows neither the word nor the page.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};

use super::batch::Batch;
use super::{BeginOnboarding, Error, Operation, Store, StoredOnboarding};
use crate::domain::ids::{LocationId, OnboardingId, TicketId, TokenId};
use crate::domain::ticket::Ticket;
use crate::domain::time::Timestamp;

/// Tickets of a location that are kept: those before them go when a new one is made. A page makes one for
/// each visit.
const MAX_KEPT: u64 = 100;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_bridge_ticket")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub hash: String,
    pub token_id: Option<Uuid>,
    pub origin: String,
    pub name: String,
    pub coexistence: bool,
    pub created_at: i64,
    pub expires_at: i64,
    pub used_at: Option<i64>,
    pub onboarding_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Ticket {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let origin = row.origin.parse();
        let origin = origin.map_err(|error| Error::corrupt("bridge_ticket", error))?;
        Ok(Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: TicketId::from_uuid(row.id),
            token_id: row.token_id.map(TokenId::from_uuid),
            origin,
            name: row.name,
            coexistence: row.coexistence,
            created_at: Timestamp::from_ms(row.created_at),
            expires_at: Timestamp::from_ms(row.expires_at),
            used_at: row.used_at.map(Timestamp::from_ms),
            onboarding_id: row.onboarding_id.map(OnboardingId::from_uuid),
        })
    }
}

impl Store {
    /// The ticket whose word has this hash.
    pub(crate) async fn ticket(&self, hash: &str) -> Result<Option<Ticket>, Error> {
        let row = Entity::find()
            .filter(Column::Hash.eq(hash))
            .one(&self.reader)
            .await?;
        row.map(Ticket::try_from).transpose()
    }
}

/// Keeps a new ticket, and forgets the oldest where there are too many.
pub(crate) struct CreateTicket {
    pub(crate) ticket: Ticket,
    pub(crate) hash: String,
}

impl Operation for CreateTicket {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let ticket = &self.ticket;
        let location_id = ticket.location_id.uuid();
        let row = ActiveModel {
            location_id: Set(location_id),
            id: Set(ticket.id.uuid()),
            hash: Set(self.hash.clone()),
            token_id: Set(ticket.token_id.map(TokenId::uuid)),
            origin: Set(ticket.origin.as_str().to_owned()),
            name: Set(ticket.name.clone()),
            coexistence: Set(ticket.coexistence),
            created_at: Set(ticket.created_at.ms()),
            expires_at: Set(ticket.expires_at.ms()),
            used_at: Set(None),
            onboarding_id: Set(None),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
        let first_to_go = Entity::find()
            .filter(Column::LocationId.eq(location_id))
            .order_by_desc(Column::Id)
            .offset(MAX_KEPT)
            .limit(1)
            .one(tx)
            .await?;
        if let Some(first_to_go) = first_to_go {
            Entity::delete_many()
                .filter(Column::LocationId.eq(location_id))
                .filter(Column::Id.lte(first_to_go.id))
                .exec(tx)
                .await?;
        }
        Ok(())
    }
}

/// Uses a ticket up, and begins what it is used for; false if somebody else was quicker, or it has expired.
pub(crate) struct UseTicket {
    pub(crate) hash: String,
    pub(crate) now: Timestamp,
    pub(crate) onboarding: StoredOnboarding,
}

impl Operation for UseTicket {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, batch: &mut Batch) -> Result<bool, Error> {
        let onboarding = &self.onboarding.onboarding;
        let used = Entity::update_many()
            .col_expr(Column::UsedAt, Expr::value(self.now.ms()))
            .col_expr(Column::OnboardingId, Expr::value(onboarding.id.uuid()))
            .filter(Column::Hash.eq(&self.hash))
            .filter(Column::LocationId.eq(onboarding.location_id.uuid()))
            .filter(Column::UsedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.now.ms()))
            .exec(tx)
            .await?;
        if used.rows_affected != 1 {
            return Ok(false);
        }
        let begin = BeginOnboarding(self.onboarding.clone());
        begin.apply(tx, batch).await?;
        Ok(true)
    }
}
