//! Looks after numbers that are connected but for what comes by itself: the first message, the phone's history,
//! an address that the provider is taking over. Takes no step that a person has not taken once.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::steps::Journey;
use super::{Problem, Turn};
use crate::adapter::StepOutcome;
use crate::core::Hand;
use crate::domain::ids::{LocationId, OnboardingId};
use crate::domain::onboarding::{Onboarding, StepState};
use crate::domain::time::{Span, Timestamp};
use crate::engine::Engine;
use crate::store::PostponeOnboarding;

/// How often it is seen which onboardings are due.
const ROUND: Duration = Duration::from_secs(5);
/// Onboardings that are looked after in one round …
const MAX_DUE: u64 = 100;
/// … and at once.
const AT_ONCE: usize = 4;
/// What has just changed is looked at again this soon …
const SOON: Span = Span::seconds(5);
/// … later on, whenever the wait has become this part longer …
const PART: i64 = 20;
/// … and no more seldom than this.
const SELDOM: Span = Span::hours(1);
/// What does not come within this time since anything last came of it is waited for no more; who resumes the
/// onboarding has it waited for again.
const PATIENCE: Span = Span::days(7);

/// When an onboarding is looked after next, if it only waits.
pub(super) fn due(onboarding: &Onboarding, now: Timestamp) -> Option<Timestamp> {
    let waited = now.since(onboarding.updated_at);
    let is_waiting = onboarding.state() == StepState::Waiting;
    let pause = Span::from_ms(waited.ms() / PART).clamp(SOON, SELDOM);
    (is_waiting && waited < PATIENCE).then(|| now + pause)
}

impl Engine {
    /// Looks after onboardings that wait for something, for as long as it is polled: what came is noted, and
    /// the credentials of those that are done are kept by their channels alone. A host that lets people connect
    /// numbers spawns this beside `start`; it rests while the engine does not work.
    pub async fn watch_onboardings(&self) {
        loop {
            tokio::time::sleep(ROUND).await;
            if self.core.halt.is_asked() {
                continue;
            }
            if let Err(error) = self.look_after_onboardings().await {
                tracing::warn!(%error, "onboardings that wait could not be looked for");
            }
        }
    }

    /// Looks once after the onboardings that are due; gives how many of them came further.
    ///
    /// # Errors
    /// The database failed.
    pub async fn look_after_onboardings(&self) -> Result<usize, Problem> {
        let core = &self.core;
        let due = core
            .store
            .due_onboardings(core.clock.now(), MAX_DUE)
            .await?;
        let looks = due
            .into_iter()
            .map(|(location_id, id)| self.look_after(location_id, id));
        let looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
        Ok(looks.filter(|came| std::future::ready(*came)).count().await)
    }

    /// Whether an onboarding came further. In a task of its own: who stops waiting does not break off a step.
    async fn look_after(&self, location_id: LocationId, id: OnboardingId) -> bool {
        let engine = self.clone();
        let look = async move {
            let came = engine.look(location_id, id).await;
            let came = came.unwrap_or_else(|error| {
                tracing::warn!(location.id = %location_id, onboarding.id = %id, %error, "an onboarding could not be looked after");
                false
            });
            engine.postpone(location_id, id).await;
            came
        };
        match tokio::spawn(Box::pin(look)).await {
            Ok(came) => came,
            Err(_) => {
                tracing::error!(location.id = %location_id, onboarding.id = %id, "looking after an onboarding panicked");
                self.postpone(location_id, id).await;
                false
            }
        }
    }

    async fn look(&self, location_id: LocationId, id: OnboardingId) -> Result<bool, Problem> {
        let core = &self.core;
        // Whoever has it in hand sees for themselves.
        let Ok(_turn) = Turn::take(core, id, Hand::Watch) else {
            return Ok(false);
        };
        let (mut journey, _) = self.journey(location_id, id).await?;
        let mut came = false;
        for name in journey.waiting() {
            if core.halt.is_asked() {
                break;
            }
            came |= journey.look(&name).await?;
        }
        if came {
            journey.tidy_up().await?;
        }
        Ok(came)
    }

    /// Unless what came of the look has set its own time.
    async fn postpone(&self, location_id: LocationId, id: OnboardingId) {
        let core = &self.core;
        let now = core.clock.now();
        let stored = core.store.of(location_id).onboarding(id).await;
        let due_at = match stored {
            Ok(Some(stored)) => due(&stored.onboarding, now),
            Ok(None) => return,
            Err(_) => Some(now + SELDOM),
        };
        let postpone = PostponeOnboarding {
            location_id,
            id,
            now,
            due_at,
        };
        if let Err(error) = core.store.write(postpone).await {
            tracing::warn!(onboarding.id = %id, %error, "an onboarding could not be postponed");
        }
    }
}

impl Journey<'_> {
    /// The steps that wait, as long as no other needs a person.
    fn waiting(&self) -> Vec<String> {
        let onboarding = &self.stored.onboarding;
        if onboarding.state() != StepState::Waiting {
            return Vec::new();
        }
        let steps = onboarding.steps.iter();
        steps
            .filter(|step| step.state == StepState::Waiting)
            .map(|step| step.name.clone())
            .collect()
    }

    /// Takes a step again that waits; true if it came further, which is kept. What fails is left to the next
    /// look: nobody asked for it, and the provider may only be slow.
    async fn look(&mut self, name: &str) -> Result<bool, Problem> {
        let secrets = self.all_secrets().await?;
        let taken = self.taken(name, &secrets).await?;
        let progress = match &taken {
            Ok(progress) => progress,
            Err(error) => {
                let id = self.stored.onboarding.id;
                tracing::info!(onboarding.id = %id, step = name, code = error.failure.code, "a step that waits could not be looked at");
                return Ok(false);
            }
        };
        let says = self.stored.onboarding.step(name).map(|step| &step.says);
        let is_same = match &progress.outcome {
            StepOutcome::Waiting(what_for) => says == Some(what_for),
            StepOutcome::Done(_) | StepOutcome::Skipped(_) | StepOutcome::Ask(_) => false,
        };
        if is_same {
            return Ok(false);
        }
        self.note(name, &taken, &secrets);
        self.is_kept().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::onboarding::{Facts, Step};

    fn waiting(state: StepState) -> Onboarding {
        Onboarding {
            location_id: LocationId::generate(),
            id: OnboardingId::generate(),
            provider: "meta".to_owned(),
            route: "meta-keys".to_owned(),
            name: "Shop".to_owned(),
            facts: Facts::new(),
            steps: vec![Step {
                state,
                ..Step::open("message")
            }],
            channel_id: None,
            created_at: Timestamp::from_ms(0),
            updated_at: Timestamp::from_ms(0),
        }
    }

    #[test]
    fn what_waits_is_looked_at_soon_then_seldom_then_no_more() {
        let onboarding = waiting(StepState::Waiting);
        let mut now = Timestamp::from_ms(0);
        let mut looks = 0;
        while let Some(next) = due(&onboarding, now) {
            let pause = next.since(now);
            assert!(pause >= SOON && pause <= SELDOM, "{pause}");
            (now, looks) = (next, looks + 1);
        }
        assert_eq!(
            due(&onboarding, Timestamp::from_ms(0)),
            Some(Timestamp::from_ms(0) + SOON)
        );
        assert!(now >= Timestamp::from_ms(0) + PATIENCE);
        assert!(looks < 350, "{looks} looks in a week");
        for state in [
            StepState::Done,
            StepState::Failed,
            StepState::Asking,
            StepState::Open,
        ] {
            assert_eq!(due(&waiting(state), now), None, "{state:?}");
        }
    }
}
