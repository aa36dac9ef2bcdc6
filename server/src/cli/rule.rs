//! `rejoinder rule`: the scripts of a location.

use std::path::Path;

use clap::Subcommand;
use rejoinder_engine::Engine;
use rejoinder_engine::domain::location::Location;
use rejoinder_engine::domain::rule::Rule;
use rejoinder_engine::script::Diagnostic;
use rejoinder_engine::store::NewRule;

use super::test::print_tests;
use super::{Failure, open};
use crate::api::rules::{CheckJson, RuleJson, RuleSourceJson, RulesJson};
use crate::api::tests::ReportJson;
use crate::out::{self, Format};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a rule from a script, as a draft
    Create {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
        /// What people call it
        #[arg(long)]
        name: String,
        /// Its place among the rules [default: the last]
        #[arg(long)]
        position: Option<i32>,
        /// Publish it at once
        #[arg(long)]
        publish: bool,
        /// The file with its tests [default: x.test.rhai beside x.rhai]
        #[arg(long, value_name = "FILE")]
        tests: Option<String>,
        /// The file with the script
        file: String,
    },
    /// List a location's rules in the order in which they are asked
    List {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Show a rule and its draft
    Show(Named),
    /// Publish a rule's draft
    Publish {
        #[command(flatten)]
        named: Named,
        /// A file that replaces the draft's tests first [default: x.test.rhai beside x.rhai]
        #[arg(long, value_name = "FILE")]
        tests: Option<String>,
        /// A file that replaces the draft first
        file: Option<String>,
    },
    /// Run the tests of a rule's draft
    Test(Named),
    /// Let a rule take part
    Enable(Named),
    /// Let a rule not take part
    Disable(Named),
    /// Say what is wrong with a script at a location, by the names that it has there
    Check {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
        /// The file with the script
        file: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The rule, by id or name
    rule: String,
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
}

impl Named {
    async fn find(&self, engine: &Engine) -> Result<(Location, Rule), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        let rules = engine.store().of(location.id).rules().await?;
        let rule = rules
            .into_iter()
            .find(|rule| rule.name == self.rule || rule.id.to_string() == self.rule)
            .ok_or_else(|| Failure::missing("rule", &self.rule, "rule list"))?;
        Ok((location, rule))
    }
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::Create {
                location,
                name,
                position,
                publish,
                tests,
                file,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                let source = open::read_file(&file)?;
                let tests = read_tests(tests.as_deref(), Some(&file))?.unwrap_or_default();
                if publish {
                    // Before anything is stored: a mistake leaves no half-made rule behind.
                    check(engine, &location, &file, &source).await?;
                }
                let new = NewRule {
                    name,
                    source,
                    tests,
                    position,
                };
                let mut rule = engine.create_rule(location.id, new).await?;
                if publish {
                    let published = engine.publish_rule(location.id, rule.id).await;
                    let published =
                        published.map_err(|problem| Failure::of_script(&rule.name, problem))?;
                    rule = published.rule;
                }
                format.one(&RuleJson::from(&rule));
            }
            Self::List { location } => {
                let location = open::location(engine, location.as_deref()).await?;
                let rules = engine.store().of(location.id).rules().await?;
                let columns = [
                    ("ID", "id"),
                    ("POSITION", "position"),
                    ("ENABLED", "enabled"),
                    ("VERSION", "published"),
                    ("NAME", "name"),
                ];
                format.list(&RulesJson::from(rules.as_slice()), "rules", &columns);
            }
            Self::Show(named) => {
                let (_, rule) = named.find(engine).await?;
                if format == Format::Human {
                    format.one(&RuleJson::from(&rule));
                    out::line(&format!("\n{}", rule.draft.trim_end()));
                } else {
                    format.one(&RuleSourceJson::from(rule));
                }
            }
            Self::Publish { named, tests, file } => {
                let (location, rule) = named.find(engine).await?;
                let tests = read_tests(tests.as_deref(), file.as_deref())?;
                if file.is_some() || tests.is_some() {
                    let source = match &file {
                        Some(file) => open::read_file(file)?,
                        None => rule.draft.clone(),
                    };
                    let shown = file.as_deref().unwrap_or(&rule.name);
                    check(engine, &location, shown, &source).await?;
                    engine
                        .save_draft(location.id, rule.id, source, tests)
                        .await?;
                }
                let published = engine.publish_rule(location.id, rule.id).await;
                let published =
                    published.map_err(|problem| Failure::of_script(&rule.name, problem))?;
                if file.is_none() {
                    report(&rule.name, &published.warnings);
                }
                format.one(&RuleJson::from(&published.rule));
            }
            Self::Test(named) => {
                let (location, rule) = named.find(engine).await?;
                let report = engine.test_rule(location.id, rule.id).await?;
                match format {
                    Format::Json => format.one(&ReportJson::from(&report)),
                    Format::Human => print_tests(&report),
                }
                if !report.passed() {
                    return Err(Failure::new(report.summary()));
                }
            }
            Self::Enable(named) => {
                let (location, rule) = named.find(engine).await?;
                let enabled = engine.set_rule_enabled(location.id, rule.id, true).await;
                let rule = enabled.map_err(|problem| Failure::of_script(&rule.name, problem))?;
                format.one(&RuleJson::from(&rule));
            }
            Self::Disable(named) => {
                let (location, rule) = named.find(engine).await?;
                let rule = engine.set_rule_enabled(location.id, rule.id, false).await?;
                format.one(&RuleJson::from(&rule));
            }
            Self::Check { location, file } => {
                let location = open::location(engine, location.as_deref()).await?;
                let source = open::read_file(&file)?;
                if format == Format::Json {
                    let found = engine.check_rule(location.id, &source).await?;
                    format.one(&CheckJson::from(&found));
                } else {
                    check(engine, &location, &file, &source).await?;
                    out::line(&format!("{file} can be published"));
                }
            }
        }
        Ok(())
    }
}

/// The tests that belong to a draft: those of a file that was named, else those beside the script.
fn read_tests(named: Option<&str>, script: Option<&str>) -> Result<Option<String>, Failure> {
    if let Some(file) = named {
        return open::read_file(file).map(Some);
    }
    let beside = script.map(|script| Path::new(script).with_extension("test.rhai"));
    match beside.filter(|beside| beside.is_file()) {
        Some(beside) => open::read_file(&beside.display().to_string()).map(Some),
        None => Ok(None),
    }
}

/// Says what is wrong with a script at a location, each thing on a line.
async fn check(
    engine: &Engine,
    location: &Location,
    file: &str,
    source: &str,
) -> Result<(), Failure> {
    let found = engine.check_rule(location.id, source).await?;
    if !found.is_publishable() {
        let problem = rejoinder_engine::Problem::Script(found.diagnostics);
        return Err(Failure::of_script(file, problem));
    }
    report(file, &found.diagnostics);
    Ok(())
}

/// Shows what does not keep a script from being published.
fn report(file: &str, warnings: &[Diagnostic]) {
    for warning in warnings {
        out::note(&out::diagnostic(file, warning));
    }
}
