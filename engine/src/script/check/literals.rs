//! Durations, patterns, times and formats that are written out and do not read.
//! Knows what reads them at run time, and asks that.

use std::ops::Range;

use super::chain::Call;
use super::report::Report;
use super::subject::Subject;
use crate::domain::time::Span;
use crate::script::api::fanout;
use crate::script::api::message::read_emoji;
use crate::script::api::template::KEYS;
use crate::script::api::time::{read_clock, read_format, read_time};
use crate::script::every;
use crate::script::explain::nearest;
use crate::script::regexes::Regexes;

/// Most patterns that are tried; compiling one may take a millisecond.
const PATTERNS: usize = 50;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let mut patterns = 0;
    for (_, call) in subject.calls() {
        let arguments = subject.arguments(&call);
        let Some(first) = arguments.first() else {
            continue;
        };
        match (subject.called(&call), call.after) {
            ("if_silent" | "after" | "hold", Some(_)) | ("duration", None) => {
                duration(subject, &call, first, report);
            }
            ("each_chat", Some(_)) => {
                let entries = subject.tokens.map(first).unwrap_or_default();
                for entry in &entries {
                    if let Err(message) = fanout::check_key(entry.key) {
                        let extent = subject.tokens.extent(entry.at..entry.at + 1);
                        report.error(extent, || message);
                    }
                    if entry.key == "window" {
                        written(subject, &entry.value, report, |text| {
                            (!matches!(text, "open" | "closed"))
                                .then(|| "write window: \"open\" or window: \"closed\"".into())
                        });
                    }
                    if matches!(entry.key, "silent_for" | "spoke_within") {
                        duration(subject, &call, &entry.value, report);
                    }
                }
            }
            ("matches" | "capture", Some(_)) if patterns < PATTERNS => {
                if let Some(text) = subject.text_of(first) {
                    patterns += 1;
                    if let Err(message) = Regexes::compile(&text) {
                        report.error(subject.tokens.extent(first.clone()), || message);
                    }
                }
            }
            ("time", None) => written(subject, first, report, |text| {
                read_time(text).err().map(str::to_owned)
            }),
            ("at", Some(_)) if arguments.len() == 1 => written(subject, first, report, |text| {
                read_clock(text).err().map(str::to_owned)
            }),
            ("every", None) => {
                written(subject, first, report, |text| {
                    let line = every::line(text).ok().filter(every::never_comes);
                    line.map(|_| "no year has such a day, so this never comes; write for example \"0 9 28 2 *\"".into())
                });
            }
            ("template", None) => template(subject, first, report),
            ("reply", Some(_)) => written(subject, first, report, |text| {
                text.trim().is_empty().then(|| {
                    "there is nothing in this text; write what the customer should read".into()
                })
            }),
            ("react", Some(_)) => {
                written(subject, first, report, |text| read_emoji(text).err());
            }
            ("image" | "video" | "audio" | "document" | "sticker", None) => {
                written(subject, first, report, |text| {
                    (!text.starts_with("https://"))
                        .then(|| "the address of a file begins with https://, and anybody must be able to open it".into())
                });
            }
            ("format", Some(_)) => written(subject, first, report, |text| read_format(text).err()),
            _ => {}
        }
    }
}

/// The keys of `template(#{ name, … })`.
fn template(subject: &Subject<'_>, parts: &Range<usize>, report: &mut Report) {
    let Some(entries) = subject.tokens.map(parts) else {
        return;
    };
    let stranger = entries.iter().find(|entry| !KEYS.contains(&entry.key));
    if let Some(stranger) = stranger {
        let key = stranger.key;
        let extent = subject.tokens.extent_at(stranger.at);
        report.error(extent, || match nearest(key, KEYS) {
            Some(near) => format!("a template has no {key}; did you mean {near}?"),
            None => format!("a template has no {key}; it has {}", KEYS.join(", ")),
        });
    } else if entries.iter().all(|entry| entry.key != "name") {
        report.error(subject.tokens.extent(parts.clone()), || {
            "a template needs a name; write template(#{ name: \"offer\", body: [\"Ada\"] })".into()
        });
    }
}

/// A text that something reads: `time("…")`, `.at("…")`, `.format("…")`.
fn written(
    subject: &Subject<'_>,
    value: &Range<usize>,
    report: &mut Report,
    refusal: impl Fn(&str) -> Option<String>,
) {
    let refusal = subject.text_of(value).and_then(|text| refusal(&text));
    if let Some(message) = refusal {
        report.error(subject.tokens.extent(value.clone()), || message);
    }
}

fn duration(subject: &Subject<'_>, call: &Call, value: &Range<usize>, report: &mut Report) {
    let extent = subject.tokens.extent(value.clone());
    let name = subject.called(call);
    if let Some(Err(error)) = subject.text_of(value).map(|text| Span::parse(&text)) {
        report.error(extent, || error.to_string());
    } else if subject.tokens.is_number(value) {
        report.error(extent, || {
            format!("{name} needs a duration, and a number has no unit; write for example \"45s\", \"90m\" or \"2d\"")
        });
    }
}
