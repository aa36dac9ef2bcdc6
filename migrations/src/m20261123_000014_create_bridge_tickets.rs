//! Tickets, with which a page of a location's own website connects one number: as hashes, and what came of them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, uuid, uuid_null};

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
                    .table("rejoinder_bridge_ticket")
                    .col(uuid("location_id"))
                    .col(uuid("id"))
                    .col(text("hash"))
                    // Null for one that was made on the command line.
                    .col(uuid_null("token_id"))
                    .col(text("origin"))
                    .col(text("name"))
                    .col(boolean("coexistence"))
                    .col(big_integer("created_at"))
                    .col(big_integer("expires_at"))
                    .col(big_integer_null("used_at"))
                    .col(uuid_null("onboarding_id"))
                    .primary_key(Index::create().col("location_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("rejoinder_bridge_ticket_hash")
                    .table("rejoinder_bridge_ticket")
                    .col("hash")
                    .unique()
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["rejoinder_bridge_ticket"]).await
    }
}
