//! The texts of the bulk statements. `b` is the array of rows as a table; its columns carry the names
//! given here, behind a `b_`.

use std::sync::OnceLock;

use sea_orm::DbBackend;

/// How a value travels in JSON, and what it becomes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Uuid,
    Text,
    Number,
    Bool,
}

use Kind::{Bool, Number, Text, Uuid};

/// A statement over an array of rows.
pub(super) struct Bulk {
    columns: &'static [(&'static str, Kind)],
    /// With `{b}` for the rows as a table.
    template: &'static str,
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Bulk {
    const fn new(columns: &'static [(&'static str, Kind)], template: &'static str) -> Self {
        Self {
            columns,
            template,
            sqlite: OnceLock::new(),
            postgres: OnceLock::new(),
        }
    }

    /// The statement for one of the two databases.
    pub(super) fn text(&self, backend: DbBackend) -> &str {
        match backend {
            DbBackend::Postgres => self.postgres.get_or_init(|| {
                self.fill(
                    "json_array_elements($1::json) AS rows(value)",
                    |nth, kind| match kind {
                        Uuid => format!("(value->>{nth})::uuid"),
                        Text => format!("value->>{nth}"),
                        Number => format!("(value->>{nth})::bigint"),
                        Bool => format!("(value->>{nth})::boolean"),
                    },
                )
            }),
            _ => self.sqlite.get_or_init(|| {
                self.fill("json_each($1)", |nth, kind| match kind {
                    Uuid => format!("unhex(value->>{nth})"),
                    Text | Number | Bool => format!("value->>{nth}"),
                })
            }),
        }
    }

    fn fill(&self, rows: &str, value: impl Fn(usize, Kind) -> String) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(nth, (name, kind))| format!("{} AS b_{name}", value(nth, *kind)))
            .collect();
        self.template.replace(
            "{b}",
            &format!("(SELECT {} FROM {rows}) AS b", columns.join(", ")),
        )
    }
}

/// Events of conversations; the number follows from the lane.
pub(super) static EVENTS: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("id", Uuid),
        ("channel_id", Uuid),
        ("conversation_id", Uuid),
        ("kind", Text),
        ("external_key", Text),
        ("payload", Text),
        ("at", Number),
        ("received_at", Number),
        ("nth", Number),
    ],
    "INSERT INTO rejoinder_event (location_id, id, channel_id, conversation_id, kind, external_key, payload, at, \
     received_at, state, attempts, seq) \
     SELECT b_location_id, b_id, b_channel_id, b_conversation_id, b_kind, b_external_key, b_payload, b_at, \
     b_received_at, 'pending', 0, l.next_seq + b_nth \
     FROM {b} JOIN rejoinder_lane l ON l.location_id = b_location_id AND l.conversation_id = b_conversation_id \
     WHERE true ON CONFLICT (location_id, channel_id, kind, external_key) DO NOTHING RETURNING id, seq",
);

/// What messages change about their lanes: numbers are used up, the window is raised, never lowered.
pub(super) static LANES: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("conversation_id", Uuid),
        ("count", Number),
        ("received_at", Number),
        ("window_until", Number),
        ("last_seq", Number),
    ],
    "UPDATE rejoinder_lane SET next_seq = next_seq + b_count, last_said_seq = b_last_seq, \
     last_inbound_at = CASE WHEN last_inbound_at IS NULL OR last_inbound_at < b_received_at \
     THEN b_received_at ELSE last_inbound_at END, \
     window_until = CASE WHEN b_window_until IS NOT NULL AND (window_until IS NULL OR window_until < b_window_until) \
     THEN b_window_until ELSE window_until END \
     FROM {b} WHERE location_id = b_location_id AND conversation_id = b_conversation_id",
);

/// Lines of conversations.
pub(super) static MESSAGES: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("id", Uuid),
        ("channel_id", Uuid),
        ("conversation_id", Uuid),
        ("provider_id", Text),
        ("origin", Text),
        ("kind", Text),
        ("text", Text),
        ("content", Text),
        ("at", Number),
    ],
    "INSERT INTO rejoinder_message (location_id, id, channel_id, conversation_id, provider_id, origin, kind, text, \
     content, at) \
     SELECT b_location_id, b_id, b_channel_id, b_conversation_id, b_provider_id, b_origin, b_kind, b_text, b_content, \
     b_at FROM {b} WHERE true ON CONFLICT (location_id, channel_id, provider_id) DO NOTHING",
);

/// Events that were decided.
pub(super) static FINISHED: Bulk = Bulk::new(
    &[("location_id", Uuid), ("id", Uuid), ("visits", Text)],
    "UPDATE rejoinder_event SET state = 'done', visits = b_visits FROM {b} \
     WHERE location_id = b_location_id AND id = b_id AND state = 'pending'",
);

/// Runs; their ids follow from event and rule.
pub(super) static RUNS: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("id", Uuid),
        ("event_id", Uuid),
        ("rule_id", Uuid),
        ("version", Number),
        ("handler", Text),
        ("outcome", Text),
        ("effects", Text),
        ("trace", Text),
        ("decided_at", Number),
    ],
    "INSERT INTO rejoinder_run (location_id, id, event_id, rule_id, version, handler, outcome, effects, trace, \
     decided_at) \
     SELECT b_location_id, b_id, b_event_id, b_rule_id, b_version, b_handler, b_outcome, b_effects, b_trace, \
     b_decided_at FROM {b} WHERE true ON CONFLICT (location_id, event_id, rule_id) DO NOTHING",
);

