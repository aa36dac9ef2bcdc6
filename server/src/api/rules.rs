//! Rules in the API.

use rejoinder_engine::domain::ids::RuleId;
use rejoinder_engine::domain::rule::Rule;
use rejoinder_engine::store::NewRule;
use rejoinder_engine::{Published, RuleCheck};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::editor::{AssistanceJson, PositionJson};
use super::request::{Scoped, id};
use super::tests::ReportJson;
use crate::reply::{self, DiagnosticJson, Error};

/// A rule as listed.
#[derive(Serialize)]
pub(crate) struct RuleJson {
    id: String,
    location_id: String,
    name: String,
    position: i32,
    enabled: bool,
    /// The version that runs, or null.
    published: Option<i32>,
    updated_at: String,
}

impl From<&Rule> for RuleJson {
    fn from(rule: &Rule) -> Self {
        Self {
            id: rule.id.to_string(),
            location_id: rule.location_id.to_string(),
            name: rule.name.clone(),
            position: rule.position,
            enabled: rule.enabled,
            published: rule.published,
            updated_at: rule.updated_at.to_string(),
        }
    }
}

/// A rule with its draft.
#[derive(Serialize)]
pub(crate) struct RuleSourceJson {
    #[serde(flatten)]
    rule: RuleJson,
    source: String,
    tests: String,
}

impl From<Rule> for RuleSourceJson {
    fn from(rule: Rule) -> Self {
        Self {
            rule: RuleJson::from(&rule),
            source: rule.draft,
            tests: rule.tests,
        }
    }
}

/// A list of rules as printed.
#[derive(Serialize)]
pub(crate) struct RulesJson {
    rules: Vec<RuleJson>,
}

impl From<&[Rule]> for RulesJson {
    fn from(rules: &[Rule]) -> Self {
        Self {
            rules: rules.iter().map(RuleJson::from).collect(),
        }
    }
}

/// A rule that was published, with what its author should still look at.
#[derive(Serialize)]
struct PublishedJson<'a> {
    #[serde(flatten)]
    rule: RuleJson,
    warnings: Vec<DiagnosticJson<'a>>,
}

impl<'a> From<&'a Published> for PublishedJson<'a> {
    fn from(published: &'a Published) -> Self {
        Self {
            rule: RuleJson::from(&published.rule),
            warnings: published
                .warnings
                .iter()
                .map(DiagnosticJson::from)
                .collect(),
        }
    }
}

/// What can be told about a script; without an error among the diagnostics it can be published.
#[derive(Serialize)]
pub(crate) struct CheckJson<'a> {
    diagnostics: Vec<DiagnosticJson<'a>>,
    handlers: &'a [String],
    schedules: Vec<UpcomingJson<'a>>,
    templates: &'a [String],
}

/// A schedule of a script, with its next times on the location's clocks.
#[derive(Serialize)]
struct UpcomingJson<'a> {
    cron: &'a str,
    handler: &'a str,
    next: Vec<String>,
}

impl<'a> From<&'a RuleCheck> for CheckJson<'a> {
    fn from(check: &'a RuleCheck) -> Self {
        let schedules = check.schedules.iter().map(|upcoming| UpcomingJson {
            cron: &upcoming.cron,
            handler: &upcoming.handler,
            next: upcoming.next.iter().map(|at| at.to_rfc3339()).collect(),
        });
        Self {
            diagnostics: check.diagnostics.iter().map(DiagnosticJson::from).collect(),
            handlers: &check.handlers,
            schedules: schedules.collect(),
            templates: &check.templates,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    source: String,
    #[serde(default)]
    tests: String,
    position: Option<i32>,
}

/// A script to look at, and where its author is writing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    source: String,
    position: Option<PositionJson>,
}

/// What can be told about a script, with what an editor shows where its author is writing.
#[derive(Serialize)]
struct CheckedJson<'a> {
    #[serde(flatten)]
    check: CheckJson<'a>,
    #[serde(flatten)]
    assistance: Option<AssistanceJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    source: String,
    /// Absent: they stay; "" takes them out.
    tests: Option<String>,
}

/// `/rules…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("POST", []) => create(scoped).await,
        (_, []) => Err(Error::Method("GET, POST")),
        ("POST", ["check"]) => check(scoped).await,
        (_, ["check"]) => Err(Error::Method("POST")),
        ("GET", [rule]) => show(scoped, id(rule, "rule")?).await,
        ("PUT", [rule]) => save(scoped, id(rule, "rule")?).await,
        (_, [_]) => Err(Error::Method("GET, PUT")),
        ("POST", [rule, "publish"]) => publish(scoped, id(rule, "rule")?).await,
        ("POST", [rule, "test"]) => test(scoped, id(rule, "rule")?).await,
        ("POST", [rule, "enable"]) => set_enabled(scoped, id(rule, "rule")?, true).await,
        ("POST", [rule, "disable"]) => set_enabled(scoped, id(rule, "rule")?, false).await,
        (_, [_, "publish" | "test" | "enable" | "disable"]) => Err(Error::Method("POST")),
        _ => Err(Error::Missing("path")),
    }
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    scoped.request.query.only(&[])?;
    let rules = scoped.store().rules().await?;
    Ok(reply::ok(&RulesJson::from(rules.as_slice())))
}

async fn create(scoped: &Scoped) -> Result<Response, Error> {
    let create: Create = scoped.request.json()?;
    let new = NewRule {
        name: create.name,
        source: create.source,
        tests: create.tests,
        position: create.position,
    };
    let rule = scoped.engine().create_rule(scoped.location_id, new).await?;
    Ok(reply::created(&RuleSourceJson::from(rule)))
}

async fn check(scoped: &Scoped) -> Result<Response, Error> {
    let asked: Check = scoped.request.json()?;
    let engine = scoped.engine();
    let location_id = scoped.location_id;
    let check = engine.check_rule(location_id, &asked.source).await?;
    let assistance = match asked.position {
        Some(position) => {
            let assisted = engine.assist_rule(location_id, &asked.source, position.into());
            Some(AssistanceJson::from(assisted.await?))
        }
        None => None,
    };
    Ok(reply::ok(&CheckedJson {
        check: CheckJson::from(&check),
        assistance,
    }))
}

async fn show(scoped: &Scoped, id: RuleId) -> Result<Response, Error> {
    let rule = scoped.store().rule(id).await?;
    let rule = rule.ok_or(Error::Missing("rule"))?;
    Ok(reply::ok(&RuleSourceJson::from(rule)))
}

async fn save(scoped: &Scoped, id: RuleId) -> Result<Response, Error> {
    let draft: Draft = scoped.request.json()?;
    let engine = scoped.engine();
    let rule = engine
        .save_draft(scoped.location_id, id, draft.source, draft.tests)
        .await?;
    Ok(reply::ok(&RuleSourceJson::from(rule)))
}

async fn publish(scoped: &Scoped, id: RuleId) -> Result<Response, Error> {
    let published = scoped.engine().publish_rule(scoped.location_id, id).await?;
    Ok(reply::ok(&PublishedJson::from(&published)))
}

async fn test(scoped: &Scoped, id: RuleId) -> Result<Response, Error> {
    let report = scoped.engine().test_rule(scoped.location_id, id).await?;
    Ok(reply::ok(&ReportJson::from(&report)))
}

async fn set_enabled(scoped: &Scoped, id: RuleId, enabled: bool) -> Result<Response, Error> {
    let engine = scoped.engine();
    let rule = engine
        .set_rule_enabled(scoped.location_id, id, enabled)
        .await?;
    Ok(reply::ok(&RuleJson::from(&rule)))
}
