//! `rejoinder doctor`: what is wrong with the numbers of a location, and mending it.

use clap::Args;
use rejoinder_engine::Engine;
use rejoinder_engine::domain::finding::{Finding, FindingState};
use rejoinder_engine::domain::ids::ChannelId;
use rejoinder_engine::domain::onboarding::StepState;

use super::connect::paragraph;
use super::{Failure, open};
use crate::api::doctor::{ReportJson, examine};
use crate::api::onboardings::StepJson;
use crate::out::{self, Format};

/// Columns of a finding's state and of what was looked at.
const STATE: usize = 8;
const CHECK: usize = 22;

/// Look at everything that can be wrong with a location's numbers
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Its id or name [default: the only one]
    location: Option<String>,
    /// The same, as the other commands take it
    #[arg(
        long = "location",
        value_name = "LOCATION",
        conflicts_with = "location"
    )]
    named: Option<String>,
    /// One channel only
    #[arg(long, value_name = "ID")]
    channel: Option<ChannelId>,
    /// Do what a finding offers, for the channel named
    #[arg(long, value_name = "ACTION", requires = "channel")]
    fix: Option<String>,
    /// Show what is well, too
    #[arg(long)]
    all: bool,
}

impl Doctor {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location =
            open::location(engine, self.location.as_deref().or(self.named.as_deref())).await?;
        if let (Some(action), Some(channel_id)) = (&self.fix, self.channel) {
            let step = engine.mend(location.id, channel_id, action).await?;
            let (state, says) = (step.state, step.says.clone());
            let fix = step.failure.as_ref().map(|failure| failure.fix.clone());
            if format == Format::Json {
                format.one(&StepJson::new(step, ""));
            } else {
                out::line(&format!("{}: {says}", state.name()));
            }
            return match fix {
                Some(fix) => Err(Failure::new(format!("it did not work; {fix}"))),
                None if state == StepState::Asking => Err(Failure::new(
                    "it needs something that only a person knows; connect the number again",
                )),
                None => Ok(()),
            };
        }
        let report = examine(engine, location.id, self.channel).await?;
        let is_bad = report.state == FindingState::Bad.name();
        if format == Format::Json {
            format.one(&report);
        } else {
            self.print(&report, &location.id.to_string());
        }
        if is_bad {
            return Err(Failure::new(
                "something does not work; see what to do above",
            ));
        }
        Ok(())
    }

    fn print(&self, report: &ReportJson, location: &str) {
        out::line("The server");
        self.findings(&report.server, None, location);
        for examined in &report.channels {
            out::line("");
            out::line(&format!(
                "{}  {}  {}  {}",
                examined.phone, examined.name, examined.provider, examined.channel_id
            ));
            self.findings(&examined.findings, Some(&examined.channel_id), location);
        }
        if report.channels.is_empty() {
            out::line("");
            out::line("no number is connected; see `rejoinder connect routes`");
        }
    }

    fn findings(&self, findings: &[Finding], channel_id: Option<&str>, location: &str) {
        let indent = STATE + CHECK + 2;
        let mut well = 0;
        for finding in findings {
            if finding.state == FindingState::Good && !self.all {
                well += 1;
                continue;
            }
            let evidence = out::wrap(&finding.evidence, out::WIDTH - indent);
            let mut evidence = evidence.iter();
            let first = evidence.next().map_or("", String::as_str);
            let state = finding.state.name();
            out::line(&format!("{state:STATE$} {:CHECK$} {first}", finding.check));
            for line in evidence {
                out::line(&format!("{:indent$}{line}", ""));
            }
            if !finding.breaks.is_empty() {
                paragraph(&format!("Breaks: {}", finding.breaks), STATE + 1);
            }
            if !finding.fix.is_empty() {
                paragraph(&format!("Fix: {}", finding.fix), STATE + 1);
            }
            if let (Some(action), Some(channel_id)) = (&finding.action, channel_id) {
                let command =
                    format!("rejoinder doctor {location} --channel {channel_id} --fix {action}");
                // To be copied: not wrapped.
                out::line(&format!("{:1$}{command}", "", STATE + 1));
            }
        }
        if well > 0 {
            out::line(&format!(
                "{:STATE$} {well} check(s); --all shows them",
                "good"
            ));
        }
    }
}
