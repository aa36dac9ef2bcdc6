//! Numbers on their way to being connected, in the API. Secrets go in and never come out.

use std::collections::BTreeMap;

use rejoinder_engine::adapter::OnboardingRoute;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::ids::OnboardingId;
use rejoinder_engine::domain::onboarding::{
    Ask, Evidence, Facts, Onboarding, Step, StepFailure, StepState,
};
use rejoinder_engine::{Engine, Given, NewOnboarding};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::request::{Request, Scoped, id};
use crate::reply::{self, Error};

/// An onboarding as printed.
#[derive(Serialize)]
pub(crate) struct OnboardingJson {
    pub(crate) id: String,
    location_id: String,
    pub(crate) provider: String,
    pub(crate) route: String,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    channel_id: Option<String>,
    pub(crate) facts: Facts,
    pub(crate) steps: Vec<StepJson>,
    created_at: String,
    updated_at: String,
}

/// A step as printed.
#[derive(Serialize)]
pub(crate) struct StepJson {
    pub(crate) name: String,
    title: &'static str,
    pub(crate) state: &'static str,
    attempts: u32,
    at: Option<String>,
    /// What came of it.
    pub(crate) says: String,
    /// What is to be done next, if anything.
    pub(crate) next: Option<String>,
    evidence: Vec<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<StepFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ask: Option<Ask>,
}

impl StepJson {
    pub(crate) fn new(step: Step, title: &'static str) -> Self {
        Self {
            next: next(&step),
            name: step.name,
            title,
            state: step.state.name(),
            attempts: step.attempts,
            at: step.at.map(|at| at.to_string()),
            says: step.says,
            evidence: step.evidence,
            failure: step.failure,
            ask: step.ask,
        }
    }
}

/// What a person does next about a step.
fn next(step: &Step) -> Option<String> {
    match step.state {
        StepState::Done | StepState::Skipped | StepState::Open => None,
        StepState::Waiting => Some(step.says.clone()),
        StepState::Asking => {
            let ask = step.ask.as_ref()?;
            Some(format!("give '{}': {}", ask.field, ask.help))
        }
        StepState::Failed => step.failure.as_ref().map(|failure| failure.fix.clone()),
    }
}

impl OnboardingJson {
    pub(crate) fn new(onboarding: Onboarding, engine: &Engine) -> Self {
        let routes = engine.onboarding_routes();
        let mut routes = routes.map(|(_, route)| route);
        let route = routes.find(|route| route.name == onboarding.route);
        let title = |name: &str| {
            let steps = route.map_or(&[][..], |route| route.steps);
            let step = steps.iter().find(|step| step.name == name);
            step.map_or("", |step| step.title)
        };
        Self {
            state: onboarding.state().name(),
            id: onboarding.id.to_string(),
            location_id: onboarding.location_id.to_string(),
            provider: onboarding.provider,
            route: onboarding.route,
            name: onboarding.name,
            channel_id: onboarding.channel_id.map(|id| id.to_string()),
            facts: onboarding.facts,
            steps: onboarding
                .steps
                .into_iter()
                .map(|step| {
                    let title = title(&step.name);
                    StepJson::new(step, title)
                })
                .collect(),
            created_at: onboarding.created_at.to_string(),
            updated_at: onboarding.updated_at.to_string(),
        }
    }
}

/// A location's onboardings as printed.
#[derive(Serialize)]
pub(crate) struct OnboardingsJson {
    onboardings: Vec<OnboardingJson>,
}

impl OnboardingsJson {
    pub(crate) fn new(onboardings: Vec<Onboarding>, engine: &Engine) -> Self {
        let onboardings = onboardings.into_iter();
        Self {
            onboardings: onboardings
                .map(|onboarding| OnboardingJson::new(onboarding, engine))
                .collect(),
        }
    }
}

/// A way to connect a number, as printed.
#[derive(Serialize)]
pub(crate) struct RouteJson {
    pub(crate) name: &'static str,
    provider: &'static str,
    pub(crate) title: &'static str,
    pub(crate) fields: Vec<FieldJson>,
    steps: Vec<RouteStepJson>,
}

/// Something to be given on the way, as printed.
#[derive(Serialize)]
pub(crate) struct FieldJson {
    pub(crate) name: &'static str,
    /// Whether it is given as a credential.
    pub(crate) secret: bool,
    pub(crate) help: &'static str,
}

