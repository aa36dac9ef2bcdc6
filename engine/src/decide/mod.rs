//! Rules, a snapshot, an event and a moment become a decision: pure, no async, no clock.
//! The same question has the same answer, byte for byte.

mod apply;
mod call;
mod closing;
mod errand;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::adapter::SignalKind;
use crate::domain::contact::ContactChanges;
use crate::domain::conversation::Hold;
use crate::domain::delivery::Delivery;
use crate::domain::event::{Event, Payload};
use crate::domain::fanout::Fanout;
use crate::domain::ids::{RequestId, RuleId, RunId, TimerId};
use crate::domain::location::Location;
use crate::domain::note::Note;
use crate::domain::request::Request;
use crate::domain::run::{Outcome, Run, TraceLine};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use crate::script::{self, Script, ScriptHost};
use crate::store::{HoldChange, RuleState, TimerChange, TimerRow};

use self::call::{Call, seed};
pub(crate) use self::closing::ON_WINDOW_CLOSING;

/// A published rule, compiled.
#[derive(Clone)]
pub struct ActiveRule {
    /// The rule.
    pub id: RuleId,
    /// What people call it.
    pub name: String,
    /// The version that runs.
    pub version: i32,
    /// Its script.
    pub script: Script,
}

/// Everything that a decision depends on.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The tenant.
    pub location: &'a Location,
    /// The published rules, in their order.
    pub rules: &'a [ActiveRule],
    /// The names of the endpoints that they may call.
    pub endpoints: &'a BTreeSet<String>,
    /// The conversation as it is; absent for a location's own events.
    pub snapshot: Option<&'a Snapshot>,
    /// What each rule remembers of the conversation.
    pub states: &'a BTreeMap<RuleId, Map<String, Value>>,
    /// The moment of decision.
    pub now: Timestamp,
}

/// What is to be written, and then done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The rules that ran.
    pub runs: Vec<Run>,
    /// The rules that did not, and why.
    pub visits: Vec<Visit>,
    pub(crate) states: Vec<RuleState>,
    /// What rules changed about the contact.
    pub contact: Option<ContactChanges>,
    pub(crate) hold: HoldChange,
    /// What leaves, in order.
    pub deliveries: Vec<Delivery>,
    pub(crate) timers: Vec<TimerChange>,
    /// Marks on the customer's message: best effort.
    pub signals: Vec<(SignalKind, String)>,
    /// The calls that rules asked for.
    pub requests: Vec<Request>,
    pub(crate) held_answer: Option<RequestId>,
    /// The functions that rules call for many chats.
    pub fanouts: Vec<Fanout>,
    /// What rules wrote down for people.
    pub notes: Vec<Note>,
    /// Who should take over, if rules said so: a name, or "" for nobody.
    pub assigned: Option<String>,
}

/// A rule that was asked, or would have been, and did not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// The rule.
    pub rule_id: RuleId,
    /// Why it did not run.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Asks the rules about an event.
pub fn decide(host: &ScriptHost, question: &Question<'_>) -> Decision {
    let mut deciding = Deciding {
        host,
        question,
        snapshot: question.snapshot.cloned(),
        stopped: false,
        decision: Decision::default(),
    };
    for rule in question.rules {
        if question.event.rule_id.is_none_or(|only| only == rule.id) {
            deciding.visit(rule);
        }
    }
    deciding.watch_window();
    deciding.decision
}

struct Deciding<'a> {
    host: &'a ScriptHost,
    question: &'a Question<'a>,
    /// As earlier rules left it: later ones see their tags, attributes and hold.
    snapshot: Option<Snapshot>,
    stopped: bool,
    decision: Decision,
}

