//! `rejoinder simulate`: a chat with rules in files, in the terminal, as a customer would have it.
//! Needs no database, no configuration and no network.

mod command;
mod known;
mod screen;
mod talk;
mod thing;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::Args;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::simulate::{Business, Workshop, first_morning, on_own_thread, read_moment};

use self::talk::{Next, Talk};
use super::{Failure, files};
use crate::{out, surroundings, workshop};

/// Bytes of a line at most: more than WhatsApp lets a customer write.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// Chat with rules in files, as a customer, while time passes as you say
#[derive(Args, Debug)]
pub(super) struct Simulate {
    /// Scripts, or folders with scripts, in the order in which they are asked [default: those in this folder]
    rules: Vec<PathBuf>,
    /// The business that the rules are of [default: location.toml beside the first rule]
    #[arg(long, value_name = "FILE")]
    location: Option<PathBuf>,
    /// When it begins, on the location's clocks [default: 2026-01-05 10:00]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Where the location's clocks are [default: what the location says]
    #[arg(long, value_name = "ZONE")]
    zone: Option<Tz>,
    /// Play the lines of a file instead of those that are typed
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

impl Simulate {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = files::rules(&self.rules)?;
        let business = self.business(&found[0])?;
        let start = self.start(business.time_zone)?;
        let script = match &self.script {
            Some(path) => Some(open(path)?),
            None => None,
        };
        let workshop = workshop::workshop();
        let chat = move || {
            on_own_thread(async move || chat(&workshop, &business, start, self.rules, script).await)
        };
        tokio::task::spawn_blocking(chat)
            .await?
            .map_err(Failure::new)?
    }

    fn business(&self, first_rule: &Path) -> Result<Business, Failure> {
        let read = match &self.location {
            Some(file) => surroundings::read(file),
            None => surroundings::of_folder(first_rule.parent().unwrap_or(Path::new(""))),
        };
        let mut business = read.map_err(|error| Failure::usage(error.to_string()))?;
        if let Some(zone) = self.zone {
            business.time_zone = zone;
        }
        Ok(business)
    }

    fn start(&self, zone: Tz) -> Result<Timestamp, Failure> {
        let Some(text) = &self.at else {
            return Ok(first_morning(zone));
        };
        read_moment(text, zone).ok_or_else(|| {
            Failure::usage(format!(
                "'{text}' is no time; write for example --at \"2026-03-27 17:55\""
            ))
        })
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))
}

/// Whose lines are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// Those of a person, who is asked for them.
    Typed,
    /// Those of a file or of another program, which are shown as if they had been typed.
    Given,
}

async fn chat(
    workshop: &Workshop,
    business: &Business,
    start: Timestamp,
    rules: Vec<PathBuf>,
    script: Option<File>,
) -> Result<(), Failure> {
    let mut talk = Talk::begin(workshop, business, start, rules).await?;
    let is_typed = script.is_none() && io::stdin().is_terminal();
    let lines = if is_typed { Lines::Typed } else { Lines::Given };
    let mut input: Box<dyn BufRead> = match script {
        Some(file) => Box::new(BufReader::new(file)),
        None => Box::new(io::stdin().lock()),
    };
    talk.greet();
    if lines == Lines::Typed {
        out::line("You are the customer. :help shows what else you can do.");
    }
    let mut senseless = 0;
    loop {
        if lines == Lines::Typed {
            talk.ask();
        }
        let Some(line) = next_line(&mut *input)? else {
            if lines == Lines::Typed {
                // Ctrl-D ends no line.
                out::line("");
            }
            break;
        };
        if line.trim().is_empty() {
            continue;
        }
        if lines == Lines::Given {
            talk.echo(&line);
        }
        match Box::pin(talk.take(&line)).await {
            Next::Goes => {}
            Next::Senseless => senseless += 1,
            Next::Ends => break,
        }
    }
    match (lines, senseless) {
        (Lines::Typed, _) | (_, 0) => Ok(()),
        (Lines::Given, 1) => Err(Failure::new(
            "a line could not be followed; see above, after !",
        )),
        (Lines::Given, many) => Err(Failure::new(format!(
            "{many} lines could not be followed; see above, after !"
        ))),
    }
}

/// The next line, or nothing at the end.
fn next_line(input: &mut dyn BufRead) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    input.take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE_BYTES {
        return Err(Failure::new(format!(
            "a line is longer than {MAX_LINE_BYTES} bytes; shorten it"
        )));
    }
    let line = String::from_utf8_lossy(&line);
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
