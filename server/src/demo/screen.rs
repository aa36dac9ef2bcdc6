//! What the demo shows: lines of 80 columns that read well without colour.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use rejoinder_adapters::simulator::ReceivedMessage;
use rejoinder_engine::domain::time::Timestamp;

use super::stage::{CUSTOMERS, Stage};
use crate::out::{WIDTH, wrap};

/// Columns before the text: the time and who speaks.
const INDENT: usize = 20;
/// How long a reader gets for a line, if there is one.
const BREATH: Duration = Duration::from_millis(350);

pub(super) struct Screen {
    has_reader: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            has_reader: std::io::stdout().is_terminal(),
        }
    }

    /// A heading between two parts.
    pub(super) fn heading(&self, text: &str) {
        let rule = "─".repeat(WIDTH.saturating_sub(text.chars().count() + 4));
        self.line(&format!("\n── {text} {rule}"));
    }

    /// Lines as they are.
    pub(super) fn plain(&self, text: &str) {
        self.line(text);
    }

    /// What happens besides the conversation.
    pub(super) fn note(&self, text: &str) {
        for (nth, line) in wrap(text, WIDTH - INDENT - 2).iter().enumerate() {
            let mark = if nth == 0 { "· " } else { "  " };
            self.line(&format!("{}{mark}{line}", " ".repeat(INDENT)));
        }
    }

    /// Someone says something.
    pub(super) fn says(&self, at: Timestamp, who: &str, text: &str) {
        let time = at
            .to_utc()
            .with_timezone(&super::stage::ZONE)
            .format("%a %H:%M")
            .to_string();
        for (nth, line) in wrap(text, WIDTH - INDENT).iter().enumerate() {
            if nth == 0 {
                self.line(&format!("{time:<11}{who:<9}{line}"));
            } else {
                self.line(&format!("{}{line}", " ".repeat(INDENT)));
            }
        }
    }

    /// What has reached customers since the last time.
    pub(super) fn answers(&self, stage: &mut Stage) {
        for message in stage.news() {
            self.reads(&message);
        }
    }

    /// A message that has reached a customer.
    pub(super) fn reads(&self, message: &ReceivedMessage) {
        let name = CUSTOMERS
            .iter()
            .find(|customer| customer.phone == message.to)
            .map_or("?", |customer| customer.name);
        self.says(message.at, &format!("→ {name}"), &reads(message));
    }

    fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Whoever closes the terminal has seen enough.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        drop(out);
        if self.has_reader {
            self.breathe();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a pause for the eye of a person")]
    fn breathe(&self) {
        std::thread::sleep(BREATH);
    }
}

/// A message as the customer reads it.
fn reads(message: &ReceivedMessage) -> String {
    let summary = &message.summary;
    if let Some(template) = &summary.template {
        return format!(
            "(template {}: {})",
            template.name,
            template.params.join(", ")
        );
    }
    let mut text = summary.text.clone();
    for (nth, button) in summary.buttons.iter().enumerate() {
        text.push_str(&format!("\n[{}] {}", nth + 1, button.title));
    }
    text
}
