//! What a rule remembers of a conversation.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use serde_json::{Map, Value, json};

use super::{Error, LocationStore, batch, read_json, write_json};
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

/// What a rule remembers, as it is written in bulk.
pub(super) fn row(
    location_id: LocationId,
    conversation_id: ConversationId,
    rule_id: RuleId,
    state: &Map<String, Value>,
) -> batch::Row {
    vec![
        batch::uuid(location_id.uuid()),
        batch::uuid(conversation_id.uuid()),
        batch::uuid(rule_id.uuid()),
        json!(write_json(state)),
    ]
}
