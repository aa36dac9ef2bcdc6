//! What the phone app shares about the time before: imported history and the address book.
//! Messages typed on the phone from now on are `messages::echo`.

use rejoinder_engine::domain::contact::{Address, Peer, Phone};
use rejoinder_engine::domain::inbound::{AddressBookEntry, HistoryLine, Inbound, Item};
use serde_json::{Value, json};

use super::json::{self, Object};
use super::{Change, Unread, messages, updates};

/// Reads one item of `history`: its errors, its lines, and alone whatever is not understood.
pub(super) fn chunk(change: &Change<'_>, item: &Object, inbounds: &mut Vec<Inbound>) {
    let errors = json::array(item, "errors");
    inbounds.extend(errors.iter().map(|error| updates::error(change, error)));
    let mut rest = item.clone();
    if !errors.is_empty() {
        rest.remove("errors");
    }
    if rest.is_empty() && !errors.is_empty() {
        return;
    }
    let to = match change.number() {
        Ok(to)
            if rest
                .get("threads")
                .map_or(rest.contains_key("metadata"), Value::is_array) =>
        {
            to
        }
        number => {
            let unread = number
                .err()
                .unwrap_or_else(|| Unread::lacks("history.threads"));
            inbounds.push(change.unknown_member("history", json!([rest]), None, &unread));
            return;
        }
    };
    let mut lines = Vec::new();
    for thread in json::array(item, "threads") {
        read_thread(change, thread, &mut lines, inbounds);
    }
    let metadata = json::object(item, "metadata");
    if lines.is_empty() && metadata.is_none() {
        return;
    }
    lines.sort_by_key(|line| line.at);
    let progress = metadata
        .and_then(|metadata| json::integer(metadata.get("progress")?))
        .unwrap_or(0);
    let phase = metadata
        .and_then(|metadata| json::integer(metadata.get("phase")?))
        .and_then(|phase| u8::try_from(phase).ok());
    inbounds.push(Inbound {
        to: Some(to),
        at: change.time(),
        item: Item::History {
            lines,
            progress: u8::try_from(progress.clamp(0, 100)).unwrap_or(0),
            phase,
        },
        raw: None,
    });
}

fn read_thread(
    change: &Change<'_>,
    thread: &Value,
    lines: &mut Vec<HistoryLine>,
    inbounds: &mut Vec<Inbound>,
) {
    let mut unknown = |alone: Value, unread: &Unread| {
        // Without the chunk's metadata, so that it alone does not count as a chunk.
        let alone = json!([{ "threads": [alone] }]);
        inbounds.push(change.unknown_member("history", alone, None, unread));
    };
    let messages = thread.get("messages").and_then(Value::as_array);
    let (Some(members), Some(messages)) = (thread.as_object(), messages) else {
        unknown(thread.clone(), &Unread::lacks("a thread of history"));
        return;
    };
    let peer = peer_of_thread(members);
    for message in messages {
        let read = message
            .as_object()
            .ok_or_else(|| Unread::lacks("a line of history"))
            .and_then(|message| line(change, peer.as_ref(), message));
        match read {
            Ok(line) => lines.push(line),
            Err(unread) => {
                let alone = json!({"id": json::id(members, "id"), "messages": [message]});
                unknown(alone, &unread);
            }
        }
    }
}

/// Reads one item of `messages` that follows a chunk of history: the file of an earlier line.
pub(super) fn late_media(change: &Change<'_>, item: &Object) -> Result<Inbound, Unread> {
    Ok(Inbound {
        to: Some(change.number()?),
        at: change.time(),
        item: Item::History {
            lines: vec![line(change, None, item)?],
            progress: 0,
            phase: None,
        },
        raw: None,
    })
}

fn line(change: &Change<'_>, thread: Option<&Peer>, item: &Object) -> Result<HistoryLine, Unread> {
    let message = messages::content(change, item)?;
    let at = json::timestamp(item, "timestamp").ok_or_else(|| Unread::lacks("timestamp"))?;
    let business = json::object(change.value, "metadata")
        .and_then(|metadata| json::id(metadata, "display_phone_number"))
        .and_then(|number| Phone::parse(&number));
    let from = json::id(item, "from").and_then(|from| Phone::parse(&from));
    let told = [Some(item), json::object(item, "history_context")]
        .into_iter()
        .flatten()
        .find_map(|holder| holder.get("from_me")?.as_bool());
    let outgoing =
        told.unwrap_or_else(|| (from.is_some() && from == business) || item.contains_key("to"));
    let named = if outgoing {
        change.peer("messages", item, "to", "to_user_id")
    } else {
        change.peer("messages", item, "from", "from_user_id")
    };
    let peer = match thread {
        Some(thread) if named.addresses().next().is_none() => thread.clone(),
        _ => named,
    };
    Ok(HistoryLine {
        peer,
        outgoing,
        at,
        message,
    })
}

fn peer_of_thread(thread: &Object) -> Option<Peer> {
    let address = Address::parse(&json::id(thread, "id")?)?;
    Some(match address {
        Address::Phone(phone) => Peer {
            phone: Some(phone),
            ..Peer::default()
        },
        Address::UserId(id) => Peer {
            user_id: Some(id),
            ..Peer::default()
        },
    })
}

/// Reads the items of `state_sync` into one; an entry that is not understood comes alone.
pub(super) fn address_book(change: &Change<'_>, items: &[Value], inbounds: &mut Vec<Inbound>) {
    let mut entries = Vec::new();
    let mut at = None;
    let to = change.number();
    for item in items {
        let read = match (&to, item.as_object()) {
            (Err(unread), _) => Err(Unread(unread.0.clone())),
            (Ok(_), None) => Err(Unread::lacks("state_sync")),
            (Ok(_), Some(members)) => entry(members),
        };
        match read {
            Ok(entry) => {
                entries.push(entry);
                let told = json::object(item.as_object().unwrap_or(change.value), "metadata")
                    .and_then(|metadata| json::timestamp(metadata, "timestamp"));
                at = at.max(told);
            }
            Err(unread) => inbounds.push(change.unknown_item("state_sync", item, &unread)),
        }
    }
    if let Ok(to) = to
        && !entries.is_empty()
    {
        inbounds.push(Inbound {
            to: Some(to),
            at: at.or_else(|| change.time()),
            item: Item::AddressBook { entries },
            raw: None,
        });
    }
}

fn entry(item: &Object) -> Result<AddressBookEntry, Unread> {
    let contact = json::object(item, "contact")
        .filter(|_| json::text(item, "type").unwrap_or("contact") == "contact")
        .ok_or_else(|| Unread::lacks("state_sync.contact"))?;
    let removed = match json::text(item, "action").unwrap_or_default() {
        "add" => false,
        "remove" => true,
        _ => return Err(Unread("an unknown action on the address book".to_owned())),
    };
    let peer = Peer {
        phone: json::id(contact, "phone_number").and_then(|number| Phone::parse(&number)),
        user_id: json::id(contact, "user_id"),
        name: json::string(contact, "full_name").or_else(|| json::string(contact, "first_name")),
    };
    if peer.addresses().next().is_none() {
        return Err(Unread::lacks("state_sync.contact.phone_number"));
    }
    Ok(AddressBookEntry { peer, removed })
}
