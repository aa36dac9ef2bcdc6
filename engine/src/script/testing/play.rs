//! One test while it is played: what was checked already, and why it fails. Knows no function of the
//! language.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rhai::{CallFnOptions, Dynamic, Engine, EvalAltResult, Position, Scope};

use super::compile::Compiled;
use super::expect::{Difference, Expected};
use super::stage::{CustomerKey, Heard, RuleError, Stage, Told};
use super::{Failed, FailedIn, Played};
use crate::domain::content::Content;
use crate::script::api::{Fallible, fail};
use crate::script::catalog::of_tests;
use crate::script::language::{self, Bounds};
use crate::script::run::Tag;
use crate::script::{explain, limits};

/// One test while it is played.
pub(in crate::script) struct Play {
    pub(super) stage: Arc<dyn Stage>,
    compiled: Arc<Compiled>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Messages that the test has looked at, by the provider's id.
    checked: BTreeSet<String>,
    /// The latest message of each customer, by the provider's id.
    last_said: HashMap<CustomerKey, String>,
    /// Failed messages that the test has looked at, per customer.
    missed: HashMap<CustomerKey, usize>,
    /// Errors of rules that the test has looked at.
    errors: usize,
    /// What the failure that is on its way is about.
    why: Option<Why>,
    printed: Vec<String>,
}

enum Why {
    Difference(Difference),
    Error(RuleError),
}

impl Play {
    pub(in crate::script) fn constant(&self, name: &str) -> Option<Dynamic> {
        self.compiled.constants.get(name).cloned()
    }

