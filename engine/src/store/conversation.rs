//! Conversations, read together with their lane: the window, and who is in charge.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult, QueryResult};

use super::{Error, LocationStore, contact, lane, sql};
use crate::domain::contact::{Address, Contact, Peer, Phone};
use crate::domain::conversation::{Conversation, HeldBy, Hold};
use crate::domain::ids::{ChannelId, ContactId, ConversationId, LocationId};
use crate::domain::time::Timestamp;
use crate::domain::window::Window;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_conversation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub channel_id: Uuid,
    pub contact_id: Uuid,
    pub address_kind: String,
    pub address_value: String,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(FromQueryResult)]
struct Row {
    location_id: Uuid,
    id: Uuid,
    channel_id: Uuid,
    contact_id: Uuid,
    address_kind: String,
    address_value: String,
    window_until: Option<i64>,
    last_inbound_at: Option<i64>,
    last_person_at: Option<i64>,
    last_said_seq: i64,
    assigned_to: Option<String>,
    held_by: Option<String>,
    held_until: Option<i64>,
}

const SELECT: &str = "SELECT c.location_id, c.id, c.channel_id, c.contact_id, c.address_kind, c.address_value, \
     l.window_until, l.last_inbound_at, l.last_person_at, l.last_said_seq, l.assigned_to, l.held_by, l.held_until \
     FROM rejoinder_conversation c JOIN rejoinder_lane l \
     ON l.location_id = c.location_id AND l.conversation_id = c.id";

const SELECT_BOTH: &str = "SELECT c.location_id, c.id, c.channel_id, c.contact_id, c.address_kind, c.address_value, \
     l.window_until, l.last_inbound_at, l.last_person_at, l.last_said_seq, l.assigned_to, l.held_by, l.held_until, \
     k.name, k.phone, k.language, k.tags, k.attributes, k.opted_out, k.created_at \
     FROM rejoinder_conversation c \
     JOIN rejoinder_lane l ON l.location_id = c.location_id AND l.conversation_id = c.id \
     JOIN rejoinder_contact k ON k.location_id = c.location_id AND k.id = c.contact_id";

fn read_both(row: &QueryResult) -> Result<(Conversation, Contact), Error> {
    let facts = contact::Facts::from_query_result(row, "")?;
    let row = Row::from_query_result(row, "")?;
    let contact = facts.into_contact(row.location_id, row.contact_id)?;
    Ok((Conversation::try_from(row)?, contact))
}

impl TryFrom<Row> for Conversation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let address = read_address(&row.address_kind, &row.address_value)?;
        let hold = row
            .held_by
            .as_deref()
            .and_then(HeldBy::parse)
            .zip(row.held_until);
        Ok(Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: ConversationId::from_uuid(row.id),
            channel_id: ChannelId::from_uuid(row.channel_id),
            contact_id: ContactId::from_uuid(row.contact_id),
            address,
            hold: hold.map(|(by, until)| Hold {
                by,
                until: Timestamp::from_ms(until),
            }),
            window: Window {
                until: row.window_until.map(Timestamp::from_ms),
            },
            last_inbound_at: row.last_inbound_at.map(Timestamp::from_ms),
            last_person_at: row.last_person_at.map(Timestamp::from_ms),
            last_said_seq: row.last_said_seq,
            assigned_to: row.assigned_to.unwrap_or_default(),
        })
    }
}

fn read_address(kind: &str, value: &str) -> Result<Address, Error> {
    let address = match kind {
        "phone" => Phone::parse(value).map(Address::Phone),
        "user_id" => Some(Address::UserId(value.to_owned())),
        _ => None,
    };
    address.ok_or_else(|| Error::corrupt("conversation", "its address"))
}

