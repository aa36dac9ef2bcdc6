//! The language: Rhai with what a rule needs and nothing that reaches outside, waits, or grows
//! without bound. Built once; every script and every run shares it.

use std::any::TypeId;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, LanguageCorePackage, LogicPackage, MoreStringPackage,
    Package,
};
use rhai::{Dynamic, Engine, EvalContext, OptimizationLevel};

use super::api::Fallible;
use super::api::registrar::Api;
use super::run::Tag;
use super::{HostFunction, api, convert, explain, limits, testing};

/// Words that would reach outside the script or build values that contain themselves.
const DISABLED: [&str; 8] = [
    "eval",
    "import",
    "export",
    "this",
    "Fn",
    "call",
    "curry",
    "is_shared",
];

/// Builds the language of rules with the functions of the embedding program.
pub(super) fn build(functions: &[(String, usize, Arc<HostFunction>)]) -> Engine {
    let mut engine = base(limits::OPERATIONS);
    api::register(&mut engine);
    for (name, arity, function) in functions {
        add_host_function(&mut engine, name, *arity, function);
    }
    engine
}

/// Builds the language of tests.
pub(super) fn build_for_tests() -> Engine {
    let mut engine = base(limits::TEST_OPERATIONS);
    let mut api = Api::new(&mut engine);
    api::register_for_tests(&mut api);
    testing::register(&mut api);
    engine
}

/// What rules and tests have in common, besides functions.
fn base(operations: u64) -> Engine {
    let mut engine = Engine::new_raw();
    LanguageCorePackage::new().register_into_engine(&mut engine);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    limits::apply(&mut engine, operations);
    // The optimiser once dropped statements with effects; scripts are short enough without it.
    engine.set_optimization_level(OptimizationLevel::None);
    // Only the parser looks at this: constants are told to it as a scope.
    engine.set_strict_variables(true);
    for word in DISABLED {
        engine.disable_symbol(word);
    }
    guard(&mut engine);
    engine
}

/// How much a script may take before it is stopped.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) operations: u64,
    /// What is said when the time is over.
    pub(super) too_late: &'static str,
}

impl Bounds {
    /// A rule's.
    pub(super) const OF_A_RUN: Self = Self {
        time: limits::DEADLINE,
        operations: limits::OPERATIONS,
        too_late: "the script takes too long: it was stopped after 2 seconds",
    };
}

/// What is running on this thread, and since when it is too late for it.
#[derive(Clone, Copy)]
struct Running {
    bounds: Bounds,
    deadline: Instant,
    /// How many operations it has taken so far.
    operations: u64,
    /// How many of them its earlier calls took: Rhai counts each call from zero.
    earlier: u64,
}

thread_local! {
    /// Rhai's progress hook is given nothing but a number.
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
}

/// Puts back what ran before: a test that is played lets rules run within it.
struct Before(Option<Running>);

impl Drop for Before {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Runs `work` with the clock ticking; `work` is stopped soon after it has used up its bounds.
pub(super) fn within<T>(bounds: Bounds, work: impl FnOnce() -> T) -> T {
    let _before = Before(RUNNING.get());
    RUNNING.set(Some(Running {
        bounds,
        deadline: Instant::now() + bounds.time,
        operations: 0,
        earlier: 0,
    }));
    work()
}

/// Another call begins in the same run: what earlier ones took counts.
pub(super) fn next_call() {
    RUNNING.set(RUNNING.get().map(|running| Running {
        earlier: running.operations,
        ..running
    }));
}

#[expect(
    deprecated,
    reason = "rhai marks on_var as volatile, not as going away; a changed signature would not compile"
)]
fn guard(engine: &mut Engine) {
    engine.on_progress(|operations| {
        let running = RUNNING.get()?;
        RUNNING.set(Some(Running {
            operations: running.earlier + operations,
            ..running
        }));
        let looks = operations.is_multiple_of(limits::DEADLINE_EVERY);
        let late = looks && Instant::now() >= running.deadline;
        late.then(|| running.bounds.too_late.into())
    });
    // Every read and every change of a value goes through a variable, so this is the place where
    // values that grew in ways Rhai does not check (`m[k] = m`) are stopped before the next copy.
    engine.on_var(|name, _, context| look_up(name, &context));
}

fn look_up(name: &str, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Fallible<Option<Dynamic>> {
    let running = RUNNING.get();
    if running.is_some_and(|running| running.operations > running.bounds.operations) {
        return api::fail(explain::TOO_LONG);
    }
    // One call too many gets as far as its first variable, so that the error has a place.
    if context.call_level() > limits::CALL_DEPTH {
        return api::fail(explain::too_deep());
    }
    if context.scope().len() > limits::VARIABLES {
        return api::fail(explain::TOO_MANY_VARIABLES);
    }
    let Some(value) = context.scope().get(name) else {
        let tag = context.tag().read_lock::<Tag>();
        return Ok(tag.and_then(|tag| tag.constant(name)));
    };
    if value.is_shared() {
        // A captured variable is the only way to build a value that contains itself, which would
        // never be freed.
        return api::fail(format!(
            "a function written inside another cannot use {name} from outside; write a for loop instead"
        ));
    }
    if value.is_array() || value.is_map() || value.is_string() {
        convert::check_size(value)
            .or_else(|reason| api::fail(format!("{name} is too large: {reason}")))?;
    }
    Ok(None)
}

fn add_host_function(engine: &mut Engine, name: &str, arity: usize, function: &Arc<HostFunction>) {
    let function = Arc::clone(function);
    let types = vec![TypeId::of::<Dynamic>(); arity];
    let called = name.to_owned();
    engine.register_raw_fn(name, types, move |context, args| {
        let values: Result<Vec<_>, _> = args.iter().map(|value| convert::to_json(value)).collect();
        let answer = values
            .and_then(|values| function(&values))
            .or_else(|reason| api::fail(format!("{called}: {reason}")))?;
        let zone = api::zone(&context);
        Ok(convert::from_json(&answer, zone))
    });
}
