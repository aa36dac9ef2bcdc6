//! Takes a verified body apart: entries, changes, and in them items, each of which comes out alone.
//! Knows the envelope and what to do with an item that is not understood, not what items say.

mod bodies;
mod coexistence;
mod json;
mod messages;
mod statuses;
mod updates;

use std::collections::HashMap;

use rejoinder_engine::domain::contact::{Address, Peer, Phone};
use rejoinder_engine::domain::inbound::{ChannelKey, Inbound, Item};
use rejoinder_engine::domain::time::Timestamp;
use serde_json::{Value, json};

use self::json::Object;

/// The only kind of object whose webhooks this adapter reads.
const OBJECT: &str = "whatsapp_business_account";

/// The most items that the lists of one body may have together. Meta sends up to a thousand, and
/// some ten thousand of history; a body of 4 MB can hold millions, each of which costs more than it
/// weighs.
const MAX_ITEMS: usize = 50_000;
/// The longest name that is kept; WhatsApp's own limit is shorter.
const MAX_NAME_CHARS: usize = 256;
/// The longest name of a field; Meta's have about forty letters.
const MAX_FIELD_BYTES: usize = 128;

/// An item was not understood; for the operator, so without anything that the customer wrote.
#[derive(Debug)]
struct Unread(String);

impl Unread {
    fn lacks(what: &str) -> Self {
        Self(format!("{what} is missing or not readable"))
    }
}

/// Reads a body: every item it holds, in order. What is not understood comes as `Item::Unknown`.
pub(super) fn parse(text: &str) -> Vec<Inbound> {
    let text = json::without_nul(text);
    let whole = |reason: &str| {
        vec![Inbound {
            to: None,
            at: None,
            item: Item::Unknown {
                reason: reason.to_owned(),
            },
            raw: Some(text.clone()),
        }]
    };
    let body = json::read(&text);
    if body.as_ref().map_or(0, json::count_items) > MAX_ITEMS {
        return whole("the body has more items than Meta sends");
    }
    let Some(Value::Object(body)) = body else {
        return whole("the body is not a JSON object");
    };
    if body.get("object").is_some_and(|object| object != OBJECT) {
        return whole("the webhook is not about WhatsApp");
    }
    let mut inbounds = Vec::new();
    match body.get("entry") {
        Some(Value::Array(entries)) => {
            for entry in entries {
                read_entry(entry, &mut inbounds);
            }
        }
        Some(_) => return whole("the entries are not a list"),
        None => {
            // Some pages of the documentation show a change, or its value, without the envelope.
            let bare = match body.get("value") {
                Some(Value::Object(value)) => Change::new(&Object::new(), &body, value)
                    .map(|change| change.read(&mut inbounds)),
                _ => Change::new(&Object::new(), &Object::new(), &body)
                    .map(|change| change.read(&mut inbounds)),
            };
            if bare.is_none() {
                return whole("the body has no entries");
            }
        }
    }
    inbounds
}

fn read_entry(entry: &Value, inbounds: &mut Vec<Inbound>) {
    let none = Object::new();
    let members = entry.as_object().unwrap_or(&none);
    let unknown = |entry: Value, reason: &str| Inbound {
        to: json::id(members, "id").map(ChannelKey::Account),
        at: json::timestamp(members, "time"),
        item: Item::Unknown {
            reason: reason.to_owned(),
        },
        raw: Some(json!({"object": OBJECT, "entry": [entry]}).to_string()),
    };
    let Some(Value::Array(changes)) = members.get("changes") else {
        inbounds.push(unknown(entry.clone(), "an entry without changes"));
        return;
    };
    for change in changes {
        let readable = change.as_object().and_then(|members_of_change| {
            let value = json::object(members_of_change, "value")?;
            Change::new(members, members_of_change, value)
        });
        if let Some(readable) = readable {
            readable.read(inbounds);
        } else {
            let mut alone = head(members);
            alone.insert("changes".to_owned(), json!([change]));
            inbounds.push(unknown(
                Value::Object(alone),
                "a change without field or value",
            ));
        }
    }
}

/// What an entry says about all of its changes.
fn head(entry: &Object) -> Object {
    let mut head = Object::new();
    if json::id(entry, "id").is_some() {
        copy(entry, "id", &mut head);
    }
    if json::timestamp(entry, "time").is_some() {
        copy(entry, "time", &mut head);
    }
    head
}

fn copy(from: &Object, key: &str, to: &mut Object) {
    if let Some(value) = from.get(key) {
        to.insert(key.to_owned(), value.clone());
    }
}