impl Deciding<'_> {
    fn visit(&mut self, rule: &ActiveRule) {
        let Question {
            event, snapshot, ..
        } = *self.question;
        let Some(call) = Call::of(event, snapshot).and_then(|call| call.on(&rule.script)) else {
            return self.pass(rule, Outcome::NoHandler);
        };
        if self.stopped {
            return self.pass(rule, Outcome::Stopped);
        }
        if self.silence_is_broken() {
            return self.pass(rule, Outcome::NotSilent);
        }
        let hold = self.hold();
        if hold.is_some() && !call.is_heard_when_held() && !rule.script.even_when_held() {
            self.wait_for_release(rule);
            return self.pass(rule, Outcome::Held);
        }
        let moot = self.closes_no_more().map(str::to_owned);
        if let Some(why) = moot.or_else(|| self.is_meant_no_more()) {
            return self.pass(rule, Outcome::Moot { why });
        }
        self.run(rule, &call, hold);
    }

    /// Who is in charge of the chat, as far as earlier effects left it.
    fn hold(&self) -> Option<Hold> {
        let conversation = &self.snapshot.as_ref()?.conversation;
        conversation.held(self.question.now)
    }

    fn pass(&mut self, rule: &ActiveRule, outcome: Outcome) {
        self.decision.visits.push(Visit {
            rule_id: rule.id,
            outcome,
        });
    }

    fn run(&mut self, rule: &ActiveRule, call: &Call<'_>, hold: Option<Hold>) {
        let Question {
            event,
            location,
            states,
            now,
            ..
        } = *self.question;
        let none = Map::new();
        let run_id = RunId::derive(&[event.id.bytes(), rule.id.bytes()]);
        let mut output = self.host.run(&script::Call {
            script: &rule.script,
            handlers: &call.handlers,
            input: call.input,
            snapshot: self.snapshot.as_ref(),
            location,
            state: states.get(&rule.id).unwrap_or(&none),
            now,
            seed: seed(run_id),
        });
        let mut run = Run {
            id: run_id,
            event_id: event.id,
            rule_id: rule.id,
            version: rule.version,
            handler: call.handlers.join(", "),
            outcome: Outcome::Nothing,
            effects: Vec::new(),
            trace: std::mem::take(&mut output.trace),
        };
        match output.result {
            Err(failure) => {
                let crate::script::Failure {
                    message,
                    line,
                    column,
                } = failure;
                run.outcome = Outcome::Error {
                    message,
                    line,
                    column,
                };
            }
            Ok(effects) => {
                self.stopped |= output.stopped;
                if let Some(state) = output.state {
                    self.decision.states.push(RuleState {
                        rule_id: rule.id,
                        state,
                    });
                }
                let mut hold = hold;
                for (ordinal, effect) in effects.iter().enumerate() {
                    if effect.sends() && hold.is_some() && !rule.script.even_when_held() {
                        run.trace.push(TraceLine {
                            text: "not sent: a person is in charge".to_owned(),
                            line: 0,
                        });
                    } else if let Some(text) =
                        self.apply(rule, run_id, ordinal, effect, hold.is_some())
                    {
                        run.trace.push(TraceLine { text, line: 0 });
                    }
                    // What the run asks for after `release()` goes out; its own `hold()` stops nothing.
                    hold = hold.filter(|_| self.hold().is_some());
                }
                if !effects.is_empty() {
                    run.outcome = Outcome::Effects;
                }
                run.effects = effects;
            }
        }
        self.decision.runs.push(run);
    }

    /// Why a chat is none of those any more for which a rule calls a function.
    fn is_meant_no_more(&self) -> Option<String> {
        let Payload::Each { filter, .. } = &self.question.event.payload else {
            return None;
        };
        let snapshot = self.snapshot.as_ref()?;
        filter.misses(&snapshot.contact, &snapshot.conversation, self.question.now)
    }

    /// A timer that fell due just before someone took over waits again, for the release; so does the
    /// answer of an endpoint.
    fn wait_for_release(&mut self, rule: &ActiveRule) {
        if let Payload::Response { request_id, .. } = &self.question.event.payload {
            self.decision.held_answer = Some(*request_id);
            return;
        }
        let Payload::Timer {
            handler,
            args,
            due_at,
            set_seq,
            silent_since,
            ..
        } = &self.question.event.payload
        else {
            return;
        };
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        self.decision.timers.push(TimerChange::Set(TimerRow {
            location_id: snapshot.location.id,
            conversation_id: snapshot.conversation.id,
            rule_id: rule.id,
            handler: handler.clone(),
            id: TimerId::derive(&[self.question.event.id.bytes(), b"released"]),
            due_at: *due_at,
            if_silent: silent_since.is_some(),
            args: args.clone(),
            set_at: self.question.now,
            set_seq: silent_since.unwrap_or(*set_seq),
            when_held: false,
        }));
    }

    /// Whether the customer, or a person of the business, wrote after an `if_silent` was set.
    fn silence_is_broken(&self) -> bool {
        let Payload::Timer {
            silent_since: Some(since),
            ..
        } = &self.question.event.payload
        else {
            return false;
        };
        let Some(snapshot) = &self.snapshot else {
            return false;
        };
        snapshot.conversation.last_said_seq > *since
    }
}
