//! The customer: name, labels, attributes, and the wish not to be written to.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::store::Bag;
use super::{Fallible, Usage, fail, no_property, no_setter, text};
use crate::domain::contact::Contact;
use crate::domain::effect::Effect;
use crate::script::run::Run;

/// A customer, as scripts see it.
#[derive(Clone)]
pub(super) struct ContactView(pub(super) Arc<Run>);

pub(super) const USAGE: Usage = &[
    ("tag", "chat.contact.tag(\"lead\")"),
    ("untag", "chat.contact.untag(\"lead\")"),
    ("has_tag", "chat.contact.has_tag(\"lead\")"),
    ("name_or", "chat.contact.name_or(\"there\")"),
    ("opt_out", "chat.contact.opt_out()"),
    ("opt_in", "chat.contact.opt_in()"),
];

const PROPERTIES: [&str; 6] = [
    "name",
    "phone",
    "language",
    "tags",
    "attributes",
    "opted_out",
];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<ContactView>("contact")
        .register_fn("tag", tag)
        .register_fn("untag", untag)
        .register_fn("has_tag", has_tag)
        .register_fn("name_or", name_or)
        .register_fn("opt_out", |contact: &mut ContactView| {
            set_opted_out(contact, true)
        })
        .register_fn("opt_in", |contact: &mut ContactView| {
            set_opted_out(contact, false)
        })
        .register_get("name", |contact: &mut ContactView| {
            contact.read(|known| known.name.clone())
        })
        .register_get("phone", |contact: &mut ContactView| {
            contact.read(|known| {
                known
                    .phone
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            })
        })
        .register_get("language", |contact: &mut ContactView| {
            contact.read(|known| known.language.clone())
        })
        .register_get("tags", |contact: &mut ContactView| {
            contact.read(|known| {
                known
                    .tags
                    .iter()
                    .map(|tag| Dynamic::from(tag.clone()))
                    .collect::<Array>()
            })
        })
        .register_get("attributes", |contact: &mut ContactView| {
            Bag::attributes(&contact.0)
        })
        .register_get("opted_out", |contact: &mut ContactView| {
            contact.read(|known| known.opted_out)
        })
        .register_indexer_get(|_: &mut ContactView, name: &str| {
            no_property::<Dynamic>("contact", name, &PROPERTIES)
        })
        .register_indexer_set(
            |context: NativeCallContext<'_>, own: &mut ContactView, name: &str, value: Dynamic| {
                no_setter(
                    &context,
                    "contact",
                    Dynamic::from(own.clone()),
                    name,
                    &value,
                )
            },
        );
}

impl ContactView {
    fn read<T>(&self, get: impl FnOnce(&Contact) -> T) -> Fallible<T> {
        match &self.0.recorded().contact {
            Some(contact) => Ok(get(contact)),
            None => fail("there is no contact in a schedule's handler"),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Contact)) {
        if let Some(contact) = &mut self.0.recorded().contact {
            change(contact);
        }
    }
}

/// Adds a label to the customer, seen by all rules at once and by later handlers of this run.
///
/// ```rhai
/// chat.contact.tag("lead");
/// ```
fn tag(contact: &mut ContactView, tag: Dynamic) -> Fallible<()> {
    let tag = text(&tag, "the tag")?;
    if contact.read(|known| known.tags.contains(&tag))? {
        return Ok(());
    }
    contact.change(|known| known.tags.push(tag.clone()));
    contact.0.want(Effect::Tag { tag })
}

/// Removes a label from the customer.
///
/// ```rhai
/// chat.contact.untag("lead");
/// ```
fn untag(contact: &mut ContactView, tag: Dynamic) -> Fallible<()> {
    let tag = text(&tag, "the tag")?;
    if !contact.read(|known| known.tags.contains(&tag))? {
        return Ok(());
    }
    contact.change(|known| known.tags.retain(|own| *own != tag));
    contact.0.want(Effect::Untag { tag })
}

/// Whether the customer has a label, this run's own changes included.
///
/// ```rhai
/// if chat.contact.has_tag("lead") { return; }
/// ```
fn has_tag(contact: &mut ContactView, tag: &str) -> Fallible<bool> {
    contact.read(|known| known.tags.iter().any(|own| own == tag))
}

/// The customer's name, or something else where the profile has none.
///
/// ```rhai
/// chat.reply(`Hi ${chat.contact.name_or("there")}!`);
/// ```
fn name_or(contact: &mut ContactView, otherwise: &str) -> Fallible<String> {
    contact.read(|known| match known.name.trim() {
        "" => otherwise.to_owned(),
        _ => known.name.clone(),
    })
}

/// Notes that the customer does not want to be written to (`opt_out`), or wants it again (`opt_in`).
///
/// From then on no template of a rule is sent to the customer: no campaign, no follow-up, and none in
/// place of a reply that comes too late. A reply inside the window, to what the customer wrote, still is.
///
/// ```rhai
/// if message.mentions("stop") { chat.contact.opt_out(); }
/// ```
fn set_opted_out(contact: &mut ContactView, opted_out: bool) -> Fallible<()> {
    if contact.read(|known| known.opted_out)? == opted_out {
        return Ok(());
    }
    contact.change(|known| known.opted_out = opted_out);
    contact.0.want(Effect::SetOptedOut { opted_out })
}
