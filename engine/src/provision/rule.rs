//! Rules: draft, check, write what is published, and take out of service. Knows no simulated world.

use chrono::DateTime;
use chrono_tz::Tz;

use super::{Problem, errors, name, save};
use crate::core::Core;
use crate::domain::ids::{LocationId, RuleId};
use crate::domain::location::Location;
use crate::domain::occurrence::CronLine;
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::script::{
    Completion, Diagnostic, Hover, KnownTemplates, ScheduleLine, Script, Surroundings,
};
use crate::store::{CreateRule, NewRule, PublishRule, SaveDraft, SwitchRule};

/// How many of a schedule's next times are told.
const NEXT_TIMES: usize = 3;

/// What can be told about a script without running it.
#[derive(Clone, Debug)]
pub struct RuleCheck {
    /// What is wrong with it, in the order of its lines.
    pub diagnostics: Vec<Diagnostic>,
    /// The functions that events, timers and schedules can call; none if it does not compile.
    pub handlers: Vec<String>,
    /// What `every(…)` asks for.
    pub schedules: Vec<Upcoming>,
    /// The templates that it names.
    pub templates: Vec<String>,
}

impl RuleCheck {
    /// Whether the script can be published.
    pub fn is_publishable(&self) -> bool {
        errors(&self.diagnostics).next().is_none()
    }
}

/// A schedule of a script, and when it would fall due next.
#[derive(Clone, Debug)]
pub struct Upcoming {
    /// The cron line.
    pub cron: String,
    /// The function that is called.
    pub handler: String,
    /// The next times on the location's clocks.
    pub next: Vec<DateTime<Tz>>,
}

/// What an editor shows at a place of a script.
#[derive(Clone, Debug)]
pub struct RuleAssistance {
    /// What may be written there, in place of the word before.
    pub completions: Vec<Completion>,
    /// What the word there means.
    pub hover: Option<Hover>,
}

/// A draft without mistakes.
pub(crate) struct Draft {
    pub(crate) rule: Rule,
    pub(crate) location: Location,
    /// What its author should still look at.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// A rule whose draft has been published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The rule as it is now.
    pub rule: Rule,
    /// What its author should still look at.
    pub warnings: Vec<Diagnostic>,
}

impl Engine {
    /// What is wrong with a script at a location, and what it would do there.
    ///
    /// # Errors
    /// The location is not there, or the database failed.
    pub async fn check_rule(
        &self,
        location_id: LocationId,
        source: &str,
    ) -> Result<RuleCheck, Problem> {
        let core = &self.core;
        let location = location(core, location_id).await?;
        let diagnostics = diagnostics(core, &location, source).await?;
        let Ok(script) = core.setup.scripts().compile(source) else {
            return Ok(RuleCheck {
                diagnostics,
                handlers: Vec::new(),
                schedules: Vec::new(),
                templates: Vec::new(),
            });
        };
        let now = core.clock.now();
        let upcoming = |line: &ScheduleLine| Upcoming {
            cron: line.cron.text().to_owned(),
            handler: line.handler.clone(),
            next: next_times(&line.cron, now, location.time_zone),
        };
        Ok(RuleCheck {
            diagnostics,
            handlers: script.handlers().map(str::to_owned).collect(),
            schedules: script.schedules().iter().map(upcoming).collect(),
            templates: script.templates().map(str::to_owned).collect(),
        })
    }

    /// What may be written at a line and a column of a script, both from 1, and what the word there
    /// means. The script need not be finished.
    ///
    /// # Errors
    /// The location is not there, or the database failed.
    pub async fn assist_rule(
        &self,
        location_id: LocationId,
        source: &str,
        position: (u32, u32),
    ) -> Result<RuleAssistance, Problem> {
        let core = &self.core;
        let location = location(core, location_id).await?;
        let surroundings = surroundings(core, &location).await?;
        let scripts = core.setup.scripts();
        Ok(RuleAssistance {
            completions: scripts.complete(source, position, &surroundings),
            hover: scripts.hover(source, position, &surroundings),
        })
    }

    /// Creates a rule as a draft.
    ///
    /// # Errors
    /// The location is not there, or has a rule of that name.
    pub async fn create_rule(
        &self,
        location_id: LocationId,
        new: NewRule,
    ) -> Result<Rule, Problem> {
        let core = &self.core;
        if core.store.location(location_id).await?.is_none() {
            return Err(Problem::Missing("location"));
        }
        let rules = core.store.of(location_id).rules().await?;
        let last = rules.iter().map(|rule| rule.position).max();
        let rule = Rule {
            location_id,
            id: RuleId::generate(),
            name: name(&new.name)?,
            position: new
                .position
                .unwrap_or_else(|| last.map_or(0, |last| last.saturating_add(10))),
            enabled: true,
            draft: new.source,
            tests: new.tests,
            published: None,
            updated_at: core.clock.now(),
        };
        save(core, CreateRule(rule.clone())).await?;
        Ok(rule)
    }

