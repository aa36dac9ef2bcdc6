//! Functions that nothing calls: no event, follow-up, schedule, request, or function that is called.

use super::report::Report;
use super::subject::Subject;
use crate::script::catalog::{Entry, catalog};
use crate::script::explain::{nearest, snake};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (index, function) in subject.functions.iter().enumerate() {
        let name = &function.name;
        // What nothing calls because it is misspelt has been told already.
        if name.starts_with("on_") || subject.graph().is_reached(subject, index) {
            continue;
        }
        if let Some(event) = event_meant(name) {
            report.error(function.extent, || {
                format!("nothing calls {name}; write fn {}", event.as_called())
            });
            continue;
        }
        report.warning(function.extent, || match subject.graph().caller(index) {
            Some(caller) => format!(
                "nothing calls {name}: only {} names it, and nothing calls that",
                subject.functions[caller].name
            ),
            None => format!(
                "nothing calls {name}: no event, follow-up, schedule or other function names it; name it, as in chat.after(\"2h\", \"{name}\"), or delete it"
            ),
        });
    }
}

/// The handler that a function is meant to be, if it is named as other languages would: `onMessage`.
fn event_meant(name: &str) -> Option<&'static Entry> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let same = |handler: &&Entry| plain(handler.name) == plain(name);
    if let Some(handler) = catalog().handlers().find(same) {
        return Some(handler);
    }
    // onMesage
    let written = snake(name);
    let names = catalog().handlers().map(|handler| handler.name);
    let near = nearest(&written, names).filter(|_| written.starts_with("on_"))?;
    catalog().handler(near)
}
