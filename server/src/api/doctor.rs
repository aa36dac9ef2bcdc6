//! What is wrong with the numbers of a location, in the API, and mending it.

use rejoinder_adapters::Probe;
use rejoinder_engine::domain::finding::{Finding, FindingState};
use rejoinder_engine::domain::ids::{ChannelId, LocationId};
use rejoinder_engine::{Engine, Examined};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::onboardings::StepJson;
use super::request::Scoped;
use crate::reply::{self, Error};

/// What was found, as printed.
#[derive(Serialize)]
pub(crate) struct ReportJson {
    /// The most urgent of all findings.
    pub(crate) state: &'static str,
    /// What was found of the server itself.
    pub(crate) server: Vec<Finding>,
    /// What was found of each number.
    pub(crate) channels: Vec<ExaminedJson>,
}

/// A number that was examined, as printed.
#[derive(Serialize)]
pub(crate) struct ExaminedJson {
    pub(crate) channel_id: String,
    pub(crate) provider: String,
    pub(crate) phone: String,
    pub(crate) name: String,
    /// The most urgent of its findings.
    state: &'static str,
    pub(crate) findings: Vec<Finding>,
}

impl From<Examined> for ExaminedJson {
    fn from(examined: Examined) -> Self {
        Self {
            channel_id: examined.channel.id.to_string(),
            provider: examined.channel.provider,
            phone: examined.channel.phone.to_string(),
            name: examined.channel.name,
            state: worst(&examined.findings).name(),
            findings: examined.findings,
        }
    }
}

fn worst(findings: &[Finding]) -> FindingState {
    let states = findings.iter().map(|finding| finding.state);
    states.max().unwrap_or(FindingState::Good)
}

/// Looks at the server, and at a location's numbers or one of them.
pub(crate) async fn examine(
    engine: &Engine,
    location_id: LocationId,
    only: Option<ChannelId>,
) -> Result<ReportJson, Error> {
    let probe = Probe::new();
    let server = probe.public_url(engine.public_url(), engine.now());
    let (server, examined) = tokio::join!(server, engine.examine(location_id, only));
    let examined = examined?;
    let states = examined.iter().map(|it| worst(&it.findings));
    let state = states.max().max(Some(worst(&server)));
    Ok(ReportJson {
        state: state.unwrap_or(FindingState::Good).name(),
        server,
        channels: examined.into_iter().map(ExaminedJson::from).collect(),
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Examine {
    channel_id: Option<ChannelId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fix {
    channel_id: ChannelId,
    action: String,
}

/// `/doctor…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    let engine = scoped.engine();
    match (scoped.request.method.as_str(), path) {
        ("POST", []) => {
            let Examine { channel_id } = if scoped.request.body.is_empty() {
                Examine::default()
            } else {
                scoped.request.json()?
            };
            let report = examine(engine, scoped.location_id, channel_id).await?;
            Ok(reply::ok(&report))
        }
        ("POST", ["fix"]) => {
            let Fix { channel_id, action } = scoped.request.json()?;
            let step = engine.mend(scoped.location_id, channel_id, &action).await?;
            Ok(reply::ok(&StepJson::new(step, "")))
        }
        (_, [] | ["fix"]) => Err(Error::Method("POST")),
        _ => Err(Error::Missing("path")),
    }
}
