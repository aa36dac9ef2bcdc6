//! The language: Rhai with what a rule needs and nothing that reaches outside, waits, or grows
//! without bound. Built once; every script and every run shares it.

use std::any::TypeId;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, LanguageCorePackage, LogicPackage, MoreStringPackage,
    Package,
};
use rhai::{Dynamic, Engine, EvalContext, OptimizationLevel};

use super::api::Fallible;
use super::run::Tag;
use super::{HostFunction, api, convert, explain, limits};

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

thread_local! {
    /// When the run on this thread is given up. Rhai's progress hook is given nothing but a number.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// How many operations the run on this thread has taken so far.
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    /// How many of them its earlier calls took: Rhai counts each call from zero.
    static EARLIER: Cell<u64> = const { Cell::new(0) };
}

/// Builds the language with the functions of the embedding program.
pub(super) fn build(functions: &[(String, usize, Arc<HostFunction>)]) -> Engine {
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
    limits::apply(&mut engine);
    // The optimiser once dropped statements with effects; scripts are short enough without it.
    engine.set_optimization_level(OptimizationLevel::None);
    // Only the parser looks at this: constants are told to it as a scope.
    engine.set_strict_variables(true);
    for word in DISABLED {
        engine.disable_symbol(word);
    }
    guard(&mut engine);
    api::register(&mut engine);
    for (name, arity, function) in functions {
        add_host_function(&mut engine, name, *arity, function);
    }
    engine
}

/// Runs `work` with the clock ticking; `work` is stopped soon after the deadline.
pub(super) fn with_deadline<T>(work: impl FnOnce() -> T) -> T {
    DEADLINE.set(Some(Instant::now() + limits::DEADLINE));
    OPERATIONS.set(0);
    EARLIER.set(0);
    let result = work();
    DEADLINE.set(None);
    result
}

/// Another call begins in the same run: what earlier ones took counts.
pub(super) fn next_call() {
    EARLIER.set(OPERATIONS.get());
}

#[expect(
    deprecated,
    reason = "rhai marks on_var as volatile, not as going away; a changed signature would not compile"
)]
fn guard(engine: &mut Engine) {
    engine.on_progress(|operations| {
        OPERATIONS.set(EARLIER.get() + operations);
        if !operations.is_multiple_of(limits::DEADLINE_EVERY) {
            return None;
        }
        let late = DEADLINE
            .get()
            .is_some_and(|deadline| Instant::now() >= deadline);
        late.then(|| "the script takes too long: it was stopped after 2 seconds".into())
    });
    // Every read and every change of a value goes through a variable, so this is the place where
    // values that grew in ways Rhai does not check (`m[k] = m`) are stopped before the next copy.
    engine.on_var(|name, _, context| look_up(name, &context));
}

fn look_up(name: &str, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Fallible<Option<Dynamic>> {
    if OPERATIONS.get() > limits::OPERATIONS {
        return api::fail(explain::TOO_LONG);
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
