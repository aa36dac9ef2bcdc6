//! What rules want, as a person would tell of it. Knows no world.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::story::clock;
use crate::domain::effect::Effect;
use crate::script::testing::words;

/// What an effect does, in a few words: "tagged lead", "nudge set for Wed 07 Jan 10:00".
pub fn briefly(effect: &Effect, zone: Tz) -> String {
    match effect {
        Effect::Reply { .. } => "replied".to_owned(),
        Effect::Send { template } => format!("sent template {}", template.name),
        Effect::React { emoji, .. } if emoji.is_empty() => "took a reaction back".to_owned(),
        Effect::React { emoji, .. } => format!("reacted {emoji}"),
        Effect::MarkRead { .. } => "marked as read".to_owned(),
        Effect::Typing { .. } => "showed typing".to_owned(),
        Effect::SetTimer {
            handler, due_at, ..
        } => format!("{handler} set for {}", clock(*due_at, zone)),
        Effect::CancelTimer { handler } => format!("{handler} cancelled"),
        Effect::Tag { tag } => format!("tagged {tag}"),
        Effect::Untag { tag } => format!("untagged {tag}"),
        Effect::SetAttribute { name, value } if value.is_null() => format!("{name} forgotten"),
        Effect::SetAttribute { name, .. } => format!("{name} noted"),
        Effect::SetOptedOut { opted_out: true } => "opted the customer out".to_owned(),
        Effect::SetOptedOut { opted_out: false } => "opted the customer in".to_owned(),
        Effect::Hold { span } => format!("handed over for {span}"),
        Effect::Release => "took the chat back".to_owned(),
        Effect::Request { endpoint, .. } => format!("asked {endpoint}"),
        Effect::EachChat { handler, .. } => format!("began a round of {handler}"),
        Effect::Assign { to } if to.is_empty() => "took the chat back from its person".to_owned(),
        Effect::Assign { to } => format!("assigned to {to}"),
        Effect::Note { .. } => "wrote a note".to_owned(),
    }
}

/// The same with everything that goes along.
pub fn in_full(effect: &Effect, zone: Tz) -> String {
    let brief = briefly(effect, zone);
    let text = match effect {
        Effect::Reply { content, fallback } => {
            let said = words::content(content);
            match fallback {
                None => format!("{brief}: {said}"),
                Some(template) => {
                    let instead = words::template(template);
                    format!("{brief}: {said} — or, outside the window, {instead}")
                }
            }
        }
        Effect::Send { template } => format!("sent {}", words::template(template)),
        Effect::SetTimer {
            if_silent, args, ..
        } => {
            let silent = if *if_silent {
                ", unless someone writes before"
            } else {
                ""
            };
            let args = args.iter().map(|args| format!(", with {}", json(args)));
            format!("{brief}{silent}{}", args.collect::<String>())
        }
        Effect::SetAttribute { value, .. } if !value.is_null() => format!("{brief}: {value}"),
        Effect::Request { data, handler, .. } => {
            let handler = handler.as_deref().unwrap_or("on_response");
            format!("{brief}: {}; {handler} hears of the answer", json(data))
        }
        Effect::Note { text } => format!("{brief}: {text}"),
        _ => brief,
    };
    words::one_line(&text)
}

fn json(map: &Map<String, Value>) -> String {
    Value::from(map.clone()).to_string()
}
