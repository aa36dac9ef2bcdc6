//! What came of a step, written down. Takes none.

use super::steps::Journey;
use crate::adapter::{Credentials, Progress, StepError, StepOutcome};
use crate::crypto::Secret;
use crate::domain::onboarding::{Step, StepState};
use crate::domain::time::Timestamp;

impl Journey<'_> {
    /// Takes up what a step learnt, and writes down what came of it.
    pub(super) fn note(
        &mut self,
        name: &str,
        taken: &Result<Progress, StepError>,
        secrets: &Credentials,
    ) -> StepState {
        let now = self.now();
        let onboarding = &mut self.stored.onboarding;
        if let Err(error) = taken {
            for spent in &error.spent {
                // Over the channel's own, which is the same.
                self.secrets.set(spent, Secret::new(String::new()));
            }
        }
        if let Ok(progress) = taken {
            for (name, secret) in progress.secrets.iter() {
                self.secrets.set(name, secret.clone());
            }
            onboarding.facts.extend(progress.facts.clone());
            for spent in &progress.spent {
                self.secrets.remove(spent);
            }
        }
        let (location_id, id) = (onboarding.location_id, onboarding.id);
        let mut steps = onboarding.steps.iter_mut();
        let Some(step) = steps.find(|step| step.name == name) else {
            return StepState::Failed;
        };
        write_down(step, taken.clone(), secrets, now);
        tracing::info!(
            location.id = %location_id,
            onboarding.id = %id,
            step = name,
            state = step.state.name(),
            code = step.failure.as_ref().map(|failure| failure.code.as_str()),
            "a step of an onboarding was taken"
        );
        step.state
    }
}

/// Writes down what came of a step; what it was told or learnt that must stay hidden is not repeated.
pub(in crate::provision) fn write_down(
    step: &mut Step,
    taken: Result<Progress, StepError>,
    secrets: &Credentials,
    now: Timestamp,
) {
    let mut hidden = secrets.clone();
    step.attempts = step.attempts.saturating_add(1);
    step.at = Some(now);
    step.ask = None;
    step.failure = None;
    (step.state, step.says) = match taken {
        Ok(progress) => {
            for (name, secret) in progress.secrets.iter() {
                hidden.set(name, secret.clone());
            }
            step.evidence = progress.evidence;
            match progress.outcome {
                StepOutcome::Done(says) => (StepState::Done, says),
                StepOutcome::Skipped(why) => (StepState::Skipped, why),
                StepOutcome::Waiting(what_for) => (StepState::Waiting, what_for),
                StepOutcome::Ask(ask) => {
                    let says = format!("'{}' is needed", ask.field);
                    step.ask = Some(ask);
                    (StepState::Asking, says)
                }
            }
        }
        Err(error) => {
            step.evidence = error.evidence;
            step.ask = error.ask.map(|ask| *ask);
            let failure = step.failure.insert(*error.failure);
            failure.detail = hidden.hide(&failure.detail);
            failure.fix = hidden.hide(&failure.fix);
            (StepState::Failed, failure.detail.clone())
        }
    };
    for evidence in &mut step.evidence {
        evidence.says = hidden.hide(&evidence.says);
        evidence.request = hidden.hide(&evidence.request);
    }
    step.says = hidden.hide(&step.says);
}
