//! From a script's text to something that runs: parsing, the rules of the top level, constants,
//! schedules, and everything about handlers that can be told without an event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};

use super::catalog::catalog;
use super::outline::{Function, Outline};
use super::run::{Tag, Top};
use super::scan::{Spot, Token, scan};
use super::{Diagnostic, ScheduleLine, ScriptHost, convert, every, explain, language, limits};
use crate::domain::misfire::Misfire;
use crate::domain::occurrence::CronLine;

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

/// Compiles and checks a script.
pub(super) fn compile(host: &ScriptHost, source: &str) -> Result<Compiled, Vec<Diagnostic>> {
    if source.len() > limits::SOURCE_BYTES {
        return Err(vec![at(
            0,
            0,
            format!(
                "the script is too long: {} bytes, {} at most",
                source.len(),
                limits::SOURCE_BYTES
            ),
        )]);
    }
    let spots = scan(source);
    let mut outline = Outline::of(&spots);
    let cases = spots.iter().filter(|spot| spot.is("=>")).count();
    if cases > limits::SWITCH_CASES {
        let many = format!(
            "{cases} cases of switch are too many, {} at most; use a map",
            limits::SWITCH_CASES
        );
        return Err(vec![at(0, 0, many)]);
    }
    let engine = &host.0.engine;
    let ast = parse(engine, source, &outline).map_err(|diagnostic| vec![diagnostic])?;
    let mut problems = std::mem::take(&mut outline.problems);
    check_functions(&outline.functions, &mut problems);
    check_handler_names(&spots, &outline.functions, &mut problems);
    check_requests(&spots, &outline.functions, &mut problems);
    if !problems.is_empty() {
        return Err(sorted(problems));
    }
    let (constants, top) = evaluate_top(engine, &ast).map_err(|diagnostic| vec![diagnostic])?;
    let schedules = schedules(&top, &outline.functions, &mut problems);
    if !problems.is_empty() {
        return Err(sorted(problems));
    }
    Ok(Compiled {
        ast,
        constants,
        functions: outline.functions,
        schedules,
        templates: template_names(&spots),
        even_when_held: top.even_when_held,
        history_lines: if spots.iter().any(|spot| spot.name() == Some("history")) {
            limits::HISTORY_LINES
        } else {
            0
        },
    })
}

fn at(line: u32, column: u32, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        message: message.into(),
        line,
        column,
    }
}

fn at_spot(spot: &Spot, message: impl Into<String>) -> Diagnostic {
    at(spot.line, spot.column, message)
}

fn sorted(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems
}

fn parse(engine: &Engine, source: &str, outline: &Outline) -> Result<AST, Diagnostic> {
    // Functions do not see the constants around them in Rhai; the parser is told their names, the
    // run serves their values.
    let mut scope = Scope::new();
    for name in &outline.constants {
        scope.push_constant(name.as_str(), ());
    }
    engine.compile_with_scope(&scope, source).map_err(|error| {
        let parameters = outline.functions.iter().flat_map(|f| f.parameters.clone());
        let known: Vec<String> = outline
            .constants
            .iter()
            .cloned()
            .chain(parameters)
            .collect();
        explain::diagnostic(&error, &known)
    })
}

