//! Setting up: locations, channels, endpoints, templates, rules, tokens; a person's messages and notes; and running again what was
//! put aside. Changes are in force when these return; other processes follow within a second.

mod again;
mod channel;
mod doctor;
mod endpoint;
mod keys;
mod location;
mod note;
mod onboarding;
mod person;
mod replay;
pub(crate) mod rule;
mod template;
mod ticket;
mod token;
mod verdict;

pub use self::channel::{ChannelChange, NewChannel, ShownCredentials};
pub use self::doctor::Examined;
pub use self::endpoint::{EndpointChange, NewEndpoint};
pub use self::keys::{Rotation, Unopened};
pub use self::location::{LocationChange, NewLocation};
pub use self::onboarding::{Given, NewOnboarding};
pub use self::person::PersonSend;
pub use self::rule::{Published, RuleAssistance, RuleCheck, Upcoming};
pub use self::template::SyncedAccount;
pub use self::ticket::{Bridged, NewTicket};

use crate::core::Core;
use crate::script::testing::Report;
use crate::script::{Diagnostic, Severity};
use crate::store;

/// Letters of a name at most.
const MAX_NAME: usize = 200;

/// What was asked for could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// It cannot be as asked; the sentence says why and what to do.
    #[error("{0}")]
    Invalid(String),
    /// The script has mistakes.
    #[error("the script has {} mistake(s); the first: {}", errors(.0).count(), errors(.0).next().map_or_else(String::new, ToString::to_string))]
    Script(Vec<Diagnostic>),
    /// The rule's tests do not pass.
    #[error("{}", .0.summary())]
    Tests(Box<Report>),
    /// The provider could not be asked; the sentence says why and what to do.
    #[error("{0}")]
    Provider(String),
    /// The database failed, or has it already.
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn errors(found: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    found
        .iter()
        .filter(|found| found.severity == Severity::Error)
}

async fn save<O: store::Operation>(core: &Core, operation: O) -> Result<O::Output, Problem> {
    let output = core.store.write(operation).await?;
    core.setup.refresh().await?;
    Ok(output)
}

fn name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_NAME {
        return Err(Problem::Invalid(format!(
            "a name has 1 to {MAX_NAME} letters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::Invalid(
            "a name is one line of letters, without control characters".to_owned(),
        ));
    }
    Ok(text.to_owned())
}
