//! What a customer does with the buttons, lists and forms they received.

use rhai::Map;

use super::customer::Customer;
use super::stage::{Heard, Said};
use super::words;
use crate::domain::content::{Content, TemplateButton};
use crate::domain::message::{Body, Choice, ReplyTo};
use crate::script::api::{Fallible, fail};
use crate::script::convert;

/// What can be chosen in a message: id, title and second line of each.
fn choices(heard: &Heard, of: Chosen) -> Vec<Choice> {
    match (&heard.content, of) {
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

fn choose(customer: &Customer, wanted: &str, of: Chosen) -> Fallible<(Choice, ReplyTo)> {
    let (one, some) = match of {
        Chosen::Button => ("button", "buttons"),
        Chosen::Row => ("row", "rows"),
    };
    let heard = customer.heard();
    let mut latest = None;
    for message in heard.iter().rev() {
        let choices = choices(message, of);
        if let Some(choice) = choices
            .iter()
            .find(|it| it.title == wanted || it.id == wanted)
        {
            let reply_to = ReplyTo {
                message_id: message.provider_id.clone(),
                product_id: None,
            };
            return Ok((choice.clone(), reply_to));
        }
        if latest.is_none() && !choices.is_empty() {
            latest = Some(choices);
        }
    }
    let name = &customer.name;
    match latest {
        None => fail(format!("{name} has received no message with {some}")),
        Some(choices) => {
            let titles: Vec<String> = choices
                .iter()
                .map(|it| format!("\"{}\"", it.title))
                .collect();
            fail(format!(
                "{name} has received no {one} \"{wanted}\"; there were {}",
                titles.join(", ")
            ))
        }
    }
}

pub(super) fn taps(customer: &mut Customer, button: &str) -> Fallible<()> {
    let (choice, reply_to) = choose(customer, button, Chosen::Button)?;
    customer.send(&Said {
        reply_to: Some(reply_to),
        ..Said::from(Body::Button(choice))
    })
}

pub(super) fn picks(customer: &mut Customer, row: &str) -> Fallible<()> {
    let (choice, reply_to) = choose(customer, row, Chosen::Row)?;
    customer.send(&Said {
        reply_to: Some(reply_to),
        ..Said::from(Body::List(choice))
    })
}

pub(super) fn fills(customer: &mut Customer, answers: Map) -> Fallible<()> {
    let heard = customer.heard();
    let mut latest = heard.iter().rev();
    let Some(form) =
        latest.find(|it| matches!(it.content, Content::Form { .. } | Content::Template(_)))
    else {
        return fail(format!("{} has received no form", customer.name));
    };
    let answers = convert::map_to_json(&answers).or_else(fail)?;
    customer.send(&Said {
        reply_to: Some(ReplyTo {
            message_id: form.provider_id.clone(),
            product_id: None,
        }),
        ..Said::from(Body::Form { answers })
    })
}
