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
use crate::store::{DueOnboarding, PostponeOnboarding};

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
    let is_waiting = onboarding.state() == StepState::Waiting;
    is_waiting
        .then(|| next_look(onboarding.updated_at, now))
        .flatten()
}

/// When what has waited since `since` is looked after next.
fn next_look(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let waited = now.since(since);
    let pause = Span::from_ms(waited.ms() / PART).clamp(SOON, SELDOM);
    (waited < PATIENCE).then(|| now + pause)
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
        let looks = due.into_iter().map(|due| self.look_after(due));
        let looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
        Ok(looks.filter(|came| std::future::ready(*came)).count().await)
    }

    /// Whether an onboarding came further. In a task of its own: who stops waiting does not break off a step.
    async fn look_after(&self, due: DueOnboarding) -> bool {
        let DueOnboarding {
            location_id, id, ..
        } = due;
        let engine = self.clone();
        let look = async move {
            // First of all: whatever becomes of the look, the next round begins with others.
            engine.postpone(due).await?;
            engine.look(location_id, id).await
        };
        match tokio::spawn(Box::pin(look)).await {
            Ok(Ok(came)) => came,
            Ok(Err(error)) => {
                tracing::warn!(location.id = %location_id, onboarding.id = %id, %error, "an onboarding could not be looked after");
                false
            }
            Err(_) => {
                tracing::error!(location.id = %location_id, onboarding.id = %id, "looking after an onboarding panicked");
                false
            }
        }
    }

    /// Until the next look, unless what comes of this one sets its own time.
    async fn postpone(&self, due: DueOnboarding) -> Result<(), Problem> {
        let core = &self.core;
        let now = core.clock.now();
        let postpone = PostponeOnboarding {
            location_id: due.location_id,
            id: due.id,
            now,
            due_at: next_look(due.updated_at, now),
        };
        Ok(core.store.write(postpone).await?)
    }

    async fn look(&self, location_id: LocationId, id: OnboardingId) -> Result<bool, Problem> {
        let core = &self.core;
        // Whoever has it in hand sees for themselves.
        let Ok(_turn) = Turn::take(core, id, Hand::Watch) else {
            return Ok(false);
        };
        let (mut journey, _) = self.journey(location_id, id).await?;
        if journey.stored.onboarding.state() != StepState::Waiting {
            return Ok(false);
        }
        let mut came = false;
        for name in journey.unsettled() {
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
}

impl Journey<'_> {
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
    use crate::domain::onboarding::tests::onboarding;

    #[test]
    fn what_waits_is_looked_at_soon_then_seldom_then_no_more() {
        let waiting = onboarding(&[StepState::Waiting]);
        let mut now = Timestamp::from_ms(0);
        let mut looks = 0;
        while let Some(next) = due(&waiting, now) {
            let pause = next.since(now);
            assert!(pause >= SOON && pause <= SELDOM, "{pause}");
            (now, looks) = (next, looks + 1);
        }
        assert_eq!(
            due(&waiting, Timestamp::from_ms(0)),
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
            assert_eq!(due(&onboarding(&[state]), now), None, "{state:?}");
        }
    }
}
