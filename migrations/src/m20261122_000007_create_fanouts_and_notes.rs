//! Functions that are called for many chats, notes beside conversations, and who should take one over.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, text, text_null, uuid, uuid_null,
};

use crate::{drop_tables, execute};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_fanout")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("rule_id"))
                    .col(uuid("event_id"))
                    .col(text("handler"))
                    .col(text("filter"))
                    .col(text_null("args"))
                    // The last conversation that was looked at.
                    .col(uuid_null("cursor"))
                    .col(text("state"))
                    .col(big_integer("not_before"))
                    // Those of a location take turns by it.
                    .col(big_integer("paged_at"))
                    .col(integer("visited"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("ended_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_note")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("conversation_id"))
                    .col(uuid_null("rule_id"))
                    .col(text("author"))
                    .col(text("text"))
                    .col(big_integer("created_at"))
                    // The place among those of one moment.
                    .col(integer("position"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        execute(
            manager,
            &[
                "CREATE INDEX rejoinder_fanout_open ON rejoinder_fanout (location_id, not_before) \
                 WHERE state = 'open'",
                "CREATE INDEX rejoinder_fanout_pace ON rejoinder_fanout (location_id, not_before)",
                "CREATE INDEX rejoinder_fanout_created ON rejoinder_fanout (location_id, created_at)",
                "CREATE INDEX rejoinder_note_conversation \
                 ON rejoinder_note (location_id, conversation_id, created_at)",
                "ALTER TABLE rejoinder_lane ADD COLUMN assigned_to TEXT",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            &["ALTER TABLE rejoinder_lane DROP COLUMN assigned_to"],
        )
        .await?;
        drop_tables(manager, &["rejoinder_note", "rejoinder_fanout"]).await
    }
}
