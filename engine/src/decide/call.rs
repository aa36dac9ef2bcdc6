//! Which functions of a rule an event calls, and with what.

use crate::domain::event::{Event, Payload};
use crate::domain::ids::RunId;
use crate::domain::message::Body;
use crate::domain::snapshot::Snapshot;
use crate::script::{Input, Script};

/// The functions that an event calls, one after the other in the same run, and what they are told.
pub(super) struct Call<'a> {
    pub(super) handlers: Vec<&'a str>,
    pub(super) input: Input<'a>,
}

impl<'a> Call<'a> {
    /// What an event calls, if it is one that calls anything. A customer's message that begins anew, after
    /// nothing or after a long time, calls `on_start` first.
    pub(super) fn of(event: &'a Event, snapshot: Option<&Snapshot>) -> Option<Self> {
        let (handler, input) = handler(event)?;
        let starts = handler == ON_MESSAGE && snapshot.is_some_and(|it| begins_anew(event, it));
        let handlers = if starts {
            vec![ON_START, handler]
        } else {
            vec![handler]
        };
        Some(Self { handlers, input })
    }

    /// As much of it as a script has functions for.
    pub(super) fn on(mut self, script: &Script) -> Option<Self> {
        self.handlers.retain(|handler| script.defines(handler));
        (!self.handlers.is_empty()).then_some(self)
    }

    /// Whether it is called although someone holds the conversation, for what it notes, not for what it sends.
    pub(super) fn is_heard_when_held(&self) -> bool {
        let heard = |handler: &&str| matches!(*handler, "on_echo" | "on_status");
        self.handlers.iter().any(heard)
    }
}

const ON_MESSAGE: &str = "on_message";
const ON_START: &str = "on_start";

/// The function that an event calls, and what it is told.
fn handler(event: &Event) -> Option<(&str, Input<'_>)> {
    let at = event.at;
    match &event.payload {
        Payload::Message { message } => match &message.body {
            Body::Reaction { message_id, emoji } => {
                let input = Input::Reaction {
                    message_id,
                    emoji,
                    at,
                };
                Some(("on_reaction", input))
            }
            Body::Edit { message_id, body } => {
                let input = Input::Edit {
                    message_id,
                    body,
                    at,
                };
                Some(("on_edit", input))
            }
            Body::Revoke { message_id } => Some(("on_revoke", Input::Revoke { message_id, at })),
            Body::System(_) => None,
            _ => Some((ON_MESSAGE, Input::Message { message, at })),
        },
        Payload::Echo { message, .. } if message.body.is_line() => {
            Some(("on_echo", Input::Echo { message, at }))
        }
        Payload::Status { status, .. } => Some(("on_status", Input::Status(status))),
        Payload::Timer {
            handler,
            args,
            due_at,
            ..
        } => Some((
            handler,
            Input::Timer {
                args: args.as_ref(),
                due_at: *due_at,
            },
        )),
        Payload::Tick {
            handler, due_at, ..
        } => Some((handler, Input::Tick { due_at: *due_at })),
        Payload::Each { handler, args, .. } => {
            let args = args.as_ref();
            Some((handler, Input::Each { args }))
        }
        Payload::Response {
            endpoint,
            handler,
            response,
            ..
        } => {
            let handler = handler.as_deref().unwrap_or("on_response");
            Some((handler, Input::Response { endpoint, response }))
        }
        Payload::Echo { .. }
        | Payload::Update { .. }
        | Payload::History { .. }
        | Payload::AddressBook { .. }
        | Payload::Unknown { .. } => None,
    }
}

/// Whether the customer never wrote before, or not for as long as the location says.
fn begins_anew(event: &Event, snapshot: &Snapshot) -> bool {
    let idle = snapshot.location.settings.idle();
    snapshot
        .previous_message_at
        .is_none_or(|previous| event.at.since(previous) >= idle)
}

/// Chance that is the same for every repetition of a run.
pub(super) fn seed(run_id: RunId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&run_id.bytes()[..8]);
    u64::from_be_bytes(bytes)
}
