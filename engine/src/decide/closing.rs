//! The service window that is about to close without an answer: when rules are told, and whether they
//! still should be. Knows nothing of scripts, nor of how timers are kept.

use super::{ActiveRule, Deciding};
use crate::domain::event::Payload;
use crate::domain::ids::TimerId;
use crate::domain::location::Location;
use crate::domain::message::Body;
use crate::domain::time::Timestamp;
use crate::domain::window::Window;
use crate::store::{TimerChange, TimerRow};

/// The function that is called when the window is about to close.
pub(crate) const ON_WINDOW_CLOSING: &str = "on_window_closing";

/// When rules are told that a window closes: so long before as the location says, and never in quiet hours.
fn warning_at(location: &Location, window: Window) -> Option<Timestamp> {
    let at = window.closes_at()? - location.settings.window_warning();
    let quiet = location.settings.quiet_hours.as_ref();
    Some(quiet.map_or(at, |quiet| quiet.before(at, location.time_zone)))
}

impl Deciding<'_> {
    /// The customer wrote: every rule that wants to hear of it is told before the window closes, whatever
    /// the rules made of the message.
    pub(super) fn watch_window(&mut self) {
        let Payload::Message { message } = &self.question.event.payload else {
            return;
        };
        let said = self.question.snapshot.filter(|_| is_said(&message.body));
        let (Some(snapshot), now) = (said, self.question.now) else {
            return;
        };
        let window = snapshot.conversation.window;
        let due_at = warning_at(self.question.location, window).filter(|_| window.is_open(now));
        let Some(due_at) = due_at else {
            return;
        };
        let watching = |rule: &&ActiveRule| rule.script.defines(ON_WINDOW_CLOSING);
        for rule in self.question.rules.iter().filter(watching) {
            let event = self.question.event;
            let parts = [
                event.id.bytes(),
                rule.id.bytes(),
                ON_WINDOW_CLOSING.as_bytes(),
            ];
            self.decision.timers.push(TimerChange::Set(TimerRow {
                location_id: snapshot.location.id,
                conversation_id: snapshot.conversation.id,
                rule_id: rule.id,
                handler: ON_WINDOW_CLOSING.to_owned(),
                id: TimerId::derive(&parts),
                due_at,
                if_silent: false,
                args: None,
                set_at: now,
                set_seq: event.seq,
                when_held: rule.script.even_when_held(),
            }));
        }
    }

    /// Why rules need not be told any more that the window closes; `None` for every other event.
    pub(super) fn closes_no_more(&self) -> Option<&'static str> {
        let Payload::Timer {
            handler, set_seq, ..
        } = &self.question.event.payload
        else {
            return None;
        };
        let snapshot = self
            .question
            .snapshot
            .filter(|_| handler == ON_WINDOW_CLOSING)?;
        let (conversation, now) = (&snapshot.conversation, self.question.now);
        let said_since = conversation.last_said_seq > *set_seq;
        let by_person = conversation.last_person_at >= conversation.last_inbound_at;
        let warning_at = warning_at(self.question.location, conversation.window);
        if snapshot.answered || (said_since && by_person) {
            Some("someone has answered")
        } else if said_since {
            Some("the customer wrote again")
        } else if !conversation.window.is_open(now) {
            Some("the window is shut")
        } else if warning_at.is_some_and(|at| now < at) {
            Some("the window does not close yet")
        } else {
            None
        }
    }
}

/// Whether the customer said something, rather than changed what they had said.
fn is_said(body: &Body) -> bool {
    body.is_line() && !matches!(body, Body::System(_))
}
