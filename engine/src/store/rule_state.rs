//! What a rule remembers of a conversation.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};
use serde_json::{Map, Value};

use super::{Error, LocationStore, read_json, write_json};
use crate::domain::ids::{ConversationId, LocationId, RuleId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_rule_state")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule_id: Uuid,
    pub state: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl LocationStore<'_> {
    /// What each rule remembers of a conversation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rule_states(
        &self,
        id: ConversationId,
    ) -> Result<BTreeMap<RuleId, Map<String, Value>>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::ConversationId.eq(id.uuid()))
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok((
                    RuleId::from_uuid(row.rule_id),
                    read_json("rule_state", &row.state)?,
                ))
            })
            .collect()
    }
}

pub(super) async fn save(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    conversation_id: ConversationId,
    rule_id: RuleId,
    state: &Map<String, Value>,
) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        conversation_id: Set(conversation_id.uuid()),
        rule_id: Set(rule_id.uuid()),
        state: Set(write_json(state)),
    };
    let key = [Column::LocationId, Column::ConversationId, Column::RuleId];
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns(key)
                .update_column(Column::State)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
