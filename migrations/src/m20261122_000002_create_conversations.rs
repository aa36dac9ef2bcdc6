//! Customers, their addresses, conversations, and what rules remember of them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, text_null, uuid};

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
                    .table("rejoinder_contact")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(text("name"))
                    .col(text_null("phone"))
                    .col(text("language"))
                    .col(text("tags"))
                    .col(text("attributes"))
                    .col(boolean("opted_out"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_address")
                    .col(uuid("location_id"))
                    .col(text("kind"))
                    .col(text("value"))
                    .col(uuid("contact_id"))
                    .primary_key(Index::create().col("location_id").col("kind").col("value"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_conversation")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(uuid("channel_id"))
                    .col(uuid("contact_id"))
                    .col(text("address_kind"))
                    .col(text("address_value"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        // Apart from the conversation, because accepting a message must never wait for the row
        // that is locked while a rule runs.
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_lane")
                    .col(uuid("location_id"))
                    .col(uuid("conversation_id"))
                    .col(big_integer("next_seq"))
                    .col(big_integer_null("window_until"))
                    .col(big_integer_null("last_inbound_at"))
                    .col(big_integer_null("last_person_at"))
                    // The number of the last event by which the customer, or a person, said something.
                    .col(big_integer("last_said_seq"))
                    .col(text_null("held_by"))
                    .col(big_integer_null("held_until"))
                    .primary_key(Index::create().col("location_id").col("conversation_id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_rule_state")
                    .col(uuid("location_id"))
                    .col(uuid("conversation_id"))
                    .col(uuid("rule_id"))
                    .col(text("state"))
                    .primary_key(
                        Index::create()
                            .col("location_id")
                            .col("conversation_id")
                            .col("rule_id"),
                    )
                    .to_owned(),
            )
            .await?;
        execute(
            manager,
            &[
                "CREATE INDEX rejoinder_address_contact ON rejoinder_address (location_id, contact_id)",
                "CREATE UNIQUE INDEX rejoinder_conversation_identity \
                 ON rejoinder_conversation (location_id, channel_id, contact_id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            &[
                "rejoinder_rule_state",
                "rejoinder_lane",
                "rejoinder_conversation",
                "rejoinder_address",
                "rejoinder_contact",
            ],
        )
        .await
    }
}
