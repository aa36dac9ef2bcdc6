//! What went wrong, in words for the person who wrote the script: what, where, and what to write instead.

use rhai::{EvalAltResult, LexError, ParseErrorType, Position};

use super::catalog::{Catalog, Entry, catalog};
use super::convert::name_of_type;
use super::{Failure, limits, slips};

/// An error of a run.
pub(super) fn failure(error: &EvalAltResult) -> Failure {
    failure_in(catalog(), error)
}

/// An error of a script that may write what the catalog holds.
pub(super) fn failure_in(catalog: &Catalog, error: &EvalAltResult) -> Failure {
    // The innermost error says what happened and where; the calls around it are the script's own.
    let mut error = error;
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
    | EvalAltResult::ErrorInModule(_, inner, _) = error
    {
        error = inner;
    }
    let (line, column) = place(error.position());
    Failure {
        message: message(catalog, error),
        line,
        column,
    }
}

/// Line and column, 0 where unknown.
pub(super) fn place(position: Position) -> (u32, u32) {
    let number = |part: Option<usize>| part.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    (number(position.line()), number(position.position()))
}

/// Said when a script has taken more than `limits::OPERATIONS`.
pub(super) const TOO_LONG: &str = "the script takes too long: it was stopped after 50,000 steps; look for a loop that does not end";

/// Said when a function has more than `limits::VARIABLES`.
pub(super) const TOO_MANY_VARIABLES: &str =
    "too many variables at once: 64 at most; use a map or an array";

fn message(catalog: &Catalog, error: &EvalAltResult) -> String {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => super::convert::show(value),
        E::ErrorTerminated(value, _) => super::convert::show(value),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(catalog, signature),
        E::ErrorVariableNotFound(name, _) => unknown_variable(name, &[]),
        E::ErrorDotExpr(text, _) => unknown_property(text),
        E::ErrorIndexingType(text, _) if text.contains("()") => {
            "there is no value here, so nothing in it can be looked up; give it one first, for example chat.state.list = [], or write (… ?? [])".into()
        }
        E::ErrorTooManyOperations(_) => TOO_LONG.into(),
        E::ErrorStackOverflow(_) => too_deep(),
        E::ErrorDataTooLarge(what, _) => too_large(what),
        E::ErrorTooManyVariables(_) => TOO_MANY_VARIABLES.into(),
        E::ErrorFor(_) => "for goes through arrays, ranges and text; for a map write for name in map.keys()".into(),
        E::ErrorMismatchDataType(wanted, given, _) => format!(
            "{} is needed here, but this is {}",
            name_of_type(wanted),
            name_of_type(given)
        ),
        E::ErrorAssignmentToConstant(name, _) => format!(
            "{name} is a constant and keeps its value; write let for something that changes, chat.state for something to remember"
        ),
        E::ErrorParsing(kind, _) => syntax(kind, &[]),
        E::ErrorArrayBounds(_, place, _) => out_of_bounds("array", *place),
        E::ErrorStringBounds(_, place, _) => out_of_bounds("text", *place),
        E::ErrorArithmetic(text, _) => arithmetic(text),
        other => {
            let mut text = other.to_string();
            if let Some(at) = text.rfind(" (line ") {
                text.truncate(at);
            }
            text
        }
    }
}

/// Said when calls are nested deeper than `limits::CALL_DEPTH`.
pub(super) fn too_deep() -> String {
    format!(
        "functions call each other too deeply: {} calls within one another at most; look for a function that calls itself without end",
        limits::CALL_DEPTH
    )
}

fn out_of_bounds(what: &str, place: i64) -> String {
    // Places below 0 are counted from the end.
    let needed = if place < 0 {
        place.unsigned_abs()
    } else {
        place.unsigned_abs() + 1
    };
    format!(
        "this {what} has no place {place}: the first one is 0; look first, as in if {what}.len() >= {needed} {{ … }}"
    )
}