    /// The present of the test's world.
    pub(in crate::script) fn stage(&self) -> &dyn Stage {
        &*self.stage
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line to the report.
    pub(super) fn print(&self, line: &str) {
        let printed = &mut self.state().printed;
        if printed.len() < limits::TRACE_LINES {
            printed.push(line.chars().take(limits::TRACE_LINE_CHARS).collect());
        }
    }

    pub(super) fn said(&self, customer: CustomerKey, id: String) {
        self.state().last_said.insert(customer, id);
    }

    pub(super) fn last_said(&self, customer: CustomerKey) -> Option<String> {
        self.state().last_said.get(&customer).cloned()
    }

    /// The messages to a customer that the test has not looked at, oldest first.
    pub(super) fn unchecked(&self, customer: CustomerKey) -> Vec<Heard> {
        let mut heard = self.stage.heard(customer);
        let state = self.state();
        heard.retain(|message| !state.checked.contains(&message.provider_id));
        heard
    }

    /// Looks at the next message to a customer; the error is the test's.
    pub(super) fn check_next(
        &self,
        (customer, name): (CustomerKey, &str),
        expected: &Expected,
    ) -> Fallible<Heard> {
        let is_reaction = |heard: &Heard| matches!(heard.content, Content::Reaction { .. });
        let mut next = self.unchecked(customer).into_iter();
        let Some(heard) = next.find(|heard| is_reaction(heard) == expected.is_reaction()) else {
            let difference = Difference {
                expected: expected.describe(),
                received: "nothing".to_owned(),
            };
            return self.fail(format!("{name} received nothing more"), difference);
        };
        if let Some(difference) = expected.differs(&heard) {
            return self.fail(format!("{name} received something else"), difference);
        }
        self.state().checked.insert(heard.provider_id.clone());
        Ok(heard)
    }

    /// Looks whether a customer received something that the test did not look at.
    pub(super) fn check_nothing(&self, (customer, name): (CustomerKey, &str)) -> Fallible<()> {
        let Some(heard) = self.unchecked(customer).into_iter().next() else {
            return self.check_errors();
        };
        let difference = Difference {
            expected: "nothing".to_owned(),
            received: super::words::content(&heard.content),
        };
        self.fail(format!("{name} received something"), difference)
    }

    /// The next failed message to a customer that the test has not looked at.
    pub(super) fn next_failure(&self, customer: CustomerKey) -> Fallible<Option<(String, String)>> {
        let failures = self.told(self.stage.failures(customer))?;
        let mut state = self.state();
        let seen = state.missed.entry(customer).or_default();
        let next = failures.into_iter().nth(*seen);
        *seen += usize::from(next.is_some());
        Ok(next)
    }

    /// Looks at the next error of a rule.
    pub(super) fn next_error(&self) -> Fallible<Option<RuleError>> {
        let errors = self.told(self.stage.errors())?;
        let mut state = self.state();
        let next = errors.into_iter().nth(state.errors);
        state.errors += usize::from(next.is_some());
        Ok(next)
    }

    /// A rule that failed is what a test is told first: what else is wrong follows from it.
    fn check_errors(&self) -> Fallible<()> {
        match self.next_error()? {
            None => Ok(()),
            Some(error) => {
                let message = format!("{} failed: {}", error.rule, error.message);
                self.state().why = Some(Why::Error(error));
                fail(message)
            }
        }
    }

    /// Lets the test fail by what it expected and what there is.
    pub(super) fn fail<T>(&self, message: String, difference: Difference) -> Fallible<T> {
        self.check_errors()?;
        self.state().why = Some(Why::Difference(difference));
        fail(message)
    }

    /// Lets the test fail by what it claims.
    pub(super) fn fail_plainly<T>(&self, message: String) -> Fallible<T> {
        self.check_errors()?;
        fail(message)
    }

    /// What the stage told.
    pub(super) fn told<T>(&self, told: Told<T>) -> Fallible<T> {
        told.or_else(fail)
    }
}

/// Plays a test to its end.
pub(super) fn play(
    engine: &Engine,
    compiled: &Arc<Compiled>,
    test: &str,
    stage: Arc<dyn Stage>,
    most: Duration,
) -> Played {
    let play = Arc::new(Play {
        stage,
        compiled: Arc::clone(compiled),
        state: Mutex::default(),
    });
    let options = CallFnOptions::new()
        .eval_ast(false)
        .with_tag(Tag::Test(Arc::clone(&play)));
    let mut scope = Scope::new();
    let bounds = Bounds {
        time: most,
        operations: limits::TEST_OPERATIONS,
        too_late: "the test takes too long: it was stopped after 10 seconds",
    };
    let called = language::within(bounds, || {
        engine.call_fn_with_options::<Dynamic>(options, &mut scope, &compiled.ast, test, ())
    });
    // A rule's error that the test did not expect fails it, whatever else was right.
    let ended = called.and_then(|_| play.check_errors());
    let failed = ended.err().map(|error| failed(&play, test, &error));
    let printed = std::mem::take(&mut play.state().printed);
    Played { failed, printed }
}

fn failed(play: &Play, test: &str, error: &EvalAltResult) -> Failed {
    let failure = match innermost(error) {
        EvalAltResult::ErrorTooManyOperations(_) => crate::script::Failure {
            message: format!(
                "the test takes too long: it was stopped after {} steps; look for a loop that does not end",
                limits::TEST_OPERATIONS
            ),
            line: 0,
            column: 0,
        },
        _ => explain::failure_in(of_tests(), error),
    };
    let why = play.state().why.take();
    if let Some(Why::Error(error)) = why {
        return Failed {
            at: FailedIn::Rule(error.rule),
            line: error.line,
            column: error.column,
            message: error.message,
            expected: None,
            received: None,
        };
    }
    let place = play.compiled.function(test).filter(|_| failure.line == 0);
    let (line, column) = place.map_or((failure.line, failure.column), |function| {
        (function.extent.line, function.extent.column)
    });
    let (expected, received) = match why {
        Some(Why::Difference(difference)) => (Some(difference.expected), Some(difference.received)),
        _ => (None, None),
    };
    Failed {
        at: FailedIn::Test,
        line,
        column,
        message: failure.message,
        expected,
        received,
    }
}

fn innermost(mut error: &EvalAltResult) -> &EvalAltResult {
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
        error = inner;
    }
    error
}

/// The test that a function was called in.
pub(super) fn play_of(context: &rhai::NativeCallContext<'_>) -> Fallible<Arc<Play>> {
    let tag = context.tag().and_then(Dynamic::read_lock::<Tag>);
    match tag.as_deref() {
        Some(Tag::Test(play)) => Ok(Arc::clone(play)),
        _ => Err(Box::new(EvalAltResult::ErrorRuntime(
            format!(
                "constants are computed once, before anything happens; call {} in a test",
                context.fn_name()
            )
            .into(),
            Position::NONE,
        ))),
    }
}