/// What rules remember.
pub(super) static STATES: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("conversation_id", Uuid),
        ("rule_id", Uuid),
        ("state", Text),
    ],
    "INSERT INTO rejoinder_rule_state (location_id, conversation_id, rule_id, state) \
     SELECT b_location_id, b_conversation_id, b_rule_id, b_state FROM {b} \
     WHERE true ON CONFLICT (location_id, conversation_id, rule_id) DO UPDATE SET state = excluded.state",
);

/// Timers; one that is pending for the same handler is moved.
pub(super) static TIMERS: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("conversation_id", Uuid),
        ("rule_id", Uuid),
        ("handler", Text),
        ("id", Uuid),
        ("due_at", Number),
        ("if_silent", Bool),
        ("args", Text),
        ("set_at", Number),
        ("set_seq", Number),
        ("when_held", Bool),
    ],
    "INSERT INTO rejoinder_timer (location_id, conversation_id, rule_id, handler, id, due_at, if_silent, args, set_at, \
     set_seq, when_held) \
     SELECT b_location_id, b_conversation_id, b_rule_id, b_handler, b_id, b_due_at, b_if_silent, b_args, b_set_at, \
     b_set_seq, b_when_held FROM {b} \
     WHERE true ON CONFLICT (location_id, conversation_id, rule_id, handler) DO UPDATE SET id = excluded.id, \
     due_at = excluded.due_at, if_silent = excluded.if_silent, args = excluded.args, set_at = excluded.set_at, \
     set_seq = excluded.set_seq, when_held = excluded.when_held",
);

/// Deliveries of rules. One that holds a permit (`node`) is *sending* at once if window and hold allow
/// it at this very moment; otherwise it waits, and the longer way tells the reasons.
pub(super) static DELIVERIES: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("id", Uuid),
        ("conversation_id", Uuid),
        ("channel_id", Uuid),
        ("rule_id", Uuid),
        ("run_id", Uuid),
        ("event_id", Uuid),
        ("content", Text),
        ("fallback", Text),
        ("reply_to", Text),
        ("text_hash", Text),
        ("not_before", Number),
        ("position", Number),
        ("wants_status", Bool),
        ("flags", Text),
        ("created_at", Number),
        ("node", Uuid),
        // The window must reach beyond this; absent for what may leave outside it.
        ("window_floor", Number),
        // Why the decision refused it; absent for what is to be sent.
        ("failure", Text),
    ],
    "INSERT INTO rejoinder_delivery (location_id, id, conversation_id, channel_id, rule_id, run_id, event_id, content, \
     fallback, reply_to, text_hash, not_before, position, wants_status, flags, created_at, updated_at, state, \
     attempts, node, failure) \
     SELECT b_location_id, b_id, b_conversation_id, b_channel_id, b_rule_id, b_run_id, b_event_id, b_content, \
     b_fallback, b_reply_to, b_text_hash, b_not_before, b_position, b_wants_status, b_flags, b_created_at, \
     b_created_at, \
     CASE WHEN b_failure IS NOT NULL THEN 'failed' WHEN leaves THEN 'sending' ELSE 'ready' END, CASE WHEN leaves THEN 1 ELSE 0 END, \
     CASE WHEN leaves THEN b_node ELSE NULL END, b_failure \
     FROM (SELECT b.*, b_node IS NOT NULL \
     AND (b_window_floor IS NULL OR (l.window_until IS NOT NULL AND l.window_until > b_window_floor)) \
     AND (b_flags LIKE '%when_held%' OR l.held_by IS NULL OR l.held_by = 'rule' OR l.held_until <= b_created_at) AS leaves \
     FROM {b} JOIN rejoinder_lane l ON l.location_id = b_location_id AND l.conversation_id = b_conversation_id) AS d \
     WHERE true ON CONFLICT (location_id, id) DO NOTHING RETURNING id, state",
);

/// Deliveries that leave: window and hold allow it at this very moment.
pub(super) static DEPARTURES: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("id", Uuid),
        ("conversation_id", Uuid),
        ("node", Uuid),
        ("now", Number),
        // The window must reach beyond this; absent for what may leave outside it.
        ("window_floor", Number),
        // Whether it leaves although a person is in charge.
        ("may_be_held", Bool),
    ],
    "UPDATE rejoinder_delivery SET state = 'sending', attempts = attempts + 1, node = d_node, updated_at = d_now \
     FROM (SELECT b_location_id AS d_location_id, b_id AS d_id, b_node AS d_node, b_now AS d_now \
     FROM {b} JOIN rejoinder_lane l ON l.location_id = b_location_id AND l.conversation_id = b_conversation_id \
     WHERE (b_window_floor IS NULL OR l.window_until > b_window_floor) \
     AND (b_may_be_held OR l.held_by IS NULL OR l.held_by = 'rule' OR l.held_until <= b_now)) AS d \
     WHERE location_id = d_location_id AND id = d_id AND state = 'ready' RETURNING id, state",
);

/// Deliveries that the provider has.
pub(super) static ACCEPTED: Bulk = Bulk::new(
    &[
        ("location_id", Uuid),
        ("id", Uuid),
        ("provider_id", Text),
        ("now", Number),
    ],
    "UPDATE rejoinder_delivery SET state = 'accepted', provider_id = b_provider_id, failure = NULL, \
     updated_at = b_now FROM {b} \
     WHERE location_id = b_location_id AND id = b_id AND state IN ('sending', 'in_doubt')",
);
