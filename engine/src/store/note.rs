//! Remarks beside conversations, for people.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};

use super::batch::Batch;
use super::{Error, LocationStore, Operation};
use crate::domain::ids::{ConversationId, LocationId, NoteId, RuleId};
use crate::domain::note::{Author, Note};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_note")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub conversation_id: Uuid,
    pub rule_id: Option<Uuid>,
    pub author: String,
    pub text: String,
    pub created_at: i64,
    pub position: i32,
}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Note {
    fn from(row: Model) -> Self {
        Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: NoteId::from_uuid(row.id),
            conversation_id: ConversationId::from_uuid(row.conversation_id),
            author: match row.rule_id {
                Some(rule_id) => Author::Rule {
                    rule_id: RuleId::from_uuid(rule_id),
                    name: row.author,
                },
                None => Author::Person(row.author),
            },
            text: row.text,
            created_at: Timestamp::from_ms(row.created_at),
            position: u32::try_from(row.position).unwrap_or(0),
        }
    }
}

impl LocationStore<'_> {
    /// The latest notes of a conversation, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn notes(&self, id: ConversationId, limit: u64) -> Result<Vec<Note>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ConversationId.eq(id.uuid()))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Position)
            .limit(limit)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().rev().map(Note::from).collect())
    }
}

/// Writes a note, once.
pub(super) async fn insert(tx: &DatabaseTransaction, note: &Note) -> Result<(), Error> {
    let (rule_id, author) = match &note.author {
        Author::Rule { rule_id, name } => (Some(rule_id.uuid()), name),
        Author::Person(name) => (None, name),
    };
    let row = ActiveModel {
        location_id: Set(note.location_id.uuid()),
        id: Set(note.id.uuid()),
        conversation_id: Set(note.conversation_id.uuid()),
        rule_id: Set(rule_id),
        author: Set(author.clone()),
        text: Set(note.text.clone()),
        created_at: Set(note.created_at.ms()),
        position: Set(i32::try_from(note.position).unwrap_or(i32::MAX)),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::LocationId, Column::Id])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Writes a person's note.
pub(crate) struct AddNote(pub(crate) Note);

impl Operation for AddNote {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        insert(tx, &self.0).await
    }
}
