//! The tenant: a business with its numbers, rules and customers.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::hours::{Calendar, Holidays, OpeningHours};
use super::ids::LocationId;
use super::origin::Origin;
use super::quiet::QuietHours;
use super::time::{Span, Timestamp};

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

impl Location {
    /// When it is open.
    pub fn calendar(&self) -> Calendar {
        Calendar {
            hours: self.settings.opening_hours.clone(),
            holidays: self.settings.holidays.clone(),
            zone: self.time_zone,
        }
    }

    /// When the quiet hours end that last at `at`; `None` if follow-ups may come then.
    pub fn quiet_until(&self, at: Timestamp) -> Option<Timestamp> {
        let quiet = self.settings.quiet_hours.as_ref()?;
        quiet.until(at, self.time_zone)
    }
}

/// How long a customer is away before a message of theirs begins anew, unless `vars.idle` says otherwise.
const IDLE: Span = Span::days(30);
/// How long before the service window closes rules are told, unless `vars.window_warning` says otherwise.
const WINDOW_WARNING: Span = Span::hours(1);
/// Websites of one location at most: a shop has one or two, an agency with its customers' pages a dozen.
const MAX_ORIGINS: usize = 50;

impl LocationSettings {
    /// How long a customer is away before a message of theirs begins anew.
    pub fn idle(&self) -> Span {
        self.span("idle").unwrap_or(IDLE)
    }

    /// How long before the service window closes rules are told.
    pub fn window_warning(&self) -> Span {
        self.span("window_warning").unwrap_or(WINDOW_WARNING)
    }

    fn span(&self, name: &str) -> Option<Span> {
        Span::parse(self.vars.get(name)?.as_str()?).ok()
    }

    /// Whether the constants that mean something to the engine can be read.
    ///
    /// # Errors
    /// A sentence for the person who set them.
    pub fn check(&self) -> Result<(), String> {
        for name in ["idle", "window_warning"] {
            let readable = match self.vars.get(name) {
                None | Some(Value::Null) => Ok(()),
                Some(Value::String(text)) => Span::parse(text)
                    .map(drop)
                    .map_err(|error| error.to_string()),
                Some(other) => Err(format!(
                    "{other} is not a duration; write for example \"1h30m\""
                )),
            };
            readable.map_err(|error| format!("vars.{name}: {error}"))?;
        }
        for (name, span) in [
            ("gather_ms", self.gather_ms),
            ("sequence_ms", self.sequence_ms),
        ] {
            let allowed = Span::seconds(1)..=Span::seconds(60);
            if let Some(span) = span.filter(|span| !allowed.contains(span)) {
                return Err(format!(
                    "{name}: {} is not between 1000 and 60000 milliseconds; leave it out for none",
                    span.ms()
                ));
            }
        }
        if self.origins.len() > MAX_ORIGINS {
            return Err(format!("origins: at most {MAX_ORIGINS} may be named"));
        }
        Ok(())
    }
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
    /// When it is open, by weekday; absent: always.
    pub opening_hours: Option<OpeningHours>,
    /// Days with hours of their own, or closed.
    pub holidays: Holidays,
    /// When follow-ups rest; absent: never.
    pub quiet_hours: Option<QuietHours>,
    /// What happens to a reply of which it stays unknown whether it was sent.
    pub in_doubt_replies: InDoubtPolicy,
    /// What happens to a template of which it stays unknown whether it was sent.
    pub in_doubt_templates: InDoubtPolicy,
    /// Text that a customer writes in several messages is decided as one message once nothing more came for
    /// so long, in milliseconds: 1,000 to 60,000. Absent: each message by itself, at once.
    pub gather_ms: Option<Span>,
    /// A message leaves once the customer has the one before it, or after so long, in milliseconds: 1,000 to
    /// 60,000. Absent: once the provider has it, which may deliver them in another order.
    pub sequence_ms: Option<Span>,
    /// When rules that answer a program rest.
    pub loop_guard: LoopGuard,
    /// The websites from which numbers may be connected, such as `https://bots.cafe.example`.
    pub origins: Vec<Origin>,
}

/// When a conversation goes round in circles. Zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopGuard {
    /// Events of a conversation that rules answer in a minute.
    pub per_minute: u32,
    /// Events of a conversation that rules answer in an hour.
    pub per_hour: u32,
    /// Whether messages that come quicker than anyone reads, or that come round and round, are a sign as well.
    pub circles: bool,
}

impl LoopGuard {
    /// Rules never rest, but for numbers of this installation: where programs write on purpose.
    pub const OFF: Self = Self {
        per_minute: 0,
        per_hour: 0,
        circles: false,
    };
}

impl Default for LoopGuard {
    fn default() -> Self {
        Self {
            per_minute: 12,
            per_hour: 60,
            circles: true,
        }
    }
}

impl Default for LocationSettings {
    fn default() -> Self {
        Self {
            hold_ms: Span::hours(12),
            language: "en".into(),
            vars: Map::new(),
            opening_hours: None,
            holidays: Holidays::default(),
            quiet_hours: None,
            in_doubt_replies: InDoubtPolicy::Resend,
            in_doubt_templates: InDoubtPolicy::Hold,
            gather_ms: None,
            sequence_ms: None,
            loop_guard: LoopGuard::default(),
            origins: Vec::new(),
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
