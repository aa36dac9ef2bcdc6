//! The tables of Rejoinder, for SQLite and PostgreSQL. Knows nothing of what is written into them.
//!
//! Every table carries the prefix `rejoinder_`, and the ledger of migrations is our own
//! (`rejoinder_migrations`): two migrators in one database do not collide. A host calls
//! `Migrator::up(&db, None)`. To add a table or a column, add a file `m<yyyymmdd>_<nnnnnn>_<verb>_<what>.rs`
//! and a line to the list below; a released file is never edited.

use sea_orm_migration::prelude::*;

mod m20261122_000001_create_locations;
mod m20261122_000002_create_conversations;
mod m20261122_000003_create_events;
mod m20261122_000004_create_deliveries;
mod m20261122_000005_add_timing;
mod m20261122_000006_create_requests;
mod m20261122_000007_create_fanouts_and_notes;
mod m20261122_000008_add_rule_tests;
mod m20261122_000009_create_templates;
mod m20261122_000010_create_sweeps;
mod m20261122_000011_create_paces;
mod m20261123_000012_create_tombstones;
mod m20261123_000013_create_onboardings_and_refusals;
mod m20261123_000014_create_bridge_tickets;
mod m20261123_000015_add_found_at;
mod m20261123_000016_add_onboarding_due;

pub use sea_orm_migration::MigratorTrait;

/// Brings a database to the present shape.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_create_locations::Migration),
            Box::new(m20261122_000002_create_conversations::Migration),
            Box::new(m20261122_000003_create_events::Migration),
            Box::new(m20261122_000004_create_deliveries::Migration),
            Box::new(m20261122_000005_add_timing::Migration),
            Box::new(m20261122_000006_create_requests::Migration),
            Box::new(m20261122_000007_create_fanouts_and_notes::Migration),
            Box::new(m20261122_000008_add_rule_tests::Migration),
            Box::new(m20261122_000009_create_templates::Migration),
            Box::new(m20261122_000010_create_sweeps::Migration),
            Box::new(m20261122_000011_create_paces::Migration),
            Box::new(m20261123_000012_create_tombstones::Migration),
            Box::new(m20261123_000013_create_onboardings_and_refusals::Migration),
            Box::new(m20261123_000014_create_bridge_tickets::Migration),
            Box::new(m20261123_000015_add_found_at::Migration),
            Box::new(m20261123_000016_add_onboarding_due::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        "rejoinder_migrations".into_iden()
    }
}

/// Runs statements that both databases understand, one by one.
async fn execute(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Drops tables, the last created first.
async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager
            .drop_table(Table::drop().table(*table).to_owned())
            .await?;
    }
    Ok(())
}
