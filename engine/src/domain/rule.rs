//! A named script of a location, in an order, with versions.

use super::ids::{LocationId, RuleId};
use super::time::Timestamp;

/// A rule: one draft, at most one published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The tenant.
    pub location_id: LocationId,
    /// This rule.
    pub id: RuleId,
    /// What people call it; unique in its location.
    pub name: String,
    /// Rules are asked in this order, then by name.
    pub position: i32,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// The script as last saved.
    pub draft: String,
    /// Its tests as last saved; "" if it has none.
    pub tests: String,
    /// The version that runs, if any.
    pub published: Option<i32>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A published script; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleVersion {
    /// The tenant.
    pub location_id: LocationId,
    /// Its rule.
    pub rule_id: RuleId,
    /// 1, 2, 3 …
    pub version: i32,
    /// The script.
    pub source: String,
    /// The tests that it passed when it was published; "" if it had none.
    pub tests: String,
    /// When it was published.
    pub published_at: Timestamp,
}
