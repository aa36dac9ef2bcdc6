//! The tenant: a business with its numbers, rules and customers.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::LocationId;
use super::time::Span;

/// A tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// This location.
    pub id: LocationId,
    /// What people call it.
    pub name: String,
    /// Where its clocks are.
    pub time_zone: Tz,
    /// How it behaves.
    pub settings: LocationSettings,
}

/// How a location behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocationSettings {
    /// How long nothing automatic goes out after a person wrote, in milliseconds. Default 12 hours.
    pub hold_ms: Span,
    /// The language of templates that name none.
    pub language: String,
    /// Constants for the rules, set by the location's admin.
    pub vars: Map<String, Value>,
    /// What happens to a reply of which it stays unknown whether it was sent.
    pub in_doubt_replies: InDoubtPolicy,
    /// What happens to a template of which it stays unknown whether it was sent.
    pub in_doubt_templates: InDoubtPolicy,
}

impl Default for LocationSettings {
    fn default() -> Self {
        Self {
            hold_ms: Span::hours(12),
            language: "en".into(),
            vars: Map::new(),
            in_doubt_replies: InDoubtPolicy::Resend,
            in_doubt_templates: InDoubtPolicy::Hold,
        }
    }
}

/// What happens to a message of which it stays unknown whether it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InDoubtPolicy {
    /// It waits for a person.
    Hold,
    /// It is sent once more, and marked as possibly doubled.
    Resend,
}