#[derive(Serialize)]
struct RouteStepJson {
    name: &'static str,
    title: &'static str,
}

/// The ways to connect a number, as printed.
#[derive(Serialize)]
pub(crate) struct RoutesJson {
    pub(crate) routes: Vec<RouteJson>,
}

impl RoutesJson {
    pub(crate) fn of(engine: &Engine) -> Self {
        let routes = engine.onboarding_routes();
        Self {
            routes: routes
                .map(|(provider, route)| RouteJson::new(provider, route))
                .collect(),
        }
    }
}

impl RouteJson {
    fn new(provider: &'static str, route: &'static OnboardingRoute) -> Self {
        let fields = route.fields.iter().map(|field| FieldJson {
            name: field.name,
            secret: field.is_secret,
            help: field.help,
        });
        let steps = route.steps.iter().map(|step| RouteStepJson {
            name: step.name,
            title: step.title,
        });
        Self {
            name: route.name,
            provider,
            title: route.title,
            fields: fields.collect(),
            steps: steps.collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    route: String,
    name: String,
    #[serde(default)]
    fields: Facts,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoOn {
    #[serde(default)]
    fields: Facts,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
}

fn given(fields: Facts, credentials: BTreeMap<String, String>) -> Given {
    let secrets = credentials.into_iter();
    Given {
        facts: fields,
        secrets: secrets
            .map(|(field, value)| (field, Secret::new(value)))
            .collect(),
    }
}

/// `/onboarding-routes`
pub(crate) fn routes(request: &Request) -> Result<Response, Error> {
    match request.method.as_str() {
        "GET" => Ok(reply::ok(&RoutesJson::of(&request.engine))),
        _ => Err(Error::Method("GET")),
    }
}

/// `/onboardings…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        ("POST", []) => begin(scoped).await,
        (_, []) => Err(Error::Method("GET, POST")),
        ("GET", [onboarding]) => show(scoped, id(onboarding, "onboarding")?).await,
        ("DELETE", [onboarding]) => {
            let id = id(onboarding, "onboarding")?;
            let engine = scoped.engine();
            engine.delete_onboarding(scoped.location_id, id).await?;
            Ok(reply::gone())
        }
        (_, [_]) => Err(Error::Method("GET, DELETE")),
        ("POST", [onboarding, "resume"]) => {
            go_on(scoped, id(onboarding, "onboarding")?, None).await
        }
        ("POST", [onboarding, "steps", step]) => {
            go_on(scoped, id(onboarding, "onboarding")?, Some(step)).await
        }
        (_, [_, "resume"] | [_, "steps", _]) => Err(Error::Method("POST")),
        _ => Err(Error::Missing("path")),
    }
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    scoped.request.query.only(&[])?;
    let onboardings = scoped.store().onboardings().await?;
    Ok(reply::ok(&OnboardingsJson::new(
        onboardings,
        scoped.engine(),
    )))
}

async fn show(scoped: &Scoped, id: OnboardingId) -> Result<Response, Error> {
    let mut onboardings = scoped.store().onboardings().await?.into_iter();
    let onboarding = onboardings.find(|onboarding| onboarding.id == id);
    let onboarding = onboarding.ok_or(Error::Missing("onboarding"))?;
    Ok(reply::ok(&OnboardingJson::new(onboarding, scoped.engine())))
}

async fn begin(scoped: &Scoped) -> Result<Response, Error> {
    let begin: Begin = scoped.request.json()?;
    let engine = scoped.engine();
    let new = NewOnboarding {
        route: begin.route,
        name: begin.name,
        given: given(begin.fields, begin.credentials),
    };
    let onboarding = engine.begin_onboarding(scoped.location_id, new).await?;
    Ok(reply::created(&OnboardingJson::new(onboarding, engine)))
}

/// Takes the steps that are left, or one of them.
async fn go_on(scoped: &Scoped, id: OnboardingId, step: Option<&str>) -> Result<Response, Error> {
    let GoOn {
        fields,
        credentials,
    } = if scoped.request.body.is_empty() {
        GoOn::default()
    } else {
        scoped.request.json()?
    };
    let given = given(fields, credentials);
    let (engine, location_id) = (scoped.engine(), scoped.location_id);
    let onboarding = match step {
        Some(step) => engine.repeat_step(location_id, id, step, given).await?,
        None => engine.continue_onboarding(location_id, id, given).await?,
    };
    Ok(reply::ok(&OnboardingJson::new(onboarding, engine)))
}
