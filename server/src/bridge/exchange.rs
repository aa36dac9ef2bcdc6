//! What the bridge page posts: what Facebook gave it, which uses its ticket up; and how it goes on from there.
//! Of an onboarding it is told how the steps stand, and never what is known or hidden.

use bytes::Bytes;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::onboarding::{Facts, Onboarding, StepState};
use rejoinder_engine::domain::ticket::TicketState;
use rejoinder_engine::{Bridged, Given};
use serde::{Deserialize, Serialize};
use warp::http::HeaderMap;
use warp::reply::Response;

use super::{Bridge, word};
use crate::api::read_json;
use crate::reply::{self, Error};

/// The route of an onboarding for which the page is.
const ROUTE: &str = "meta-signup";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    ticket: String,
    code: Option<String>,
    access_token: Option<String>,
    redirect_uri: Option<String>,
    event: Option<String>,
    waba_id: Option<String>,
    phone_number_id: Option<String>,
    business_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    ticket: String,
}

/// How it goes on.
#[derive(Serialize)]
struct StatusJson {
    state: &'static str,
    steps: Vec<StepJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson>,
}

#[derive(Serialize)]
struct StepJson {
    name: String,
    title: &'static str,
    state: &'static str,
}

/// Why it does not go on by itself.
#[derive(Serialize)]
struct FailureJson {
    step: String,
    code: String,
    detail: String,
    fix: String,
    request_id: Option<String>,
}

impl Exchange {
    fn given(self, callback: &str) -> Result<Given, Error> {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let secrets = [
            ("code", some(self.code)),
            ("access_token", some(self.access_token)),
        ];
        let secrets = secrets.into_iter();
        let secrets: Vec<(&str, String)> = secrets
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        if secrets.len() != 1 {
            return Err(Error::Invalid("give 'code' or 'access_token'".to_owned()));
        }
        let redirect_uri = some(self.redirect_uri);
        if redirect_uri.as_ref().is_some_and(|given| given != callback) {
            return Err(Error::Invalid(format!("'redirect_uri' is {callback}")));
        }
        let facts = [
            ("redirect_uri", redirect_uri),
            ("event", some(self.event)),
            ("waba_id", some(self.waba_id)),
            ("phone_number_id", some(self.phone_number_id)),
            ("business_id", some(self.business_id)),
        ];
        let facts = facts.into_iter();
        let facts: Facts = facts
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        Ok(Given {
            facts,
            secrets: secrets
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        })
    }
}

impl Bridge {
    pub(super) async fn exchange(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response, Error> {
        let exchange: Exchange = read_json(headers, body)?;
        let word = word(&exchange.ticket).ok_or(Error::TicketExpired)?;
        let given = exchange.given(&self.callback())?;
        if !self.engine.use_ticket(&word, ROUTE, given).await? {
            let bridged = self.engine.bridged(&word).await?;
            let state = bridged.map(|bridged| bridged.state);
            return Err(match state {
                Some(TicketState::Used) => Error::TicketUsed,
                Some(TicketState::Open | TicketState::Expired) | None => Error::TicketExpired,
            });
        }
        let bridged = self.engine.bridged(&word).await?;
        let bridged = bridged.ok_or(Error::TicketExpired)?;
        Ok(reply::accepted(&self.status_of(bridged)?))
    }

    pub(super) async fn status(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response, Error> {
        let ask: Ask = read_json(headers, body)?;
        let word = word(&ask.ticket).ok_or(Error::TicketExpired)?;
        let bridged = self.engine.bridged(&word).await?;
        let bridged = bridged.ok_or(Error::TicketExpired)?;
        self.engine.take_up(&bridged);
        Ok(reply::ok(&self.status_of(bridged)?))
    }

    fn status_of(&self, bridged: Bridged) -> Result<StatusJson, Error> {
        let onboarding = bridged.onboarding.ok_or(match bridged.state {
            TicketState::Used => Error::TicketUsed,
            TicketState::Open | TicketState::Expired => Error::TicketExpired,
        })?;
        let mut routes = self.engine.onboarding_routes();
        let route = routes.find(|(_, route)| route.name == onboarding.route);
        let title = |name: &str| {
            let steps = route.map_or(&[][..], |(_, route)| route.steps);
            let step = steps.iter().find(|step| step.name == name);
            step.map_or("", |step| step.title)
        };
        Ok(StatusJson {
            state: match onboarding.state() {
                StepState::Open => "working",
                // What it waits for comes by itself: the number is connected.
                StepState::Done | StepState::Skipped | StepState::Waiting => "connected",
                StepState::Asking => "asking",
                StepState::Failed => "failed",
            },
            failure: FailureJson::of(&onboarding),
            steps: onboarding
                .steps
                .into_iter()
                .map(|step| StepJson {
                    title: title(&step.name),
                    name: step.name,
                    state: step.state.name(),
                })
                .collect(),
        })
    }
}

impl FailureJson {
    fn of(onboarding: &Onboarding) -> Option<Self> {
        let mut steps = onboarding.steps.iter();
        steps.find_map(|step| match step.state {
            StepState::Failed => {
                let failure = step.failure.as_ref()?;
                Some(Self {
                    step: step.name.clone(),
                    code: failure.code.clone(),
                    detail: failure.detail.clone(),
                    fix: failure.fix.clone(),
                    request_id: failure.request_id.clone(),
                })
            }
            StepState::Asking => Some(Self {
                step: step.name.clone(),
                code: "asking".to_owned(),
                detail: step
                    .ask
                    .as_ref()
                    .map_or_else(String::new, |ask| ask.help.clone()),
                fix: String::new(),
                request_id: None,
            }),
            StepState::Open | StepState::Done | StepState::Skipped | StepState::Waiting => None,
        })
    }
}
