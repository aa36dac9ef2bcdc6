//! Sends messages and marks: the request, and what its answer says.
//! Checks no limits and never tries twice.

use http::Method;
use rejoinder_engine::adapter::{
    Credentials, Outgoing, SendError, SendErrorKind, Sent, Signal, SignalKind,
};
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::contact::Address;
use rejoinder_engine::domain::content::{
    ContactCard, Content, MediaKind, MediaLink, Place, Section, TemplateButton, TemplateContent,
    TemplateHeader, TemplateValues,
};
use serde_json::{Value, json};

use super::{MetaConfig, errors, token};
use crate::http::{Answer, Http};

/// Sends one message.
pub(super) async fn send(
    http: &Http,
    config: &MetaConfig,
    outgoing: &Outgoing<'_>,
) -> Result<Sent, SendError> {
    let body = body(outgoing);
    let answer = post(http, config, outgoing.channel, outgoing.credentials, &body).await?;
    if !is_success(&answer) {
        return Err(errors::refusal(&answer));
    }
    let sent = serde_json::from_slice(&answer.body)
        .ok()
        .and_then(|answer: Value| {
            let id = answer.pointer("/messages/0/id")?.as_str()?;
            (!id.is_empty()).then(|| id.to_owned())
        });
    sent.map(|provider_id| Sent { provider_id }).ok_or_else(|| {
        SendError::new(
            SendErrorKind::InDoubt,
            "Meta took the message and did not name its id",
        )
    })
}

/// Marks a message as read, or shows that an answer is being written.
pub(super) async fn signal(
    http: &Http,
    config: &MetaConfig,
    signal: &Signal<'_>,
) -> Result<(), SendError> {
    let body = mark(signal);
    let answer = post(http, config, signal.channel, signal.credentials, &body).await?;
    if is_success(&answer) {
        Ok(())
    } else {
        Err(errors::refusal(&answer))
    }
}

async fn post(
    http: &Http,
    config: &MetaConfig,
    channel: &Channel,
    credentials: &Credentials,
    body: &Value,
) -> Result<Answer, SendError> {
    let token = token(credentials)?;
    // The key becomes a part of the path, and must not become more.
    if channel.key.is_empty() || !channel.key.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SendError::new(
            SendErrorKind::ChannelUnready,
            "the channel's key is not a phone number id, which consists of digits",
        ));
    }
    let url = format!(
        "{}/{}/{}/messages",
        config.base_url.trim_end_matches('/'),
        config.version,
        channel.key
    );
    let request = http
        .request(Method::POST, &url)
        .bearer_auth(token.expose())
        .json(body);
    http.send(request).await
}

/// Whether a request was carried out. Graph has answered errors with status 200 before.
pub(super) fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
        && !serde_json::from_slice(&answer.body)
            .is_ok_and(|body: Value| body.get("error").is_some_and(Value::is_object))
}

/// The body of the request that sends `outgoing`.
pub(super) fn body(outgoing: &Outgoing<'_>) -> Value {
    let (kind, object) = content(outgoing);
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": kind,
        "biz_opaque_callback_data": outgoing.delivery_id,
    });
    body[kind] = object;
    match outgoing.to {
        // Without the plus sign Meta may put the business's own country code before it.
        Address::Phone(phone) => body["to"] = json!(phone.to_string()),
        Address::UserId(id) => body["recipient"] = json!(id),
    }
    // A reaction names its message itself.
    if let (Some(id), false) = (outgoing.reply_to, kind == "reaction") {
        body["context"] = json!({ "message_id": id });
    }
    body
}

fn mark(signal: &Signal<'_>) -> Value {
    let mut body = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": signal.message_id,
    });
    match signal.kind {
        SignalKind::Read => {}
        SignalKind::Typing => body["typing_indicator"] = json!({"type": "text"}),
    }
    body
}

/// The message's type, and the object that comes under that name.
fn content(outgoing: &Outgoing<'_>) -> (&'static str, Value) {
    match outgoing.content {
        Content::Text { text } => ("text", json!({"body": text, "preview_url": false})),
        Content::Media(link) => media(link),
        Content::Buttons { text, buttons } => {
            let buttons: Vec<Value> = buttons
                .iter()
                .map(|button| {
                    json!({"type": "reply", "reply": {"id": button.id, "title": button.title}})
                })
                .collect();
            interactive("button", text, json!({ "buttons": buttons }))
        }
        Content::List {
            text,
            button,
            sections,
        } => {
            let sections: Vec<Value> = sections.iter().map(section).collect();
            interactive(
                "list",
                text,
                json!({"button": button, "sections": sections}),
            )
        }
        Content::Location(place) => ("location", location(place)),
        Content::Contacts { contacts } => ("contacts", contacts.iter().map(card).collect()),
        Content::Reaction { message_id, emoji } => (
            "reaction",
            json!({"message_id": message_id, "emoji": emoji}),
        ),
        Content::Form {
            text,
            button,
            flow,
            data,
        } => {
            let mut parameters = json!({
                "flow_message_version": "3",
                "flow_id": flow,
                "flow_cta": button,
                "flow_token": outgoing.delivery_id,
                "flow_action": "navigate",
            });
            // The screen left out is the form's first; empty data is refused.
            if data.as_object().is_some_and(|data| !data.is_empty()) {
                parameters["flow_action_payload"] = json!({ "data": data });
            }
            interactive(
                "flow",
                text,
                json!({"name": "flow", "parameters": parameters}),
            )
        }
        Content::Template(content) => ("template", template(content, outgoing.language)),
    }
}

