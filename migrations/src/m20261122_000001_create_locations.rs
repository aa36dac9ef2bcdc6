//! Tenants, their numbers, their rules, and the tokens of the API.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, integer_null, text, text_null, uuid, uuid_null,
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
                    .table("rejoinder_location")
                    .col(uuid("id").primary_key())
                    .col(text("name"))
                    .col(text("time_zone"))
                    .col(text("settings"))
                    // The location's data key, sealed by the master key ring.
                    .col(text("data_key"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_channel")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(text("provider"))
                    .col(text("account"))
                    .col(text("key"))
                    .col(text("phone"))
                    .col(text("name"))
                    .col(text("settings"))
                    .col(text("credentials"))
                    .col(integer("credentials_version"))
                    .col(boolean("enabled"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_rule")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(text("name"))
                    .col(integer("position"))
                    .col(boolean("enabled"))
                    .col(text("draft"))
                    .col(integer_null("published"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_rule_version")
                    .col(uuid("location_id"))
                    .col(uuid("rule_id"))
                    .col(integer("version"))
                    .col(text("source"))
                    .col(big_integer("published_at"))
                    .primary_key(
                        Index::create()
                            .col("location_id")
                            .col("rule_id")
                            .col("version"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_token")
                    .col(uuid("id").primary_key())
                    .col(text("name"))
                    .col(text("hash"))
                    .col(uuid_null("location_id"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        // A word sealed under every key of the ring: a wrong key is noticed at start.
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_key_check")
                    .col(text("kid").primary_key())
                    .col(text("sealed"))
                    .to_owned(),
            )
            .await?;
        // One row, raised by every change of a location's set-up: other processes read it to forget what they cached.
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_revision")
                    .col(integer("id").primary_key())
                    .col(big_integer("value"))
                    .col(text_null("note"))
                    .to_owned(),
            )
            .await?;
        execute(
            manager,
            &[
                "CREATE UNIQUE INDEX rejoinder_channel_key ON rejoinder_channel (provider, key)",
                "CREATE UNIQUE INDEX rejoinder_rule_name ON rejoinder_rule (location_id, name)",
                "CREATE UNIQUE INDEX rejoinder_token_hash ON rejoinder_token (hash)",
                "INSERT INTO rejoinder_revision (id, value) VALUES (1, 0)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            &[
                "rejoinder_revision",
                "rejoinder_key_check",
                "rejoinder_token",
                "rejoinder_rule_version",
                "rejoinder_rule",
                "rejoinder_channel",
                "rejoinder_location",
            ],
        )
        .await
    }
}
