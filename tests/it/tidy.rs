//! Rules about the code itself, each a test whose message says what to do.
//! Reads the files of the tree; knows nothing of what the code does.

mod arrows;
mod code;
mod owners;
mod tree;

use tree::{find, rust, sources};

/// A file that is longer holds more than one noun.
const MAX_LINES: usize = 450;

/// Passes if nothing was found; else says what to do, then where.
fn expect_none(found: &[String], what_to_do: &str) {
    assert!(found.is_empty(), "{what_to_do}\n  {}\n", found.join("\n  "));
}

#[test]
fn a_rust_file_is_short_enough_to_be_about_one_thing() {
    let found: Vec<String> = rust()
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect();
    expect_none(
        &found,
        &format!("Files have at most {MAX_LINES} lines: move a noun of its own into its own file."),
    );
}

#[test]
fn a_rust_file_opens_with_what_it_owns() {
    let found: Vec<String> = rust()
        .iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path.clone())
        .collect();
    expect_none(
        &found,
        "Open the file with `//!`: one sentence on what it owns, one on what it does not know.",
    );
}

#[test]
fn nothing_is_left_for_later() {
    let mut found = Vec::new();
    for file in rust() {
        let code = file.code();
        for name in ["todo", "unimplemented", "dbg"] {
            let lines = code::lines_of(&code, name, |_, after| after.starts_with('!'));
            found.extend(
                lines
                    .iter()
                    .map(|line| format!("{}:{line}: {name}!", file.path)),
            );
        }
    }
    expect_none(
        &found,
        "Write what is missing, or return an error that says so; take debugging output out.",
    );
}

#[test]
fn a_lint_is_expected_with_a_reason_never_allowed() {
    expect_none(
        &attributes("allow"),
        "Write `#[expect(lint, reason = \"…\")]`: it fails once it is no longer needed.",
    );
}

#[test]
fn no_test_is_switched_off() {
    expect_none(
        &attributes("ignore"),
        "Mend the test or delete it; a long one goes into a module `heavy` (.config/nextest.toml).",
    );
}

/// Every `#[name…]` and `#![name…]`.
fn attributes(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust() {
        let lines = code::lines_of(&file.code(), name, |before, _| {
            before.ends_with("#[") || before.ends_with("#![")
        });
        found.extend(lines.iter().map(|line| format!("{}:{line}", file.path)));
    }
    found
}

#[test]
fn deciding_and_reading_webhooks_never_wait() {
    let pure = |path: &str| {
        path.starts_with("engine/src/domain/")
            || path.starts_with("engine/src/decide")
            || (path.starts_with("adapters/src/")
                && (path.ends_with("/inbound.rs") || path.contains("/inbound/")))
    };
    let mut found = Vec::new();
    for file in rust().iter().filter(|file| pure(&file.path)) {
        for name in ["async", "await"] {
            let lines = code::lines_of(&file.code(), name, |_, _| true);
            found.extend(
                lines
                    .iter()
                    .map(|line| format!("{}:{line}: {name}", file.path)),
            );
        }
    }
    expect_none(
        &found,
        "This code is pure: take what you need as a parameter, and let the caller wait for it.",
    );
}

#[test]
fn a_script_says_what_it_does_before_it_does_it() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|file| file.path.starts_with("scripts/") && file.path.ends_with(".rhai"))
        .filter(|file| !file.path.ends_with(".test.rhai") && !file.path.ends_with(".d.rhai"))
        .filter(|file| !file.text.starts_with("//") && !file.text.starts_with("/*"))
        .map(|file| file.path.clone())
        .collect();
    expect_none(
        &found,
        "Open the script with a comment: what it does, in the words of the person who uses it.",
    );
}

#[test]
fn a_script_function_is_registered_with_its_documentation() {
    // Conversions, what takes the place of a function of Rhai, and properties that a map has too.
    const MECHANICS: [&str; 8] = [
        "\"to_string\"",
        "\"to_debug\"",
        "\"debug\"",
        "\"duration\"",
        "\"len\"",
        "\"is_empty\"",
        // Words that are refused; the operators of times.
        "name",
        "$sign",
    ];
    let is_operator = |argument: &str| !argument.contains(char::is_alphabetic);
    let mut found = Vec::new();
    for file in rust() {
        let registers = file.path.starts_with("engine/src/script/api/")
            && !file.path.ends_with("/registrar.rs");
        if !registers {
            continue;
        }
        for call in ["register_fn(", "register_get("] {
            for (at, _) in file.text.match_indices(call) {
                let rest = file.text[at + call.len()..].trim_start();
                let argument = rest.split(',').next().unwrap_or_default();
                if !MECHANICS.contains(&argument) && !is_operator(argument) {
                    found.push(format!("{}: {call}{argument}", file.path));
                }
            }
        }
    }
    expect_none(
        &found,
        "Write an entry in `api! { … }`: signature, documentation and example go with the function.",
    );
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    // In pieces, so that this file does not find itself.
    let folders = ["work", "root", "home"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for file in sources()
        .iter()
        .filter(|file| !file.path.ends_with(".lock"))
    {
        for (index, line) in file.text.lines().enumerate() {
            for folder in &folders {
                let absolute = line.match_indices(folder.as_str()).any(|(at, _)| {
                    // Within a longer path or an address it is no folder of a machine.
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}$".contains(c))
                });
                if absolute {
                    found.push(format!("{}:{}: {folder}", file.path, index + 1));
                }
            }
        }
    }
    expect_none(
        &found,
        "Write the path relative to the root of the repository, or take it from the environment.",
    );
}

#[test]
fn the_readme_names_the_two_commands() {
    let Some(readme) = find("README.md") else {
        return;
    };
    let found: Vec<String> = ["cargo run --release -- demo", "tests/run"]
        .iter()
        .filter(|command| !readme.contains(*command))
        .map(|command| format!("README.md lacks `{command}`"))
        .collect();
    expect_none(
        &found,
        "A newcomer needs one command to see it work and one to test it: put both in.",
    );
}

#[test]
fn ci_runs_what_a_developer_runs() {
    let script = find(".ci/run").expect(".ci/run calls tests/run");
    assert_eq!(
        script.lines().last(),
        Some("exec tests/run \"$@\""),
        "Put new checks into tests/run, so that they run before a change is handed in."
    );
}

#[test]
fn an_ignored_advisory_ends_on_a_day() {
    let policy: toml::Table =
        toml::from_str(&find("deny.toml").expect("deny.toml")).expect("deny.toml is TOML");
    let ignored = policy["advisories"]["ignore"].as_array().expect("a list");
    let found: Vec<String> = ignored
        .iter()
        .filter(|advisory| {
            let reason = advisory.get("reason").and_then(toml::Value::as_str);
            let day = reason.and_then(|reason| reason.split("Until ").nth(1));
            !day.is_some_and(|day| {
                chrono::NaiveDate::parse_from_str(day.trim_end_matches('.'), "%Y-%m-%d").is_ok()
            })
        })
        .map(|advisory| format!("deny.toml: {:?}", advisory.get("id")))
        .collect();
    expect_none(
        &found,
        "End the reason in deny.toml with the day on which to look again: `Until 2027-05-31.`",
    );
}
