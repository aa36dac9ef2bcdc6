//! From a script's text to something that runs: parsing, the rules of the top level, constants,
//! schedules, and everything about handlers that can be told without an event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, CallFnOptions, Dynamic, Engine, ParseErrorType, Scope};

use super::catalog::catalog;
use super::diagnostic::Extent;
use super::outline::{Function, Outline};
use super::run::{Tag, Top};
use super::scan::Spot;
use super::tokens::Tokens;
use super::{
    Diagnostic, ScheduleLine, ScriptHost, convert, every, explain, language, limits, slips,
};
use crate::domain::misfire::Misfire;

/// A script, ready to run.
pub(super) struct Compiled {
    pub(super) ast: AST,
    pub(super) constants: HashMap<String, Dynamic>,
    pub(super) functions: Vec<Function>,
    pub(super) schedules: Vec<ScheduleLine>,
    pub(super) templates: Vec<String>,
    pub(super) even_when_held: bool,
    pub(super) history_lines: usize,
}

impl Compiled {
    /// The function of a name.
    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|own| own.name == name)
    }

    /// How many parameters a function has.
    pub(super) fn arity(&self, name: &str) -> Option<usize> {
        self.function(name)
            .map(|function| function.parameters.len())
    }
}

/// A script as far as it could be read without running any of it.
pub(super) struct Reading {
    pub(super) tokens: Tokens,
    pub(super) functions: Vec<Function>,
    /// What the parser made of it; absent if it could make nothing.
    pub(super) ast: Option<AST>,
    /// What keeps it from running, as far as found.
    pub(super) problems: Vec<Diagnostic>,
}

/// What the top level of a script amounts to.
pub(super) struct Evaluated {
    pub(super) constants: HashMap<String, Dynamic>,
    pub(super) schedules: Vec<ScheduleLine>,
    pub(super) even_when_held: bool,
}

/// Most unknown names that are looked for; each costs another pass of the parser.
const UNKNOWN_NAMES: usize = 10;

/// Compiles a script; refuses only what cannot run, so that what was once published still does.
pub(super) fn compile(host: &ScriptHost, source: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let engine = &host.0.engine;
    let mut reading = read(engine, source);
    let evaluated = evaluate(engine, &mut reading);
    let (Some(ast), Some(evaluated)) = (reading.ast, evaluated) else {
        return Err(sorted(reading.problems));
    };
    let spots = reading.tokens.spots();
    Ok(Compiled {
        ast,
        constants: evaluated.constants,
        schedules: evaluated.schedules,
        even_when_held: evaluated.even_when_held,
        templates: template_names(&reading.tokens),
        history_lines: if spots.iter().any(|spot| spot.name() == Some("history")) {
            limits::HISTORY_LINES
        } else {
            0
        },
        functions: reading.functions,
    })
}

/// Reads a script: what its parser says, and what its top level says.
pub(super) fn read(engine: &Engine, source: &str) -> Reading {
    let mut reading = Reading {
        tokens: Tokens::of(""),
        functions: Vec::new(),
        ast: None,
        problems: Vec::new(),
    };
    if source.len() > limits::SOURCE_BYTES {
        let long = format!(
            "the script is too long: {} bytes, {} at most; split it into several rules",
            source.len(),
            limits::SOURCE_BYTES
        );
        reading
            .problems
            .push(Diagnostic::error(Extent::START, long));
        return reading;
    }
    reading.tokens = Tokens::of(source);
    let cases = reading.tokens.spots().iter().filter(|spot| spot.is("=>"));
    if let Some(first_too_many) = cases.clone().nth(limits::SWITCH_CASES) {
        let many = format!(
            "{} cases of switch are too many, {} at most; use a map",
            cases.count(),
            limits::SWITCH_CASES
        );
        let problem = Diagnostic::error(first_too_many.extent, many);
        reading.problems.push(problem);
        return reading;
    }
    let outline = Outline::of(&reading.tokens);
    match parse(engine, source, &reading.tokens, &outline) {
        Parsed::Whole(ast) => reading.ast = Some(ast),
        Parsed::WithUnknownNames(ast, problems) => {
            reading.ast = Some(ast);
            reading.problems = problems;
        }
        Parsed::Not(problems) => {
            reading.problems = problems;
            return reading;
        }
    }
    reading.problems.extend(outline.problems);
    reading.functions = outline.functions;
    check_functions(&reading.functions, &mut reading.problems);
    reading
}

/// Runs the top level of a script that has no problems so far, and notes those that come up.
pub(super) fn evaluate(engine: &Engine, reading: &mut Reading) -> Option<Evaluated> {
    let ast = reading
        .ast
        .as_ref()
        .filter(|_| reading.problems.is_empty())?;
    let (constants, top) = match evaluate_top(engine, ast, &reading.tokens) {
        Ok(evaluated) => evaluated,
        Err(problem) => {
            reading.problems.push(problem);
            return None;
        }
    };
    let schedules = schedules(&top, reading);
    reading.problems.is_empty().then_some(Evaluated {
        constants,
        schedules,
        even_when_held: top.even_when_held,
    })
}

