//! Functions that nothing calls: no event, follow-up, schedule, request, or function that is called.

use super::report::Report;
use super::subject::Subject;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (index, function) in subject.functions.iter().enumerate() {
        let name = &function.name;
        // What nothing calls because it is misspelt has been told already.
        if name.starts_with("on_") || subject.graph().is_reached(subject, index) {
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
