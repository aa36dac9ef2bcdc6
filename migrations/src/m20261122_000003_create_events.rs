//! What happened, what was said, and what could not be understood.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, text, text_null, uuid, uuid_null};

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
                    .table("rejoinder_event")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    // Not null: the nil id stands for a location's own events, so that their key is unique too.
                    .col(uuid("channel_id"))
                    .col(uuid_null("conversation_id"))
                    .col(big_integer("seq"))
                    .col(text("kind"))
                    .col(text("external_key"))
                    .col(text("payload"))
                    .col(big_integer("at"))
                    .col(big_integer("received_at"))
                    .col(uuid_null("rule_id"))
                    .col(text("state"))
                    .col(integer("attempts"))
                    // The rules that did not run, and why, as JSON; runs have rows of their own.
                    .col(text_null("visits"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_message")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("channel_id"))
                    .col(uuid("conversation_id"))
                    .col(text("provider_id"))
                    .col(text("origin"))
                    .col(text("kind"))
                    .col(text("text"))
                    .col(text("content"))
                    .col(big_integer("at"))
                    .col(text_null("status"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_unrouted")
                    .col(uuid("id").primary_key())
                    .col(text("provider"))
                    // Whose secret verified the webhook: run again, it serves the same channels and no more.
                    .col(text("verifier"))
                    .col(text("reason"))
                    .col(text("raw"))
                    .col(text("hash"))
                    .col(big_integer("received_at"))
                    .to_owned(),
            )
            .await?;
        execute(
            manager,
            &[
                "CREATE UNIQUE INDEX rejoinder_event_key \
                 ON rejoinder_event (location_id, channel_id, kind, external_key)",
                "CREATE INDEX rejoinder_event_pending ON rejoinder_event (location_id, conversation_id, seq) \
                 WHERE state = 'pending'",
                "CREATE INDEX rejoinder_event_parked ON rejoinder_event (location_id, id) WHERE state = 'parked'",
                "CREATE UNIQUE INDEX rejoinder_message_key \
                 ON rejoinder_message (location_id, channel_id, provider_id)",
                "CREATE INDEX rejoinder_message_conversation \
                 ON rejoinder_message (location_id, conversation_id, at)",
                "CREATE UNIQUE INDEX rejoinder_unrouted_hash ON rejoinder_unrouted (provider, hash)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            &["rejoinder_unrouted", "rejoinder_message", "rejoinder_event"],
        )
        .await
    }
}
