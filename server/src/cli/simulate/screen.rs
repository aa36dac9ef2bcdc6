//! What a simulated chat looks like: lines of 80 columns that read well without colour.
//! Knows what happened, not why it was asked for.

use std::io::{self, IsTerminal as _};

use chrono_tz::Tz;
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::run::Outcome;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::simulate::{Asked, Cause, Reply, Scene, choices, clock, effects, words};

use crate::out::{self, WIDTH, wrap};

/// Columns before the text: the time.
const INDENT: usize = 18;

/// How a part looks where there is colour.
#[derive(Clone, Copy)]
enum Look {
    Plain,
    /// What the customer receives.
    Answer,
    /// What goes on behind it.
    Faint,
    Wrong,
}

/// What the customer did is on the screen already, because it was typed; or it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Shown,
    Elsewhere,
}

pub(super) struct Screen {
    has_colour: bool,
    zone: Tz,
}

impl Screen {
    pub(super) fn new(zone: Tz) -> Self {
        Self {
            has_colour: io::stdout().is_terminal(),
            zone,
        }
    }

    /// What stands in front of the line that a person types.
    fn prompt(&self, at: Timestamp, who: &str) -> String {
        format!("{}  {who}> ", clock(at, self.zone))
    }

    /// Asks a person for a line.
    pub(super) fn ask(&self, at: Timestamp, who: &str) {
        out::prompt(&self.prompt(at, who));
    }

    /// Shows a line that nobody typed as if somebody had.
    pub(super) fn echo(&self, at: Timestamp, who: &str, line: &str) {
        let prompt = self.prompt(at, who);
        self.hanging(&format!("{prompt}{}", printable(line)), Look::Plain);
    }

    /// What does not belong to the conversation.
    pub(super) fn note(&self, text: &str) {
        self.below(text, Look::Plain);
    }

    /// What can be typed, and what it does.
    pub(super) fn pair(&self, typed: &str, what: &str) {
        const COLUMNS: usize = 30;
        for (nth, line) in wrap(what, WIDTH - COLUMNS).iter().enumerate() {
            let typed = if nth == 0 { typed } else { "" };
            self.line(&format!("{typed:<COLUMNS$}{line}"), Look::Plain);
        }
    }

    /// Something that could not be done.
    pub(super) fn wrong(&self, text: &str) {
        self.below(&format!("! {text}"), Look::Wrong);
    }

    /// An event and what followed.
    pub(super) fn scene(&self, scene: &Scene, typed: Typed) {
        if typed == Typed::Elsewhere {
            let time = clock(scene.at, self.zone);
            let look = match scene.cause {
                Cause::Customer | Cause::Owner | Cause::Agent => Look::Plain,
                Cause::Provider | Cause::Endpoint | Cause::Time | Cause::Other => Look::Faint,
            };
            self.hanging(&format!("{time}  {}{}", scene.who(), scene.text), look);
        }
        let ran = scene
            .asked
            .iter()
            .filter(|asked| asked.why_not().is_empty());
        for asked in ran {
            self.ran(asked);
        }
        let mut told: Vec<&str> = Vec::new();
        for asked in &scene.asked {
            let why_not = asked.why_not();
            if why_not.is_empty() || told.contains(&why_not) {
                continue;
            }
            told.push(why_not);
            let same = scene.asked.iter().filter(|it| it.why_not() == why_not);
            let names: Vec<&str> = same.map(|it| it.rule.as_str()).collect();
            let text = format!("{} did not act: {why_not}", names.join(", "));
            self.below(&text, Look::Faint);
        }
        for reply in &scene.replies {
            self.reply(&scene.customer, reply);
        }
    }

    fn ran(&self, asked: &Asked) {
        if let Outcome::Error {
            message,
            line,
            column,
        } = &asked.outcome
        {
            let rule = &asked.rule;
            self.below(&format!("{rule} failed in {}", asked.handler), Look::Wrong);
            self.below(&format!("{rule}:{line}:{column}: {message}"), Look::Wrong);
        } else {
            let text = format!("{} {}", asked.rule, asked.why(self.zone));
            self.below(&text, Look::Faint);
        }
        for line in &asked.trace {
            self.below(&format!("· {}", line.text), Look::Faint);
        }
    }

