//! Rules: scripts in Rhai, compiled once and run as pure functions. The only owner of the rhai crate.
//! Knows no database, no clock and no network: what a script wants comes back as effects.

mod api;
pub mod catalog;
mod check;
mod compile;
mod convert;
mod diagnostic;
mod every;
mod explain;
mod language;
mod limits;
mod outline;
pub mod reference;
mod regexes;
mod run;
mod scan;
mod slips;
mod surroundings;
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::effect::Effect;
use crate::domain::inbound::Status;
use crate::domain::location::Location;
use crate::domain::message::{Body, Message};
use crate::domain::misfire::Misfire;
use crate::domain::occurrence::CronLine;
use crate::domain::request::Response;
use crate::domain::run::TraceLine;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Timestamp;

pub use self::check::editor::{Completion, Hover};
pub use self::diagnostic::{Diagnostic, Severity};
pub use self::explain::nearest;
pub use self::surroundings::{KnownTemplates, Surroundings};

/// Compiles and runs scripts. Built once and shared: cloning it costs one reference count.
#[derive(Clone)]
pub struct ScriptHost(Arc<Host>);

struct Host {
    engine: rhai::Engine,
    /// The functions of the embedding program: their names, and how many values they take.
    functions: Vec<(String, usize)>,
    regexes: Arc<regexes::Regexes>,
}

impl ScriptHost {
    /// A host with the built-in functions only.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A host to which functions of the embedding program can be added.
    pub fn builder() -> ScriptHostBuilder {
        ScriptHostBuilder::default()
    }

    /// Compiles a script. What runs may still do nothing useful: [`ScriptHost::check`] tells.
    ///
    /// # Errors
    /// What keeps it from running, in the order of its lines.
    pub fn compile(&self, source: &str) -> Result<Script, Vec<Diagnostic>> {
        let compiled = compile::compile(self, source)?;
        Ok(Script(Arc::new(compiled)))
    }

    /// Everything that can be told to be wrong with a script without running it, in the order of its
    /// lines, 50 at most. One with an error should not be published.
    pub fn check(&self, source: &str, surroundings: &Surroundings) -> Vec<Diagnostic> {
        check::check(self, source, surroundings)
    }

    /// What may be written at a line and a column of an unfinished script, both from 1, in place of the
    /// word that stands before.
    pub fn complete(
        &self,
        source: &str,
        position: (u32, u32),
        surroundings: &Surroundings,
    ) -> Vec<Completion> {
        check::editor::complete(self, source, position, surroundings)
    }

    /// What the word at a line and a column of a script means, both from 1.
    pub fn hover(
        &self,
        source: &str,
        position: (u32, u32),
        surroundings: &Surroundings,
    ) -> Option<Hover> {
        check::editor::hover(self, source, position, surroundings)
    }

    /// Calls a handler of a script, or several. Repeating a call gives the same output, byte for byte.
    pub fn run(&self, call: &Call<'_>) -> RunOutput {
        run::run(self, call)
    }
}

impl Default for ScriptHost {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a value from outside is small enough for a script to hold.
pub(crate) fn fits(value: &Value) -> bool {
    convert::check_size(&convert::from_outside(value)).is_ok()
}

/// What a function of the embedding program looks like: pure, from values to a value.
pub type HostFunction = dyn Fn(&[Value]) -> Result<Value, String> + Send + Sync;

/// Collects the functions of the embedding program.
#[derive(Default)]
pub struct ScriptHostBuilder {
    functions: Vec<(String, usize, Arc<HostFunction>)>,
}

impl ScriptHostBuilder {
    /// Adds a function that scripts call by `name` with `arity` values.
    ///
    /// It must be pure: a run may be repeated. Its error is shown to the tenant.
    #[must_use]
    pub fn function(
        mut self,
        name: &str,
        arity: usize,
        function: impl Fn(&[Value]) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        self.functions
            .push((name.to_owned(), arity, Arc::new(function)));
        self
    }

    /// The finished host.
    pub fn build(self) -> ScriptHost {
        ScriptHost(Arc::new(Host {
            engine: language::build(&self.functions),
            functions: self
                .functions
                .iter()
                .map(|(name, arity, _)| (name.clone(), *arity))
                .collect(),
            regexes: Arc::default(),
        }))
    }
}

/// A compiled script; cloning it costs one reference count.
#[derive(Clone)]
pub struct Script(Arc<compile::Compiled>);

impl Script {
    /// Whether the script has this function, so that an event or a timer can call it.
    pub fn defines(&self, handler: &str) -> bool {
        self.0.arity(handler).is_some()
    }

