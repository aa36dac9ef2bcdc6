//! Lists the templates of a WhatsApp business account, as far as a rule must know them.
//! Creates none, and reads nothing of a template's words but its variables.

use http::Method;
use rejoinder_engine::adapter::{Credentials, MAX_TEMPLATES, SendError, SendErrorKind};
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::content::MediaKind;
use rejoinder_engine::domain::template::{
    ButtonShape, ButtonValue, HeaderShape, TemplateCategory, TemplateShape, TemplateStatus,
};
use serde::Deserialize;
use serde_json::Value;

use super::{MetaConfig, errors, outbound, token};
use crate::http::{Http, without_doubt};
use crate::placeholders;

/// Templates of a page: fifty of the longest fit into the largest answer that is read.
const PAGE_SIZE: &str = "50";
/// Pages asked for at most: enough for a full list, and an end to one that runs in circles.
const MAX_PAGES: usize = 2 * MAX_TEMPLATES / 50;
/// What is asked about each.
const FIELDS: &str = "name,language,status,category,components";

/// The templates of the business account that `channel` belongs to.
pub(super) async fn list(
    http: &Http,
    config: &MetaConfig,
    channel: &Channel,
    credentials: &Credentials,
) -> Result<Vec<TemplateShape>, SendError> {
    let token = token(credentials)?;
    // The account becomes a part of the path, and must not become more.
    if channel.account.is_empty() || !channel.account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SendError::new(
            SendErrorKind::ChannelUnready,
            "the channel's account is not a WhatsApp business account's id, which consists of digits",
        ));
    }
    let mut shapes = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let url = format!(
            "{}/{}/{}/message_templates?{}",
            config.base_url.trim_end_matches('/'),
            config.version,
            channel.account,
            query(after.as_deref())
        );
        let request = http.request(Method::GET, &url).bearer_auth(token.expose());
        let answer = http.send(request).await.map_err(without_doubt)?;
        if !outbound::is_success(&answer) {
            return Err(without_doubt(errors::refusal(&answer)));
        }
        let page: Page = serde_json::from_slice(&answer.body).map_err(|_| {
            SendError::new(
                SendErrorKind::Temporary,
                "Meta's answer about its templates cannot be read",
            )
        })?;
        after = page.next();
        shapes.extend(page.shapes());
        if shapes.len() > MAX_TEMPLATES {
            break;
        }
        if after.is_none() {
            return Ok(shapes);
        }
    }
    Err(SendError::new(
        SendErrorKind::Invalid,
        format!("the account has more than {MAX_TEMPLATES} templates; delete some at Meta"),
    ))
}

/// What is asked for the page after a cursor.
fn query(after: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("fields", FIELDS);
    query.append_pair("limit", PAGE_SIZE);
    if let Some(after) = after {
        query.append_pair("after", after);
    }
    query.finish()
}

/// A page of the list.
#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    #[serde(default)]
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    cursors: Option<Cursors>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    #[serde(default)]
    after: Option<String>,
}

impl Page {
    /// The cursor of the next page, if there is one. Its address is not followed: the token goes to one host.
    fn next(&self) -> Option<String> {
        let paging = self.paging.as_ref()?;
        paging.next.as_ref()?;
        paging.cursors.as_ref()?.after.clone()
    }

    /// The templates that have what every template has; whatever else came spoils none of them.
    fn shapes(&self) -> impl Iterator<Item = TemplateShape> {
        self.data.iter().filter_map(shape)
    }
}

fn shape(template: &Value) -> Option<TemplateShape> {
    let status = match template["status"].as_str() {
        Some("DELETED") => return None,
        status => self::status(status.unwrap_or_default()),
    };
    let mut shape = TemplateShape {
        name: template["name"].as_str()?.to_owned(),
        language: template["language"].as_str()?.to_owned(),
        parameters: placeholders::parameters([]),
        header: HeaderShape::None,
        buttons: Vec::new(),
        // A word that this version does not know lets a rule be published, with a warning.
        status: status.unwrap_or(TemplateStatus::Pending),
        category: match template["category"].as_str() {
            Some("MARKETING") => TemplateCategory::Marketing,
            Some("AUTHENTICATION") => TemplateCategory::Authentication,
            _ => TemplateCategory::Utility,
        },
    };
    for component in template["components"].as_array().into_iter().flatten() {
        match component["type"].as_str() {
            Some("BODY") => shape.parameters = placeholders::parameters(component["text"].as_str()),
            Some("HEADER") => shape.header = header(component),
            Some("BUTTONS") => shape.buttons = buttons(component),
            _ => {}
        }
    }
    Some(shape)
}

fn header(component: &Value) -> HeaderShape {
    match component["format"].as_str() {
        Some("TEXT")
            if component["text"]
                .as_str()
                .is_some_and(placeholders::has_any) =>
        {
            HeaderShape::Text
        }
        Some("IMAGE") => HeaderShape::Media(MediaKind::Image),
        // What Meta calls a GIF is a short film.
        Some("VIDEO" | "GIF") => HeaderShape::Media(MediaKind::Video),
        Some("DOCUMENT") => HeaderShape::Media(MediaKind::Document),
        _ => HeaderShape::None,
    }
}

fn buttons(component: &Value) -> Vec<ButtonShape> {
    let buttons = component["buttons"].as_array().into_iter().flatten();
    let value = |button: &Value| match button["type"].as_str()? {
        "URL" if button["url"].as_str().is_some_and(placeholders::has_any) => {
            Some(ButtonValue::Url)
        }
        "COPY_CODE" => Some(ButtonValue::Code),
        // The button of a template for logging in: Meta takes its code as the end of a link.
        "OTP" => Some(ButtonValue::Url),
        _ => None,
    };
    buttons
        .zip(0_u8..=u8::MAX)
        .filter_map(|(button, index)| {
            Some(ButtonShape {
                index,
                kind: value(button)?,
            })
        })
        .collect()
}

/// What a status in a list, or an event in a webhook, means for sending; `None` if it says nothing of that.
pub(super) fn status(word: &str) -> Option<TemplateStatus> {
    match word {
        "APPROVED" | "REINSTATED" | "UNARCHIVED" => Some(TemplateStatus::Approved),
        "PENDING" | "IN_APPEAL" => Some(TemplateStatus::Pending),
        "REJECTED" => Some(TemplateStatus::Rejected),
        "PAUSED" => Some(TemplateStatus::Paused),
        "DISABLED" | "LIMIT_EXCEEDED" | "LOCKED" | "ARCHIVED" | "PENDING_DELETION" | "DELETED" => {
            Some(TemplateStatus::Disabled)
        }
        // `FLAGGED` among them: a warning, after which it can still be sent.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
