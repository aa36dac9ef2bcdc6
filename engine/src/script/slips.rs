//! Slips of people who know other languages, or who write rules in a text processor: `x ? a : b`,
//! `if not x`, “curly quotes”. Told by the tokens around the place where the parser gave up.

use rhai::{LexError, ParseErrorType};

use super::catalog::catalog;
use super::explain::snake;
use super::tokens::Tokens;

/// What to write instead of what stands at a place, if it is a known slip.
pub(super) fn slip(tokens: &Tokens, at: Option<usize>, kind: &ParseErrorType) -> Option<String> {
    use ParseErrorType as P;
    let around = |at| in_its_place(tokens, at, kind);
    if let Some(message) = at.and_then(around) {
        return Some(message);
    }
    Some(match kind {
        P::BadInput(LexError::MalformedChar(text)) => {
            format!("a text stands between double quotes; write \"{text}\"")
        }
        P::BadInput(LexError::UnexpectedInput(text)) if is_curly(text) => {
            format!("{text} is a curly quote; write the straight \" around a text")
        }
        P::BadInput(LexError::MalformedEscapeSequence(text)) => format!(
            "{text} means nothing in a text; write \\{text} for a backslash, as patterns need it, or leave the backslash out"
        ),
        P::BadInput(LexError::UnexpectedInput(text)) if text == "try" => {
            "try gives no value back; write let x = (); and then try { x = …; } catch { x = …; }".into()
        }
        P::BadInput(LexError::UnexpectedInput(text)) if text == ">" => {
            "this > has nothing to compare; write != for unequal, >= for at least".into()
        }
        P::UnknownOperator(sign) if sign == "?" => {
            "there is no ? :; write if … { a } else { b }, or x ?? y for what may be ()".into()
        }
        P::UnknownOperator(sign) => return counting(sign),
        P::Reserved(sign) => return counting(sign).or_else(|| reserved(sign)),
        P::BadInput(LexError::ImproperSymbol(sign, _)) => return reserved(sign),
        P::FnMissingBody(name) => {
            format!("the body of {name} is missing; write fn {name}(…) {{ … }}")
        }
        P::WrongFnDefinition => {
            "a function stands at the top of the script, not within another one; is a } missing before it?".into()
        }
        P::VariableExpected => "for goes through values; write for i in 0..3 { … }".into(),
        P::VariableUndefined(name) => return literal(name),
        _ => return None,
    })
}

/// What to write for a function that other languages have, under the name that it has there.
pub(super) fn function(name: &str) -> Option<String> {
    let ours = match name {
        "toLowerCase" | "lower" | "lowercase" | "downcase" | "tolower" => "to_lower()",
        "toUpperCase" | "upper" | "uppercase" | "upcase" | "toupper" => "to_upper()",
        "includes" | "include" | "has" | "contain" | "hasOwnProperty" => "contains(…)",
        "length" | "size" | "count" => "len()",
        "substring" | "substr" | "slice" | "sub_str" => "sub_string(start, length)",
        "replaceAll" | "replace_all" | "gsub" => "replace(old, new)",
        "strip" | "trimStart" | "trimEnd" | "trim_start" | "trim_end" => "trim()",
        "find_index" | "findIndex" | "lastIndexOf" => "index_of(…)",
        "int" | "Number" | "to_integer" => "parse_int(text)",
        "float" => "parse_float(text)",
        "str" | "String" => "to_string()",
        "concat" => "+",
        "any" => "some(|x| …)",
        "every" => "all(|x| …)",
        "add" => "list.push(item) for an array, map.name = value for a map",
        "delete" | "unset" | "del" => "map.remove(\"name\")",
        "forEach" | "each" | "for_each" => "for x in list { … }",
        "test" => "message.matches(\"pattern\")",
        "console" | "println" | "printf" | "echo" => "log(…)",
        "sendMessage" | "send_message" | "sendText" | "answer" | "respond" => "chat.reply(…)",
        "format" => "`…` with ${…} in it",
        _ => "",
    };
    if !ours.is_empty() {
        return Some(format!("write {ours}"));
    }
    let written = snake(name);
    let is_ours = written != name && catalog().callable().any(|entry| entry.name == written);
    is_ours.then(|| format!("write {written}"))
}

fn is_curly(text: &str) -> bool {
    ["“", "”", "„", "‘", "’", "«", "»"].contains(&text)
}

fn counting(sign: &str) -> Option<String> {
    match sign {
        "++" => Some("there is no ++; write n += 1".into()),
        "--" => Some("there is no --; write n -= 1".into()),
        _ => None,
    }
}

