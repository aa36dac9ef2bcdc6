//! Locations that were deleted: what of them is still to be cleared away, and which numbers were theirs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, uuid};

use crate::drop_tables;

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
                    .table("rejoinder_tombstone")
                    .col(uuid("location_id").primary_key())
                    .col(big_integer("deleted_at"))
                    // Null as long as something of the location may be left.
                    .col(big_integer_null("cleared_at"))
                    .to_owned(),
            )
            .await?;
        // What their webhooks name. Nothing here is secret.
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_tombstone_channel")
                    .col(uuid("location_id"))
                    .col(uuid("channel_id"))
                    .col(text("provider"))
                    .col(text("account"))
                    .col(text("key"))
                    .col(text("phone"))
                    .primary_key(Index::create().col("location_id").col("channel_id"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            &["rejoinder_tombstone_channel", "rejoinder_tombstone"],
        )
        .await
    }
}