    /// The functions that events, timers and schedules can call, in the order written.
    pub fn handlers(&self) -> impl Iterator<Item = &str> {
        let callable = |function: &&outline::Function| (1..=2).contains(&function.parameters.len());
        let functions = self.0.functions.iter().filter(callable);
        functions.map(|function| function.name.as_str())
    }

    /// What `every(…)` asks for, in the order written.
    pub fn schedules(&self) -> &[ScheduleLine] {
        &self.0.schedules
    }

    /// The templates that the script names by a literal, in alphabetical order.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        self.0.templates.iter().map(String::as_str)
    }

    /// Whether the script says `even_when_held();`.
    pub fn even_when_held(&self) -> bool {
        self.0.even_when_held
    }

    /// How many lines of history the script may read; 0 if it never mentions them.
    pub fn history_lines(&self) -> usize {
        self.0.history_lines
    }
}

/// One `every(cron, handler)`.
#[derive(Clone, Debug)]
pub struct ScheduleLine {
    /// When.
    pub cron: CronLine,
    /// The function to call, with the location.
    pub handler: String,
    /// What becomes of the times that were missed.
    pub misfire: Misfire,
}

/// One call of a script: everything that the run depends on.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The script.
    pub script: &'a Script,
    /// The functions to call, one after the other: they share state and effects, and fail together.
    pub handlers: &'a [&'a str],
    /// What they are told besides the chat.
    pub input: Input<'a>,
    /// The conversation; absent for a tick, which belongs to none.
    pub snapshot: Option<&'a Snapshot>,
    /// The tenant.
    pub location: &'a Location,
    /// What the rule noted about this chat earlier; `{}` at first.
    pub state: &'a Map<String, Value>,
    /// The moment of decision, the same for every repetition.
    pub now: Timestamp,
    /// Where `random()` begins.
    pub seed: u64,
}

/// What a handler is told besides the chat.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// The customer wrote.
    Message {
        /// What.
        message: &'a Message,
        /// The provider's time of it.
        at: Timestamp,
    },
    /// A person wrote on behalf of the business.
    Echo {
        /// What.
        message: &'a Message,
        /// The provider's time of it.
        at: Timestamp,
    },
    /// The customer reacted to a message.
    Reaction {
        /// The provider's id of that message.
        message_id: &'a str,
        /// The emoji; "" takes the reaction back.
        emoji: &'a str,
        /// The provider's time of it.
        at: Timestamp,
    },
    /// The customer changed an earlier message.
    Edit {
        /// The provider's id of that message.
        message_id: &'a str,
        /// What it says now.
        body: &'a Body,
        /// The provider's time of the change.
        at: Timestamp,
    },
    /// The customer deleted an earlier message.
    Revoke {
        /// The provider's id of that message.
        message_id: &'a str,
        /// The provider's time of it.
        at: Timestamp,
    },
    /// A message of this rule was sent, delivered, read, or failed.
    Status(&'a Status),
    /// A timer fell due.
    Timer {
        /// What the script passed when it set the timer.
        args: Option<&'a Map<String, Value>>,
        /// When it was due.
        due_at: Timestamp,
    },
    /// A schedule of the location fell due.
    Tick {
        /// When it was due.
        due_at: Timestamp,
    },
    /// The rule calls a function for each of many chats, this one among them.
    Each {
        /// What the script passed along.
        args: Option<&'a Map<String, Value>>,
    },
    /// An endpoint answered a request of the rule, or did not.
    Response {
        /// What the rule called the endpoint.
        endpoint: &'a str,
        /// The answer.
        response: &'a Response,
    },
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct RunOutput {
    /// What the script wants, in order; or why it wants nothing at all.
    pub result: Result<Vec<Effect>, Failure>,
    /// What it noted about this chat, if that changed.
    pub state: Option<Map<String, Value>>,
    /// Whether it said `stop()`.
    pub stopped: bool,
    /// What it logged; kept even if the run failed.
    pub trace: Vec<TraceLine>,
}

/// Why a run failed. A failed run has no effects and changes no state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, and what to write instead.
    pub message: String,
    /// Line in the script, from 1; 0 if unknown.
    pub line: u32,
    /// Column in the line, from 1; 0 if unknown.
    pub column: u32,
}
