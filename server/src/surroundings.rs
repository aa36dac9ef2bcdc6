//! `location.toml`: the imaginary business in which scripts in files are checked, tested and tried out.
//! Read strictly: a key that nothing reads is a typing mistake.

use std::fs;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::simulate::Business;
use serde_json::Value;

/// The name of the file beside the scripts.
pub const FILE: &str = "location.toml";

/// The business cannot be read; the sentence says why and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}", file = .file.display())]
pub struct SurroundingsError {
    file: PathBuf,
    reason: String,
}

/// Reads the business that a file tells of.
///
/// # Errors
/// It cannot be read, or something in it is not understood.
pub fn read(file: &Path) -> Result<Business, SurroundingsError> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string());
    let business = text.and_then(|text| parse(&text));
    business.map_err(|reason| SurroundingsError {
        file: file.to_owned(),
        reason,
    })
}

/// The business of the scripts in a folder: that of its `location.toml`, or one without settings.
///
/// # Errors
/// The file is there and cannot be read.
pub fn of_folder(folder: &Path) -> Result<Business, SurroundingsError> {
    let file = folder.join(FILE);
    if file.is_file() {
        read(&file)
    } else {
        Ok(Business::default())
    }
}

fn parse(text: &str) -> Result<Business, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut business = Business::default();
    let mut settings = serde_json::Map::new();
    for (name, value) in table {
        match (name.as_str(), value) {
            ("name", toml::Value::String(name)) => business.name = name,
            ("time_zone", toml::Value::String(zone)) => business.time_zone = time_zone(&zone)?,
            ("templates", value) => {
                business.templates = serde_json::from_value(json(value))
                    .map_err(|error| format!("'templates': {error}"))?;
            }
            ("endpoints", value) => {
                business.endpoints = serde_json::from_value(json(value)).map_err(|error| {
                    format!("'endpoints' is a list of names such as [\"crm\"]: {error}")
                })?;
            }
            ("name" | "time_zone", _) => return Err(format!("'{name}' is a text")),
            (_, value) => {
                settings.insert(name, json(value));
            }
        }
    }
    business.settings = serde_json::from_value::<LocationSettings>(Value::Object(settings))
        .map_err(|error| {
            format!("{error}; besides them there are name, time_zone, templates and endpoints")
        })?;
    Ok(business)
}

fn time_zone(name: &str) -> Result<Tz, String> {
    name.parse()
        .map_err(|_| format!("'time_zone' is a name such as \"Europe/Berlin\", not \"{name}\""))
}

/// A value of TOML as JSON; a date becomes its text.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(members) => {
            let members = members.into_iter().map(|(name, value)| (name, json(value)));
            Value::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use rejoinder_engine::domain::content::MediaKind;
    use rejoinder_engine::domain::template::{HeaderShape, TemplateParameters, TemplateStatus};

    use rejoinder_engine::script::KnownTemplates;

    use super::parse;

    #[test]
    fn a_business_is_read_with_its_settings() {
        let text = "name = 'Casa Lima'\ntime_zone = 'America/Lima'\nlanguage = 'es'\n[vars]\nphone = '+51 1'";
        let business = parse(text).expect("it reads");
        assert_eq!(business.name, "Casa Lima");
        assert_eq!(business.time_zone.name(), "America/Lima");
        assert_eq!(business.settings.language, "es");
        assert_eq!(business.settings.vars["phone"], "+51 1");
        let surroundings = business.surroundings();
        assert_eq!(
            (surroundings.templates, surroundings.endpoints),
            (KnownTemplates::Unasked, None)
        );
    }

    #[test]
    fn names_that_rules_use_are_read_as_well() {
        let text = "endpoints = ['crm']\n[[templates]]\nname = 'viewing_reminder'\nlanguage = 'en'\nparameters = 1\n\
            [[templates]]\nname = 'offer'\nlanguage = 'de'\nparameters = ['city']\nheader = { media = 'image' }\n\
            buttons = [{ index = 0, kind = 'url' }]\nstatus = 'paused'\ncategory = 'marketing'";
        let surroundings = parse(text).expect("it reads").surroundings();
        assert_eq!(surroundings.endpoints, Some(vec!["crm".to_owned()]));
        let templates = surroundings.templates.told();
        assert_eq!(templates[0].parameters, TemplateParameters::Positional(1));
        assert_eq!(templates[1].header, HeaderShape::Media(MediaKind::Image));
        assert_eq!(templates[1].status, TemplateStatus::Paused);
        let refusal = parse("templates = [{ nmae = 'x' }]").expect_err("a typing mistake");
        assert!(refusal.contains("nmae"), "{refusal}");
    }

    #[test]
    fn what_nothing_reads_is_refused_by_name() {
        for (text, part) in [
            ("langage = 'es'", "langage"),
            ("time_zone = 'Lima'", "Europe/Berlin"),
            ("endpoints = [7]", "'endpoints' is a list of names"),
            ("name = 7", "'name' is a text"),
            ("name = ", "expected"),
        ] {
            let refusal = parse(text).expect_err(text);
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }
}
