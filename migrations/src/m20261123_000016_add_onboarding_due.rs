//! When an onboarding that waits is looked after again.

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
                "ALTER TABLE rejoinder_onboarding ADD COLUMN due_at bigint",
                // What waits already is looked after too.
                "UPDATE rejoinder_onboarding SET due_at = updated_at \
                 WHERE steps LIKE '%\"state\":\"waiting\"%'",
                "CREATE INDEX rejoinder_onboarding_due ON rejoinder_onboarding (due_at) \
                 WHERE due_at IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            &[
                "DROP INDEX rejoinder_onboarding_due",
                "ALTER TABLE rejoinder_onboarding DROP COLUMN due_at",
            ],
        )
        .await
    }
}
