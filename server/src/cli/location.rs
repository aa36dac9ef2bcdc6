//! `rejoinder location`: the businesses that the server works for.

use clap::Subcommand;
use rejoinder_engine::Engine;

use rejoinder_engine::domain::location::Location;

use super::{Failure, open};
use crate::api::locations::{LocationJson, LocationsJson, location_change, new_location};
use crate::out::{self, Format};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a location
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// Where its clocks are, such as Europe/Berlin
        #[arg(long)]
        time_zone: String,
        /// Repeatable: such as language=de, or 'opening_hours={"mon": ["09:00-18:00"]}'
        #[arg(long, value_name = "NAME=VALUE")]
        setting: Vec<String>,
    },
    /// List all locations
    List,
    /// Show one location
    Show {
        /// Its id or name
        location: String,
    },
    /// Delete a location: its key is destroyed, and all it has goes
    Delete {
        /// Its id or name
        location: String,
        /// Do it: it cannot be undone
        #[arg(long)]
        yes: bool,
    },
    /// Change a location; what is not named stays
    Set {
        /// Its id or name
        location: String,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Where its clocks are
        #[arg(long)]
        time_zone: Option<String>,
        /// Repeatable: such as language=de, or 'opening_hours={"mon": ["09:00-18:00"]}'
        #[arg(long, value_name = "NAME=VALUE")]
        setting: Vec<String>,
    },
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::Create {
                name,
                time_zone,
                setting,
            } => {
                let new = new_location(name, &time_zone, open::settings(&setting)?)?;
                let location = engine.create_location(new).await?;
                format.one(&LocationJson::from(location));
            }
            Self::List => {
                let locations = engine.store().locations().await?;
                let columns = [("ID", "id"), ("TIME ZONE", "time_zone"), ("NAME", "name")];
                format.list(&LocationsJson::from(locations), "locations", &columns);
            }
            Self::Delete { location, yes } => {
                let location = open::location(engine, Some(&location)).await?;
                if yes {
                    delete(engine, &location).await?;
                } else {
                    return Err(foretell(engine, &location).await?);
                }
            }
            Self::Show { location } => {
                let location = open::location(engine, Some(&location)).await?;
                format.one(&LocationJson::from(location));
            }
            Self::Set {
                location,
                name,
                time_zone,
                setting,
            } => {
                let location = open::location(engine, Some(&location)).await?;
                let settings = open::settings(&setting)?;
                let change = location_change(&location, name, time_zone.as_deref(), settings)?;
                let location = engine.change_location(location.id, change).await?;
                format.one(&LocationJson::from(location));
            }
        }
        Ok(())
    }
}

/// Says what would go; nothing is done.
async fn foretell(engine: &Engine, location: &Location) -> Result<Failure, Failure> {
    let contents = engine.location_contents(location.id).await?.into_iter();
    let contents: Vec<String> = contents
        .map(|(word, count)| format!("{word}: {count}"))
        .collect();
    out::line(&format!("{} ({}) has", location.name, location.id));
    out::line(&contents.join(", "));
    Ok(Failure::usage(
        "nothing was deleted; add --yes to destroy the location's key and to delete all that it has, for ever",
    ))
}

async fn delete(engine: &Engine, location: &Location) -> Result<(), Failure> {
    engine.delete_location(location.id).await?;
    out::line(&format!(
        "{} is deleted: its key is destroyed, and nothing of it is sent or answered any more.",
        location.name
    ));
    let mut rows = 0;
    loop {
        match engine.clear_away().await? {
            0 => break,
            cleared => rows += cleared,
        }
    }
    out::line(&format!("{rows} row(s) of what was said are cleared away."));
    out::note("Backups of the database keep what they have; delete those that are old enough.");
    Ok(())
}