/// What Rhai says of numbers: `Division by zero: 1 / 0`, `Error parsing integer number 'x': …`.
fn arithmetic(text: &str) -> String {
    let (what, of) = text.split_once(": ").unwrap_or((text, ""));
    if what.starts_with("Division by zero") || what.starts_with("Modulo division by zero") {
        return format!("{of} divides by zero; look first, as in if n != 0 {{ … }}");
    }
    if let Some((_, number)) = what.split_once("number '") {
        let number = number.trim_end_matches('\'');
        return format!(
            "\"{number}\" is not a number; look first, as in if message.matches(\"^\\\\d{{1,9}}$\") {{ … }}"
        );
    }
    if what.ends_with("overflow") {
        return format!(
            "{of} gives a number that is too large: whole numbers have 18 digits at most"
        );
    }
    text.to_owned()
}

fn too_large(what: &str) -> String {
    match what {
        "Length of string" => format!(
            "this text is too large: {} bytes at most, in one value together",
            limits::TEXT_BYTES
        ),
        "Size of array/BLOB" => {
            format!(
                "this array is too large: {} items at most",
                limits::ARRAY_ITEMS
            )
        }
        "Size of object map" => {
            format!(
                "this map is too large: {} entries at most",
                limits::MAP_ENTRIES
            )
        }
        other => format!("too large: {other}"),
    }
}

const OPERATORS: [&str; 18] = [
    "+", "-", "*", "/", "%", "**", "<", ">", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "==", "!=",
    "!",
];

/// `name (type, type)` in Rhai's words.
fn unknown_function(catalog: &Catalog, signature: &str) -> String {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types: Vec<&str> = types
        .strip_suffix(')')
        .unwrap_or(types)
        .split(", ")
        .filter(|name| !name.is_empty())
        .collect();
    let has_unit = types.contains(&"()");
    if OPERATORS.contains(&name) {
        return operator(name, &types, has_unit);
    }
    let given = || {
        types
            .iter()
            .map(|name| name_of_type(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let receiver = types.first().copied();
    if let Some(usage) = catalog.usage(name, receiver) {
        return if types.is_empty() {
            format!("{name}(…) needs something in its brackets; write {usage}")
        } else {
            format!(
                "{name} cannot be called like this, with {}; write {usage}",
                given()
            )
        };
    }
    if types.first() == Some(&"()") {
        return format!(
            "there is no value here on which {name} could be called; set it first, for example chat.state.list = chat.state.list ?? []"
        );
    }
    if let Some(instead) = slips::function(name) {
        return format!("there is no function {name}; {instead}");
    }
    // What has functions of its own has no others.
    let noun = catalog
        .nouns()
        .iter()
        .find(|noun| Some(noun.name) == receiver);
    let fits = |entry: &&Entry| noun.is_none_or(|noun| entry.receiver == Some(noun.name));
    let names = catalog.callable().filter(fits).map(|entry| entry.name);
    match nearest(name, names) {
        Some(near) if near == name => format!("{name} does not go with {}", given()),
        Some(near) => format!("there is no function {name}; did you mean {near}?"),
        None if types.is_empty() => format!("there is no function {name}()"),
        None => format!("there is no function {name} for {}", given()),
    }
}

fn operator(name: &str, types: &[&str], has_unit: bool) -> String {
    if has_unit {
        return format!(
            "{name} has no value on one side: what was never set is (); write for example (chat.state.n ?? 0) + 1"
        );
    }
    if types.contains(&"time") || types.contains(&"duration") {
        return format!(
            "{name} does not work between {}; times and durations go with durations, for example now() + \"2d\"",
            types.join(" and ")
        );
    }
    let types: Vec<&str> = types.iter().map(|name| name_of_type(name)).collect();
    format!(
        "{name} does not work between {}; turn text into a number with parse_int(text)",
        types.join(" and ")
    )
}

/// What to say about a name that nothing bears.
pub(super) fn unknown_variable(name: &str, known: &[String]) -> String {
    if matches!(name, "chat" | "message" | "location" | "status") {
        return format!(
            "there is no {name} here: a function sees only its own parameters and the constants; pass it on, as in fn f({name}) {{ … }}"
        );
    }
    if catalog().usage(name, None).is_some() {
        return format!("{name} is a function; write {name}(…)");
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("there is no {name} here; did you mean {near}?"),
        None => format!(
            "there is no {name} here: a function sees its own parameters and variables, and the constants at the top of the script"
        ),
    }
}

/// Rhai's `Unknown property 'x' - a getter is not registered for type 'y'`.
fn unknown_property(text: &str) -> String {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted[..] {
        [property, "()", ..] => format!(
            "there is no value here, so it has no {property}; set the outer one first, for example chat.state.a = #{{ {property}: 1 }}, or look with ?.{property}"
        ),
        [property, of, ..] => format!("{} has no {property}", name_of_type(of)),
        _ => text.to_owned(),
    }
}

/// An error of the parser, told to somebody who knows these names.
pub(super) fn syntax(kind: &ParseErrorType, known: &[String]) -> String {
    use ParseErrorType as P;
    match kind {
        P::VariableUndefined(name) => unknown_variable(name, known),
        P::Reserved(name) | P::BadInput(LexError::ImproperSymbol(name, _)) => reserved(name),
        P::MissingToken(token, what) => {
            format!("{token} is missing {}", what.trim_end_matches('.'))
        }
        P::BadInput(LexError::UnterminatedString) => {
            "a text is not closed; is a \" or ` missing?".into()
        }
        P::UnexpectedEOF => "the script ends too early; is a } missing?".into(),
        P::ExprTooDeep => "this is nested too deeply; use variables for the parts, or switch instead of many else if".into(),
        P::FnDuplicatedDefinition(name, _) => {
            format!("there are two functions {name}; a name belongs to one function")
        }
        P::AssignmentToConstant(name) => format!(
            "{name} is a constant and keeps its value; write let for something that changes, chat.state for something to remember"
        ),
        P::ModuleUndefined(name) => format!("there are no modules, so {name}:: means nothing here"),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_lowercase().chain(letters).collect()
            })
        }
    }
}

