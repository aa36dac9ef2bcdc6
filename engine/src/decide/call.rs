//! Which function of a rule an event calls, and with what.

use crate::domain::event::{Event, Payload};
use crate::domain::ids::RunId;
use crate::domain::message::Body;
use crate::script::Input;

/// The function that an event calls, and what it is told.
pub(super) fn call(event: &Event) -> Option<(&str, Input<'_>)> {
    let at = event.at;
    match &event.payload {
        Payload::Message { message } => match message.body {
            Body::Reaction { .. } | Body::Edit { .. } | Body::Revoke { .. } | Body::System(_) => {
                None
            }
            _ => Some(("on_message", Input::Message { message, at })),
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
        Payload::Tick { handler, .. } => Some((handler, Input::Tick)),
        Payload::Echo { .. }
        | Payload::Update { .. }
        | Payload::History { .. }
        | Payload::AddressBook { .. }
        | Payload::Unknown { .. } => None,
    }
}

/// Chance that is the same for every repetition of a run.
pub(super) fn seed(run_id: RunId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&run_id.bytes()[..8]);
    u64::from_be_bytes(bytes)
}
