//! Scripts as tenants write them, right and wrong. Each `cases/checks/*.rhai` has beside it what is
//! said about it; `UPDATE=1` rewrites that. A case that says `//> at a location` is checked with the
//! names of one, and at a new one with all but templates, of which it was not told. Everything else in the house that is a rule must pass without a word.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::domain::content::MediaKind;
use crate::domain::template::{
    ButtonShape, ButtonValue, HeaderShape, TemplateCategory, TemplateParameters, TemplateShape,
    TemplateStatus,
};
use crate::script::{Diagnostic, KnownTemplates, ScriptHost, Surroundings};

fn host() -> ScriptHost {
    ScriptHost::builder()
        .function("vat", 1, |values| Ok(values[0].clone()))
        .build()
}

fn template(name: &str, parameters: TemplateParameters) -> TemplateShape {
    TemplateShape {
        name: name.into(),
        language: "en".into(),
        parameters,
        header: HeaderShape::None,
        buttons: Vec::new(),
        status: TemplateStatus::Approved,
        category: TemplateCategory::Utility,
    }
}

/// A location with a few names.
fn location() -> Surroundings {
    let named = TemplateParameters::Named(vec!["first_name".into(), "city".into()]);
    Surroundings {
        templates: KnownTemplates::All(vec![
            template("viewing_reminder", TemplateParameters::Positional(1)),
            template("hello", TemplateParameters::Positional(0)),
            template("named", named),
            TemplateShape {
                header: HeaderShape::Media(MediaKind::Image),
                buttons: vec![ButtonShape {
                    index: 1,
                    kind: ButtonValue::Url,
                }],
                ..template("offer", TemplateParameters::Positional(1))
            },
            TemplateShape {
                status: TemplateStatus::Paused,
                ..template("paused", TemplateParameters::Positional(0))
            },
            TemplateShape {
                language: "pt_BR".into(),
                ..template("brazilian", TemplateParameters::Positional(0))
            },
        ]),
        language: Some("en".into()),
        endpoints: Some(vec!["crm".into(), "calendar".into()]),
        vars: Some(vec!["phone".into(), "window_warning".into()]),
    }
}

fn surroundings(source: &str) -> Surroundings {
    if source.contains("//> at a location") {
        location()
    } else if source.contains("//> at a new location") {
        Surroundings {
            templates: KnownTemplates::Untold,
            ..location()
        }
    } else {
        Surroundings::default()
    }
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for found in diagnostics {
        let Diagnostic {
            line,
            column,
            end_line,
            end_column,
            ..
        } = found;
        let severity = found.severity.name();
        writeln!(
            text,
            "{severity} {line}:{column}-{end_line}:{end_column}: {}",
            found.message
        )
        .expect("a string takes it");
    }
    text
}

fn scripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_case_is_told_what_is_written_beside_it() {
    #[expect(clippy::disallowed_methods, reason = "the test's own switch")]
    let update = std::env::var_os("UPDATE").is_some();
    let host = host();
    for path in scripts("src/script/cases/checks") {
        let source = std::fs::read_to_string(&path).expect("a script");
        let found = shown(&host.check(&source, &surroundings(&source)));
        let beside = path.with_extension("out");
        if update {
            std::fs::write(&beside, &found).expect("a place to write");
        }
        let wanted = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(found, wanted, "{}", path.display());
    }
}

#[test]
fn nothing_is_said_about_rules_that_are_right() {
    let host = host();
    let is_rule = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            !["error_", "refused_"]
                .iter()
                .any(|start| name.starts_with(start))
                && ![".d.rhai", ".test.rhai"]
                    .iter()
                    .any(|end| name.ends_with(end))
        })
    };
    let mut paths = scripts("src/script/cases");
    paths.extend(scripts("../scripts"));
    paths.retain(is_rule);
    assert!(paths.len() >= 10, "rules are missing: {paths:?}");
    let mut said = String::new();
    for path in paths {
        let source = std::fs::read_to_string(&path).expect("a script");
        let found = shown(&host.check(&source, &Surroundings::default()));
        if !found.is_empty() {
            writeln!(said, "{}\n{found}", path.display()).expect("a string takes it");
        }
    }
    assert_eq!(said, "");
}

/// A few thousand scripts that nobody would write, each a case with some of its letters changed.
#[test]
fn no_text_makes_the_check_panic_or_point_outside_of_it() {
    const PIECES: [&str; 24] = [
        "(", ")", "{", "}", "[", "]", "\"", "`", "${", "#{", "|", ".", "?.", ",", ";", "fn ",
        "let ", "return", "stop();", "é👍", "\n", "/*", "=", "'",
    ];
    let host = host();
    let surroundings = location();
    let mut random: u64 = 7;
    let mut below = |most: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).expect("31 bits") % most.max(1)
    };
    for path in scripts("src/script/cases/checks") {
        let source = std::fs::read_to_string(&path).expect("a script");
        for _ in 0..60 {
            let mut letters: Vec<char> = source.chars().collect();
            for _ in 0..=below(4) {
                let at = below(letters.len() + 1);
                let until = (at + below(8)).min(letters.len());
                match below(3) {
                    0 => drop(letters.drain(at..until)),
                    1 => drop(letters.splice(at..at, PIECES[below(PIECES.len())].chars())),
                    _ => letters.truncate(at.max(1)),
                }
            }
            let text: String = letters.iter().collect();
            let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
            for found in host.check(&text, &surroundings) {
                let is_inside = |line: u32, column: u32| {
                    let number = |part: u32| usize::try_from(part).expect("it fits");
                    let (line, column) = (number(line), number(column));
                    line >= 1
                        && column >= 1
                        && lines
                            .get(line - 1)
                            .is_some_and(|length| column <= length + 1)
                };
                let end = (found.end_line, found.end_column);
                assert!(
                    is_inside(found.line, found.column)
                        && is_inside(found.end_line, found.end_column)
                        && (found.line, found.column) <= end,
                    "{found:?} in {text}"
                );
            }
        }
    }
}

/// 64 KiB of rules. Optimised it takes a few dozen milliseconds; tests are not, and share the machine.
#[test]
fn the_longest_script_is_checked_quickly() {
    let mut source = String::new();
    for i in 0..120 {
        let mut function = format!("fn step_{i}(chat, message) {{\n");
        for n in 0..5 {
            function += &format!(
                "    if message.mentions([\"price\", \"cost {n}\"]) {{ chat.reply(`Hi ${{chat.contact.nmae}}`); }}\n"
            );
        }
        source += &format!(
            "{function}    chat.replay(\"x\"); chat.after(\"2d\", \"step_{}\");\n}}\n",
            (i + 1) % 120
        );
    }
    source += "fn on_message(chat, message) { step_0(chat, message); }\n";
    assert!(
        (60_000..=64 * 1024).contains(&source.len()),
        "{}",
        source.len()
    );
    let host = host();
    let started = std::time::Instant::now();
    let found = host.check(&source, &location());
    let took = started.elapsed();
    assert_eq!(found.len(), 50);
    let most = if cfg!(debug_assertions) { 5_000 } else { 50 };
    assert!(took.as_millis() < most, "{took:?}");
    println_in_tests(&format!("{} bytes: {took:?}", source.len()));
}

#[expect(clippy::print_stderr, reason = "a figure to read with --nocapture")]
fn println_in_tests(text: &str) {
    eprintln!("{text}");
}
