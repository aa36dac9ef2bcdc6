//! Rules: draft, check, publish, and take out of service.

use super::{Problem, name, save};
use crate::core::Core;
use crate::domain::ids::{LocationId, RuleId};
use crate::domain::rule::Rule;
use crate::engine::Engine;
use crate::script::{Diagnostic, Script};
use crate::store::{CreateRule, NewRule, PublishRule, SaveDraft, SwitchRule};

/// Bytes of a script at most: a rule of twenty lines has about one thousand.
const MAX_SCRIPT_BYTES: usize = 64 * 1024;

impl Engine {
    /// What is wrong with a script; nothing if it can be published.
    pub fn check_rule(&self, source: &str) -> Vec<Diagnostic> {
        match check(&self.core, source) {
            Ok(_) => Vec::new(),
            Err(Problem::Script(diagnostics)) => diagnostics,
            Err(other) => vec![Diagnostic {
                message: other.to_string(),
                line: 0,
                column: 0,
            }],
        }
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
            published: None,
            updated_at: core.clock.now(),
        };
        save(core, CreateRule(rule.clone())).await?;
        Ok(rule)
    }

    /// Replaces a rule's draft; what is published stays.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn save_draft(
        &self,
        location_id: LocationId,
        id: RuleId,
        source: String,
    ) -> Result<Rule, Problem> {
        let core = &self.core;
        let rule = rule(core, location_id, id).await?;
        let save_draft = SaveDraft {
            location_id,
            rule_id: rule.id,
            draft: source,
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
                check(core, &version.source)?.schedules().to_vec()
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

    /// Publishes a rule's draft.
    ///
    /// # Errors
    /// The script has mistakes; the rule is not there; the database failed.
    pub async fn publish_rule(&self, location_id: LocationId, id: RuleId) -> Result<Rule, Problem> {
        let core = &self.core;
        let rule = rule(core, location_id, id).await?;
        let script = check(core, &rule.draft)?;
        let now = core.clock.now();
        let publish = PublishRule {
            location_id,
            rule_id: id,
            source: rule.draft.clone(),
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

async fn rule(core: &Core, location_id: LocationId, id: RuleId) -> Result<Rule, Problem> {
    let rule = core.store.of(location_id).rule(id).await?;
    rule.ok_or(Problem::Missing("rule"))
}

/// Compiles a script as publishing would.
fn check(core: &Core, source: &str) -> Result<Script, Problem> {
    if source.len() > MAX_SCRIPT_BYTES {
        let kib = MAX_SCRIPT_BYTES / 1024;
        return Err(Problem::Invalid(format!(
            "a script has {kib} KiB at most; split it into several rules"
        )));
    }
    core.setup
        .scripts()
        .compile(source)
        .map_err(Problem::Script)
}