    /// A message that left, or did not.
    pub(super) fn reply(&self, customer: &str, reply: &Reply) {
        let mut text = format!("→ {customer}: {}", legible(&reply.content));
        let remark = reply.remark();
        if !remark.is_empty() {
            text.push_str(&format!("\n— {remark}"));
        }
        let look = if remark.is_empty() {
            Look::Answer
        } else {
            Look::Wrong
        };
        let time = clock(reply.at, self.zone);
        self.hanging(&format!("{time}  {text}"), look);
    }

    /// An event once more, with everything that every rule wanted and told.
    pub(super) fn in_full(&self, scene: &Scene) {
        let time = clock(scene.at, self.zone);
        self.hanging(
            &format!("{time}  {}{}", scene.who(), scene.text),
            Look::Plain,
        );
        if scene.asked.is_empty() {
            self.below("no rule was asked", Look::Plain);
        }
        for (nth, asked) in scene.asked.iter().enumerate() {
            let why = match asked.outcome {
                Outcome::Effects => format!("ran {}", asked.handler),
                _ => asked.why(self.zone),
            };
            self.below(&format!("{}. {} {why}", nth + 1, asked.rule), Look::Plain);
            for effect in &asked.effects {
                let text = effects::in_full(effect, self.zone);
                self.below(&format!("   - {text}"), Look::Plain);
            }
            for line in &asked.trace {
                let place = match line.line {
                    0 => String::new(),
                    line => format!("{}:{line}: ", asked.rule),
                };
                self.below(&format!("   · {place}{}", line.text), Look::Plain);
            }
        }
        for reply in &scene.replies {
            self.reply(&scene.customer, reply);
        }
    }

    /// Lines below the time.
    fn below(&self, text: &str, look: Look) {
        let text = printable(text);
        let own = text.trim_start();
        let indent = INDENT + text.chars().count() - own.chars().count();
        for line in wrap(own, WIDTH - indent) {
            self.line(&format!("{}{line}", " ".repeat(indent)), look);
        }
    }

    /// A line that begins with the time; what does not fit stands below the text.
    fn hanging(&self, text: &str, look: Look) {
        let text = printable(text);
        let time: String = text.chars().take(INDENT).collect();
        let rest: String = text.chars().skip(INDENT).collect();
        for (nth, line) in wrap(&rest, WIDTH - INDENT).iter().enumerate() {
            if nth == 0 {
                self.line(&format!("{time}{line}"), look);
            } else {
                self.line(&format!("{}{line}", " ".repeat(INDENT)), look);
            }
        }
    }

    fn line(&self, text: &str, look: Look) {
        let text = text.trim_end();
        let colour = match look {
            Look::Answer => "\u{1b}[32m",
            Look::Faint => "\u{1b}[2m",
            Look::Wrong => "\u{1b}[31m",
            Look::Plain => "",
        };
        if self.has_colour && !colour.is_empty() {
            out::line(&format!("{colour}{text}\u{1b}[0m"));
        } else {
            out::line(text);
        }
    }
}

/// A message as the customer reads it, its buttons and rows numbered.
fn legible(content: &Content) -> String {
    let mut text = match content {
        Content::Text { text } | Content::Buttons { text, .. } => text.clone(),
        Content::List { text, button, .. } => format!("{text}\n[{button}]"),
        other => words::content(other),
    };
    for (nth, choice) in choices(content).iter().enumerate() {
        text.push_str(&format!("\n[{}] {}", nth + 1, choice.title));
        if let Some(description) = &choice.description {
            text.push_str(&format!(" — {description}"));
        }
    }
    text
}

/// Customers' texts must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|letter| *letter != '\r')
        .map(|letter| match letter {
            '\n' => '\n',
            letter if letter.is_control() => ' ',
            letter => letter,
        })
        .collect()
}