/// One change of one entry: what its items share.
struct Change<'a> {
    entry: &'a Object,
    field: &'a str,
    value: &'a Object,
    /// The contacts by number and by business-scoped id.
    contacts: HashMap<String, &'a Object>,
}

impl<'a> Change<'a> {
    /// A change, if its field is told anywhere or follows from what it holds.
    fn new(entry: &'a Object, change: &'a Object, value: &'a Object) -> Option<Self> {
        let field = json::text(change, "field")
            .or_else(|| json::text(entry, "field"))
            .or_else(|| json::text(value, "field"))
            .or_else(|| {
                let (_, field) = MEMBERS.iter().find(|(key, _)| value.contains_key(*key))?;
                Some(*field)
            })
            .filter(|field| field.len() <= MAX_FIELD_BYTES)?;
        let contacts = json::objects(value, "contacts").flat_map(|contact| {
            let ids = [json::id(contact, "wa_id"), json::id(contact, "user_id")];
            ids.into_iter().flatten().map(move |id| (id, contact))
        });
        Some(Self {
            entry,
            field,
            value,
            contacts: contacts.collect(),
        })
    }

    fn read(&self, inbounds: &mut Vec<Inbound>) {
        if !MEMBERS.iter().any(|(_, field)| *field == self.field) && self.field != "message_echoes"
        {
            inbounds.push(updates::update(self).unwrap_or_else(|unread| self.unknown(&unread)));
            return;
        }
        let mut known = false;
        for (key, _) in MEMBERS {
            match self.value.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::Array(items)) => {
                    known = true;
                    self.read_items(key, items, inbounds);
                }
                Some(other) => {
                    known = true;
                    let unread = Unread(format!("{key} is not a list"));
                    inbounds.push(self.unknown_member(key, other.clone(), None, &unread));
                }
            }
        }
        if !known {
            inbounds.push(self.unknown(&Unread(format!("{} without items", self.field))));
        }
    }

    fn read_items(&self, key: &'static str, items: &[Value], inbounds: &mut Vec<Inbound>) {
        if key == "state_sync" {
            coexistence::address_book(self, items, inbounds);
            return;
        }
        // Said once for all: there may be as many errors as messages.
        let is_explained = key == "errors" && messages::any_not_expressed(self);
        for item in items {
            let Some(members) = item.as_object() else {
                inbounds.push(self.unknown_item(key, item, &Unread::lacks(key)));
                continue;
            };
            let read = match key {
                "messages" if self.field == "history" => coexistence::late_media(self, members),
                "messages" => messages::message(self, members),
                "message_echoes" => messages::echo(self, members),
                "statuses" => statuses::status(self, members),
                "user_preferences" => updates::preference(self, members),
                "history" => {
                    coexistence::chunk(self, members, inbounds);
                    continue;
                }
                _ => {
                    if !(is_explained && messages::is_not_expressed_error(members)) {
                        inbounds.push(updates::error(self, item));
                    }
                    continue;
                }
            };
            inbounds.push(read.unwrap_or_else(|unread| self.unknown_item(key, item, &unread)));
        }
    }

    /// The moment told with the entry.
    fn time(&self) -> Option<Timestamp> {
        json::timestamp(self.entry, "time")
    }

    /// The business account, if the entry names one.
    fn account(&self) -> Option<String> {
        json::id(self.entry, "id")
    }

    /// The number that the change names.
    fn number(&self) -> Result<ChannelKey, Unread> {
        let metadata = json::object(self.value, "metadata");
        if let Some(id) = metadata.and_then(|metadata| json::id(metadata, "phone_number_id")) {
            return Ok(ChannelKey::Key(id));
        }
        metadata
            .and_then(|metadata| self.displayed(metadata))
            .ok_or_else(|| Unread::lacks("metadata.phone_number_id"))
    }

    /// The number that is shown to customers, for webhooks that tell nothing else.
    fn displayed(&self, holder: &Object) -> Option<ChannelKey> {
        Some(ChannelKey::Display {
            account: self.account()?,
            phone: Phone::parse(&json::id(holder, "display_phone_number")?)?,
        })
    }

    /// The contact that belongs to an item of the list `key`.
    fn contact(&self, key: &str, item: &Object) -> Option<&'a Object> {
        const IDS: [&str; 8] = [
            "from_user_id",
            "to_user_id",
            "recipient_user_id",
            "user_id",
            "from",
            "to",
            "recipient_id",
            "wa_id",
        ];
        let named = IDS
            .iter()
            .find_map(|key| self.contacts.get(&json::id(item, key)?).copied());
        named.or_else(|| {
            // Some countries' numbers are written differently in the two places.
            let contacts = json::array(self.value, "contacts");
            let alone = contacts.len() == 1 && json::array(self.value, key).len() == 1;
            contacts.first()?.as_object().filter(|_| alone)
        })
    }

    /// Who an item of the list `key` is about, by its members `number` and `user_id`.
    fn peer(&self, key: &str, item: &Object, number: &str, user_id: &str) -> Peer {
        let contact = self.contact(key, item);
        let told = json::id(item, number).or_else(|| json::id(contact?, "wa_id"));
        let (phone, scoped) = match told.and_then(|told| Address::parse(&told)) {
            Some(Address::Phone(phone)) => (Some(phone), None),
            Some(Address::UserId(id)) => (None, Some(id)),
            None => (None, None),
        };
        Peer {
            phone,
            user_id: json::id(item, user_id)
                .or_else(|| json::id(contact?, "user_id"))
                .or(scoped),
            name: contact.and_then(name),
        }
    }

    /// The whole change, not understood.
    fn unknown(&self, unread: &Unread) -> Inbound {
        self.unknown_value(self.time(), self.value, unread)
    }

    /// One item of the list `key`, not understood.
    fn unknown_item(&self, key: &str, item: &Value, unread: &Unread) -> Inbound {
        let members = item.as_object();
        let alone = members
            .and_then(|members| messages::with_reason(self, members))
            .map_or_else(|| item.clone(), Value::Object);
        let contact = members.and_then(|members| self.contact(key, members));
        let mut inbound = self.unknown_member(key, json!([alone]), contact, unread);
        let at = members.and_then(|members| json::timestamp(members, "timestamp"));
        inbound.at = at.or(inbound.at);
        inbound
    }

    /// One member of the value, not understood, with the contact that belongs to it.
    fn unknown_member(
        &self,
        key: &str,
        member: Value,
        contact: Option<&Object>,
        unread: &Unread,
    ) -> Inbound {
        let mut value = Object::new();
        if let Some(metadata) = json::object(self.value, "metadata") {
            value.insert("metadata".to_owned(), ids(metadata, NUMBER_IDS).into());
        }
        if let Some(contact) = contact {
            let mut alone = ids(contact, CONTACT_IDS);
            if let Some(name) = name(contact) {
                alone.insert("profile".to_owned(), json!({ "name": name }));
            }
            value.insert("contacts".to_owned(), json!([alone]));
        }
        value.insert(key.to_owned(), member);
        self.unknown_value(self.time(), &value, unread)
    }

    fn unknown_value(&self, at: Option<Timestamp>, value: &Object, unread: &Unread) -> Inbound {
        let mut entry = head(self.entry);
        entry.insert(
            "changes".to_owned(),
            json!([{"field": self.field, "value": value}]),
        );
        Inbound {
            to: self
                .number()
                .ok()
                .or_else(|| self.account().map(ChannelKey::Account)),
            at,
            item: Item::Unknown {
                reason: unread.0.clone(),
            },
            raw: Some(json!({"object": OBJECT, "entry": [entry]}).to_string()),
        }
    }
}

/// The members that tell a number, and those that tell a person.
const NUMBER_IDS: [&str; 2] = ["display_phone_number", "phone_number_id"];
const CONTACT_IDS: [&str; 2] = ["wa_id", "user_id"];

/// The members of `holder` that are ids, as they came.
fn ids(holder: &Object, keys: [&str; 2]) -> Object {
    let mut ids = Object::new();
    for key in keys {
        if json::id(holder, key).is_some() {
            copy(holder, key, &mut ids);
        }
    }
    ids
}

/// The name in a contact's profile.
fn name(contact: &Object) -> Option<String> {
    let name = json::text(json::object(contact, "profile")?, "name")?;
    Some(name.chars().take(MAX_NAME_CHARS).collect())
}

/// The lists that a value may hold, and the field that each comes with when none is told.
const MEMBERS: [(&str, &str); 7] = [
    ("messages", "messages"),
    ("statuses", "messages"),
    ("message_echoes", "smb_message_echoes"),
    ("history", "history"),
    ("state_sync", "smb_app_state_sync"),
    ("user_preferences", "user_preferences"),
    ("errors", "messages"),
];

#[cfg(test)]
mod tests;
