//! What simulated worlds are made with here: our tables, the language of rules, and Meta's limits.
//! Knows no rule and no test.

use std::sync::Arc;

use rejoinder_adapters::meta::{Meta, MetaConfig, kind_of_code};
use rejoinder_engine::script::ScriptHost;
use rejoinder_engine::simulate::{Provider, TestHost, Workshop};
use rejoinder_engine::store::{Error, Scratch};
use rejoinder_migrations::{Migrator, MigratorTrait};

/// Empty tables for throw-away databases.
///
/// # Errors
/// SQLite failed.
pub async fn scratch() -> Result<Scratch, Error> {
    Scratch::of(async |connection| Migrator::up(connection, None).await).await
}

/// A provider that takes what Meta takes, without a network.
pub fn provider() -> Provider {
    Provider::like(Arc::new(Meta::new(MetaConfig::default())), kind_of_code)
}

/// What worlds for scripts in files are made with.
///
/// # Errors
/// SQLite failed.
pub async fn workshop() -> Result<Workshop, Error> {
    Ok(Workshop {
        scratch: scratch().await?,
        scripts: ScriptHost::new(),
        tests: TestHost::new(),
        provider: provider(),
    })
}
