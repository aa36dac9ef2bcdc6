//! Endpoints that a location lets its rules call, and the calls that rules asked for.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, integer_null, text, text_null, uuid, uuid_null,
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
                    .table("rejoinder_endpoint")
                    .col(uuid("location_id"))
                    .col(text("name"))
                    .col(text("url"))
                    .col(text("method"))
                    // The names as JSON, beside the sealed values: listing them opens nothing.
                    .col(text("header_names"))
                    .col(text("headers"))
                    .col(integer("headers_version"))
                    .col(big_integer("timeout_ms"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("location_id").col("name"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_request")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("conversation_id"))
                    .col(uuid("rule_id"))
                    .col(uuid("event_id"))
                    .col(text("endpoint"))
                    .col(text_null("handler"))
                    // Null once it is answered: the answer's event holds it.
                    .col(text_null("data"))
                    .col(text("state"))
                    .col(integer("attempts"))
                    .col(big_integer("not_before"))
                    .col(integer_null("status"))
                    .col(text_null("fault"))
                    // The answer's event that came while someone held the conversation.
                    .col(uuid_null("held_event_id"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("answered_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        execute(
            manager,
            &[
                "CREATE INDEX rejoinder_request_open ON rejoinder_request (location_id, not_before) \
                 WHERE state = 'open'",
                "CREATE INDEX rejoinder_request_held ON rejoinder_request (location_id, conversation_id) \
                 WHERE state = 'held'",
                "CREATE INDEX rejoinder_request_created ON rejoinder_request (location_id, created_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["rejoinder_request", "rejoinder_endpoint"]).await
    }
}
