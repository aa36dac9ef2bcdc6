//! One call of a script: what it may look at, what it has asked for so far, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono_tz::Tz;
use rhai::{CallFnOptions, Dynamic, EvalAltResult, Map as RhaiMap, Scope};
use serde_json::{Map, Value};

use super::api::chat::Chat;
use super::api::location::LocationView;
use super::api::message::MessageView;
use super::api::reaction::{ReactionView, WithdrawnView};
use super::api::request::ResponseView;
use super::api::status::StatusView;
use super::api::{Fallible, fail};
use super::compile::Compiled;
use super::language::Bounds;
use super::regexes::Regexes;
use super::testing::Play;
use super::{Call, Failure, Input, RunOutput, ScriptHost, convert, explain, language, limits};
use crate::domain::contact::Contact;
use crate::domain::conversation::{Conversation, Hold};
use crate::domain::effect::Effect;
use crate::domain::hours::Calendar;
use crate::domain::run::TraceLine;
use crate::domain::snapshot::Line;
use crate::domain::time::{Span, Timestamp};

/// What a script is called for, as its functions find it in Rhai's context.
#[derive(Clone)]
pub(super) enum Tag {
    /// A handler runs.
    Run(Arc<Run>),
    /// The top level is evaluated, once, to find constants and schedules.
    Top(Arc<Mutex<Top>>),
    /// A test is played.
    Test(Arc<Play>),
}

/// What the top level of a script asks for.
#[derive(Default)]
pub(super) struct Top {
    pub(super) schedules: Vec<Scheduled>,
    pub(super) even_when_held: bool,
}

/// An `every(…)` as written.
pub(super) struct Scheduled {
    pub(super) cron: String,
    pub(super) handler: String,
    /// The map behind them; empty if there is none.
    pub(super) options: RhaiMap,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Tag {
    /// The value of a constant of the script.
    pub(super) fn constant(&self, name: &str) -> Option<Dynamic> {
        match self {
            Self::Run(run) => run.compiled.constants.get(name).cloned(),
            Self::Top(_) => None,
            Self::Test(play) => play.constant(name),
        }
    }
}

/// Everything a running handler can see, and what it has asked for so far.
pub(super) struct Run {
    pub(super) now: Timestamp,
    pub(super) zone: Tz,
    pub(super) location: Place,
    pub(super) conversation: Option<Conversation>,
    pub(super) history: Vec<Line>,
    /// When the timer or the schedule that fell due was due.
    pub(super) due_at: Option<Timestamp>,
    /// Whether the run is one of the visits of a round through many chats.
    pub(super) is_visit: bool,
    /// The customer's message that is being answered.
    pub(super) message_id: Option<String>,
    pub(super) regexes: Arc<Regexes>,
    compiled: Arc<Compiled>,
    recorded: Mutex<Recorded>,
}

/// What a script sees of the location.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) hold: Span,
    pub(super) vars: Map<String, Value>,
    pub(super) calendar: Calendar,
}

/// What changes while a handler runs.
pub(super) struct Recorded {
    pub(super) contact: Option<Contact>,
    /// The contact's attributes, for scripts.
    pub(super) attributes: RhaiMap,
    pub(super) state: RhaiMap,
    pub(super) state_touched: bool,
    /// How large the state is as JSON, once it has been changed.
    state_bytes: Option<usize>,
    pub(super) hold: Option<Hold>,
    /// Who should take over, or "".
    pub(super) assigned_to: String,
    pub(super) stopped: bool,
    pub(super) random: u64,
    effects: Vec<Effect>,
    trace: Vec<TraceLine>,
}

impl Run {
    fn new(call: &Call<'_>, regexes: &Arc<Regexes>) -> Self {
        let zone = call.location.time_zone;
        let compiled = Arc::clone(&call.script.0);
        let snapshot = call.snapshot;
        let contact = snapshot.map(|snapshot| snapshot.contact.clone());
        let conversation = snapshot.map(|snapshot| snapshot.conversation.clone());
        let history = snapshot
            .filter(|_| compiled.history_lines > 0)
            .map(|snapshot| snapshot.history.clone())
            .unwrap_or_default();
        let recorded = Recorded {
            attributes: contact.as_ref().map_or_else(RhaiMap::new, |contact| {
                convert::map_from_json(&contact.attributes, zone)
            }),
            contact,
            state: convert::map_from_json(call.state, zone),
            state_touched: false,
            state_bytes: None,
            hold: conversation.as_ref().and_then(|chat| chat.held(call.now)),
            assigned_to: conversation
                .as_ref()
                .map_or_else(String::new, |chat| chat.assigned_to.clone()),
            stopped: false,
            random: call.seed,
            effects: Vec::new(),
            trace: Vec::new(),
        };
        Self {
            now: call.now,
            zone,
            location: Place {
                name: call.location.name.clone(),
                hold: call.location.settings.hold_ms,
                vars: call.location.settings.vars.clone(),
                calendar: call.location.calendar(),
            },
            conversation,
            history,
            due_at: match call.input {
                Input::Timer { due_at, .. } | Input::Tick { due_at } => Some(due_at),
                _ => None,
            },
            is_visit: matches!(call.input, Input::Each { .. }),
            message_id: match call.input {
                Input::Message { message, .. } => Some(message.provider_id.clone()),
                _ => None,
            },
            regexes: Arc::clone(regexes),
            compiled,
            recorded: Mutex::new(recorded),
        }
    }

