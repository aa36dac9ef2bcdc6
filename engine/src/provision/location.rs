//! Locations: create and change.

use chrono_tz::Tz;

use super::{Problem, name, save};
use crate::domain::ids::LocationId;
use crate::domain::location::{Location, LocationSettings};
use crate::engine::Engine;
use crate::store::{NewDataKey, SaveLocation, SealingKey};

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