impl LocationStore<'_> {
    /// A conversation, its window and who holds it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let text = format!("{SELECT} WHERE c.location_id = $1 AND c.id = $2");
        let statement = sql(
            self.reader(),
            &text,
            [self.location_id.uuid().into(), id.uuid().into()],
        );
        Row::find_by_statement(statement)
            .one(self.reader())
            .await?
            .map(Conversation::try_from)
            .transpose()
    }

    /// A conversation with its contact, read together.
    pub(crate) async fn conversation_and_contact(
        &self,
        id: ConversationId,
    ) -> Result<Option<(Conversation, Contact)>, Error> {
        let text = format!("{SELECT_BOTH} WHERE c.location_id = $1 AND c.id = $2");
        let values = [self.location_id.uuid().into(), id.uuid().into()];
        let row = self
            .reader()
            .query_one_raw(sql(self.reader(), &text, values))
            .await?;
        row.as_ref().map(read_both).transpose()
    }

    /// Conversations that began by a moment, with their contacts, in the order of their ids, after the one
    /// named. One that does not read stands for itself alone.
    pub(crate) async fn conversations_with_contacts(
        &self,
        after: Option<ConversationId>,
        began_by: Timestamp,
        limit: u64,
    ) -> Result<Vec<(ConversationId, Option<(Conversation, Contact)>)>, Error> {
        let text = format!(
            "{SELECT_BOTH} WHERE c.location_id = $1 AND c.id > $2 AND c.created_at <= $3 ORDER BY c.id LIMIT $4"
        );
        let values = [
            self.location_id.uuid().into(),
            after.map_or(Uuid::nil(), ConversationId::uuid).into(),
            began_by.ms().into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let rows = self
            .reader()
            .query_all_raw(sql(self.reader(), &text, values))
            .await?;
        let mut chats = Vec::with_capacity(rows.len());
        for row in &rows {
            let ids: (Uuid, Uuid) = (row.try_get("", "location_id")?, row.try_get("", "id")?);
            let chat = read_both(row).inspect_err(|error| self.store.tell_unreadable(ids, error));
            chats.push((ConversationId::from_uuid(ids.1), chat.ok()));
        }
        Ok(chats)
    }

    /// The location's conversations, oldest first, after the one named.
    ///
    /// # Errors
    /// The database failed.
    pub async fn conversations(
        &self,
        after: Option<ConversationId>,
        limit: u64,
    ) -> Result<Vec<Conversation>, Error> {
        let after = after.map_or(Uuid::nil(), ConversationId::uuid);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let text =
            format!("{SELECT} WHERE c.location_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3");
        let statement = sql(
            self.reader(),
            &text,
            [self.location_id.uuid().into(), after.into(), limit.into()],
        );
        let rows = Row::find_by_statement(statement).all(self.reader()).await?;
        rows.into_iter().map(Conversation::try_from).collect()
    }
}

/// Finds the conversation of a channel with a contact, and where its answers go, or creates it with its lane.
pub(super) async fn resolve(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    channel_id: ChannelId,
    contact_id: ContactId,
    peer: &Peer,
    now: Timestamp,
) -> Result<(ConversationId, Address), Error> {
    let known = Entity::find()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ChannelId.eq(channel_id.uuid()))
        .filter(Column::ContactId.eq(contact_id.uuid()))
        .one(tx)
        .await?;
    if let Some(row) = known {
        let address = read_address(&row.address_kind, &row.address_value)?;
        return Ok((ConversationId::from_uuid(row.id), address));
    }
    let address = peer
        .addresses()
        .next()
        .ok_or_else(|| Error::corrupt("conversation", "no address to answer to"))?;
    // The id follows from its parts, so that two nodes that create it at once create the same.
    let id = ConversationId::derive(&[location_id.bytes(), channel_id.bytes(), contact_id.bytes()]);
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        id: Set(id.uuid()),
        channel_id: Set(channel_id.uuid()),
        contact_id: Set(contact_id.uuid()),
        address_kind: Set(address.kind().to_owned()),
        address_value: Set(address.value().to_owned()),
        created_at: Set(now.ms()),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::LocationId, Column::Id])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    lane::create(tx, location_id, id).await?;
    Ok((id, address))
}

/// From now on answers to a contact go to another address; with a `kind`, only where they went to one of
/// that kind. The window of a conversation that moves is shut: the new address has not written yet.
pub(super) async fn readdress(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    contact_id: ContactId,
    kind: &str,
    address: &Address,
) -> Result<(), Error> {
    const MOVING: &str = "location_id = $1 AND contact_id = $2 AND ($3 = '' OR address_kind = $3) \
         AND NOT (address_kind = $4 AND address_value = $5)";
    let shut = format!(
        "UPDATE rejoinder_lane SET window_until = NULL WHERE location_id = $1 \
         AND conversation_id IN (SELECT id FROM rejoinder_conversation WHERE {MOVING})"
    );
    let moved = format!(
        "UPDATE rejoinder_conversation SET address_kind = $4, address_value = $5 WHERE {MOVING}"
    );
    for text in [shut, moved] {
        let values = [
            location_id.uuid().into(),
            contact_id.uuid().into(),
            kind.into(),
            address.kind().into(),
            address.value().into(),
        ];
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

/// The customer of a conversation.
pub(super) async fn contact_of(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
) -> Result<Option<ContactId>, Error> {
    let row = Entity::find_by_id((location_id.uuid(), id.uuid()))
        .one(tx)
        .await?;
    Ok(row.map(|row| ContactId::from_uuid(row.contact_id)))
}

/// The channel of a conversation.
pub(super) async fn channel_of(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ConversationId,
) -> Result<Option<ChannelId>, Error> {
    let row = Entity::find_by_id((location_id.uuid(), id.uuid()))
        .one(tx)
        .await?;
    Ok(row.map(|row| ChannelId::from_uuid(row.channel_id)))
}