fn interactive(kind: &str, text: &str, action: Value) -> (&'static str, Value) {
    let mut object = json!({"type": kind, "body": {"text": text}});
    object["action"] = action;
    ("interactive", object)
}

fn media(link: &MediaLink) -> (&'static str, Value) {
    let mut object = json!({"link": link.url});
    if let Some(caption) = link
        .caption
        .as_deref()
        .filter(|caption| !caption.is_empty())
    {
        object["caption"] = json!(caption);
    }
    let kind = match link.media {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Voice => {
            object["voice"] = json!(true);
            "audio"
        }
        MediaKind::Document => {
            if let Some(name) = &link.name {
                object["filename"] = json!(name);
            }
            "document"
        }
        MediaKind::Sticker => "sticker",
    };
    (kind, object)
}

fn section(section: &Section) -> Value {
    let rows: Vec<Value> = section
        .rows
        .iter()
        .map(|row| {
            let mut object = json!({"id": row.id, "title": row.title});
            if let Some(description) = row.description.as_deref().filter(|text| !text.is_empty()) {
                object["description"] = json!(description);
            }
            object
        })
        .collect();
    let mut object = json!({ "rows": rows });
    if !section.title.is_empty() {
        object["title"] = json!(section.title);
    }
    object
}

fn location(place: &Place) -> Value {
    // Meta takes numbers too; its specification has texts.
    let mut object = json!({
        "latitude": place.latitude.to_string(),
        "longitude": place.longitude.to_string(),
    });
    if let Some(name) = &place.name {
        object["name"] = json!(name);
    }
    if let Some(address) = &place.address {
        object["address"] = json!(address);
    }
    object
}

fn card(card: &ContactCard) -> Value {
    // The full name alone is refused: one part of it must come apart.
    let mut name = json!({"formatted_name": card.name});
    let (first, last) = card
        .name
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((card.name.trim(), ""));
    name["first_name"] = json!(first);
    if !last.trim().is_empty() {
        name["last_name"] = json!(last.trim());
    }
    let mut object = json!({ "name": name });
    if !card.phones.is_empty() {
        object["phones"] = card
            .phones
            .iter()
            .map(|phone| json!({ "phone": phone }))
            .collect();
    }
    if !card.emails.is_empty() {
        object["emails"] = card
            .emails
            .iter()
            .map(|email| json!({ "email": email }))
            .collect();
    }
    if let Some(company) = &card.company {
        object["org"] = json!({ "company": company });
    }
    object
}

fn template(content: &TemplateContent, language: &str) -> Value {
    let mut components: Vec<Value> = Vec::new();
    if let Some(header) = &content.header {
        components.push(json!({"type": "header", "parameters": [header_parameter(header)]}));
    }
    if !content.body.is_empty() {
        let parameters: Vec<Value> = match &content.body {
            TemplateValues::Positional(values) => values.iter().map(|value| text(value)).collect(),
            TemplateValues::Named(values) => values
                .iter()
                .map(|(name, value)| {
                    let mut parameter = text(value);
                    parameter["parameter_name"] = json!(name);
                    parameter
                })
                .collect(),
        };
        components.push(json!({"type": "body", "parameters": parameters}));
    }
    components.extend(content.buttons.iter().map(button));
    let language = content.language.as_deref().unwrap_or(language);
    // There is one policy, which Meta's specification wants to be named.
    let language = json!({"code": language, "policy": "deterministic"});
    let mut object = json!({"name": content.name, "language": language});
    if !components.is_empty() {
        object["components"] = Value::Array(components);
    }
    object
}

fn text(value: &str) -> Value {
    json!({"type": "text", "text": value})
}

fn header_parameter(header: &TemplateHeader) -> Value {
    match header {
        TemplateHeader::Text { value } => text(value),
        TemplateHeader::Media { media, url, name } => {
            let mut file = json!({ "link": url });
            if let (MediaKind::Document, Some(name)) = (media, name) {
                file["filename"] = json!(name);
            }
            let mut parameter = json!({"type": media.name()});
            parameter[media.name()] = file;
            parameter
        }
    }
}

fn button(button: &TemplateButton) -> Value {
    let (kind, index, parameter) = match button {
        TemplateButton::QuickReply { index, payload } => (
            "quick_reply",
            index,
            json!({"type": "payload", "payload": payload}),
        ),
        TemplateButton::Url { index, suffix } => ("url", index, text(suffix)),
        TemplateButton::CopyCode { index, code } => (
            "copy_code",
            index,
            json!({"type": "coupon_code", "coupon_code": code}),
        ),
    };
    json!({"type": "button", "sub_type": kind, "index": index.to_string(), "parameters": [parameter]})
}

#[cfg(test)]
mod tests;