fn reserved(word: &str) -> Option<String> {
    Some(match word {
        "=" => "= sets a variable, in a statement of its own; write == to compare".into(),
        "var" => "write let instead of var".into(),
        "match" | "case" => format!(
            "write switch instead of {word}: switch message.text {{ \"yes\" => …, _ => … }}"
        ),
        "default" => "write _ => … for everything else".into(),
        "#" => "a comment begins with //, a map with #{".into(),
        "new" => "there is no new; leave it out, as in time(\"2026-12-24 18:00\")".into(),
        "->" | ":=" => format!("there is no {word}; write = to set a variable, . to look into one"),
        "$" | "@" => format!("leave out {word}: names are letters, digits and _"),
        "print" => "write log(…)".into(),
        _ => return None,
    })
}

/// Values that other languages write otherwise.
fn literal(name: &str) -> Option<String> {
    match name {
        "True" | "TRUE" => Some(format!("write true instead of {name}")),
        "False" | "FALSE" => Some(format!("write false instead of {name}")),
        "None" | "NULL" | "Null" => Some(format!("write () instead of {name}")),
        _ => None,
    }
}

/// What the neighbours of a token tell.
fn in_its_place(tokens: &Tokens, at: usize, kind: &ParseErrorType) -> Option<String> {
    use ParseErrorType as P;
    let word = tokens.spots()[at].name().unwrap_or_default();
    // What has a form of its own but no `;` is noticed after the word, too.
    let before = at
        .checked_sub(1)
        .and_then(|before| tokens.spots()[before].name())
        .unwrap_or_default();
    let is_key = tokens.is(at + 1, ":") && opens_map(tokens, at);
    let after_key = tokens.is(at, ":") && at > 0 && opens_map(tokens, at - 1);
    match kind {
        P::VariableUndefined(_) | P::MissingToken(..) if is_key || after_key => {
            Some("a map begins with #; write #{ name: value }".into())
        }
        P::MissingToken(..) if word == "and" => Some("write && instead of and".into()),
        P::MissingToken(..) if word == "or" => {
            Some("write || instead of or, ?? for what may be ()".into())
        }
        P::MissingToken(..) if word == "then" || (word == "do" && before != "}") => {
            Some(format!("leave out {word}; write {{ after the condition"))
        }
        P::MissingToken(..) if word == "of" => Some("write for x in list { … }".into()),
        P::MissingToken(sign, _) if sign == "=>" && tokens.is(at, ",") => {
            Some("the values of one case stand between bars; write \"a\" | \"b\" => …".into())
        }
        P::MissingToken(sign, _) if sign == "{" && tokens.is(at, ":") => {
            Some("leave out the :; write { … } for a block".into())
        }
        P::MissingToken(..) if tokens.is(at, "=>") => {
            Some("a function within another is written |x| …; => belongs to switch".into())
        }
        P::MissingToken(..) | P::FnMissingBody(_) if tokens.is_one_of(at, &[":", "->"]) => {
            Some("there are no types; leave out what follows the name".into())
        }
        P::VariableUndefined(_) if tokens.text(at + 1).is_some() && word == "f" => {
            Some("write `…` with ${…} in it instead of f\"…\"".into())
        }
        P::VariableUndefined(_) => another_word(tokens, at, word),
        P::ExprExpected(_) if word == "case" || word == "default" => {
            Some("a case is written \"image\" => …, the last one, for everything else, _ => …".into())
        }
        P::PropertyExpected if word == "call" => Some(
            "a function in a variable cannot be called; write a function of the script: fn twice(x) { x * 2 }, and call twice(2)".into(),
        ),
        P::PropertyExpected if tokens.text(at).is_some() => {
            Some("texts are joined by +; write \"a\" + b".into())
        }
        _ => None,
    }
}

/// Whether a key stands right after a `{` that no `#` makes a map of.
fn opens_map(tokens: &Tokens, key: usize) -> bool {
    key > 1 && tokens.is(key - 1, "{") && !tokens.is(key - 2, "#")
}

