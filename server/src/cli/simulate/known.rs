//! What is known of a customer of a simulated world, and what is due, as lines. Changes nothing.

use chrono_tz::Tz;
use rejoinder_engine::domain::contact::Contact;
use rejoinder_engine::domain::conversation::Conversation;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::simulate::{CustomerKey, Error, World, clock};
use rejoinder_engine::store::TimerRow;

/// What is known of a customer called `who`.
pub(super) async fn tell(world: &World, key: CustomerKey, who: &str) -> Result<Vec<String>, Error> {
    let location = world.location();
    let Some((conversation, contact)) = world.conversation(key).await? else {
        return Ok(vec![format!("{who} has not written yet")]);
    };
    let mut lines = tell_contact(&contact);
    let zone = location.time_zone;
    lines.extend(tell_conversation(&conversation, world.now(), zone));
    let store = world.engine().store().of(location.id);
    let timers = store.timers(conversation.id).await?;
    if timers.is_empty() {
        lines.push("no follow-up is set".to_owned());
    }
    for timer in timers {
        lines.push(tell_timer(world, &timer));
    }
    Ok(lines)
}

fn tell_contact(contact: &Contact) -> Vec<String> {
    let phone = contact.phone.iter().map(ToString::to_string);
    let name = std::iter::once(contact.name.clone()).chain(phone);
    let mut lines = vec![name.collect::<Vec<_>>().join(", ")];
    if !contact.language.is_empty() {
        lines.push(format!("language: {}", contact.language));
    }
    if !contact.tags.is_empty() {
        lines.push(format!("tags: {}", contact.tags.join(", ")));
    }
    for (name, value) in &contact.attributes {
        lines.push(format!("{name}: {value}"));
    }
    if contact.opted_out {
        lines.push("opted out".to_owned());
    }
    lines
}

fn tell_conversation(conversation: &Conversation, now: Timestamp, zone: Tz) -> [String; 2] {
    let window = match conversation.window.closes_at() {
        None => "the service window was never open".to_owned(),
        Some(at) if at > now => format!("the service window is open until {}", clock(at, zone)),
        Some(at) => format!("the service window is shut since {}", clock(at, zone)),
    };
    let held = match conversation.held(now) {
        None => "nobody holds the chat".to_owned(),
        Some(hold) => format!(
            "held until {}, by: {}",
            clock(hold.until, zone),
            hold.by.name()
        ),
    };
    [window, held]
}

fn tell_timer(world: &World, timer: &TimerRow) -> String {
    let silent = if timer.if_silent {
        ", unless someone writes before"
    } else {
        ""
    };
    format!(
        "{} of {} is due {}{silent}",
        timer.handler,
        world.rule_name(timer.rule_id),
        clock(timer.due_at, world.location().time_zone)
    )
}
