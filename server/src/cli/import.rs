//! `rejoinder channel import`: the numbers of the integration before this one, with what it sealed.
//! Each row becomes a channel or is named with what is wrong with it; nothing of a row is half done.

use std::collections::BTreeMap;

use clap::Args;
use rejoinder_engine::adapter::Credentials;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::ChannelSettings;
use rejoinder_engine::domain::ids::LocationId;
use rejoinder_engine::{Engine, NewChannel, Problem, store};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Failure, open, secret};
use crate::api::channels::{phone, settings};
use crate::out::{self, Format};

/// Connect numbers in bulk, also with credentials that cryptr sealed
///
/// The file holds a JSON array. Each row has what `POST …/channels` takes, `location` (its id or name), and
/// `encrypted_credentials`: by field, what cryptr sealed, in hex. LEGACY_ENCRYPTION_KEY or ENCRYPTION_KEY holds the
/// key that it was sealed under.
///
/// A number that is connected already is left as it is: the command may be run again.
#[derive(Args, Debug)]
pub(super) struct Import {
    /// The rows, as JSON
    file: String,
}

/// A row of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    location: String,
    provider: String,
    account: String,
    key: Option<String>,
    phone: String,
    name: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    #[serde(default)]
    encrypted_credentials: BTreeMap<String, String>,
}

/// What became of a row.
#[derive(Serialize)]
struct RowJson {
    row: usize,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct RowsJson {
    rows: Vec<RowJson>,
}

enum Done {
    Connected(String),
    Already(String),
}

impl Import {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let text = Secret::new(open::read_file(&self.file)?);
        let rows: Vec<Value> = serde_json::from_str(text.expose()).map_err(|error| {
            Failure::new(format!(
                "{} does not read: it must be an array in JSON (line {}, column {})",
                self.file,
                error.line(),
                error.column()
            ))
        })?;
        let mut told = Vec::with_capacity(rows.len());
        for (nth, row) in rows.into_iter().enumerate() {
            let done = connect(engine, row).await;
            let row = RowJson::new(nth + 1, done);
            if format == Format::Human {
                row.tell();
            }
            told.push(row);
        }
        let wrong = told.iter().filter(|row| row.problem.is_some()).count();
        if format == Format::Json {
            format.one(&RowsJson { rows: told });
        }
        match wrong {
            0 => Ok(()),
            _ => Err(Failure::new(format!(
                "{wrong} row(s) of {} could not be connected; correct them and run it again",
                self.file
            ))),
        }
    }
}

impl RowJson {
    fn new(row: usize, done: Result<Done, Failure>) -> Self {
        let (state, channel_id, problem) = match done {
            Ok(Done::Connected(id)) => ("connected", Some(id), None),
            Ok(Done::Already(id)) => ("connected_already", Some(id), None),
            Err(failure) => ("failed", None, Some(failure.to_string())),
        };
        Self {
            row,
            state,
            channel_id,
            problem,
        }
    }

    fn tell(&self) {
        let nth = self.row;
        match (&self.channel_id, &self.problem) {
            (_, Some(problem)) => out::note(&format!("row {nth}: {problem}")),
            (Some(id), None) => {
                out::line(&format!(
                    "row {nth}: {} as {id}",
                    self.state.replace('_', " ")
                ));
            }
            (None, None) => {}
        }
    }
}

/// Connects the number of a row, if it is not yet.
async fn connect(engine: &Engine, row: Value) -> Result<Done, Failure> {
    let row = read(row)?;
    let location = open::location(engine, Some(&row.location)).await?;
    let mut new = NewChannel {
        provider: row.provider,
        account: row.account,
        key: row.key,
        phone: phone(&row.phone)?,
        name: row.name,
        settings: settings(&ChannelSettings::default(), row.settings)?,
        credentials: Credentials::default(),
    };
    // Before anything is opened, which takes time.
    if let Some(id) = connected(engine, location.id, &new).await? {
        return Ok(Done::Already(id));
    }
    for (field, value) in row.credentials {
        new.credentials.set(&field, Secret::new(value));
    }
    for (field, sealed) in row.encrypted_credentials {
        if new.credentials.get(&field).is_some() {
            return Err(Failure::new(format!(
                "'{field}' stands in credentials and in encrypted_credentials; give it once"
            )));
        }
        let opened = secret::open_legacy(&field, Secret::new(sealed)).await?;
        new.credentials.set(&field, opened);
    }
    match engine.create_channel(location.id, new).await {
        Ok(channel) => Ok(Done::Connected(channel.id.to_string())),
        Err(Problem::Store(store::Error::Conflict(_))) => Err(Failure::new(
            "this number is connected to another location; look for it there",
        )),
        Err(problem) => Err(problem.into()),
    }
}

/// The channel of the location that has the number of `new`.
async fn connected(
    engine: &Engine,
    location_id: LocationId,
    new: &NewChannel,
) -> Result<Option<String>, Failure> {
    let channels = engine.store().of(location_id).channels().await?;
    let given = new
        .key
        .as_deref()
        .map(str::trim)
        .filter(|key| !key.is_empty());
    let key = given.unwrap_or(new.phone.digits());
    let found = channels
        .iter()
        .find(|channel| channel.provider == new.provider && channel.key == key);
    Ok(found.map(|channel| channel.id.to_string()))
}

/// Reads a row. What is wrong with it is told without what stands there: that may be a secret.
fn read(row: Value) -> Result<Row, Failure> {
    let wrong = |name: &str, what: &str| Failure::new(format!("'{name}' is not {what}"));
    let Value::Object(members) = &row else {
        return Err(Failure::new("it is not an object"));
    };
    for (name, value) in members {
        match name.as_str() {
            "credentials" | "encrypted_credentials" => {
                let fields = value.as_object();
                let fields =
                    fields.ok_or_else(|| wrong(name, "an object with a text for each field"))?;
                if let Some((field, _)) = fields.iter().find(|(_, value)| !value.is_string()) {
                    return Err(wrong(&format!("{name}.{field}"), "a text"));
                }
            }
            "settings" if !value.is_object() => return Err(wrong(name, "an object")),
            "location" | "provider" | "account" | "phone" | "name" if !value.is_string() => {
                return Err(wrong(name, "a text"));
            }
            "key" if !value.is_string() && !value.is_null() => return Err(wrong(name, "a text")),
            _ => {}
        }
    }
    // What is left to be wrong are names.
    serde_json::from_value(row).map_err(Failure::from)
}
