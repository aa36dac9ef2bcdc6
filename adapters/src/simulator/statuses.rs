//! What becomes of a message after it was taken: which statuses follow, in which order.
//! Knows no protocol: faces say how one step is told.

use std::sync::Arc;

use super::Face;
use super::faults::Fault;
use super::world::{Settings, Statuses, World};

/// One thing that a status tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It left the provider.
    Sent,
    /// It reached the customer's phone.
    Delivered,
    /// The customer read it.
    Read,
    /// It will not reach the customer, for the reason of this code.
    Failed(i64),
}

/// What a status is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) face: Face,
    /// The number, as registered.
    pub(super) number: String,
    /// The customer: digits, or a business-scoped id.
    pub(super) to: String,
    /// The provider's id of the message.
    pub(super) id: String,
    /// Meta's callback data, or Twilio's StatusCallback address.
    pub(super) callback: Option<String>,
}

/// The statuses that follow a message.
pub(super) fn steps(settings: Settings, fault: Option<&Fault>, fails: Option<i64>) -> Vec<Step> {
    if let Some(code) = fails {
        return order(vec![Step::Failed(code)], fault);
    }
    let all = [Step::Sent, Step::Delivered, Step::Read];
    let count = match settings.statuses {
        Statuses::None => 0,
        Statuses::Sent => 1,
        Statuses::Delivered => 2,
        Statuses::Read => 3,
    };
    order(all[..count].to_vec(), fault)
}

fn order(mut steps: Vec<Step>, fault: Option<&Fault>) -> Vec<Step> {
    match fault {
        Some(Fault::DuplicateStatuses) => steps.iter().flat_map(|step| [*step; 2]).collect(),
        Some(Fault::ReverseStatuses) => {
            steps.reverse();
            steps
        }
        _ => steps,
    }
}

/// Sends the statuses one after the other, beside the requests.
pub(super) fn follow(world: &Arc<World>, subject: Subject, steps: Vec<Step>) {
    if steps.is_empty() {
        return;
    }
    let told = Arc::clone(world);
    world.spawn(async move {
        let delay = told.settings().status_delay;
        for step in steps {
            if delay.ms() > 0 {
                tokio::time::sleep(delay.to_std()).await;
            }
            tell(&told, &subject, step).await;
        }
    });
}

/// Sends one status. Where nobody asked for statuses, none is sent.
pub(super) async fn tell(world: &World, subject: &Subject, step: Step) {
    let result = match subject.face {
        Face::Meta => super::meta::tell(world, subject, step).await,
        Face::Twilio => super::twilio::tell(world, subject, step).await,
    };
    if let Err(error) = result {
        tracing::debug!(error = %error, "a simulated status did not arrive");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_changes_number_and_order_but_not_the_statuses() {
        let settings = Settings {
            statuses: Statuses::Delivered,
            ..Settings::default()
        };
        let (sent, delivered) = (Step::Sent, Step::Delivered);
        assert_eq!(steps(settings, None, None), [sent, delivered]);
        let twice = steps(settings, Some(&Fault::DuplicateStatuses), None);
        assert_eq!(twice, [sent, sent, delivered, delivered]);
        let reversed = steps(settings, Some(&Fault::ReverseStatuses), None);
        assert_eq!(reversed, [delivered, sent]);
        assert_eq!(steps(settings, None, Some(1)), [Step::Failed(1)]);
    }
}
