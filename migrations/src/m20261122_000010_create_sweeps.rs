//! How far the messages of each channel were swept, and when what is in doubt was attempted.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, uuid};

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
                    .table("rejoinder_sweep")
                    .col(uuid("location_id"))
                    .col(uuid("channel_id"))
                    .col(big_integer("swept_until"))
                    .primary_key(Index::create().col("location_id").col("channel_id"))
                    .to_owned(),
            )
            .await?;
        // What is in doubt from before has none, and is not asked about.
        execute(
            manager,
            &["ALTER TABLE rejoinder_delivery ADD COLUMN attempted_at bigint"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            &["ALTER TABLE rejoinder_delivery DROP COLUMN attempted_at"],
        )
        .await?;
        drop_tables(manager, &["rejoinder_sweep"]).await
    }
}