/// In the order of their lines.
pub(super) fn sorted(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems
}

enum Parsed {
    Whole(AST),
    /// It has a form, and names that nothing bears.
    WithUnknownNames(AST, Vec<Diagnostic>),
    Not(Vec<Diagnostic>),
}

fn parse(engine: &Engine, source: &str, tokens: &Tokens, outline: &Outline) -> Parsed {
    // Functions do not see the constants around them in Rhai; the parser is told their names, the
    // run serves their values.
    let mut scope = Scope::new();
    for name in &outline.constants {
        scope.push_constant(name.as_str(), ());
    }
    let mut problems: Vec<Diagnostic> = Vec::new();
    loop {
        let error = match engine.compile_with_scope(&scope, source) {
            Ok(ast) if problems.is_empty() => return Parsed::Whole(ast),
            Ok(ast) => return Parsed::WithUnknownNames(ast, problems),
            Err(error) => error,
        };
        let parameters = outline.functions.iter().flat_map(|f| f.parameters.clone());
        let known: Vec<String> = outline
            .constants
            .iter()
            .cloned()
            .chain(parameters)
            .collect();
        let (line, column) = explain::place(error.position());
        let extent = tokens.extent_from(line, column);
        let begins = |spot: &Spot| (spot.extent.line, spot.extent.column) == (line, column);
        let at = tokens.spots().iter().position(begins);
        if let Some(slip) = slips::slip(tokens, at, error.err_type()) {
            problems.push(Diagnostic::error(extent, slip));
            return Parsed::Not(problems);
        }
        problems.push(Diagnostic::error(
            extent,
            explain::syntax(error.err_type(), &known),
        ));
        match error.err_type() {
            // An unknown name is not the end: with it known, the parser finds the next one.
            ParseErrorType::VariableUndefined(name) if problems.len() < UNKNOWN_NAMES => {
                scope.push(name.as_str(), ());
            }
            _ => return Parsed::Not(problems),
        }
    }
}

fn check_functions(functions: &[Function], problems: &mut Vec<Diagnostic>) {
    for (i, function) in functions.iter().enumerate() {
        let name = function.name.as_str();
        let mut refuse = |message: String| {
            problems.push(Diagnostic::error(function.extent, message));
        };
        if functions[..i].iter().any(|earlier| earlier.name == name) {
            refuse(format!(
                "there are two functions {name}; a name belongs to one function"
            ));
            continue;
        }
        let count = function.parameters.len();
        match catalog().handler(name) {
            Some(handler) if !handler.arities().contains(&count) => {
                let values = match handler.parameters.len() {
                    1 => "one value",
                    2 => "two values",
                    _ => "other values",
                };
                refuse(format!(
                    "{name} is called with {values}: write fn {}",
                    handler.as_called()
                ));
            }
            None if name.starts_with("on_") => {
                let known = catalog().handlers().map(|handler| handler.name);
                let near = explain::nearest(name, known.clone());
                refuse(match near {
                    Some(near) => format!("nothing calls {name}; did you mean {near}?"),
                    None => format!(
                        "nothing calls {name}: names that begin with on_ are kept for events, which are {}",
                        known.collect::<Vec<_>>().join(", ")
                    ),
                });
            }
            _ => {}
        }
    }
}

/// Whether a function named for the answer to a request exists and takes it.
pub(super) fn check_response_target(handler: &str, functions: &[Function]) -> Result<(), String> {
    let Some(function) = functions.iter().find(|own| own.name == handler) else {
        return Err(no_function(handler, "chat, response", functions));
    };
    let is_event = catalog().handler(handler).is_some();
    if is_event && handler != "on_response" {
        return Err(format!(
            "{handler} is called by events; give this a function of its own"
        ));
    }
    if function.parameters.len() != 2 {
        return Err(format!(
            "{handler} is given the answer as well; write fn {handler}(chat, response)"
        ));
    }
    Ok(())
}

fn no_function(handler: &str, parameters: &str, functions: &[Function]) -> String {
    let names = functions.iter().map(|own| own.name.as_str());
    match explain::nearest(handler, names) {
        Some(near) => format!("there is no function {handler}; did you mean \"{near}\"?"),
        None => format!("there is no function {handler}; add fn {handler}({parameters}) {{ … }}"),
    }
}