    /// What changes while the handler runs. Never held across a call into Rhai.
    pub(super) fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one more thing that the script wants.
    pub(super) fn want(&self, effect: Effect) -> Fallible<()> {
        let mut recorded = self.recorded();
        if recorded.effects.len() >= limits::EFFECTS {
            return fail(format!(
                "a run may ask for {} things at most; look for a loop that does not end",
                limits::EFFECTS
            ));
        }
        recorded.effects.push(effect);
        Ok(())
    }

    /// Notes something that a run may want a few times only; `deed` says what that is.
    pub(super) fn want_few(&self, effect: Effect, most: usize, deed: &str) -> Fallible<()> {
        let kind = std::mem::discriminant(&effect);
        let same = |own: &&Effect| std::mem::discriminant(*own) == kind;
        let asked = self.recorded().effects.iter().filter(same).count();
        if asked >= most {
            return fail(format!(
                "a run may {deed} {most} times at most; look for a loop, or go on in a later run"
            ));
        }
        self.want(effect)
    }

    /// The conversation; a schedule has none.
    pub(super) fn chat(&self) -> Fallible<&Conversation> {
        self.conversation
            .as_ref()
            .map_or_else(|| fail("there is no chat in a schedule's handler"), Ok)
    }

    /// Refuses to let the state grow beyond its limit, at the line where it would.
    pub(super) fn resize_state(&self, before: usize, after: usize) -> Fallible<()> {
        let mut recorded = self.recorded();
        let now = match recorded.state_bytes {
            Some(bytes) => bytes,
            None => convert::size(&convert::map_to_json(&recorded.state).unwrap_or_default()),
        };
        let bytes = (now + after).saturating_sub(before);
        if bytes > limits::STATE_BYTES && after > before {
            return fail(format!(
                "chat.state would become too large: {} bytes of JSON at most; remove what is no longer needed",
                limits::STATE_BYTES
            ));
        }
        recorded.state_bytes = Some(bytes);
        Ok(())
    }

    /// Refuses the name of a function that the script does not have.
    pub(super) fn check_handler(&self, name: &str) -> Fallible<()> {
        super::compile::check_target(name, "chat", None, &self.compiled.functions).or_else(fail)
    }

    /// Refuses the name of a function that cannot hear an answer.
    pub(super) fn check_response_handler(&self, name: &str) -> Fallible<()> {
        super::compile::check_response_target(name, &self.compiled.functions).or_else(fail)
    }

    /// Whether the script has a function for answers to requests that name none.
    pub(super) fn handles_responses(&self) -> bool {
        self.compiled.function("on_response").is_some()
    }

    /// Writes a line to the trace.
    pub(super) fn log(&self, text: &str, line: u32) {
        let trace = &mut self.recorded().trace;
        let text = match trace.len() {
            lines if lines >= limits::TRACE_LINES => return,
            lines if lines + 1 == limits::TRACE_LINES => "… further lines are not kept".to_owned(),
            _ => text.chars().take(limits::TRACE_LINE_CHARS).collect(),
        };
        trace.push(TraceLine { text, line });
    }

