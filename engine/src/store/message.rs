//! What was said to the business, or by its people. What the engine sends is in `delivery`.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult, QueryOrder, QuerySelect};
use serde_json::json;

use super::{Error, LocationStore, batch, read_json, sql, write_json};
use crate::domain::ids::{ChannelId, ConversationId, LocationId, MessageId};
use crate::domain::inbound::Stage;
use crate::domain::message::{Body, Message};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_message")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub channel_id: Uuid,
    pub conversation_id: Uuid,
    pub provider_id: String,
    pub origin: String,
    pub kind: String,
    pub text: String,
    pub content: String,
    pub at: i64,
    pub status: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A line of a conversation that we did not send.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRow {
    /// This message.
    pub id: MessageId,
    /// `customer`, `phone` or `inbox`.
    pub origin: String,
    /// What it says.
    pub message: Message,
    /// The provider's time.
    pub at: Timestamp,
    /// How far it has come, for a person's messages as far as told.
    pub status: Option<String>,
}

impl TryFrom<Model> for MessageRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: MessageId::from_uuid(row.id),
            origin: row.origin,
            message: read_json("message", &row.content)?,
            at: Timestamp::from_ms(row.at),
            status: row.status,
        })
    }
}

impl LocationStore<'_> {
    /// The latest `limit` lines of a conversation that we did not send, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn messages(&self, id: ConversationId, limit: u64) -> Result<Vec<MessageRow>, Error> {
        let mut rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ConversationId.eq(id.uuid()))
            .order_by_desc(Column::At)
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.reverse();
        rows.into_iter().map(MessageRow::try_from).collect()
    }
}

impl LocationStore<'_> {
    /// What customers wrote to a channel since a time, the latest first, and when.
    pub(crate) async fn said_to(
        &self,
        channel_id: ChannelId,
        since: Timestamp,
        limit: u64,
    ) -> Result<Vec<(String, Timestamp)>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ChannelId.eq(channel_id.uuid()))
            .filter(Column::Origin.eq("customer"))
            .filter(Column::At.gte(since.ms()))
            .order_by_desc(Column::At)
            .limit(limit)
            .all(self.reader())
            .await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| (row.text, Timestamp::from_ms(row.at)))
            .collect())
    }
}

#[derive(FromQueryResult)]
struct Previous {
    at: i64,
}

impl LocationStore<'_> {
    /// When the customer wrote last before a message whose event has the number `seq`, as the provider
    /// dates it. What was imported has no event, and was before.
    pub(crate) async fn previous_message_at(
        &self,
        id: ConversationId,
        message: &Message,
        seq: i64,
    ) -> Result<Option<Timestamp>, Error> {
        const TEXT: &str = "SELECT m.at FROM rejoinder_message m LEFT JOIN rejoinder_event e \
             ON e.location_id = m.location_id AND e.channel_id = m.channel_id AND e.kind = 'message' \
             AND e.external_key = m.provider_id \
             WHERE m.location_id = $1 AND m.conversation_id = $2 AND m.origin = 'customer' AND m.kind <> 'system' \
             AND m.provider_id <> $3 AND (e.seq IS NULL OR e.seq < $4) ORDER BY m.at DESC LIMIT 1";
        let values = [
            self.location_id.uuid().into(),
            id.uuid().into(),
            message.provider_id.as_str().into(),
            seq.into(),
        ];
        let previous = Previous::find_by_statement(sql(self.reader(), TEXT, values))
            .one(self.reader())
            .await?;
        Ok(previous.map(|row| Timestamp::from_ms(row.at)))
    }
}

/// Where a line belongs and who wrote it.
pub(super) struct NewMessage<'a> {
    pub(super) location_id: LocationId,
    pub(super) channel_id: ChannelId,
    pub(super) conversation_id: ConversationId,
    pub(super) origin: &'a str,
    pub(super) message: &'a Message,
    pub(super) at: Timestamp,
}

