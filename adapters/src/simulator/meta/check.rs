//! What Meta checks of a message before it takes it, and what the message says.
//! Pure: knows no numbers, tokens or windows.

use rejoinder_engine::domain::contact::Address;
use rejoinder_engine::domain::content::Button;
use serde_json::Value;

use super::super::log::{Summary, TemplateUse};

/// Why Meta refuses: its code, and the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) details: String,
}

type Checked = Result<(), Refusal>;

const TEXT_MAX: usize = 4096;
const CAPTION_MAX: usize = 1024;
const BUTTONS_BODY_MAX: usize = 1024;
const FOOTER_MAX: usize = 60;
const BUTTONS_MAX: usize = 3;
const BUTTON_ID_MAX: usize = 256;
const BUTTON_TITLE_MAX: usize = 20;
const ROWS_MAX: usize = 10;
const ROW_ID_MAX: usize = 200;
const ROW_TITLE_MAX: usize = 24;
const ROW_DESCRIPTION_MAX: usize = 72;
const FLOW_CTA_MAX: usize = 30;
const CALLBACK_MAX: usize = 512;

/// Checks a message; gives its type.
pub(super) fn message(body: &Value) -> Result<&str, Refusal> {
    if let Some(callback) = body.get("biz_opaque_callback_data") {
        length(callback, "biz_opaque_callback_data", 1, CALLBACK_MAX)?;
    }
    let to = match (&body["to"], &body["recipient"]) {
        (Value::String(to), _) | (Value::Null, Value::String(to)) => to,
        _ => return Err(missing("to")),
    };
    if Address::parse(to).is_none() {
        return Err(invalid("to", "is not a phone number or user id"));
    }
    if let Some(context) = body.get("context") {
        length(&context["message_id"], "context.message_id", 1, usize::MAX)?;
    }
    let kind = match &body["type"] {
        Value::Null => "text",
        Value::String(kind) => kind,
        _ => return Err(invalid("type", "must be a string")),
    };
    let content = &body[kind];
    if content.is_null() {
        return Err(missing(kind));
    }
    match kind {
        "text" => length(&content["body"], "text.body", 1, TEXT_MAX)?,
        "image" | "video" | "document" | "audio" | "sticker" => media(kind, content)?,
        "location" => location(content)?,
        "contacts" => contacts(content)?,
        "reaction" => {
            length(&content["message_id"], "reaction.message_id", 1, usize::MAX)?;
            length(&content["emoji"], "reaction.emoji", 0, usize::MAX)?;
        }
        "interactive" => interactive(content)?,
        "template" => template(content)?,
        _ => return Err(invalid("type", "is not a message type")),
    }
    Ok(kind)
}

fn media(kind: &str, media: &Value) -> Checked {
    match (&media["id"], &media["link"]) {
        (Value::String(_), Value::Null) => {}
        (Value::Null, Value::String(link)) if link.starts_with("http") => {}
        (Value::Null, Value::Null) => return Err(missing(&format!("{kind}.id or {kind}.link"))),
        _ => return Err(invalid(kind, "needs either an id or a link")),
    }
    if let Some(caption) = media.get("caption") {
        if matches!(kind, "audio" | "sticker") {
            return Err(invalid("caption", "is not allowed for this type"));
        }
        length(caption, "caption", 0, CAPTION_MAX)?;
    }
    Ok(())
}

fn location(place: &Value) -> Checked {
    for name in ["latitude", "longitude"] {
        let readable = match &place[name] {
            Value::Number(_) => true,
            Value::String(text) => text.parse::<f64>().is_ok(),
            _ => false,
        };
        if !readable {
            return Err(missing(&format!("location.{name}")));
        }
    }
    Ok(())
}

