//! Numbers on their way to being connected: the steps, and what they need sealed; and when a webhook of a
//! channel was last refused.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, text, uuid, uuid_null};

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
                    .table("rejoinder_onboarding")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(text("provider"))
                    .col(text("route"))
                    .col(text("name"))
                    .col(text("facts"))
                    .col(text("steps"))
                    .col(text("secrets"))
                    .col(integer("version"))
                    .col(uuid_null("channel_id"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_refusal")
                    .col(text("provider"))
                    .col(uuid("channel_id"))
                    .col(big_integer("refused_at"))
                    .primary_key(Index::create().col("provider").col("channel_id"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["rejoinder_onboarding", "rejoinder_refusal"]).await
    }
}
