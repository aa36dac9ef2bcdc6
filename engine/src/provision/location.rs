//! Locations: create, change and delete.

use chrono_tz::Tz;

use super::{Problem, name, save};
use crate::domain::ids::LocationId;
use crate::domain::location::{Location, LocationSettings};
use crate::engine::Engine;
use crate::store::{self, EraseLocation, NewDataKey, SaveLocation, SealingKey};

/// How often a deletion is tried that another process is in the way of.
const MAX_ATTEMPTS: usize = 3;

/// A location to be created.
#[derive(Clone, Debug)]
pub struct NewLocation {
    /// What people call it.
    pub name: String,
    /// Where its clocks are.
    pub time_zone: Tz,
    /// How it behaves.
    pub settings: LocationSettings,
}

/// What changes about a location; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct LocationChange {
    /// What people call it.
    pub name: Option<String>,
    /// Where its clocks are.
    pub time_zone: Option<Tz>,
    /// How it behaves.
    pub settings: Option<LocationSettings>,
}

impl Engine {
    /// Creates a location.
    ///
    /// # Errors
    /// Its name or a setting does not do, or the database failed.
    pub async fn create_location(&self, new: NewLocation) -> Result<Location, Problem> {
        let core = &self.core;
        new.settings.check().map_err(Problem::Invalid)?;
        let id = LocationId::generate();
        let location = Location {
            id,
            name: name(&new.name)?,
            time_zone: new.time_zone,
            settings: new.settings,
        };
        let vault = core.setup.vault();
        let data_key = NewDataKey {
            sealed: vault.new_data_key(id),
            key: SealingKey::of(vault),
        };
        save(
            core,
            SaveLocation {
                location: location.clone(),
                new: Some(data_key),
                now: core.clock.now(),
            },
        )
        .await?;
        Ok(location)
    }

    /// How much there is of a location, by the word for it.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn location_contents(
        &self,
        id: LocationId,
    ) -> Result<Vec<(&'static str, u64)>, Problem> {
        let store = &self.core.store;
        if store.data_key(id).await?.is_none() {
            return Err(Problem::Missing("location"));
        }
        Ok(store.contents(id).await?)
    }

    /// Deletes a location: its key is destroyed, and with it every secret of it, and nothing of it acts any more
    /// once this returns. What was said is cleared away afterwards, by an engine that runs or by `clear_away`.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn delete_location(&self, id: LocationId) -> Result<(), Problem> {
        let core = &self.core;
        let mut attempts = 0;
        loop {
            let erase = EraseLocation {
                location_id: id,
                now: core.clock.now(),
            };
            attempts += 1;
            match save(core, erase).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Problem::Missing("location")),
                // On PostgreSQL it may be in the way of what another process writes, or the other way round.
                Err(Problem::Store(store::Error::Database(_) | store::Error::Unavailable(_)))
                    if attempts < MAX_ATTEMPTS => {}
                Err(problem) => return Err(problem),
            }
        }
    }

    /// Clears away a batch of what deleted locations left; gives how many rows, 0 if nothing is left for now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn clear_away(&self) -> Result<u64, Problem> {
        let core = &self.core;
        Ok(core.store.clear_away(core.clock.now()).await?)
    }

    /// Changes a location.
    ///
    /// # Errors
    /// It is not there, the change does not do, or the database failed.
    pub async fn change_location(
        &self,
        id: LocationId,
        change: LocationChange,
    ) -> Result<Location, Problem> {
        let core = &self.core;
        let (mut location, _) = core
            .store
            .location(id)
            .await?
            .ok_or(Problem::Missing("location"))?;
        if let Some(new) = change.name {
            location.name = name(&new)?;
        }
        location.time_zone = change.time_zone.unwrap_or(location.time_zone);
        if let Some(settings) = change.settings {
            settings.check().map_err(Problem::Invalid)?;
            location.settings = settings;
        }
        save(
            core,
            SaveLocation {
                location: location.clone(),
                new: None,
                now: core.clock.now(),
            },
        )
        .await?;
        Ok(location)
    }
}