    /// Replaces a rule's draft, and its tests if there are new ones; what is published stays.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn save_draft(
        &self,
        location_id: LocationId,
        id: RuleId,
        source: String,
        tests: Option<String>,
    ) -> Result<Rule, Problem> {
        let core = &self.core;
        let rule = rule(core, location_id, id).await?;
        let save_draft = SaveDraft {
            location_id,
            rule_id: rule.id,
            draft: source,
            tests,
            now: core.clock.now(),
        };
        save(core, save_draft).await
    }

    /// Lets a rule take part, by its published version whatever its draft is, or not.
    ///
    /// # Errors
    /// It is not there; what is published no longer compiles; the database failed.
    pub async fn set_rule_enabled(
        &self,
        location_id: LocationId,
        id: RuleId,
        enabled: bool,
    ) -> Result<Rule, Problem> {
        let core = &self.core;
        let rule = rule(core, location_id, id).await?;
        let lines = match rule.published.filter(|_| enabled) {
            Some(version) => {
                let store = core.store.of(location_id);
                let version = store.rule_version(id, version).await?;
                let version = version.ok_or(Problem::Missing("published version"))?;
                // No more is asked than that it compiles: what once could be published can be
                // switched on again.
                compile(core, &version.source)?.schedules().to_vec()
            }
            None => Vec::new(),
        };
        let switch = SwitchRule {
            location_id,
            rule_id: id,
            enabled,
            published: rule.published,
            lines,
            now: core.clock.now(),
        };
        save(core, switch).await
    }

    /// Looks at a rule's draft as publishing does, its tests aside.
    ///
    /// # Errors
    /// The script has mistakes; the rule is not there; the database failed.
    pub(crate) async fn look_at_draft(
        &self,
        location_id: LocationId,
        id: RuleId,
    ) -> Result<Draft, Problem> {
        let core = &self.core;
        let rule = rule(core, location_id, id).await?;
        let location = location(core, location_id).await?;
        let warnings = diagnostics(core, &location, &rule.draft).await?;
        if errors(&warnings).next().is_some() {
            return Err(Problem::Script(warnings));
        }
        Ok(Draft {
            rule,
            location,
            warnings,
        })
    }

    /// Publishes a draft as it was looked at, and asks no more than that it compiles.
    ///
    /// # Errors
    /// It does not; the database failed.
    pub(crate) async fn publish_as_is(&self, rule: Rule) -> Result<Rule, Problem> {
        let core = &self.core;
        let script = compile(core, &rule.draft)?;
        let now = core.clock.now();
        let publish = PublishRule {
            location_id: rule.location_id,
            rule_id: rule.id,
            source: rule.draft.clone(),
            tests: rule.tests.clone(),
            lines: script.schedules().to_vec(),
            now,
        };
        let version = save(core, publish).await?;
        Ok(Rule {
            published: Some(version),
            enabled: true,
            updated_at: now,
            ..rule
        })
    }
}

pub(crate) async fn rule(
    core: &Core,
    location_id: LocationId,
    id: RuleId,
) -> Result<Rule, Problem> {
    let rule = core.store.of(location_id).rule(id).await?;
    rule.ok_or(Problem::Missing("rule"))
}

pub(crate) async fn location(core: &Core, location_id: LocationId) -> Result<Location, Problem> {
    let location = core.store.of(location_id).location().await?;
    location.ok_or(Problem::Missing("location"))
}

fn compile(core: &Core, source: &str) -> Result<Script, Problem> {
    core.setup
        .scripts()
        .compile(source)
        .map_err(Problem::Script)
}

/// Everything that is wrong with a script at a location.
async fn diagnostics(
    core: &Core,
    location: &Location,
    source: &str,
) -> Result<Vec<Diagnostic>, Problem> {
    let surroundings = surroundings(core, location).await?;
    Ok(core.setup.scripts().check(source, &surroundings))
}

/// The names that a location offers to its rules: the one place that collects them.
pub(crate) async fn surroundings(
    core: &Core,
    location: &Location,
) -> Result<Surroundings, Problem> {
    let endpoints = core.store.of(location.id).endpoints().await?;
    let names = endpoints
        .into_iter()
        .map(|endpoint| endpoint.name.to_string());
    let templates = super::template::known(core, location.id).await?;
    Ok(Surroundings {
        templates: templates.map_or(KnownTemplates::Untold, KnownTemplates::All),
        language: Some(location.settings.language.clone()),
        endpoints: Some(names.collect()),
        vars: Some(location.settings.vars.keys().cloned().collect()),
    })
}

fn next_times(cron: &CronLine, now: Timestamp, zone: Tz) -> Vec<DateTime<Tz>> {
    let times = std::iter::successors(cron.next(now, zone), |at| cron.next(*at, zone));
    let local = times.map(|at| at.to_utc().with_timezone(&zone));
    local.take(NEXT_TIMES).collect()
}
