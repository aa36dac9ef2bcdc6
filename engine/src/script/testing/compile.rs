//! From the text of tests to something that runs. What stands at the top is looked at as in rules.

use std::collections::HashMap;

use rhai::{AST, Dynamic, Engine};

use crate::script::Diagnostic;
use crate::script::compile as rules;
use crate::script::diagnostic::Extent;
use crate::script::outline::Function;

/// What the name of a test begins with; other functions are called by tests.
pub(super) const PREFIX: &str = "test_";
/// Tests of one rule at most: each takes some milliseconds of the server that publishes it.
const MAX_TESTS: usize = 200;

/// Tests, ready to be played.
pub(super) struct Compiled {
    pub(super) ast: AST,
    pub(super) constants: HashMap<String, Dynamic>,
    pub(super) functions: Vec<Function>,
}

impl Compiled {
    /// The names of the tests, in the order written.
    pub(super) fn tests(&self) -> impl Iterator<Item = &str> {
        let names = self.functions.iter().map(|function| function.name.as_str());
        names.filter(|name| name.starts_with(PREFIX))
    }

    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|own| own.name == name)
    }
}

/// Compiles and checks tests.
pub(super) fn compile(engine: &Engine, source: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let mut reading = rules::read(engine, source);
    if reading.ast.is_some() {
        check(&reading.functions, &mut reading.problems);
    }
    let evaluated = rules::evaluate(engine, &mut reading);
    let (Some(ast), Some(evaluated)) = (reading.ast, evaluated) else {
        return Err(rules::sorted(reading.problems));
    };
    Ok(Compiled {
        ast,
        constants: evaluated.constants,
        functions: reading.functions,
    })
}

fn check(functions: &[Function], problems: &mut Vec<Diagnostic>) {
    let tests = functions
        .iter()
        .filter(|function| function.name.starts_with(PREFIX));
    for test in tests.clone().filter(|test| !test.parameters.is_empty()) {
        let name = &test.name;
        problems.push(Diagnostic::error(
            test.extent,
            format!("a test is given nothing: write fn {name}()"),
        ));
    }
    if let Some(one_too_many) = tests.clone().nth(MAX_TESTS) {
        let enough = format!("{MAX_TESTS} tests of one rule are enough");
        problems.push(Diagnostic::error(one_too_many.extent, enough));
    }
    if tests.count() == 0 {
        problems.push(Diagnostic::error(
            Extent::START,
            "there is no test here; write fn test_a_question_is_answered() { … }",
        ));
    }
}
