//! What a location's approved templates look like, as far as a rule must know to use them.
//! Knows neither where that was learnt nor the words of a template.

use serde::{Deserialize, Serialize};

use super::content::MediaKind;

/// A template of a location in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateShape {
    /// The approved name.
    pub name: String,
    /// The language code (`en`, `pt_BR`).
    pub language: String,
    /// The variables of its body.
    #[serde(default)]
    pub parameters: TemplateParameters,
    /// What stands above the body.
    #[serde(default)]
    pub header: HeaderShape,
    /// Its buttons that need a value; others need not be mentioned by a rule.
    #[serde(default)]
    pub buttons: Vec<ButtonShape>,
    /// Whether it may be sent.
    #[serde(default)]
    pub status: TemplateStatus,
    /// What it is for.
    #[serde(default)]
    pub category: TemplateCategory,
}

/// The variables of a template's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "'parameters' is how many values the body takes, such as 2, or their names as a list"
)]
pub enum TemplateParameters {
    /// `{{1}}`, `{{2}}` …: how many.
    Positional(usize),
    /// `{{first_name}}` …: their names.
    Named(Vec<String>),
}

impl Default for TemplateParameters {
    fn default() -> Self {
        Self::Positional(0)
    }
}

/// What stands above a template's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderShape {
    /// Nothing, or words that never change.
    #[default]
    None,
    /// Words with a variable.
    Text,
    /// A file, given with each message.
    Media(MediaKind),
}

/// A button that needs a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ButtonShape {
    /// Its position among the template's buttons, from 0.
    pub index: u8,
    /// What the value is.
    pub kind: ButtonValue,
}

/// What a button's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonValue {
    /// The end of a link.
    Url,
    /// A code to copy.
    Code,
}

impl ButtonValue {
    /// As a rule writes it: the key in the map of a button.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Code => "code",
        }
    }
}

/// Whether a template may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStatus {
    /// It may.
    #[default]
    Approved,
    /// WhatsApp has not decided yet.
    Pending,
    /// WhatsApp has said no.
    Rejected,
    /// Too many customers did not want it; it comes back after a while.
    Paused,
    /// It was paused too often, or someone switched it off.
    Disabled,
}

impl TemplateStatus {
    /// As shown and stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Pending => "pending",
            Self::Rejected => "rejected",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// What a template is for, by which WhatsApp prices it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateCategory {
    /// About something the customer asked for or bought.
    #[default]
    Utility,
    /// To make the customer want something.
    Marketing,
    /// A code to log in with.
    Authentication,
}
