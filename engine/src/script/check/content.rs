//! Buttons and lists that are written out with more than WhatsApp shows.
//! Looks only at what is literally there; the rest is the adapters' to refuse.

use std::ops::Range;

use super::report::Report;
use super::subject::Subject;

// WhatsApp's figures, the same at both providers.
const BUTTONS: usize = 3;
const BUTTON_TITLE: usize = 20;
const CAPTION: usize = 20;
const ROWS: usize = 10;
const ROW_TITLE: usize = 24;
const ROW_DESCRIPTION: usize = 72;
const SECTION_TITLE: usize = 24;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (_, call) in subject.calls() {
        if call.after.is_some() {
            continue;
        }
        let arguments = subject.arguments(&call);
        match (subject.called(&call), &arguments[..]) {
            ("buttons", [_, buttons]) => check_buttons(subject, buttons, report),
            ("list", [_, caption, rows]) => {
                length(subject, caption, CAPTION, "the caption of a list", report);
                check_list(subject, rows, report);
            }
            _ => {}
        }
    }
}

fn check_buttons(subject: &Subject<'_>, buttons: &Range<usize>, report: &mut Report) {
    let Some(items) = subject.tokens.array(buttons) else {
        return;
    };
    if items.is_empty() {
        report.error(subject.tokens.extent(buttons.clone()), || {
            "a message without buttons cannot be sent like this; write buttons(text, [\"Yes\", \"No\"]), or the text alone".into()
        });
    }
    if items.len() > BUTTONS {
        report.warning(subject.tokens.extent(buttons.clone()), || {
            format!(
                "WhatsApp shows {BUTTONS} buttons at most, and these are {}, so it will not be sent; write list(text, \"Choose\", […]) for up to {ROWS}",
                items.len()
            )
        });
    }
    for item in &items {
        length(
            subject,
            &title(subject, item),
            BUTTON_TITLE,
            "the title of a button",
            report,
        );
    }
}

fn check_list(subject: &Subject<'_>, rows: &Range<usize>, report: &mut Report) {
    let Some(items) = subject.tokens.array(rows) else {
        return;
    };
    if items.is_empty() {
        report.error(subject.tokens.extent(rows.clone()), || {
            "a list without rows cannot be sent; write list(text, \"Choose\", [\"Rent\", \"Buy\"])".into()
        });
    }
    let mut count = 0;
    for item in &items {
        let entries = subject.tokens.map(item).unwrap_or_default();
        let Some(section) = entries.iter().find(|entry| entry.key == "rows") else {
            check_row(subject, item, report);
            count += 1;
            continue;
        };
        if let Some(title) = entries.iter().find(|entry| entry.key == "title") {
            length(
                subject,
                &title.value,
                SECTION_TITLE,
                "the title of a section",
                report,
            );
        }
        let of_section = subject.tokens.array(&section.value).unwrap_or_default();
        for row in &of_section {
            check_row(subject, row, report);
        }
        count += of_section.len();
    }
    if count > ROWS {
        report.warning(subject.tokens.extent(rows.clone()), || {
            format!("WhatsApp shows {ROWS} rows at most, and these are {count}, so it will not be sent; leave some out, or ask in two steps")
        });
    }
}

fn check_row(subject: &Subject<'_>, row: &Range<usize>, report: &mut Report) {
    length(
        subject,
        &title(subject, row),
        ROW_TITLE,
        "the title of a row",
        report,
    );
    let entries = subject.tokens.map(row).unwrap_or_default();
    if let Some(entry) = entries.iter().find(|entry| entry.key == "description") {
        length(
            subject,
            &entry.value,
            ROW_DESCRIPTION,
            "the description of a row",
            report,
        );
    }
}

/// The title of a button or a row: its `title` if it is a map, else the whole.
fn title(subject: &Subject<'_>, item: &Range<usize>) -> Range<usize> {
    let entries = subject.tokens.map(item).unwrap_or_default();
    let title = entries.into_iter().find(|entry| entry.key == "title");
    title.map_or_else(|| item.clone(), |title| title.value)
}

fn length(
    subject: &Subject<'_>,
    expression: &Range<usize>,
    most: usize,
    what: &str,
    report: &mut Report,
) {
    let Some(text) = subject.text_of(expression) else {
        return;
    };
    let letters = text.chars().count();
    if letters > most {
        report.warning(subject.tokens.extent(expression.clone()), || {
            format!("{what} has {most} letters at most, and this has {letters}, so it will not be sent; shorten it")
        });
    }
}
