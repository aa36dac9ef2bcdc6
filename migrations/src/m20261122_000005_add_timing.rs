//! What becomes of missed occurrences of a cron line, and timers that a hold does not keep waiting.

use sea_orm_migration::prelude::*;

use crate::execute;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            &[
                // The defaults are what the release before did, which knows neither column.
                "ALTER TABLE rejoinder_schedule ADD COLUMN misfire text NOT NULL DEFAULT 'once'",
                "ALTER TABLE rejoinder_schedule ADD COLUMN within_ms bigint",
                "ALTER TABLE rejoinder_timer ADD COLUMN when_held boolean NOT NULL DEFAULT FALSE",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            &[
                "ALTER TABLE rejoinder_timer DROP COLUMN when_held",
                "ALTER TABLE rejoinder_schedule DROP COLUMN within_ms",
                "ALTER TABLE rejoinder_schedule DROP COLUMN misfire",
            ],
        )
        .await
    }
}