/// A line as it is written in bulk.
pub(super) fn row(new: &NewMessage<'_>) -> batch::Row {
    vec![
        batch::uuid(new.location_id.uuid()),
        batch::uuid(MessageId::generate().uuid()),
        batch::uuid(new.channel_id.uuid()),
        batch::uuid(new.conversation_id.uuid()),
        json!(new.message.provider_id),
        json!(new.origin),
        json!(new.message.body.kind()),
        json!(new.message.body.text()),
        json!(write_json(new.message)),
        json!(new.at.ms()),
    ]
}

/// Stores a line unless the channel has one of that provider's id.
pub(super) async fn insert(tx: &DatabaseTransaction, new: &NewMessage<'_>) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(new.location_id.uuid()),
        id: Set(MessageId::generate().uuid()),
        channel_id: Set(new.channel_id.uuid()),
        conversation_id: Set(new.conversation_id.uuid()),
        provider_id: Set(new.message.provider_id.clone()),
        origin: Set(new.origin.to_owned()),
        kind: Set(new.message.body.kind().to_owned()),
        text: Set(new.message.body.text().to_owned()),
        content: Set(write_json(new.message)),
        at: Set(new.at.ms()),
        status: Set(None),
    };
    let key = [Column::LocationId, Column::ChannelId, Column::ProviderId];
    Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Applies an edit or a deletion to the line it is about, if we have it.
pub(super) async fn revise(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    revision: &Body,
) -> Result<(), Error> {
    let (provider_id, body) = match revision {
        Body::Edit { message_id, body } => (message_id, body.as_ref().clone()),
        Body::Revoke { message_id } => (message_id, revision.clone()),
        _ => return Ok(()),
    };
    let Some(row) = find(tx, location_id, channel_id, provider_id).await? else {
        return Ok(());
    };
    let mut message: Message = read_json("message", &row.content)?;
    message.body = body;
    let change = ActiveModel {
        location_id: Set(row.location_id),
        id: Set(row.id),
        kind: Set(message.body.kind().to_owned()),
        text: Set(message.body.text().to_owned()),
        content: Set(write_json(&message)),
        ..Default::default()
    };
    Entity::update(change).exec(tx).await?;
    Ok(())
}

/// Notes how far a person's message has come; it never goes back.
pub(super) async fn advance(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    provider_id: &str,
    stage: Stage,
) -> Result<(), Error> {
    let Some(row) = find(tx, location_id, channel_id, provider_id).await? else {
        return Ok(());
    };
    const ORDER: [Stage; 6] = [
        Stage::Accepted,
        Stage::Sent,
        Stage::Failed,
        Stage::Delivered,
        Stage::Read,
        Stage::Played,
    ];
    let rank = |name: &str| ORDER.iter().position(|stage| stage.name() == name);
    if row.status.as_deref().and_then(rank) >= rank(stage.name()) {
        return Ok(());
    }
    let change = ActiveModel {
        location_id: Set(row.location_id),
        id: Set(row.id),
        status: Set(Some(stage.name().to_owned())),
        ..Default::default()
    };
    Entity::update(change).exec(tx).await?;
    Ok(())
}

/// Fills in a line that was a placeholder: imported history tells of a file first, and sends it later.
/// False if there is no line of that provider's id.
pub(super) async fn enrich(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    message: &Message,
) -> Result<bool, Error> {
    let Some(row) = find(tx, location_id, channel_id, &message.provider_id).await? else {
        return Ok(false);
    };
    if row.kind == "unsupported" && message.body.kind() != "unsupported" {
        let change = ActiveModel {
            location_id: Set(row.location_id),
            id: Set(row.id),
            kind: Set(message.body.kind().to_owned()),
            text: Set(message.body.text().to_owned()),
            content: Set(write_json(message)),
            ..Default::default()
        };
        Entity::update(change).exec(tx).await?;
    }
    Ok(true)
}

async fn find(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    provider_id: &str,
) -> Result<Option<Model>, Error> {
    let row = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ChannelId.eq(channel_id.uuid()))
        .filter(Column::ProviderId.eq(provider_id))
        .one(tx)
        .await?;
    Ok(row)
}
