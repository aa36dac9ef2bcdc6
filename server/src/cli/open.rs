//! From settings to an engine on its database, and from a person's words to a location.

use rejoinder_engine::Engine;
use rejoinder_engine::domain::location::Location;
use rejoinder_engine::store::Store;
use rejoinder_migrations::{Migrator, MigratorTrait};
use serde_json::{Map, Value};

use super::Failure;
use crate::config::Config;
use crate::{out, workshop};

/// Opens the database, brings it to the present shape, and says what was done.
pub(super) async fn migrate(config: &Config) -> Result<(), Failure> {
    let store = Store::open(config.database_url.expose()).await?;
    must_be_free(&store).await?;
    let pending = apply_migrations(&store).await?;
    out::line(&match pending {
        0 => "the database is up to date".to_owned(),
        count => format!("{count} migration(s) applied"),
    });
    Ok(())
}

/// Refuses to change the shape of a database under a server that is at work on it.
pub(super) async fn must_be_free(store: &Store) -> Result<(), Failure> {
    if pending_migrations(store).await? > 0 && store.is_worked_on().await {
        return Err(Failure::new(
            "a server works on this database, which lacks migrations; stop that server first",
        ));
    }
    Ok(())
}

/// Applies what is pending, and tells how many those were.
pub(super) async fn apply_migrations(store: &Store) -> Result<usize, Failure> {
    let pending = pending_migrations(store).await?;
    if pending > 0 {
        Migrator::up(store.connection(), None).await?;
    }
    Ok(pending)
}

/// How many migrations the database lacks.
pub(super) async fn pending_migrations(store: &Store) -> Result<usize, Failure> {
    Ok(Migrator::get_pending_migrations(store.connection())
        .await?
        .len())
}

/// An engine for a command: built, and never started.
pub(super) async fn engine(config: &Config) -> Result<Engine, Failure> {
    // Before the database is made: a command without a key leaves nothing behind.
    config.vault()?;
    let store = Store::open(config.database_url.expose()).await?;
    if pending_migrations(&store).await? > 0 {
        return Err(Failure::new(
            "the database is not in the present shape; run `rejoinder migrate` first",
        ));
    }
    build(config, store).await
}

/// An engine with every adapter, on a migrated database.
pub(super) async fn build(config: &Config, store: Store) -> Result<Engine, Failure> {
    let mut builder = Engine::on(store)
        .vault(config.vault()?)
        .scratch(workshop::scratch())
        .public_url(&config.serve.public_url)
        .caller(rejoinder_adapters::Calls::new(config.requests));
    for adapter in rejoinder_adapters::all(&config.adapters) {
        builder = builder.shared_adapter(adapter);
    }
    if !config.meta_app_secret.is_empty() {
        builder = builder.server_secret("meta", config.meta_app_secret.clone());
    }
    if !config.meta_verify_token.is_empty() {
        builder = builder.handshake_token("meta", config.meta_verify_token.clone());
    }
    Ok(builder.build().await?)
}

/// The location that a person means: by id, by name, or the only one.
pub(super) async fn location(engine: &Engine, named: Option<&str>) -> Result<Location, Failure> {
    let mut locations = engine.store().locations().await?;
    let Some(name) = named else {
        return match locations.len() {
            0 => Err(Failure::new(
                "there is no location yet; make one with `rejoinder location create`",
            )),
            1 => Ok(locations.remove(0)),
            _ => Err(Failure::new(
                "there are several locations; say which one with --location",
            )),
        };
    };
    locations.retain(|location| location.name == name || location.id.to_string() == name);
    match locations.len() {
        0 => Err(Failure::missing("location", name, "location list")),
        1 => Ok(locations.remove(0)),
        _ => Err(Failure::new(format!(
            "several locations are named '{name}'; give the id that `rejoinder location list` shows"
        ))),
    }
}

/// Settings as people write them: `name=value`, the value as JSON or else as text.
pub(super) fn settings(pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut settings = Map::new();
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(Failure::new(format!(
                "'{pair}' is not a setting; write --setting name=value"
            )));
        };
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        settings.insert(name.trim().to_owned(), value);
    }
    Ok(settings)
}

/// Reads a file that a command names.
pub(super) fn read_file(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!(
            "cannot read '{path}': {error}; check the name and who may read it"
        ))
    })
}
