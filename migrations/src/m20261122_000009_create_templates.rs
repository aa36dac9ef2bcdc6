//! The templates that are known of a location's accounts, and when each account's list was last read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, uuid};

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
                    .table("rejoinder_template")
                    .col(uuid("location_id"))
                    .col(text("account"))
                    .col(text("name"))
                    .col(text("language"))
                    .col(text("shape"))
                    .col(big_integer("seen_at"))
                    .primary_key(
                        Index::create()
                            .col("location_id")
                            .col("account")
                            .col("name")
                            .col("language"),
                    )
                    .to_owned(),
            )
            .await?;
        // An account whose list was read and is empty is known; one without a row here is not.
        manager
            .create_table(
                Table::create()
                    .table("rejoinder_template_list")
                    .col(uuid("location_id"))
                    .col(text("account"))
                    .col(big_integer("read_at"))
                    .primary_key(Index::create().col("location_id").col("account"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["rejoinder_template_list", "rejoinder_template"]).await
    }
}
