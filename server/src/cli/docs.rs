//! `rejoinder docs`: the reference of what rules and their tests can write. Needs neither settings nor a database.

use clap::{Args, ValueEnum};
use rejoinder_engine::script::catalog::Entry;
use rejoinder_engine::script::reference::{self, Language};
use serde::Serialize;

use super::Failure;
use crate::out;

#[derive(Args, Debug)]
pub(super) struct Docs {
    /// What to show: reply, chat.reply, on_message, contact, Templates … [default: everything]
    name: Option<String>,
    /// What tests can write, instead of what rules can
    #[arg(long, conflicts_with = "name")]
    tests: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: DocsFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DocsFormat {
    /// For a terminal
    #[default]
    Text,
    /// For a page
    Markdown,
    /// Rhai's definitions, for editors; always all that rules can write
    Rhai,
    /// For programs
    Json,
}

#[derive(Serialize)]
struct EntriesJson {
    entries: Vec<EntryJson>,
}

#[derive(Serialize)]
struct EntryJson {
    chapter: &'static str,
    kind: &'static str,
    receiver: Option<&'static str>,
    name: &'static str,
    signature: &'static str,
    parameters: Vec<ParameterJson>,
    returns: Option<&'static str>,
    doc: &'static str,
    example: &'static str,
}

#[derive(Serialize)]
struct ParameterJson {
    name: &'static str,
    r#type: &'static str,
    optional: bool,
}

impl From<&'static Entry> for EntryJson {
    fn from(entry: &'static Entry) -> Self {
        let parameters = entry.parameters.iter().map(|parameter| ParameterJson {
            name: parameter.name,
            r#type: parameter.of.as_str(),
            optional: parameter.optional,
        });
        Self {
            chapter: entry.chapter,
            kind: entry.kind.name(),
            receiver: entry.receiver,
            name: entry.name,
            signature: entry.signature,
            parameters: parameters.collect(),
            returns: entry.returns.map(|of| of.as_str()),
            doc: &entry.doc,
            example: &entry.example,
        }
    }
}

impl Docs {
    /// Prints what was asked for; `json` is the switch that goes with every command.
    pub(super) fn run(self, json: out::Format) -> Result<(), Failure> {
        let format = match json {
            out::Format::Json => DocsFormat::Json,
            out::Format::Human => self.format,
        };
        let language = if self.tests {
            Language::Tests
        } else {
            Language::Rules
        };
        let entries = match &self.name {
            None => language.entries().collect(),
            Some(name) => reference::find(name),
        };
        if let (Some(name), []) = (&self.name, &entries[..]) {
            return Err(Failure::new(reference::not_found(name)));
        }
        match (format, &self.name) {
            (DocsFormat::Text, None) => out::line(reference::plain(language).trim_end()),
            (DocsFormat::Text, Some(_)) => out::line(reference::plain_of(entries).trim_end()),
            (DocsFormat::Markdown, None) => out::line(reference::markdown(language).trim_end()),
            (DocsFormat::Markdown, Some(_)) => {
                out::line(reference::markdown_of(entries).trim());
            }
            (DocsFormat::Rhai, _) => out::line(reference::definitions().trim_end()),
            (DocsFormat::Json, _) => out::Format::Json.one(&EntriesJson {
                entries: entries.into_iter().map(EntryJson::from).collect(),
            }),
        }
        Ok(())
    }
}
