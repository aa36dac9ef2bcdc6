//! `rejoinder connect`: a number on its way to being connected, step by step.

use std::time::Duration;

use clap::{Args, Subcommand, value_parser};
use rejoinder_engine::domain::ids::{LocationId, OnboardingId};
use rejoinder_engine::domain::onboarding::{Facts, Onboarding, Step, StepState};
use rejoinder_engine::{Engine, Given, NewOnboarding, Problem, store};

use super::ticket::Ticket;
use super::{Failure, open, secret};
use crate::api::onboardings::{OnboardingJson, OnboardingsJson, RoutesJson};
use crate::out::{self, Format};

/// How long `wait` rests between two looks.
const REST: Duration = Duration::from_secs(2);
/// How often a terminal is told which step is being taken.
const LOOK: Duration = Duration::from_millis(250);
/// Columns of a step's state and name.
const STATE: usize = 8;
const NAME: usize = 12;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the ways to connect a number, and what each asks for
    Routes,
    Ticket(Ticket),
    /// Begin to connect a number, and go as far as it gets
    Start(Start),
    /// Go on with what is not done yet
    Resume(Resume),
    /// Take one step again, and no other
    Repeat {
        /// The onboarding's id
        onboarding: OnboardingId,
        /// The step's name
        step: String,
        #[command(flatten)]
        more: More,
    },
    /// Go on until nothing is waited for any more
    Wait {
        /// The onboarding's id
        onboarding: OnboardingId,
        /// How long at most
        #[arg(long, default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
        seconds: u64,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// List a location's onboardings, the newest first
    List {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Show one, with all its steps
    Show {
        /// The onboarding's id
        onboarding: OnboardingId,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Forget one; a channel that came of it stays
    Delete {
        /// The onboarding's id
        onboarding: OnboardingId,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Start {
    /// One of those that `rejoinder connect routes` shows
    route: String,
    /// What people will call the channel
    #[arg(long)]
    name: String,
    #[command(flatten)]
    more: More,
}

#[derive(Args, Debug)]
pub(super) struct Resume {
    /// The onboarding's id
    onboarding: OnboardingId,
    #[command(flatten)]
    more: More,
}

#[derive(Args, Debug)]
pub(super) struct More {
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// Repeatable: something that the route asks for
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
    /// Repeatable: name=@file, name=- (asks), name=env:VAR; cryptr:@file … if cryptr sealed it
    #[arg(long, value_name = "NAME=SOURCE")]
    credential: Vec<String>,
}

impl More {
    async fn given(&self) -> Result<Given, Failure> {
        let mut facts = Facts::new();
        for pair in &self.field {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Failure::new(format!("'{pair}' is not a field; write --field name=value"))
            })?;
            facts.insert(name.trim().to_owned(), value.to_owned());
        }
        let secrets = secret::read("credential", &self.credential).await?;
        Ok(Given {
            facts,
            secrets: secrets.into_iter().collect(),
        })
    }
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::Routes => {
                routes(engine, format);
                Ok(())
            }
            Self::Ticket(ticket) => ticket.run(engine, format).await,
            Self::Start(start) => {
                let location = open::location(engine, start.more.location.as_deref()).await?;
                let new = NewOnboarding {
                    route: start.route,
                    name: start.name,
                    given: start.more.given().await?,
                };
                // Known before the first step: whoever is interrupted goes on with it.
                let noted = engine.note_onboarding(location.id, new).await?;
                if format != Format::Json {
                    out::note(&format!("Connecting a number: {} …", noted.id));
                }
                let begun = engine.continue_onboarding(location.id, noted.id, Given::default());
                tell(shown(engine, &noted, begun).await?, engine, format)
            }
            Self::Resume(Resume { onboarding, more }) => {
                let location = open::location(engine, more.location.as_deref()).await?;
                let given = more.given().await?;
                let known = find(engine, location.id, onboarding).await?;
                let resumed = engine.continue_onboarding(location.id, onboarding, given);
                tell(shown(engine, &known, resumed).await?, engine, format)
            }
            Self::Repeat {
                onboarding,
                step,
                more,
            } => {
                let location = open::location(engine, more.location.as_deref()).await?;
                let given = more.given().await?;
                let repeated = engine.repeat_step(location.id, onboarding, &step, given);
                tell(repeated.await?, engine, format)
            }
            Self::Wait {
                onboarding,
                seconds,
                location,
            } => {
                let waited = wait(engine, onboarding, seconds, location.as_deref()).await?;
                let is_waiting = waited.state() == StepState::Waiting;
                tell(waited, engine, format)?;
                if is_waiting {
                    let sentence =
                        format!("nothing more came within {seconds} seconds; wait again");
                    return Err(Failure::new(sentence));
                }
                Ok(())
            }
            Self::List { location } => {
                let location = open::location(engine, location.as_deref()).await?;
                let all = engine.store().of(location.id).onboardings().await?;
                let columns = [
                    ("ID", "id"),
                    ("ROUTE", "route"),
                    ("STATE", "state"),
                    ("NAME", "name"),
                ];
                format.list(&OnboardingsJson::new(all, engine), "onboardings", &columns);
                Ok(())
            }
            Self::Show {
                onboarding,
                location,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                print(find(engine, location.id, onboarding).await?, engine, format);
                Ok(())
            }
            Self::Delete {
                onboarding,
                location,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                engine.delete_onboarding(location.id, onboarding).await?;
                out::note("Forgotten. A channel that came of it stays.");
                Ok(())
            }
        }
    }
}