fn contacts(cards: &Value) -> Checked {
    let cards = list(cards, "contacts", 1, usize::MAX)?;
    for card in cards {
        let name = &card["name"];
        length(
            &name["formatted_name"],
            "contacts.name.formatted_name",
            1,
            usize::MAX,
        )?;
        let parts = ["first_name", "last_name", "middle_name", "prefix", "suffix"];
        if !parts.iter().any(|part| name[*part].is_string()) {
            return Err(missing("contacts.name: one part besides formatted_name"));
        }
    }
    Ok(())
}

fn interactive(content: &Value) -> Checked {
    let action = &content["action"];
    let kind = content["type"].as_str().unwrap_or_default();
    let body_max = if kind == "button" {
        BUTTONS_BODY_MAX
    } else {
        TEXT_MAX
    };
    length(
        &content["body"]["text"],
        "interactive.body.text",
        1,
        body_max,
    )?;
    if let Some(footer) = content.get("footer") {
        length(&footer["text"], "interactive.footer.text", 1, FOOTER_MAX)?;
    }
    match kind {
        "button" => {
            let buttons = list(&action["buttons"], "action.buttons", 1, BUTTONS_MAX)?;
            for button in buttons {
                if button["type"] != "reply" {
                    return Err(invalid("button.type", "must be reply"));
                }
                let reply = &button["reply"];
                length(&reply["id"], "button.reply.id", 1, BUTTON_ID_MAX)?;
                length(&reply["title"], "button.reply.title", 1, BUTTON_TITLE_MAX)?;
            }
            differ(buttons, "id")?;
            differ(buttons, "title")
        }
        "list" => {
            length(&action["button"], "action.button", 1, BUTTON_TITLE_MAX)?;
            let sections = list(&action["sections"], "action.sections", 1, ROWS_MAX)?;
            let mut count = 0;
            for section in sections {
                let rows = list(&section["rows"], "section.rows", 1, ROWS_MAX)?;
                count += rows.len();
                if sections.len() > 1 || section["title"].is_string() {
                    length(&section["title"], "section.title", 1, ROW_TITLE_MAX)?;
                }
                for row in rows {
                    length(&row["id"], "row.id", 1, ROW_ID_MAX)?;
                    length(&row["title"], "row.title", 1, ROW_TITLE_MAX)?;
                    if let Some(text) = row.get("description") {
                        length(text, "row.description", 0, ROW_DESCRIPTION_MAX)?;
                    }
                }
            }
            if count > ROWS_MAX {
                return Err(invalid("action.sections", "hold more than 10 rows"));
            }
            Ok(())
        }
        "cta_url" => {
            let parameters = &action["parameters"];
            length(
                &parameters["display_text"],
                "display_text",
                1,
                BUTTON_TITLE_MAX,
            )?;
            length(&parameters["url"], "url", 1, usize::MAX)
        }
        "flow" => {
            let parameters = &action["parameters"];
            length(&parameters["flow_cta"], "flow_cta", 1, FLOW_CTA_MAX)?;
            let flow = parameters.get("flow_id").or(parameters.get("flow_name"));
            length(flow.unwrap_or(&Value::Null), "flow_id", 1, usize::MAX)
        }
        "location_request_message" => Ok(()),
        _ => Err(invalid("interactive.type", "is not known to the simulator")),
    }
}