fn reserved(name: &str) -> String {
    match name {
        "eval" | "import" | "export" => {
            format!("{name} is not available: a script is one text that stands on its own")
        }
        "this" => "this is not available; pass what a function needs as a parameter".into(),
        "Fn" | "call" | "curry" => {
            format!("{name} is not available; give handlers by name in quotes, as in \"nudge\"")
        }
        "spawn" | "thread" | "sync" | "async" | "await" | "go" => format!(
            "{name} is not available; to do something later write chat.after(\"2d\", \"handler\")"
        ),
        "null" | "nil" | "void" | "undefined" => format!("write () instead of {name}"),
        "===" => "write == instead of ===".into(),
        "!==" => "write != instead of !==".into(),
        _ => format!("{name} cannot be used here; it is a word of the language"),
    }
}

/// A name as this language writes names: `to_lower` for `toLower`.
pub(super) fn snake(name: &str) -> String {
    let mut written = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !written.is_empty() && !written.ends_with('_') {
            written.push('_');
        }
        written.extend(letter.to_lowercase());
    }
    written
}

/// The most similar of some names, if one is similar enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One letter is like any other.
    let has_letters = |name: &str| name.chars().nth(1).is_some();
    if !has_letters(name) {
        return None;
    }
    let allowed = ((name.chars().count() + 1) / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| has_letters(candidate))
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped, changed, or swapped with the next one; names are short,
/// so the plain table will do.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let other: Vec<char> = other.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for i in 0..one.len() {
        let mut next = vec![i + 1];
        for j in 0..other.len() {
            let change = row[j] + usize::from(one[i] != other[j]);
            let mut least = change.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_error_finds_its_name_and_a_stranger_finds_none() {
        let names = ["reply", "react", "mark_read"];
        assert_eq!(nearest("replay", names), Some("reply"));
        assert_eq!(nearest("markread", names), Some("mark_read"));
        assert_eq!(nearest("launch", names), None);
        assert_eq!(nearest("cmr", ["crm"]), Some("crm"));
        assert_eq!(nearest("n", ["m", "on"]), None);
        assert_eq!(nearest("ms", ["m"]), None);
    }
}