async fn wait(
    engine: &Engine,
    onboarding: OnboardingId,
    seconds: u64,
    location: Option<&str>,
) -> Result<Onboarding, Failure> {
    let location = open::location(engine, location).await?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
    loop {
        let given = Given::default();
        let resumed = engine.continue_onboarding(location.id, onboarding, given);
        let resumed = match resumed.await {
            // The server may be at it at this moment.
            Err(Problem::Store(store::Error::Conflict(_))) => {
                find(engine, location.id, onboarding).await?
            }
            other => other?,
        };
        let is_late = tokio::time::Instant::now() + REST > deadline;
        if resumed.state() != StepState::Waiting || is_late {
            out::status("");
            return Ok(resumed);
        }
        if let Some(step) = next(&resumed) {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            out::status(&format!(
                "{} s  {}: {}",
                left.as_secs(),
                step.name,
                step.says
            ));
        }
        tokio::time::sleep(REST).await;
    }
}

async fn find(
    engine: &Engine,
    location_id: LocationId,
    id: OnboardingId,
) -> Result<Onboarding, Failure> {
    let all = engine.store().of(location_id).onboardings().await?;
    let found = all.into_iter().find(|it| it.id == id);
    found.ok_or_else(|| Failure::missing("onboarding", &id.to_string(), "connect list"))
}

/// Says at a terminal which step is being taken, until all are.
async fn shown<F>(engine: &Engine, known: &Onboarding, taking: F) -> Result<Onboarding, Failure>
where
    F: Future<Output = Result<Onboarding, Problem>>,
{
    let mut looks = tokio::time::interval(LOOK);
    tokio::pin!(taking);
    let taken = loop {
        tokio::select! {
            taken = &mut taking => break taken,
            _ = looks.tick() => {
                let now = find(engine, known.location_id, known.id).await.ok();
                if let Some(step) = now.as_ref().and_then(next) {
                    out::status(&format!("{} …", step.name));
                }
            }
        }
    };
    out::status("");
    Ok(taken?)
}

/// The first step that something is still to be done about.
fn next(onboarding: &Onboarding) -> Option<&Step> {
    let mut steps = onboarding.steps.iter();
    steps.find(|step| !step.state.is_settled())
}

fn routes(engine: &Engine, format: Format) {
    let routes = RoutesJson::of(engine);
    if format == Format::Json {
        return format.one(&routes);
    }
    for route in routes.routes {
        out::line(&format!("{}: {}", route.name, route.title));
        for field in route.fields {
            let kind = if field.secret {
                "--credential"
            } else {
                "--field"
            };
            out::line(&format!("  {kind} {}", field.name));
            paragraph(field.help, 6);
        }
        out::line("");
    }
}

/// Prints an onboarding; one that fails or asks ends the command with what to do.
fn tell(onboarding: Onboarding, engine: &Engine, format: Format) -> Result<(), Failure> {
    let (id, location_id) = (onboarding.id, onboarding.location_id);
    let halted = onboarding
        .steps
        .iter()
        .find(|step| matches!(step.state, StepState::Failed | StepState::Asking));
    let halted = halted.map(|step| {
        let options = match &step.ask {
            Some(ask) if is_secret(engine, &onboarding.route, &ask.field) => {
                format!(" --credential {}=@file", ask.field)
            }
            Some(ask) => format!(" --field {}=…", ask.field),
            None => String::new(),
        };
        format!(
            "the step '{}' {}; then `rejoinder connect resume {id} --location {location_id}{options}`",
            step.name,
            if step.state == StepState::Failed {
                "failed: see what to do above"
            } else {
                "needs an answer"
            },
        )
    });
    print(onboarding, engine, format);
    halted.map_or(Ok(()), |sentence| Err(Failure::new(sentence)))
}

fn is_secret(engine: &Engine, route: &str, field: &str) -> bool {
    let mut routes = engine.onboarding_routes();
    let route = routes.find(|(_, known)| known.name == route);
    let field = route.and_then(|(_, route)| route.field(field));
    field.is_some_and(|field| field.is_secret)
}

fn print(onboarding: Onboarding, engine: &Engine, format: Format) {
    let json = OnboardingJson::new(onboarding, engine);
    if format == Format::Json {
        return format.one(&json);
    }
    out::line(&format!(
        "{}  {}  {}  {}",
        json.id, json.route, json.state, json.name
    ));
    for step in &json.steps {
        let indent = STATE + NAME + 2;
        let says = out::wrap(&step.says, out::WIDTH - indent);
        let mut says = says.iter().map(String::as_str);
        let first = says.next().unwrap_or_default();
        let row = format!("{:STATE$} {:NAME$} {first}", step.state, step.name);
        out::line(row.trim_end());
        for line in says {
            out::line(&format!("{:indent$}{line}", ""));
        }
        if let Some(failure) = &step.failure {
            paragraph(&format!("What to do: {}", failure.fix), indent);
        }
        if let Some(ask) = &step.ask {
            if step.failure.is_none() {
                paragraph(&ask.help, indent);
            }
            for option in &ask.options {
                paragraph(&format!("{}  {}", option.value, option.label), indent + 2);
            }
        }
    }
    if let Some(link) = json
        .facts
        .get("test_link")
        .filter(|_| json.state == "waiting")
    {
        out::line(&format!("A first message: {link}"));
    }
}

/// A text below the column at which it belongs.
pub(super) fn paragraph(text: &str, indent: usize) {
    for line in out::fill(text, out::WIDTH - indent) {
        out::line(&format!("{:indent$}{line}", ""));
    }
}
