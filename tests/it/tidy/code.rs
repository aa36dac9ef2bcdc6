//! Just enough of Rust's grammar to tell code from prose and a name from a part of a name.
//! Knows no rule and no file.

/// The text with comments and literals replaced by spaces; the lines stay where they are.
pub(super) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if let Some(end) = end_of_prose(&chars, at) {
            let end = end.min(chars.len());
            code.extend(
                chars[at..end]
                    .iter()
                    .map(|c| if *c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code
}

/// The code without its unit tests, which may look further up than the code.
pub(super) fn without_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod ").next().unwrap_or(code)
}

/// The lines, from 1, on which `name` stands as a whole name between texts that `fits` accepts.
pub(super) fn lines_of(code: &str, name: &str, fits: impl Fn(&str, &str) -> bool) -> Vec<usize> {
    let whole = |before: &str, after: &str| {
        !before.ends_with(is_part_of_name) && !after.starts_with(is_part_of_name)
    };
    code.match_indices(name)
        .map(|(at, _)| (&code[..at], &code[at + name.len()..]))
        .filter(|(before, after)| whole(before, after) && fits(before, after))
        .map(|(before, _)| before.matches('\n').count() + 1)
        .collect()
}

/// The lines that use the crate `name`: in a path, an attribute or a `use`.
pub(super) fn lines_using(code: &str, name: &str) -> Vec<usize> {
    lines_of(code, name, |before, after| {
        // `a::name` and `a.name` are something else with the same name; `::name` is the crate.
        let inner = before.strip_suffix("::").map_or_else(
            || before.ends_with('.'),
            |before| before.ends_with(is_part_of_name),
        );
        let words = before.trim_end();
        !inner
            && (after.trim_start().starts_with("::")
                || words.ends_with("#[")
                || words.ends_with("use")
                || words.ends_with("extern crate"))
    })
}

/// The names that follow `crate::`, also those in braces: `crate::{a, b::c}` gives `a` and `b`.
pub(super) fn names_after_crate(code: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let text = text.trim_start();
        text.chars().take_while(|c| is_part_of_name(*c)).collect()
    };
    let mut names = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let mut depth = 1;
        names.push(name(group));
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => names.push(name(&group[at + 1..])),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the comment or literal that begins at `at` ends, if one begins there.
fn end_of_prose(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => Some(position(chars, at, '\n')),
        '/' if next == Some('*') => Some(end_of_block(chars, at)),
        '"' => Some(end_of_string(chars, at)),
        '\'' if next == Some('\\') => Some(position(chars, at + 3, '\'') + 1),
        // Three characters are a literal, anything else is a lifetime.
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        'r' => end_of_raw_string(chars, at),
        _ => None,
    }
}

fn position(chars: &[char], from: usize, wanted: char) -> usize {
    let rest = chars.iter().skip(from);
    from + rest.take_while(|c| **c != wanted).count()
}

fn end_of_block(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut here = at;
    while here + 1 < chars.len() {
        match (chars[here], chars[here + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
        if depth == 0 {
            return here;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], at: usize) -> usize {
    let mut here = at + 1;
    while here < chars.len() {
        match chars[here] {
            '\\' => here += 2,
            '"' => return here + 1,
            _ => here += 1,
        }
    }
    chars.len()
}

fn end_of_raw_string(chars: &[char], at: usize) -> Option<usize> {
    let before = |back: usize| at.checked_sub(back).map(|at| chars[at]);
    let prefixed = matches!(before(1), Some('b' | 'c')) && !before(2).is_some_and(is_part_of_name);
    if before(1).is_some_and(is_part_of_name) && !prefixed {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut here = open + 1;
    while here < chars.len() {
        here = position(chars, here, '"') + 1;
        let closing = chars.iter().skip(here).take(hashes);
        if closing.filter(|c| **c == '#').count() == hashes {
            return Some(here + hashes);
        }
    }
    Some(chars.len())
}

#[test]
fn prose_is_blanked_and_code_is_not() {
    let text =
        "a(\"x \\\" y\", 'c', '\\'', b\"z\", r#\"q \" q\"#); // d\n/* e /* f */ */ fn g<'h>() {}";
    let code = blanked(text);
    assert_eq!(code.len(), text.len());
    let words: Vec<&str> = code
        .split(|c: char| !is_part_of_name(c) && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(words, ["a", "b", "fn", "g", "'h"]);
}

#[test]
fn a_crate_is_told_from_its_namesakes() {
    for used in [
        "use cron::Schedule;",
        "::cron::x()",
        "use cron;",
        "#[cron(x)]",
        "cron ::x",
    ] {
        assert_eq!(lines_using(used, "cron"), [1], "{used}");
    }
    for not_used in [
        "mod cron;",
        "self::cron::x()",
        "line.cron",
        "cron_line::x()",
        "let cron = 1;",
    ] {
        assert!(lines_using(not_used, "cron").is_empty(), "{not_used}");
    }
}

#[test]
fn names_after_crate_are_found_in_braces_too() {
    let code = "use crate::a::b; use crate::{c::{d, e}, f}; crate::g()";
    assert_eq!(names_after_crate(code), ["a", "c", "f", "g"]);
}
