//! What a customer does with the buttons, lists and forms they received.

use rhai::Map as RhaiMap;
use serde_json::{Map, Value};

use super::customer::Customer;
use super::stage::{Heard, Said};
use super::words;
use crate::domain::content::{Content, TemplateButton};
use crate::domain::message::{Body, Choice, ReplyTo};
use crate::script::api::{Fallible, fail};
use crate::script::convert;

/// What can be tapped or picked in a message, in order: its buttons, or the rows of its list.
pub fn choices(content: &Content) -> Vec<Choice> {
    let mut choices = choices_of(content, Chosen::Button);
    choices.extend(choices_of(content, Chosen::Row));
    choices
}

/// What can be chosen in a message: id, title and second line of each.
fn choices_of(content: &Content, of: Chosen) -> Vec<Choice> {
    match (content, of) {
        (Content::Buttons { buttons, .. }, Chosen::Button) => buttons
            .iter()
            .map(|button| Choice {
                id: button.id.clone(),
                title: button.title.clone(),
                description: None,
            })
            .collect(),
        (Content::List { sections, .. }, Chosen::Row) => words::rows(sections)
            .map(|row| Choice {
                id: row.id.clone(),
                title: row.title.clone(),
                description: row.description.clone(),
            })
            .collect(),
        (Content::Template(template), Chosen::Button) => {
            let payloads = template.buttons.iter().filter_map(|button| match button {
                TemplateButton::QuickReply { payload, .. } => Some(payload),
                _ => None,
            });
            let choices = payloads.map(|payload| Choice {
                id: payload.clone(),
                title: payload.clone(),
                description: None,
            });
            choices.collect()
        }
        _ => Vec::new(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Button,
    Row,
}

impl Said {
    /// A tap on a button of the latest message that has it, by its title or id. `who` is the customer
    /// whose phone shows what was `heard`.
    ///
    /// # Errors
    /// There is none; the sentence says what there was.
    pub fn tap(who: &str, heard: &[Heard], button: &str) -> Result<Self, String> {
        let (choice, reply_to) = choose(who, heard, button, Chosen::Button)?;
        Ok(Self {
            reply_to: Some(reply_to),
            ..Self::from(Body::Button(choice))
        })
    }

    /// A row picked from the latest list that has it, by its title or id.
    ///
    /// # Errors
    /// There is none; the sentence says what there was.
    pub fn pick(who: &str, heard: &[Heard], row: &str) -> Result<Self, String> {
        let (choice, reply_to) = choose(who, heard, row, Chosen::Row)?;
        Ok(Self {
            reply_to: Some(reply_to),
            ..Self::from(Body::List(choice))
        })
    }

    /// The latest form, completed.
    ///
    /// # Errors
    /// There is none.
    pub fn fill(who: &str, heard: &[Heard], answers: Map<String, Value>) -> Result<Self, String> {
        let is_form =
            |it: &&Heard| matches!(it.content, Content::Form { .. } | Content::Template(_));
        let Some(form) = heard.iter().rev().find(is_form) else {
            return Err(format!("{who} has received no form"));
        };
        Ok(Self {
            reply_to: Some(quote(form)),
            ..Self::from(Body::Form { answers })
        })
    }

    /// A reaction to the latest message.
    ///
    /// # Errors
    /// There is none.
    pub fn react(who: &str, heard: &[Heard], emoji: &str) -> Result<Self, String> {
        let Some(latest) = heard.last() else {
            return Err(format!("{who} has received nothing to react to"));
        };
        Ok(Self::from(Body::Reaction {
            message_id: latest.provider_id.clone(),
            emoji: emoji.to_owned(),
        }))
    }

    /// An earlier message of the customer's own, as it reads now.
    pub fn edit(message_id: String, text: &str) -> Self {
        let text = text.to_owned();
        Self::from(Body::Edit {
            message_id,
            body: Box::new(Body::Text { text }),
        })
    }

    /// An earlier message of the customer's own, deleted for everyone.
    pub fn revoke(message_id: String) -> Self {
        Self::from(Body::Revoke { message_id })
    }
}

fn quote(message: &Heard) -> ReplyTo {
    ReplyTo {
        message_id: message.provider_id.clone(),
        product_id: None,
    }
}

fn choose(
    who: &str,
    heard: &[Heard],
    wanted: &str,
    of: Chosen,
) -> Result<(Choice, ReplyTo), String> {
    let (one, some) = match of {
        Chosen::Button => ("button", "buttons"),
        Chosen::Row => ("row", "rows"),
    };
    let mut latest = None;
    for message in heard.iter().rev() {
        let choices = choices_of(&message.content, of);
        if let Some(choice) = choices
            .iter()
            .find(|it| it.title == wanted || it.id == wanted)
        {
            return Ok((choice.clone(), quote(message)));
        }
        if latest.is_none() && !choices.is_empty() {
            latest = Some(choices);
        }
    }
    match latest {
        None => Err(format!("{who} has received no message with {some}")),
        Some(choices) => {
            let titles: Vec<String> = choices
                .iter()
                .map(|it| format!("\"{}\"", it.title))
                .collect();
            Err(format!(
                "{who} has received no {one} \"{wanted}\"; there were {}",
                titles.join(", ")
            ))
        }
    }
}

pub(super) fn taps(customer: &mut Customer, button: &str) -> Fallible<()> {
    customer.send(&Said::tap(&customer.name, &customer.heard(), button).or_else(fail)?)
}

pub(super) fn picks(customer: &mut Customer, row: &str) -> Fallible<()> {
    customer.send(&Said::pick(&customer.name, &customer.heard(), row).or_else(fail)?)
}

pub(super) fn fills(customer: &mut Customer, answers: RhaiMap) -> Fallible<()> {
    let answers = convert::map_to_json(&answers).or_else(fail)?;
    customer.send(&Said::fill(&customer.name, &customer.heard(), answers).or_else(fail)?)
}

pub(super) fn reacts(customer: &mut Customer, emoji: &str) -> Fallible<()> {
    customer.send(&Said::react(&customer.name, &customer.heard(), emoji).or_else(fail)?)
}