fn check_functions(functions: &[Function], problems: &mut Vec<Diagnostic>) {
    for (i, function) in functions.iter().enumerate() {
        let name = function.name.as_str();
        let mut refuse = |message: String| {
            problems.push(at(function.line, function.column, message));
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

/// `if_silent("2d", "nudge")` and the like name functions that must exist.
fn check_handler_names(spots: &[Spot], functions: &[Function], problems: &mut Vec<Diagnostic>) {
    for (i, spot) in spots.iter().enumerate() {
        let position = match spot.name() {
            Some("if_silent" | "after" | "at") => 1,
            Some("cancel") => 0,
            _ => continue,
        };
        let is_method = i > 0 && spots[i - 1].is(".");
        if !is_method {
            continue;
        }
        let arguments = arguments(spots, i + 1);
        let Some([argument]) = arguments.get(position) else {
            continue;
        };
        let Some(handler) = argument.text() else {
            continue;
        };
        let given = if arguments.len() > position + 1 { 2 } else { 1 };
        if let Err(message) = check_target(handler, "chat", Some(given), functions) {
            problems.push(at_spot(argument, message));
        }
    }
}

/// `chat.request("crm", data)` needs `on_response`, `chat.request("crm", data, "found")` needs `found`.
fn check_requests(spots: &[Spot], functions: &[Function], problems: &mut Vec<Diagnostic>) {
    for (i, spot) in spots.iter().enumerate() {
        let is_method = i > 0 && spots[i - 1].is(".");
        if spot.name() != Some("request") || !is_method {
            continue;
        }
        let arguments = arguments(spots, i + 1);
        match arguments.as_slice() {
            [_, _] if !functions.iter().any(|own| own.name == "on_response") => {
                problems.push(at_spot(
                    spot,
                    "nothing hears the answer; add fn on_response(chat, response) { … }, or name a \
                     function as in chat.request(\"crm\", #{ … }, \"found\")",
                ));
            }
            [_, _, [handler]] => {
                let named = handler
                    .text()
                    .map(|name| check_response_target(name, functions));
                if let Some(Err(message)) = named {
                    problems.push(at_spot(handler, message));
                }
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

/// The arguments of a call whose `(` stands at `open`, each as its tokens.
fn arguments(spots: &[Spot], open: usize) -> Vec<&[Spot]> {
    let Some(bracket) = spots.get(open).filter(|spot| spot.is("(")) else {
        return Vec::new();
    };
    let rest = &spots[open + 1..];
    let end = rest
        .iter()
        .position(|spot| spot.depth <= bracket.depth)
        .unwrap_or(rest.len());
    rest[..end]
        .split(|spot| spot.is(",") && spot.depth == bracket.depth + 1)
        .collect()
}

/// The names in `template("…")` and `template(#{ name: "…" })`.
fn template_names(spots: &[Spot]) -> Vec<String> {
    let mut names = Vec::new();
    for (i, spot) in spots.iter().enumerate() {
        if spot.name() != Some("template") {
            continue;
        }
        let name = match arguments(spots, i + 1).first() {
            Some([only]) => only.text(),
            Some(map) => map
                .windows(3)
                .find(|part| part[0].name() == Some("name") && part[1].token == Token::Other)
                .and_then(|part| part[2].text()),
            None => None,
        };
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    names.dedup();
    names
}

/// Runs the top level once, for constants and schedules.
fn evaluate_top(engine: &Engine, ast: &AST) -> Result<(HashMap<String, Dynamic>, Top), Diagnostic> {
    let refuse = |error: &rhai::EvalAltResult| {
        let failure = explain::failure(error);
        at(failure.line, failure.column, failure.message)
    };
    // Rhai gives a context to function calls only, so the top level is run on the way to one.
    const START: &str = "start_of_the_script";
    let start = engine
        .compile(format!("fn {START}() {{}}"))
        .map_err(|error| at(0, 0, error.to_string()))?;
    let whole = ast.merge(&start);
    let top = Arc::new(Mutex::new(Top::default()));
    let options = CallFnOptions::new()
        .rewind_scope(false)
        .with_tag(Tag::Top(Arc::clone(&top)));
    let mut scope = Scope::new();
    let _: Dynamic = language::with_deadline(|| {
        engine.call_fn_with_options::<Dynamic>(options, &mut scope, &whole, START, ())
    })
    .map_err(|error| refuse(&error))?;
    let mut constants = HashMap::new();
    for (name, _, value) in scope.iter_raw() {
        if let Err(reason) = convert::to_json(value) {
            return Err(at(0, 0, format!("const {name}: {reason}")));
        }
        constants.insert(name.to_owned(), value.clone());
    }
    let top = std::mem::take(&mut *top.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((constants, top))
}

fn schedules(
    top: &Top,
    functions: &[Function],
    problems: &mut Vec<Diagnostic>,
) -> Vec<ScheduleLine> {
    let mut lines: Vec<ScheduleLine> = Vec::new();
    for every in &top.schedules {
        let mut refuse = |message| problems.push(at(every.line, every.column, message));
        if let Err(message) = check_target(&every.handler, "location", Some(1), functions) {
            refuse(message);
        }
        let misfire = every::misfire(&every.options).unwrap_or_else(|message| {
            refuse(message);
            Misfire::default()
        });
        let line = match CronLine::parse(&every.cron) {
            Ok(cron) => ScheduleLine {
                cron,
                handler: every.handler.clone(),
                misfire,
            },
            Err(error) => {
                refuse(error.to_string());
                continue;
            }
        };
        let same = |other: &ScheduleLine| {
            other.handler == line.handler && other.cron.text() == line.cron.text()
        };
        if lines.iter().any(same) {
            refuse(format!(
                "every(\"{}\", \"{}\") stands here twice; leave one out",
                line.cron.text(),
                line.handler
            ));
        }
        lines.push(line);
    }
    lines
}