fn template(template: &Value) -> Checked {
    length(&template["name"], "template.name", 1, 512)?;
    length(
        &template["language"]["code"],
        "template.language.code",
        2,
        16,
    )?;
    let Some(components) = template.get("components") else {
        return Ok(());
    };
    for component in list(components, "template.components", 0, usize::MAX)? {
        let kind = component["type"].as_str().unwrap_or_default();
        if !["header", "body", "button"].contains(&kind.to_ascii_lowercase().as_str()) {
            return Err(invalid("component.type", "must be header, body or button"));
        }
        for parameter in list(
            &component["parameters"],
            "component.parameters",
            0,
            usize::MAX,
        )? {
            if parameter["type"] != "text" {
                continue;
            }
            let text = parameter["text"].as_str().unwrap_or_default();
            if text.is_empty() {
                return Err(missing("parameter.text"));
            }
            if text.contains(['\n', '\t']) || text.contains("     ") {
                return Err(Refusal {
                    code: 132_012,
                    details: "a parameter has a new line, a tab or more than 4 spaces".to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn length(value: &Value, name: &str, min: usize, max: usize) -> Checked {
    let Some(text) = value.as_str() else {
        return Err(missing(name));
    };
    let count = text.chars().count();
    if count < min {
        return Err(missing(name));
    }
    if count > max {
        return Err(Refusal {
            code: 100,
            details: format!("Param {name} must be at most {max} characters long"),
        });
    }
    Ok(())
}

fn list<'a>(value: &'a Value, name: &str, min: usize, max: usize) -> Result<&'a [Value], Refusal> {
    match value.as_array() {
        Some(items) if (min..=max).contains(&items.len()) => Ok(items),
        Some(_) => Err(invalid(name, &format!("must have {min} to {max} entries"))),
        None => Err(missing(name)),
    }
}

fn differ(buttons: &[Value], part: &str) -> Checked {
    for (i, button) in buttons.iter().enumerate() {
        let value = &button["reply"][part];
        if buttons[..i]
            .iter()
            .any(|other| &other["reply"][part] == value)
        {
            return Err(invalid("action.buttons", "must differ"));
        }
    }
    Ok(())
}

fn missing(name: &str) -> Refusal {
    Refusal {
        code: 131_008,
        details: format!("The parameter {name} is required."),
    }
}

fn invalid(name: &str, why: &str) -> Refusal {
    Refusal {
        code: 131_009,
        details: format!("{name} {why}."),
    }
}

/// The text of a message that was checked: what the customer reads first.
pub(super) fn text<'a>(body: &'a Value, kind: &str) -> &'a str {
    let content = &body[kind];
    let text = match kind {
        "text" => &content["body"],
        "interactive" => &content["body"]["text"],
        "reaction" => &content["emoji"],
        "location" | "template" => &content["name"],
        _ => &content["caption"],
    };
    text.as_str().unwrap_or_default()
}

/// What a message that was checked says.
pub(super) fn summary(body: &Value, kind: &str) -> Summary {
    let content = &body[kind];
    let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = match (kind, content["type"].as_str()) {
        ("interactive", Some("button")) => "buttons",
        ("interactive", Some("flow")) => "form",
        ("interactive", Some(interactive)) => interactive,
        ("audio", _) if content["voice"] == true => "voice",
        _ => kind,
    };
    let buttons = content["action"]["buttons"].as_array();
    let sections = content["action"]["sections"].as_array();
    let replies = buttons.into_iter().flatten().map(|button| &button["reply"]);
    let rows = sections
        .into_iter()
        .flatten()
        .flat_map(|section| section["rows"].as_array().into_iter().flatten());
    let quoted = if kind == "reaction" {
        &content["message_id"]
    } else {
        &body["context"]["message_id"]
    };
    Summary {
        kind: name.to_owned(),
        text: text(body, kind).to_owned(),
        buttons: replies
            .chain(rows)
            .map(|choice| Button {
                id: text_of(&choice["id"]),
                title: text_of(&choice["title"]),
            })
            .collect(),
        template: (kind == "template").then(|| TemplateUse {
            name: text_of(&content["name"]),
            language: text_of(&content["language"]["code"]),
            params: params(content),
        }),
        media: content["link"]
            .as_str()
            .or(content["id"].as_str())
            .map(str::to_owned),
        reply_to: quoted.as_str().map(str::to_owned),
    }
}

fn params(template: &Value) -> Vec<String> {
    let components = template["components"].as_array().into_iter().flatten();
    components
        .flat_map(|component| component["parameters"].as_array().into_iter().flatten())
        .filter_map(|parameter| {
            let kind = parameter["type"].as_str()?;
            let value = &parameter[kind];
            let plain = value.as_str().or(value["link"].as_str());
            Some(plain.map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect()
}
