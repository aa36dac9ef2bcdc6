//! What a run wants becomes part of the decision: deliveries, timers, and changes of contact and hold.
//! Knows nothing of scripts, nor of how a decision is written.

use super::{ActiveRule, Deciding, Question};
use crate::adapter::SignalKind;
use crate::domain::contact::{ContactChange, ContactChanges};
use crate::domain::content::Content;
use crate::domain::conversation::{HeldBy, Hold};
use crate::domain::delivery::{Delivery, DeliveryState, Flag, Flags, Origin};
use crate::domain::effect::Effect;
use crate::domain::ids::{DeliveryId, FanoutId, NoteId, RequestId, RunId, TimerId};
use crate::domain::inbound::Stage;
use crate::domain::local;
use crate::domain::location::Location;
use crate::domain::quiet::Place;
use crate::domain::time::{Span, Timestamp};
use crate::domain::window::Window;
use crate::store::{HoldChange, TimerChange, TimerRow};

impl Deciding<'_> {
    /// Takes an effect in; says what became of it where that is not what was asked.
    pub(super) fn apply(
        &mut self,
        rule: &ActiveRule,
        run_id: RunId,
        ordinal: usize,
        effect: &Effect,
        held: bool,
    ) -> Option<String> {
        let now = self.question.now;
        let ordinal_bytes = (ordinal as u64).to_be_bytes();
        let location = self.question.location;
        if let Effect::EachChat {
            filter,
            handler,
            args,
        } = effect
        {
            // A location's own event may ask for it, without a conversation.
            let id = FanoutId::derive(&[run_id.bytes(), &ordinal_bytes]);
            self.each_chat(rule, id, filter, handler, args.as_ref());
            return None;
        }
        let snapshot = self.snapshot.as_mut()?;
        match effect {
            Effect::Reply { content, fallback } => {
                let fallback = fallback.clone().map(Content::Template);
                return self.deliver(rule, run_id, ordinal, content.clone(), fallback, held);
            }
            Effect::Send { template } => {
                let content = Content::Template(template.clone());
                return self.deliver(rule, run_id, ordinal, content, None, held);
            }
            Effect::React { message_id, emoji } => {
                let content = Content::Reaction {
                    message_id: message_id.clone(),
                    emoji: emoji.clone(),
                };
                return self.deliver(rule, run_id, ordinal, content, None, held);
            }
            Effect::MarkRead { message_id } => {
                self.decision
                    .signals
                    .push((SignalKind::Read, message_id.clone()));
            }
            Effect::Typing { message_id } => {
                self.decision
                    .signals
                    .push((SignalKind::Typing, message_id.clone()));
            }
            Effect::SetTimer {
                handler,
                due_at,
                if_silent,
                args,
            } => {
                let window = snapshot.conversation.window;
                let (due_at, remark) = place(location, window, handler, *due_at, now);
                self.decision.timers.push(TimerChange::Set(TimerRow {
                    location_id: snapshot.location.id,
                    conversation_id: snapshot.conversation.id,
                    rule_id: rule.id,
                    handler: handler.clone(),
                    id: TimerId::derive(&[run_id.bytes(), &ordinal_bytes]),
                    due_at,
                    if_silent: *if_silent,
                    args: args.clone(),
                    set_at: now,
                    set_seq: self.question.event.seq,
                    when_held: false,
                }));
                return remark;
            }
            Effect::CancelTimer { handler } => {
                let change = TimerChange::Cancel {
                    rule_id: rule.id,
                    handler: handler.clone(),
                };
                self.decision.timers.push(change);
            }
            Effect::Tag { tag } => self.change_contact(ContactChange::Tag(tag.clone())),
            Effect::Untag { tag } => self.change_contact(ContactChange::Untag(tag.clone())),
            Effect::SetAttribute { name, value } => {
                self.change_contact(ContactChange::SetAttribute {
                    name: name.clone(),
                    value: value.clone(),
                });
            }
            Effect::SetOptedOut { opted_out } => {
                self.change_contact(ContactChange::SetOptedOut(*opted_out));
            }
            Effect::Hold { span } => {
                let in_force = snapshot.conversation.held(now);
                if in_force.is_some_and(|hold| hold.by != HeldBy::Rule) {
                    return Some("not held: a person is in charge already".to_owned());
                }
                self.change_hold(Some(Hold {
                    by: HeldBy::Rule,
                    until: now + *span,
                }));
            }
            Effect::Release => {
                self.change_hold(None);
                self.assign("");
            }
            Effect::Request {
                endpoint,
                data,
                handler,
            } => {
                let id = RequestId::derive(&[run_id.bytes(), &ordinal_bytes]);
                return self.request(rule, id, endpoint, data, handler.as_ref());
            }
            Effect::Assign { to } => self.assign(to),
            Effect::Note { text } => {
                let id = NoteId::derive(&[run_id.bytes(), &ordinal_bytes]);
                self.note(rule, id, text);
            }
            Effect::EachChat { .. } => {}
        }
        None
    }

    /// Changes the contact for the rules that follow, and asks that the row be changed alike.
    fn change_contact(&mut self, change: ContactChange) {
        let Some(snapshot) = self.snapshot.as_mut() else {
            return;
        };
        change.apply(&mut snapshot.contact);
        let changes = self
            .decision
            .contact
            .get_or_insert_with(|| ContactChanges::of(snapshot.contact.id));
        changes.changes.push(change);
    }

    /// Changes who is in charge, provided that nobody else does meanwhile.
    pub(super) fn change_hold(&mut self, to: Option<Hold>) {
        let seen = self
            .question
            .snapshot
            .and_then(|snapshot| snapshot.conversation.hold);
        if let Some(snapshot) = self.snapshot.as_mut() {
            snapshot.conversation.hold = to;
        }
        self.decision.hold = HoldChange::Change { seen, to };
    }

    fn deliver(
        &mut self,
        rule: &ActiveRule,
        run_id: RunId,
        ordinal: usize,
        content: Content,
        fallback: Option<Content>,
        when_held: bool,
    ) -> Option<String> {
        let Question { event, now, .. } = *self.question;
        let snapshot = self.snapshot.as_ref()?;
        let conversation = &snapshot.conversation;
        // A template is advertising, or stands in for what came too late: the customer wants neither.
        let opted_out = snapshot.contact.opted_out;
        let is_template = |content: &Content| content.is_template();
        let leaves_as_template = is_template(&content)
            || (fallback.as_ref().is_some_and(is_template) && !conversation.window.is_open(now));
        let refused = opted_out && leaves_as_template;
        let fallback = fallback.filter(|fallback| !opted_out || refused || !is_template(fallback));
        let nth = i64::try_from(self.decision.deliveries.len()).unwrap_or(i64::MAX);
        self.decision.deliveries.push(Delivery {
            location_id: conversation.location_id,
            id: DeliveryId::derive(&[run_id.bytes(), &(ordinal as u64).to_be_bytes()]),
            conversation_id: conversation.id,
            channel_id: conversation.channel_id,
            address: Some(conversation.address.clone()),
            origin: Origin::Rule {
                rule_id: rule.id,
                run_id,
                event_id: event.id,
            },
            content,
            fallback,
            reply_to: None,
            state: if refused {
                DeliveryState::Reached(Stage::Failed)
            } else {
                DeliveryState::Ready
            },
            attempts: 0,
            provider_id: None,
            not_before: now,
            fallback_of: None,
            position: Delivery::position(event.seq, nth),
            wants_status: rule.script.defines("on_status"),
            flags: if when_held {
                Flags::NONE.with(Flag::WhenHeld)
            } else {
                Flags::NONE
            },
            retrying_since: None,
            created_at: now,
        });
        refused.then(|| "not sent: the customer opted out".to_owned())
    }
}

/// When a follow-up comes that a run asks for, quiet hours considered, and what the trace says of it.
fn place(
    location: &Location,
    window: Window,
    handler: &str,
    due_at: Timestamp,
    now: Timestamp,
) -> (Timestamp, Option<String>) {
    let Some(quiet) = &location.settings.quiet_hours else {
        return (due_at, None);
    };
    let zone = location.time_zone;
    let clock = |at: Timestamp| {
        // Within the week that begins now a weekday says it all.
        let format = if at.since(now) < Span::days(6) {
            "%a %H:%M"
        } else {
            "%a %-d %b %H:%M"
        };
        local::shown(at, zone).format(format).to_string()
    };
    match quiet.place(due_at, now, window, zone) {
        Place::AsAsked => (due_at, None),
        Place::After(at) => {
            let remark = format!("{handler} waits until {}: quiet hours", clock(at));
            (at, Some(remark))
        }
        Place::Before(at) => {
            let remark = format!(
                "{handler} comes at {} already: the window closes in the quiet hours that follow",
                clock(at)
            );
            (at, Some(remark))
        }
    }
}
