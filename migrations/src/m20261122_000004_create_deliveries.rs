//! What rules made of events: runs, deliveries, timers, and what exists at the providers for them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, text, text_null, uuid, uuid_null,
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
                    .table("rejoinder_run")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("event_id"))
                    .col(uuid("rule_id"))
                    .col(integer("version"))
                    .col(text("handler"))
                    .col(text("outcome"))
                    .col(text("effects"))
                    .col(text("trace"))
                    // The moment of decision: a repetition of the run is given the same.
                    .col(big_integer("decided_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_delivery")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("conversation_id"))
                    .col(uuid("channel_id"))
                    .col(uuid_null("rule_id"))
                    .col(uuid_null("run_id"))
                    .col(uuid_null("event_id"))
                    .col(text("content"))
                    .col(text_null("fallback"))
                    .col(text_null("reply_to"))
                    .col(text("text_hash"))
                    .col(text("state"))
                    .col(integer("attempts"))
                    .col(text_null("provider_id"))
                    .col(text_null("failure"))
                    .col(big_integer("not_before"))
                    .col(uuid_null("fallback_of"))
                    .col(text_null("idempotency_key"))
                    .col(big_integer("position"))
                    .col(boolean("wants_status"))
                    // Its own retries end five minutes after this.
                    .col(big_integer_null("retrying_since"))
                    // Which process sends it: what another one left in `sending` is in doubt.
                    .col(uuid_null("node"))
                    .col(text("flags"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_timer")
                    .col(uuid("location_id"))
                    .col(uuid("conversation_id"))
                    .col(uuid("rule_id"))
                    .col(text("handler"))
                    .col(uuid("id"))
                    .col(big_integer("due_at"))
                    .col(boolean("if_silent"))
                    .col(text_null("args"))
                    .col(big_integer("set_at"))
                    .col(big_integer("set_seq"))
                    .primary_key(
                        Index::create()
                            .col("location_id")
                            .col("conversation_id")
                            .col("rule_id")
                            .col("handler"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_schedule")
                    .col(uuid("location_id"))
                    .col(uuid("rule_id"))
                    .col(text("handler"))
                    .col(text("cron"))
                    .col(big_integer("next_at"))
                    .primary_key(
                        Index::create()
                            .col("location_id")
                            .col("rule_id")
                            .col("handler")
                            .col("cron"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_resource")
                    .col(uuid("location_id"))
                    .col(text("account"))
                    .col(text("key"))
                    .col(text("reference"))
                    .col(big_integer("used_at"))
                    .primary_key(Index::create().col("location_id").col("account").col("key"))
                    .to_owned(),
            )
            .await?;
        execute(
            manager,
            &[
                "CREATE UNIQUE INDEX rejoinder_run_key ON rejoinder_run (location_id, event_id, rule_id)",
                "CREATE UNIQUE INDEX rejoinder_delivery_provider_id \
                 ON rejoinder_delivery (location_id, channel_id, provider_id)",
                "CREATE UNIQUE INDEX rejoinder_delivery_fallback ON rejoinder_delivery (location_id, fallback_of) \
                 WHERE fallback_of IS NOT NULL",
                "CREATE UNIQUE INDEX rejoinder_delivery_idempotency \
                 ON rejoinder_delivery (location_id, idempotency_key) WHERE idempotency_key IS NOT NULL",
                "CREATE INDEX rejoinder_delivery_conversation \
                 ON rejoinder_delivery (location_id, conversation_id, position)",
                "CREATE INDEX rejoinder_delivery_open ON rejoinder_delivery (location_id, conversation_id, position) \
                 WHERE state IN ('ready', 'sending', 'in_doubt')",
                "CREATE INDEX rejoinder_timer_due ON rejoinder_timer (due_at)",
                "CREATE INDEX rejoinder_schedule_next ON rejoinder_schedule (next_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            &[
                "rejoinder_resource",
                "rejoinder_schedule",
                "rejoinder_timer",
                "rejoinder_delivery",
                "rejoinder_run",
            ],
        )
        .await
    }
}
