//! The tests of a rule, beside its draft and in each of its versions.

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
                // "" is a rule without tests, as every rule of the release before is.
                "ALTER TABLE rejoinder_rule ADD COLUMN tests text NOT NULL DEFAULT ''",
                "ALTER TABLE rejoinder_rule_version ADD COLUMN tests text NOT NULL DEFAULT ''",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            &[
                "ALTER TABLE rejoinder_rule_version DROP COLUMN tests",
                "ALTER TABLE rejoinder_rule DROP COLUMN tests",
            ],
        )
        .await
    }
}