/// Whether a function named as a handler exists and can be called with what it will be given.
pub(super) fn check_target(
    handler: &str,
    first: &str,
    given: Option<usize>,
    functions: &[Function],
) -> Result<(), String> {
    let Some(function) = functions.iter().find(|own| own.name == handler) else {
        return Err(no_function(handler, first, functions));
    };
    let is_event = catalog().handler(handler).is_some();
    match (function.parameters.len(), given) {
        _ if is_event => Err(format!(
            "{handler} is called by events; give this a function of its own"
        )),
        (1, None | Some(1)) => Ok(()),
        (1, _) => Err(format!(
            "{handler} is given a map as well; write fn {handler}({first}, args)"
        )),
        (2, _) if first == "chat" => Ok(()),
        _ => Err(format!(
            "{handler} is called with the {first}; write fn {handler}({first})"
        )),
    }
}

/// The names in `template("…")` and `template(#{ name: "…" })`.
fn template_names(tokens: &Tokens) -> Vec<String> {
    let mut names = Vec::new();
    for at in 0..tokens.len() {
        if !tokens.is_word(at, "template") {
            continue;
        }
        let name = match tokens.items(at + 1).first() {
            Some(only) if only.len() == 1 => tokens.text(only.start),
            Some(map) => map
                .clone()
                .find(|at| tokens.is_word(*at, "name") && tokens.is(at + 1, ":"))
                .and_then(|at| tokens.text(at + 2)),
            None => None,
        };
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    names.dedup();
    names
}

/// Runs the top level once, for constants and schedules.
fn evaluate_top(
    engine: &Engine,
    ast: &AST,
    tokens: &Tokens,
) -> Result<(HashMap<String, Dynamic>, Top), Diagnostic> {
    let refuse = |error: &rhai::EvalAltResult| {
        let failure = explain::failure(error);
        let extent = tokens.extent_from(failure.line, failure.column);
        Diagnostic::error(extent, failure.message)
    };
    // Rhai gives a context to function calls only, so the top level is run on the way to one.
    const START: &str = "start_of_the_script";
    let start = engine
        .compile(format!("fn {START}() {{}}"))
        .map_err(|error| Diagnostic::error(Extent::START, error.to_string()))?;
    let whole = ast.merge(&start);
    let top = Arc::new(Mutex::new(Top::default()));
    let options = CallFnOptions::new()
        .rewind_scope(false)
        .with_tag(Tag::Top(Arc::clone(&top)));
    let mut scope = Scope::new();
    let _: Dynamic = language::within(language::Bounds::OF_A_RUN, || {
        engine.call_fn_with_options::<Dynamic>(options, &mut scope, &whole, START, ())
    })
    .map_err(|error| refuse(&error))?;
    let mut constants = HashMap::new();
    for (name, _, value) in scope.iter_raw() {
        if let Err(reason) = convert::to_json(value) {
            let is_it = |at: &usize| tokens.is_word(*at, "const") && tokens.is_word(at + 1, name);
            let place = (0..tokens.len()).find(is_it);
            let extent = place.map_or(Extent::START, |at| tokens.extent_at(at + 1));
            return Err(Diagnostic::error(extent, format!("const {name}: {reason}")));
        }
        constants.insert(name.to_owned(), value.clone());
    }
    let top = std::mem::take(&mut *top.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((constants, top))
}

fn schedules(top: &Top, reading: &mut Reading) -> Vec<ScheduleLine> {
    let mut lines: Vec<ScheduleLine> = Vec::new();
    for every in &top.schedules {
        let tokens = &reading.tokens;
        let whole = tokens.extent_from(every.line, every.column);
        let at = tokens.spots().iter().position(|spot| spot.extent == whole);
        let arguments = at.map_or_else(Vec::new, |at| tokens.items(at + 1));
        // What is at fault is marked; the whole, where it cannot be found.
        let extent = |part: usize| {
            let part = arguments.get(part).cloned();
            part.map_or(whole, |part| tokens.extent(part))
        };
        let problems = &mut reading.problems;
        let mut refuse = |part, message| problems.push(Diagnostic::error(extent(part), message));
        if let Err(message) = check_target(&every.handler, "location", Some(1), &reading.functions)
        {
            refuse(1, message);
        }
        let misfire = every::misfire(&every.options).unwrap_or_else(|message| {
            refuse(2, message);
            Misfire::default()
        });
        let line = match every::line(&every.cron) {
            Ok(cron) => ScheduleLine {
                cron,
                handler: every.handler.clone(),
                misfire,
            },
            Err(message) => {
                refuse(0, message);
                continue;
            }
        };
        let same = |other: &ScheduleLine| {
            other.handler == line.handler && other.cron.text() == line.cron.text()
        };
        if lines.iter().any(same) {
            let twice = format!(
                "every(\"{}\", \"{}\") stands here twice; leave one out",
                line.cron.text(),
                line.handler
            );
            refuse(0, twice);
        }
        lines.push(line);
    }
    lines
}
