//! What can be known to be wrong about a script before it talks to customers. Each pass looks for one
//! kind of mistake, on the tokens; what is not certain is left to the run.
//! Knows no customer and no database: what the location offers is given to it.

mod arithmetic;
mod calls;
mod chain;
mod content;
pub(super) mod editor;
mod flow;
mod graph;
mod handlers;
mod kinds;
mod literals;
mod names;
mod properties;
mod quotes;
mod report;
mod results;
mod subject;
mod templates;
#[cfg(test)]
mod tests;
mod unreached;
mod values;
mod window;

use self::report::Report;
use self::subject::Subject;
use super::surroundings::Surroundings;
use super::{Diagnostic, ScriptHost, compile};

/// A pass: it looks through a script for one kind of mistake.
type Pass = fn(&Subject<'_>, &mut Report);

const PASSES: [Pass; 14] = [
    calls::check,
    properties::check,
    handlers::check,
    flow::check,
    unreached::check,
    window::check,
    literals::check,
    quotes::check,
    values::check,
    results::check,
    arithmetic::check,
    content::check,
    names::check,
    templates::check,
];

/// Everything that can be told about a script, in the order of its lines.
pub(super) fn check(
    host: &ScriptHost,
    source: &str,
    surroundings: &Surroundings,
) -> Vec<Diagnostic> {
    let engine = &host.0.engine;
    let mut reading = compile::read(engine, source);
    if reading.ast.is_none() {
        // Without a form there is no telling what stands where.
        return report::in_order(reading.problems);
    }
    let evaluated = compile::evaluate(engine, &mut reading);
    let mut problems = std::mem::take(&mut reading.problems);
    let subject = Subject::new(host, &reading, evaluated, surroundings);
    for pass in PASSES {
        let mut report = Report::default();
        pass(&subject, &mut report);
        problems.extend(report.into_diagnostics());
    }
    report::in_order(problems)
}
