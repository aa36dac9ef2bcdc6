//! Whether a message is the one that a test expects, and how the two differ.

use super::stage::Heard;
use super::words;
use crate::domain::content::{Content, Row, TemplateContent};

/// What a test expects of a message.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// Any message.
    Anything,
    /// One whose text has this in it.
    Part(String),
    /// This template; values only count where the test names some.
    Template(TemplateContent),
    /// A reaction with this emoji.
    Reaction(String),
    /// This content; of texts a part is enough.
    Content(Content),
}

/// What was expected and what was received, both with the place marked where they part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) expected: String,
    pub(super) received: String,
}

impl Expected {
    /// Whether it is about reactions, which are looked at apart from messages.
    pub(super) const fn is_reaction(&self) -> bool {
        matches!(self, Self::Reaction(_))
    }

    /// In one line.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Anything => "any message".to_owned(),
            Self::Part(part) => words::one_line(part),
            Self::Template(template) if template.body.is_empty() => {
                format!("template {}", template.name)
            }
            Self::Template(template) => words::template(template),
            Self::Reaction(emoji) => format!("reaction {emoji}"),
            Self::Content(content) => words::content(content),
        }
    }

    /// How a message differs, if it does.
    pub(super) fn differs(&self, heard: &Heard) -> Option<Difference> {
        let content = &heard.content;
        let is_met = match (self, content) {
            (Self::Anything, _) => true,
            (Self::Part(part), Content::Template(_)) => part.is_empty(),
            (Self::Part(part), _) => content.text().contains(part.as_str()),
            (Self::Template(wanted), Content::Template(given)) => same_template(wanted, given),
            (Self::Template(_), _) => false,
            (Self::Reaction(wanted), Content::Reaction { emoji, .. }) => wanted == emoji,
            (Self::Reaction(_), _) => false,
            (Self::Content(wanted), given) => same_content(wanted, given),
        };
        if is_met {
            return None;
        }
        let (expected, received) = words::mark(&self.describe(), &words::content(content));
        Some(Difference { expected, received })
    }
}

/// Only what the test names counts.
fn same_template(wanted: &TemplateContent, given: &TemplateContent) -> bool {
    wanted.name == given.name
        && (wanted.body.is_empty() || wanted.body.iter().eq(given.body.iter()))
        && (wanted.language.is_none() || wanted.language == given.language)
        && (wanted.header.is_none() || wanted.header == given.header)
        && (wanted.buttons.is_empty() || wanted.buttons == given.buttons)
}

fn same_content(wanted: &Content, given: &Content) -> bool {
    match (wanted, given) {
        (Content::Text { text }, _) => given.text().contains(text.as_str()),
        (Content::Media(wanted), Content::Media(given)) => {
            let part = |wanted: &Option<String>, given: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| {
                    given
                        .as_ref()
                        .is_some_and(|given| given.contains(wanted.as_str()))
                })
            };
            wanted.media == given.media
                && wanted.url == given.url
                && part(&wanted.caption, &given.caption)
                && part(&wanted.name, &given.name)
        }
        (
            Content::Buttons { text, buttons },
            Content::Buttons {
                text: given_text,
                buttons: given_buttons,
            },
        ) => {
            let same = |wanted: &crate::domain::content::Button,
                        given: &crate::domain::content::Button| {
                same_choice((&wanted.id, &wanted.title), (&given.id, &given.title))
            };
            given_text.contains(text.as_str())
                && buttons.len() == given_buttons.len()
                && buttons
                    .iter()
                    .zip(given_buttons)
                    .all(|(one, other)| same(one, other))
        }
        (
            Content::List { text, sections, .. },
            Content::List {
                text: given_text,
                sections: given_sections,
                ..
            },
        ) => {
            let same = |wanted: &Row, given: &Row| {
                same_choice((&wanted.id, &wanted.title), (&given.id, &given.title))
            };
            let (wanted, given) = (words::rows(sections), words::rows(given_sections));
            given_text.contains(text.as_str())
                && wanted.clone().count() == given.clone().count()
                && wanted.zip(given).all(|(one, other)| same(one, other))
        }
        (
            Content::Form { text, flow, .. },
            Content::Form {
                text: given_text,
                flow: given_flow,
                ..
            },
        ) => given_text.contains(text.as_str()) && flow == given_flow,
        _ => wanted == given,
    }
}

/// An id counts where the test names one that is not the title.
fn same_choice(wanted: (&str, &str), given: (&str, &str)) -> bool {
    wanted.1 == given.1 && (wanted.0 == wanted.1 || wanted.0 == given.0)
}
