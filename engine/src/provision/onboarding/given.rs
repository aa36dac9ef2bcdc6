//! What a person gives, taken over what is known: what steps went by, and is different now, has them taken again.
//! Takes no step.

use super::Given;
use super::steps::Journey;
use crate::adapter::{CHANNEL_STEP, OnboardingField, OnboardingRoute};
use crate::domain::onboarding::{Onboarding, StepState};
use crate::provision::Problem;

impl Journey<'_> {
    /// Takes what a person gave, over what was known.
    pub(super) async fn take_along(
        &mut self,
        route: &OnboardingRoute,
        given: Given,
    ) -> Result<(), Problem> {
        let is_nothing = given.facts.is_empty() && given.secrets.iter().next().is_none();
        if is_nothing {
            return Ok(());
        }
        let known = self.all_secrets().await?;
        let onboarding = &mut self.stored.onboarding;
        let facts = given.facts.iter().filter(|(name, value)| {
            let known = onboarding.facts.get(*name);
            known.map_or("", String::as_str) != value.as_str()
        });
        let facts: Vec<String> = facts.map(|(name, _)| name.clone()).collect();
        let secrets = given.secrets.iter().filter(|(name, secret)| {
            let known = known.get(name);
            known.map_or(!secret.is_empty(), |known| !known.matches(secret))
        });
        let secrets: Vec<&str> = secrets.map(|(name, _)| name).collect();
        let asked = asked(onboarding);
        let is_asked = |name: &str| asked.as_deref() == Some(name);
        // A step before the one that asks may have looked at the secret that it had.
        let has_field =
            |name: &str, is: fn(&OnboardingField) -> bool| route.field(name).is_some_and(is);
        let is_unseen = |name: &str| has_field(name, |field| field.is_looked_at_late);
        let is_answer = facts.iter().all(|name| is_asked(name))
            && secrets.iter().all(|name| is_asked(name) && is_unseen(name));
        let is_new_start = secrets
            .iter()
            .any(|name| has_field(name, |field| field.begins_anew));
        if is_answer {
            // The channel keeps it, if it is there already.
            if !secrets.is_empty() {
                reopen(onboarding, |name| name == CHANNEL_STEP);
            }
        } else {
            reopen(onboarding, |_| true);
            if !facts.is_empty() || is_new_start {
                forget(onboarding, route, &facts);
            }
        }
        self.stored.onboarding.facts.extend(given.facts);
        for (name, secret) in given.secrets.iter() {
            self.secrets.set(name, secret.clone());
        }
        self.keep().await
    }
}

/// The field that the first step asks for that is not settled.
fn asked(onboarding: &Onboarding) -> Option<String> {
    let mut steps = onboarding.steps.iter();
    let halted = steps.find(|step| matches!(step.state, StepState::Failed | StepState::Asking))?;
    halted.ask.as_ref().map(|ask| ask.field.clone())
}

/// Has steps taken again, and not only those that are not settled.
fn reopen(onboarding: &mut Onboarding, which: impl Fn(&str) -> bool) {
    for step in &mut onboarding.steps {
        if which(&step.name) && step.state.is_settled() {
            step.state = StepState::Open;
        }
    }
}

/// Forgets what was found by what has changed: all that no person gives, and what is found within it.
fn forget(onboarding: &mut Onboarding, route: &OnboardingRoute, changed: &[String]) {
    onboarding.facts.retain(|name, _| {
        route.field(name).is_some_and(|field| {
            let is_within = |name: &String| field.within.contains(&name.as_str());
            !changed.iter().any(is_within)
        })
    });
}
