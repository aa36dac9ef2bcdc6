//! What a simulated world pretends: a business with its settings, and a provider with its limits.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::adapter::{Adapter, SendError, SendErrorKind};
use crate::domain::content::Content;
use crate::domain::local;
use crate::domain::location::LocationSettings;
use crate::domain::template::TemplateShape;
use crate::domain::time::Timestamp;
use crate::script::testing::TestHost;
use crate::script::{KnownTemplates, ScriptHost, Surroundings};
use crate::store::Scratch;

/// The business that a world is about.
#[derive(Clone, Debug)]
pub struct Business {
    /// What people call it.
    pub name: String,
    /// Where its clocks are.
    pub time_zone: Tz,
    /// How it behaves.
    pub settings: LocationSettings,
    /// The templates that WhatsApp has approved; none: they are not known, and not looked at.
    pub templates: Vec<TemplateShape>,
    /// The names of the programs that its rules may call.
    pub endpoints: Vec<String>,
}

/// A shop without any settings of its own, in Berlin.
impl Default for Business {
    fn default() -> Self {
        Self {
            name: "Casa Lima".to_owned(),
            time_zone: Tz::Europe__Berlin,
            settings: LocationSettings::default(),
            templates: Vec::new(),
            endpoints: Vec::new(),
        }
    }
}

/// Monday, 5 January 2026, at ten in the morning: when worlds begin unless they are told otherwise.
pub fn first_morning(zone: Tz) -> Timestamp {
    const TEN: NaiveTime = NaiveTime::from_hms_opt(10, 0, 0).expect("it is a time of the day");
    const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 5).expect("it is a day");
    local::first(DAY.and_time(TEN), zone)
}

impl Business {
    /// The names that it offers to rules; of templates and endpoints only what is told is looked at.
    pub fn surroundings(&self) -> Surroundings {
        let told = !self.endpoints.is_empty();
        Surroundings {
            templates: if self.templates.is_empty() {
                KnownTemplates::Unasked
            } else {
                KnownTemplates::All(self.templates.clone())
            },
            language: Some(self.settings.language.clone()),
            endpoints: told.then(|| self.endpoints.clone()),
            vars: Some(self.settings.vars.keys().cloned().collect()),
        }
    }

    /// The same with other values of some settings.
    pub(super) fn merged(mut self, changes: &Map<String, Value>) -> Result<Self, String> {
        let mut settings = serde_json::to_value(&self.settings).map_err(|e| e.to_string())?;
        for (name, value) in changes {
            match (name.as_str(), value) {
                ("name", Value::String(name)) => self.name.clone_from(name),
                ("time_zone", Value::String(zone)) => {
                    self.time_zone = zone.parse().map_err(|_| {
                        format!("'{zone}' is no time zone; write for example \"Europe/Berlin\"")
                    })?;
                }
                ("name" | "time_zone", _) => return Err(format!("the {name} is a text")),
                ("vars", Value::Object(vars)) => {
                    self.settings.vars.extend(vars.clone());
                    settings["vars"] = self.settings.vars.clone().into();
                }
                _ => settings[name] = value.clone(),
            }
        }
        self.settings = serde_json::from_value::<LocationSettings>(settings)
            .map_err(|error| format!("this does not do as a setting of the location: {error}"))?;
        Ok(self)
    }
}

/// The provider that a world pretends to have: what it takes, and what its error codes mean.
#[derive(Clone)]
pub struct Provider {
    limits: Option<Arc<dyn Adapter>>,
}

impl Provider {
    /// One that takes everything, and of whose codes nothing is known.
    pub fn lenient() -> Self {
        Self { limits: None }
    }

    /// One that refuses what `adapter` would, and has its codes.
    pub fn like(adapter: Arc<dyn Adapter>) -> Self {
        Self {
            limits: Some(adapter),
        }
    }

    pub(super) fn check(&self, content: &Content) -> Result<(), SendError> {
        self.limits
            .as_ref()
            .map_or(Ok(()), |limits| limits.check(content))
    }

    /// The error that a word or a code stands for: `unreachable`, `131026`.
    pub(super) fn error(&self, failure: &str) -> Result<SendError, String> {
        let detail = "so the simulation was told";
        if let Ok(code) = failure.parse::<i64>() {
            let limits = self.limits.as_ref();
            return match limits.and_then(|limits| limits.kind_of_code(code)) {
                Some(kind) => Ok(SendError::new(kind, detail).with_code(code)),
                None => Err(format!("the provider has no error {code}")),
            };
        }
        let kinds = SendErrorKind::ALL.into_iter();
        match kinds.clone().find(|kind| kind.code() == failure) {
            Some(kind) => Ok(SendError::new(kind, detail)),
            None => Err(format!(
                "there is no failure '{failure}'; there are {}, and the provider's own codes",
                kinds
                    .map(SendErrorKind::code)
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        }
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.limits.as_ref().map(|limits| limits.kind());
        f.debug_tuple("Provider").field(&kind).finish()
    }
}

/// What worlds are made with, many of them: the tables, the language, the provider.
#[derive(Clone)]
pub struct Workshop {
    /// Empty tables.
    pub scratch: Scratch,
    /// The language of rules, with the functions of the embedding program.
    pub scripts: ScriptHost,
    /// The language of tests.
    pub tests: TestHost,
    /// The provider.
    pub provider: Provider,
}