/// Words that begin a statement elsewhere.
fn another_word(tokens: &Tokens, at: usize, word: &str) -> Option<String> {
    // Something follows that could not follow a variable.
    let next = tokens.spots().get(at + 1)?;
    let begins = next.name().is_some() || next.text().is_some() || next.is("(") || next.is("!");
    if !begins {
        return None;
    }
    Some(match word {
        "not" => "write ! instead of not".into(),
        "elif" | "elseif" | "elsif" => format!("write else if instead of {word}"),
        "unless" => "write if !… instead of unless".into(),
        "foreach" => "write for x in list { … }".into(),
        "echo" | "puts" | "say" => "write chat.reply(…) to answer, log(…) to note something".into(),
        "function" | "def" | "func" | "pub" | "sub" => {
            format!("write fn instead of {word}: fn on_message(chat, message) {{ … }}")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::script::{ScriptHost, Surroundings};

    /// The first thing that is said about a script.
    fn said(source: &str) -> String {
        let host = ScriptHost::builder().build();
        let found = host.check(source, &Surroundings::default());
        found.first().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn a_slip_is_told_with_what_to_write_instead() {
        for (body, told) in [
            (
                "chat.reply('Hello');",
                "2:12: a text stands between double quotes; write \"Hello\"",
            ),
            (
                "if message.text = \"x\" { }",
                "2:17: = sets a variable, in a statement of its own; write == to compare",
            ),
            (
                "chat.state.x = { a: 1 };",
                "2:18: a map begins with #; write #{ name: value }",
            ),
            (
                "chat.state.x = { \"a\": 1 };",
                "2:21: a map begins with #; write #{ name: value }",
            ),
            (
                "let z = true ? 1 : 2;",
                "2:14: there is no ? :; write if … { a } else { b }, or x ?? y for what may be ()",
            ),
            ("let n = 1; n++;", "2:13: there is no ++; write n += 1"),
            ("let n = 1; --n;", "2:12: there is no --; write n -= 1"),
            (
                "let n = try { 1 } catch { 0 };",
                "2:9: try gives no value back; write let x = (); and then try { x = …; } catch { x = …; }",
            ),
            ("if true and false { }", "2:9: write && instead of and"),
            (
                "if true or false { }",
                "2:9: write || instead of or, ?? for what may be ()",
            ),
            ("if not true { }", "2:4: write ! instead of not"),
            (
                "if true { } elif false { }",
                "2:13: write else if instead of elif",
            ),
            (
                "switch message.kind { case \"image\": 1 }",
                "2:23: a case is written \"image\" => …, the last one, for everything else, _ => …",
            ),
            (
                "switch message.kind { \"image\" => 1, default => 2 }",
                "2:37: a case is written \"image\" => …, the last one, for everything else, _ => …",
            ),
            (
                "switch message.kind { \"image\", \"video\" => 1 }",
                "2:30: the values of one case stand between bars; write \"a\" | \"b\" => …",
            ),
            (
                "match message.kind { \"image\" => 1 }",
                "2:1: write switch instead of match: switch message.text { \"yes\" => …, _ => … }",
            ),
            ("var x = 1;", "2:1: write let instead of var"),
            (
                "let f = |x| x; f.call(2);",
                "2:18: a function in a variable cannot be called; write a function of the script: fn twice(x) { x * 2 }, and call twice(2)",
            ),
            (
                "chat.reply(“x”);",
                "2:12: “ is a curly quote; write the straight \" around a text",
            ),
            (
                "chat.reply(\"a \\d\");",
                "2:16: \\d means nothing in a text; write \\\\d for a backslash, as patterns need it, or leave the backslash out",
            ),
            ("let x = True;", "2:9: write true instead of True"),
            (
                "chat.reply(f\"x\");",
                "2:12: write `…` with ${…} in it instead of f\"…\"",
            ),
            (
                "let x: int = 1;",
                "2:6: there are no types; leave out what follows the name",
            ),
            (
                "for (let i = 0; i < 3; i += 1) { }",
                "2:6: for goes through values; write for i in 0..3 { … }",
            ),
            (
                "for i in 0..3: { }",
                "2:14: leave out the :; write { … } for a block",
            ),
            (
                "fn inner() { }",
                "2:1: a function stands at the top of the script, not within another one; is a } missing before it?",
            ),
        ] {
            let source = format!("fn on_message(chat, message) {{\n{body}\n}}\n");
            assert_eq!(said(&source), told, "{body}");
        }
        assert_eq!(
            said("function on_message(chat, message) { }"),
            "1:1: write fn instead of function: fn on_message(chat, message) { … }"
        );
    }

    #[test]
    fn a_name_that_is_merely_unknown_is_no_slip() {
        let told = said("fn on_message(chat, message) {\nlog(not_yet);\n}\n");
        assert!(told.starts_with("2:5: there is no not_yet here"), "{told}");
    }
}
