//! The customer: name, labels, attributes, and the wish not to be written to.

use std::sync::Arc;

use rhai::{Array, Dynamic};

use super::store::Bag;
use super::{Api, Fallible, api, fail, text};
use crate::domain::contact::Contact;
use crate::domain::effect::Effect;
use crate::script::run::Run;

/// A customer, as scripts see it.
#[derive(Clone)]
pub(super) struct ContactView(pub(super) Arc<Run>);

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "The customer",
        "What is changed here is seen by the rest of the run and by the rules after it at once, and kept if the run ends without an error.",
    );
    api.noun::<ContactView>("contact", "contact");
    register_known(api);
    api! { api;
        /// Adds a label to the customer; all rules see it.
        ///
        /// ```rhai
        /// chat.contact.tag("lead");
        /// ```
        fn "contact.tag(tag: text)" => tag;

        /// Removes a label from the customer.
        ///
        /// ```rhai
        /// chat.contact.untag("lead");
        /// ```
        fn "contact.untag(tag: text)" => untag;

        /// Whether the customer has a label.
        ///
        /// ```rhai
        /// if chat.contact.has_tag("lead") { return; }
        /// ```
        fn "contact.has_tag(tag: text) -> bool" => has_tag;

        /// Notes that the customer does not want to be written to.
        ///
        /// From then on no template of a rule is sent to the customer: no campaign, no follow-up, and
        /// none in place of a reply that comes too late. A reply inside the window, to what the
        /// customer wrote, still is.
        ///
        /// ```rhai
        /// if message.mentions(["stop", "unsubscribe"]) { chat.contact.opt_out(); }
        /// ```
        fn "contact.opt_out()" => |contact: &mut ContactView| set_opted_out(contact, true);

        /// Notes that the customer wants to be written to again.
        ///
        /// ```rhai
        /// if message.mentions("start") { chat.contact.opt_in(); }
        /// ```
        fn "contact.opt_in()" => |contact: &mut ContactView| set_opted_out(contact, false);
    }
}

fn register_known(api: &mut Api<'_>) {
    api! { api;
        /// The name of the customer's profile; it may be `""`.
        ///
        /// ```rhai
        /// log(chat.contact.name);
        /// ```
        get "contact.name: text" => |contact: &mut ContactView| contact.read(|known| known.name.clone());

        /// The customer's name, or something else where the profile has none.
        ///
        /// ```rhai
        /// chat.reply(`Hi ${chat.contact.name_or("there")}!`);
        /// ```
        fn "contact.name_or(otherwise: text) -> text" => name_or;

        /// The customer's number with its country code; `""` for customers whose number WhatsApp does not tell.
        ///
        /// ```rhai
        /// if chat.contact.phone.starts_with("+49") { chat.contact.tag("germany"); }
        /// ```
        get "contact.phone: text" => |contact: &mut ContactView| contact.read(phone);

        /// The customer's language as a code such as `"en"`; `""` where it is not known.
        ///
        /// ```rhai
        /// if chat.contact.language == "fr" { chat.reply("Bonjour !"); }
        /// ```
        get "contact.language: text" => |contact: &mut ContactView| contact.read(|known| known.language.clone());

        /// The customer's labels. They are changed by `tag` and `untag`.
        ///
        /// ```rhai
        /// log(chat.contact.tags);
        /// ```
        get "contact.tags: array" => |contact: &mut ContactView| contact.read(tags);

        /// A map about the customer that all rules share; what was never set is `()`.
        ///
        /// ```rhai
        /// chat.contact.attributes.budget = 200000;
        /// chat.contact.attributes.budget = ();  // removes it
        /// ```
        get "contact.attributes: state" => |contact: &mut ContactView| Bag::attributes(&contact.0);

        /// Whether the customer does not want to be written to.
        ///
        /// ```rhai
        /// if chat.contact.opted_out { return; }
        /// ```
        get "contact.opted_out: bool" => |contact: &mut ContactView| contact.read(|known| known.opted_out);
    }
}

fn phone(contact: &Contact) -> String {
    let phone = contact.phone.as_ref();
    phone.map(ToString::to_string).unwrap_or_default()
}

fn tags(contact: &Contact) -> Array {
    let tags = contact.tags.iter().cloned();
    tags.map(Dynamic::from).collect()
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

fn tag(contact: &mut ContactView, tag: Dynamic) -> Fallible<()> {
    let tag = text(&tag, "the tag")?;
    if contact.read(|known| known.tags.contains(&tag))? {
        return Ok(());
    }
    contact.change(|known| known.tags.push(tag.clone()));
    contact.0.want(Effect::Tag { tag })
}

fn untag(contact: &mut ContactView, tag: Dynamic) -> Fallible<()> {
    let tag = text(&tag, "the tag")?;
    if !contact.read(|known| known.tags.contains(&tag))? {
        return Ok(());
    }
    contact.change(|known| known.tags.retain(|own| *own != tag));
    contact.0.want(Effect::Untag { tag })
}

fn has_tag(contact: &mut ContactView, tag: &str) -> Fallible<bool> {
    contact.read(|known| known.tags.iter().any(|own| own == tag))
}

fn name_or(contact: &mut ContactView, otherwise: &str) -> Fallible<String> {
    contact.read(|known| match known.name.trim() {
        "" => otherwise.to_owned(),
        _ => known.name.clone(),
    })
}

fn set_opted_out(contact: &mut ContactView, opted_out: bool) -> Fallible<()> {
    if contact.read(|known| known.opted_out)? == opted_out {
        return Ok(());
    }
    contact.change(|known| known.opted_out = opted_out);
    contact.0.want(Effect::SetOptedOut { opted_out })
}