    /// The next random number; splitmix64, so that a seed gives the same numbers everywhere.
    pub(super) fn random(&self) -> u64 {
        let mut recorded = self.recorded();
        recorded.random = recorded.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = recorded.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Calls one handler.
pub(super) fn run(host: &ScriptHost, call: &Call<'_>) -> RunOutput {
    let run = Arc::new(Run::new(call, &host.0.regexes));
    let called = language::within(Bounds::OF_A_RUN, || {
        call.handlers.iter().try_for_each(|handler| {
            if run.recorded().stopped {
                return Ok(());
            }
            call_handler(host, &run, call.input, handler)
                .map_err(|failure| located(failure, &run, handler))
        })
    });
    let trace = std::mem::take(&mut run.recorded().trace);
    let finished = called.and_then(|()| {
        let last = call.handlers.last().copied().unwrap_or_default();
        finish(&run, call.state).map_err(|failure| located(failure, &run, last))
    });
    match finished {
        Ok((effects, state)) => RunOutput {
            result: Ok(effects),
            state,
            stopped: run.recorded().stopped,
            trace,
        },
        Err(failure) => RunOutput {
            result: Err(failure),
            state: None,
            stopped: false,
            trace,
        },
    }
}

fn call_handler(
    host: &ScriptHost,
    run: &Arc<Run>,
    input: Input<'_>,
    handler: &str,
) -> Result<(), Failure> {
    let args = arguments(run, input, handler)?;
    language::next_call();
    let options = CallFnOptions::new()
        .eval_ast(false)
        .with_tag(Tag::Run(Arc::clone(run)));
    let mut scope = Scope::new();
    let ast = &run.compiled.ast;
    let call = || {
        let engine = &host.0.engine;
        engine.call_fn_with_options::<Dynamic>(options, &mut scope, ast, handler, args)
    };
    // Known panics of the interpreter are out of a script's reach; an unknown one must not
    // take other tenants along.
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| fail("the interpreter failed at this script; please report it"))
        .map(drop)
        .map_err(|error| explain_unless_stopped(run, &error))
        .or_else(|failure| failure.map_or(Ok(()), Err))
}

/// Some errors have no place of their own, an empty loop for one; the handler then is the place.
fn located(failure: Failure, run: &Run, handler: &str) -> Failure {
    match run.compiled.function(handler) {
        Some(function) if failure.line == 0 => Failure {
            line: function.extent.line,
            column: function.extent.column,
            ..failure
        },
        _ => failure,
    }
}

/// `stop()` ends a run by an error that cannot be caught; it is none.
fn explain_unless_stopped(run: &Run, error: &EvalAltResult) -> Option<Failure> {
    let stopped = run.recorded().stopped;
    (!stopped).then(|| explain::failure(error))
}

fn refused(message: impl Into<String>) -> Failure {
    Failure {
        message: message.into(),
        line: 0,
        column: 0,
    }
}

fn arguments(run: &Arc<Run>, input: Input<'_>, handler: &str) -> Result<Vec<Dynamic>, Failure> {
    let Some(arity) = run.compiled.arity(handler) else {
        return Err(refused(format!("the script has no function {handler}")));
    };
    let first = match input {
        Input::Tick { .. } => Dynamic::from(LocationView(Arc::clone(run))),
        _ => Dynamic::from(Chat(Arc::clone(run))),
    };
    let second = match input {
        Input::Message { message, at } | Input::Echo { message, at } => {
            Dynamic::from(MessageView::new(run, message, at))
        }
        Input::Reaction {
            message_id,
            emoji,
            at,
        } => Dynamic::from(ReactionView::new(run, message_id, emoji, at)),
        Input::Edit {
            message_id,
            body,
            at,
        } => Dynamic::from(MessageView::edited(run, message_id, body, at)),
        Input::Revoke { message_id, at } => Dynamic::from(WithdrawnView::new(run, message_id, at)),
        Input::Status(status) => Dynamic::from(StatusView(Arc::new(status.clone()))),
        Input::Timer { args, .. } | Input::Each { args } => Dynamic::from_map(
            args.map(|args| convert::map_from_json(args, run.zone))
                .unwrap_or_default(),
        ),
        Input::Tick { .. } => Dynamic::UNIT,
        Input::Response { endpoint, response } => {
            Dynamic::from(ResponseView::new(endpoint, response))
        }
    };
    match (arity, input) {
        (1, Input::Tick { .. } | Input::Timer { .. } | Input::Each { .. }) => Ok(vec![first]),
        (2, Input::Tick { .. }) => Err(refused(format!(
            "a schedule calls {handler}(location), but the script has it with two parameters"
        ))),
        (2, _) => Ok(vec![first, second]),
        (count, _) => Err(refused(format!(
            "{handler} cannot be called: the script has it with {count} parameters"
        ))),
    }
}

type Finished = (Vec<Effect>, Option<Map<String, Value>>);

fn finish(run: &Run, before: &Map<String, Value>) -> Result<Finished, Failure> {
    let mut recorded = run.recorded();
    let effects = std::mem::take(&mut recorded.effects);
    if !recorded.state_touched {
        return Ok((effects, None));
    }
    let state = convert::map_to_json(&recorded.state)
        .map_err(|reason| refused(format!("chat.state: {reason}")))?;
    if state == *before {
        return Ok((effects, None));
    }
    let size = convert::size(&state);
    if size > limits::STATE_BYTES {
        return Err(refused(format!(
            "chat.state is too large: {size} bytes of JSON, {} at most; remove what is no longer needed",
            limits::STATE_BYTES
        )));
    }
    Ok((effects, Some(state)))
}
