//! Scripts as tenants write them, right and wrong. Each `cases/checks/*.rhai` has beside it what is
//! said about it; `UPDATE=1` rewrites that. A case that says `//> at a location` is checked with the
//! names of one. Everything else in the house that is a rule must pass without a word.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::domain::content::MediaKind;
use crate::domain::template::{
    ButtonShape, ButtonValue, HeaderShape, TemplateCategory, TemplateParameters, TemplateShape,
    TemplateStatus,
};
use crate::script::{Diagnostic, ScriptHost, Surroundings};

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
        templates: Some(vec![
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
        ]),
        endpoints: Some(vec!["crm".into(), "calendar".into()]),
        vars: Some(vec!["phone".into(), "window_warning".into()]),
    }
}

fn surroundings(source: &str) -> Surroundings {
    if source.contains("//> at a location") {
        location()
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
