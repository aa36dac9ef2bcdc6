//! Lists an account's contents as templates: by the name and language under which sending finds them.
//! Knows nothing of what is sent.

use std::collections::BTreeMap;

use http::Method;
use rejoinder_engine::adapter::{Credentials, MAX_TEMPLATES, SendError, SendErrorKind};
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::template::{
    HeaderShape, TemplateCategory, TemplateShape, TemplateStatus,
};
use serde::Deserialize;
use serde_json::Value;

use super::super::{TwilioConfig, login};
use super::{Meta, OWN_PREFIX, read};
use crate::http::{Http, without_doubt};
use crate::placeholders;

/// Contents of a page: as many as Twilio gives unasked, and they fit into the largest answer that is read.
const PAGE_SIZE: usize = 50;
/// Pages asked for at most: a full list, as many again for what is no template, and an end to circles.
const MAX_PAGES: usize = 2 * MAX_TEMPLATES / PAGE_SIZE;
/// How deep a content's texts may lie; a carousel's buttons are at five.
const MAX_DEPTH: usize = 16;

/// The contents of the channel's account that a rule could name.
pub(in super::super) async fn list(
    http: &Http,
    config: &TwilioConfig,
    channel: &Channel,
    credentials: &Credentials,
) -> Result<Vec<TemplateShape>, SendError> {
    let (user, password) = login(channel, credentials)?;
    let mut newest = Newest::default();
    let mut query = format!("PageSize={PAGE_SIZE}");
    for _ in 0..MAX_PAGES {
        let url = format!("{}/v1/ContentAndApprovals?{query}", config.content_url);
        let request = http
            .request(Method::GET, &url)
            .basic_auth(user, Some(password.expose()));
        let answer = http.send(request).await.map_err(without_doubt)?;
        let page: Page = read(&answer)?;
        newest.add(&page.contents);
        if newest.0.len() > MAX_TEMPLATES {
            break;
        }
        match page.meta.next() {
            Some(next) => next.clone_into(&mut query),
            None => return Ok(newest.shapes()),
        }
    }
    Err(SendError::new(
        SendErrorKind::Invalid,
        format!("the account has more than {MAX_TEMPLATES} contents; delete some at Twilio"),
    ))
}

/// A page of the list.
#[derive(Deserialize)]
struct Page {
    contents: Vec<Value>,
    #[serde(default)]
    meta: Meta,
}

/// The newest content of each name and language: the one that would be sent.
#[derive(Default)]
struct Newest(BTreeMap<(String, String), (String, TemplateShape)>);

impl Newest {
    /// Adds contents in the order in which they came.
    fn add(&mut self, contents: &[Value]) {
        for content in contents {
            let Some(shape) = shape(content) else {
                continue;
            };
            let created = content["date_created"].as_str().unwrap_or_default();
            let key = (shape.name.clone(), shape.language.clone());
            // Of those made in one second the first counts: they come newest first.
            if self
                .0
                .get(&key)
                .is_none_or(|(known, _)| created > known.as_str())
            {
                self.0.insert(key, (created.to_owned(), shape));
            }
        }
    }

    fn shapes(self) -> Vec<TemplateShape> {
        self.0.into_values().map(|(_, shape)| shape).collect()
    }
}

/// What the contents of pages come to, for the tests of what pages say.
#[cfg(test)]
pub(in super::super) fn shapes(page: &[u8]) -> Vec<TemplateShape> {
    let page: Page = serde_json::from_slice(page).expect("a page");
    let mut newest = Newest::default();
    newest.add(&page.contents);
    newest.shapes()
}

/// A content as a template; `None` for what we created ourselves to send buttons and lists.
fn shape(content: &Value) -> Option<TemplateShape> {
    let name = content["friendly_name"].as_str()?;
    if name.starts_with(OWN_PREFIX) {
        return None;
    }
    let mut texts = Vec::new();
    collect_texts(&content["types"], MAX_DEPTH, &mut texts);
    if content["types"].get("whatsapp/authentication").is_some() {
        // The words are WhatsApp's own, and the code stands in them.
        texts.push("{{1}}");
    }
    let approval = &content["approval_requests"];
    // The list has the request itself; a single content has it under the name of the channel.
    let approval = approval.get("whatsapp").unwrap_or(approval);
    Some(TemplateShape {
        name: name.to_owned(),
        language: content["language"].as_str()?.to_owned(),
        // Twilio numbers the variables throughout: a rule gives those of header and buttons with the body's.
        parameters: placeholders::parameters(texts),
        header: HeaderShape::None,
        buttons: Vec::new(),
        status: match approval["status"].as_str() {
            Some("approved") => TemplateStatus::Approved,
            Some("rejected") => TemplateStatus::Rejected,
            Some("paused") => TemplateStatus::Paused,
            Some("disabled") => TemplateStatus::Disabled,
            // Submitted, or not even that: until WhatsApp says yes it leaves within the window only.
            _ => TemplateStatus::Pending,
        },
        category: match approval["category"].as_str() {
            Some("MARKETING") => TemplateCategory::Marketing,
            Some("AUTHENTICATION") => TemplateCategory::Authentication,
            _ => TemplateCategory::Utility,
        },
    })
}

fn collect_texts<'a>(value: &'a Value, levels: usize, texts: &mut Vec<&'a str>) {
    let Some(left) = levels.checked_sub(1) else {
        return;
    };
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_texts(item, left, texts)),
        Value::Object(members) => members
            .values()
            .for_each(|member| collect_texts(member, left, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
