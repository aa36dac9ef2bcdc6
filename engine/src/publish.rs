//! Publishing: a rule whose tests do not pass in a simulated world stays a draft.
//! Knows how a rule is tried, not how it is written or run.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::Core;
use crate::domain::ids::{LocationId, RuleId};
use crate::domain::location::Location;
use crate::domain::rule::Rule;
use crate::engine::Engine;
use crate::provision::Problem;
use crate::provision::rule::{Draft, Published, location, rule, surroundings};
use crate::script::testing::Report;
use crate::simulate::{Beside, Business, Provider, Source, Suite, Workshop};

impl Engine {
    /// Publishes a rule's draft, if its tests pass; warnings notwithstanding.
    ///
    /// # Errors
    /// The script has mistakes; a test fails; the rule is not there; the database failed.
    pub async fn publish_rule(
        &self,
        location_id: LocationId,
        id: RuleId,
    ) -> Result<Published, Problem> {
        let Draft {
            rule,
            location,
            warnings,
        } = self.look_at_draft(location_id, id).await?;
        if !rule.tests.is_empty() {
            let report = run_tests(&self.core, &location, &rule).await?;
            if !report.passed() {
                return Err(Problem::Tests(Box::new(report)));
            }
        }
        let rule = self.publish_as_is(rule).await?;
        Ok(Published { rule, warnings })
    }

    /// Runs the tests of a rule's draft in simulated worlds with the location's settings. A rule without
    /// tests has an empty report.
    ///
    /// # Errors
    /// The rule is not there; this engine has no tables for simulated worlds; the database failed.
    pub async fn test_rule(&self, location_id: LocationId, id: RuleId) -> Result<Report, Problem> {
        let core = &self.core;
        let rule = rule(core, location_id, id).await?;
        if rule.tests.is_empty() {
            return Ok(Report::default());
        }
        let location = location(core, location_id).await?;
        run_tests(core, &location, &rule).await
    }
}

async fn run_tests(core: &Core, location: &Location, rule: &Rule) -> Result<Report, Problem> {
    let Some(scratch) = &core.scratch else {
        return Err(Problem::Invalid(
            "tests need tables for simulated worlds, which the host gives by `.scratch(…)`; \
             without them rules are published without tests"
                .to_owned(),
        ));
    };
    let workshop = Workshop {
        scratch: scratch.clone(),
        scripts: core.setup.scripts().clone(),
        tests: core.tests.get_or_init(Default::default).clone(),
        provider: provider(core, location.id).await?,
    };
    let names = surroundings(core, location).await?;
    let business = Business {
        name: location.name.clone(),
        time_zone: location.time_zone,
        settings: location.settings.clone(),
        templates: names.templates.told().to_vec(),
        endpoints: names.endpoints.unwrap_or_default(),
    };
    let beside = beside(core, rule).await?;
    let source = |ending: &str, text: &str| Source {
        name: format!("{}{ending}", bare(&rule.name)),
        text: text.to_owned(),
    };
    let (script, tests) = (
        source(".rhai", &rule.draft),
        source(".test.rhai", &rule.tests),
    );
    // Tests take a processor each; what waits here holds up nothing else.
    let _permit = core.trials.acquire().await;
    let trial = tokio::task::spawn_blocking(move || {
        match Suite::new(&workshop, business, script, tests, beside) {
            Ok(suite) => suite.run_all(),
            Err(mistakes) => Report {
                mistakes,
                tests: Vec::new(),
            },
        }
    });
    trial
        .await
        .map_err(|_| Problem::Invalid("the tests could not be run; please report it".to_owned()))
}

/// A provider with the limits of the one that the location's first channel is at.
async fn provider(core: &Core, location_id: LocationId) -> Result<Provider, Problem> {
    let channels = core.store.of(location_id).channels().await?;
    let mut adapters = channels
        .iter()
        .filter_map(|channel| core.adapters.get(channel.provider.as_str()));
    Ok(adapters.next().map_or_else(Provider::lenient, |adapter| {
        Provider::like(Arc::clone(adapter))
    }))
}

/// The location's other published rules, by name.
async fn beside(core: &Core, rule: &Rule) -> Result<Beside, Problem> {
    let store = core.store.of(rule.location_id);
    let mut sources = BTreeMap::new();
    for other in store
        .rules()
        .await?
        .into_iter()
        .filter(|other| other.id != rule.id)
    {
        let Some(version) = other.published else {
            continue;
        };
        if let Some(version) = store.rule_version(other.id, version).await? {
            sources.insert(bare(&other.name).to_owned(), version.source);
        }
    }
    Ok(Arc::new(move |name: &str| sources.get(bare(name)).cloned()))
}

/// A rule's name without the ending that files have.
fn bare(name: &str) -> &str {
    name.strip_suffix(".rhai").unwrap_or(name)
}
