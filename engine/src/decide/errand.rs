//! What a run wants done beside the conversation: calls of endpoints, functions for many chats, notes, and
//! a person who takes over. Knows nothing of scripts, nor of how any of it is carried out.

use serde_json::{Map, Value};

use super::{ActiveRule, Deciding, Question};
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::fanout::{ChatFilter, Fanout};
use crate::domain::ids::{FanoutId, NoteId, RequestId};
use crate::domain::note::{Author, Note};
use crate::domain::request::{Fault, Request};

impl Deciding<'_> {
    /// Asks for a call. Who may not be called is not, and the rule is told so like of any other answer.
    pub(super) fn request(
        &mut self,
        rule: &ActiveRule,
        id: RequestId,
        endpoint: &str,
        data: &Map<String, Value>,
        handler: Option<&String>,
    ) -> Option<String> {
        let Question {
            event,
            endpoints,
            now,
            ..
        } = *self.question;
        let conversation = &self.snapshot.as_ref()?.conversation;
        let is_allowed = endpoints.contains(endpoint);
        self.decision.requests.push(Request {
            location_id: conversation.location_id,
            id,
            conversation_id: conversation.id,
            rule_id: rule.id,
            event_id: event.id,
            endpoint: endpoint.to_owned(),
            handler: handler.cloned(),
            data: data.clone(),
            attempts: 0,
            not_before: now,
            refusal: (!is_allowed).then_some(Fault::NotAllowed),
            created_at: now,
        });
        (!is_allowed).then(|| {
            format!("not called: the location has no endpoint '{endpoint}', and the answer is not_allowed")
        })
    }

    /// Calls a function for each chat that a filter finds, beginning now.
    pub(super) fn each_chat(
        &mut self,
        rule: &ActiveRule,
        id: FanoutId,
        filter: &ChatFilter,
        handler: &str,
        args: Option<&Map<String, Value>>,
    ) {
        let Question {
            event,
            location,
            now,
            ..
        } = *self.question;
        self.decision.fanouts.push(Fanout {
            location_id: location.id,
            id,
            rule_id: rule.id,
            event_id: event.id,
            handler: handler.to_owned(),
            filter: filter.clone(),
            args: args.cloned(),
            cursor: None,
            not_before: now,
            visited: 0,
            created_at: now,
        });
    }

    /// Writes a note beside the conversation.
    pub(super) fn note(&mut self, rule: &ActiveRule, id: NoteId, text: &str) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let position = u32::try_from(self.decision.notes.len()).unwrap_or(u32::MAX);
        self.decision.notes.push(Note {
            location_id: snapshot.location.id,
            id,
            conversation_id: snapshot.conversation.id,
            author: Author::Rule {
                rule_id: rule.id,
                name: rule.name.clone(),
            },
            text: storable(text),
            created_at: self.question.now,
            position,
        });
    }

    /// Names who should take over, and holds the conversation for them unless someone has it already; "" for
    /// nobody any more, which ends a rule's hold and not a person's.
    pub(super) fn assign(&mut self, to: &str) {
        let to = storable(to);
        let to = to.as_str();
        let (location, now) = (self.question.location, self.question.now);
        let hold = self
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.conversation.held(now));
        match (to, hold) {
            ("", Some(hold)) if hold.by == HeldBy::Rule => self.change_hold(None),
            ("", _) | (_, Some(_)) => {}
            (_, None) => self.change_hold(Some(Hold {
                by: HeldBy::Rule,
                until: now + location.settings.hold_ms,
            })),
        }
        if let Some(snapshot) = self.snapshot.as_mut() {
            to.clone_into(&mut snapshot.conversation.assigned_to);
            self.decision.assigned = Some(to.to_owned());
        }
    }
}

/// A text as every database can keep it: PostgreSQL's know no NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
