//! Locations in the API.

use rejoinder_engine::domain::location::{Location, LocationSettings};
use rejoinder_engine::{LocationChange, NewLocation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use warp::http::Method;
use warp::reply::Response;

use super::merge;
use super::request::{Request, Scoped};
use crate::reply::{self, Error};

/// A location as printed.
#[derive(Serialize)]
pub(crate) struct LocationJson {
    id: String,
    name: String,
    time_zone: &'static str,
    settings: LocationSettings,
}

impl From<Location> for LocationJson {
    fn from(location: Location) -> Self {
        Self {
            id: location.id.to_string(),
            name: location.name,
            time_zone: location.time_zone.name(),
            settings: location.settings,
        }
    }
}

/// A list of locations as printed.
#[derive(Serialize)]
pub(crate) struct LocationsJson {
    locations: Vec<LocationJson>,
}

impl From<Vec<Location>> for LocationsJson {
    fn from(locations: Vec<Location>) -> Self {
        Self {
            locations: locations.into_iter().map(LocationJson::from).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    time_zone: String,
    #[serde(default)]
    settings: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    time_zone: Option<String>,
    #[serde(default)]
    settings: Map<String, Value>,
}

/// A location to be created, from what people write.
///
/// # Errors
/// The time zone or a setting does not read.
pub(crate) fn new_location(
    name: String,
    time_zone: &str,
    settings: Map<String, Value>,
) -> Result<NewLocation, Error> {
    Ok(NewLocation {
        name,
        time_zone: time_zone.parse().map_err(|_| unknown_zone(time_zone))?,
        settings: merge(&LocationSettings::default(), settings)?,
    })
}

/// What changes about a location, from what people write; settings not named stay.
///
/// # Errors
/// The time zone or a setting does not read.
pub(crate) fn location_change(
    current: &Location,
    name: Option<String>,
    time_zone: Option<&str>,
    settings: Map<String, Value>,
) -> Result<LocationChange, Error> {
    let time_zone = match time_zone {
        Some(text) => Some(text.parse().map_err(|_| unknown_zone(text))?),
        None => None,
    };
    Ok(LocationChange {
        name,
        time_zone,
        settings: Some(merge(&current.settings, settings)?),
    })
}

fn unknown_zone(text: &str) -> Error {
    Error::Invalid(format!(
        "there is no time zone '{text}'; write for example Europe/Berlin"
    ))
}

/// `/locations`
pub(crate) async fn all(request: &Request) -> Result<Response, Error> {
    request.query.only(&[])?;
    match request.method {
        Method::GET => {
            let mut locations = request.engine.store().locations().await?;
            locations.retain(|location| request.caller.sees(location.id));
            Ok(reply::ok(&LocationsJson::from(locations)))
        }
        Method::POST if !request.caller.is_operator() => Err(Error::Missing("path")),
        Method::POST => {
            let create: Create = request.json()?;
            let new = new_location(create.name, &create.time_zone, create.settings)?;
            let location = request.engine.create_location(new).await?;
            Ok(reply::created(&LocationJson::from(location)))
        }
        _ => Err(Error::Method("GET, POST")),
    }
}

/// Refuses what a location may not say of itself: the bridge page names the website on whose behalf somebody signs
/// up, and whoever could name any would sign up numbers in another's name.
fn own_settings(
    scoped: &Scoped,
    location: &Location,
    settings: &Map<String, Value>,
) -> Result<(), Error> {
    let known = serde_json::to_value(&location.settings.origins).unwrap_or_default();
    let is_new = settings.get("origins").is_some_and(|given| *given != known);
    if is_new && !scoped.request.caller.is_operator() {
        return Err(Error::Invalid(
            "'origins' names the websites for which numbers are signed up: that is for whoever operates the server"
                .to_owned(),
        ));
    }
    Ok(())
}

/// `/locations/{id}`
pub(crate) async fn one(scoped: &Scoped) -> Result<Response, Error> {
    let location = scoped.store().location().await?;
    let location = location.ok_or(Error::Missing("location"))?;
    match scoped.request.method {
        Method::GET => Ok(reply::ok(&LocationJson::from(location))),
        Method::PATCH => {
            let change: Change = scoped.request.json()?;
            own_settings(scoped, &location, &change.settings)?;
            let time_zone = change.time_zone.as_deref();
            let change = location_change(&location, change.name, time_zone, change.settings)?;
            let location = scoped
                .engine()
                .change_location(scoped.location_id, change)
                .await?;
            Ok(reply::ok(&LocationJson::from(location)))
        }
        Method::DELETE if !scoped.request.caller.is_operator() => Err(Error::Missing("path")),
        Method::DELETE => {
            let engine = scoped.engine();
            engine.delete_location(scoped.location_id).await?;
            Ok(reply::gone())
        }
        _ => Err(Error::Method("GET, PATCH, DELETE")),
    }
}
