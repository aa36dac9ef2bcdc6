//! Content resources: templates and session contents that an account creates before it sends them.
//! Knows nothing of messages, except what a content says with given values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use rejoinder_engine::domain::content::Button;
use rejoinder_engine::domain::time::Timestamp;
use serde_json::{Map, Value, json};

use super::super::Face;
use super::super::faults::{Operation, Request};
use super::super::log::{Summary, TemplateUse};
use super::super::server::{Answer, Call, Dropped, carry, empty, json};
use super::super::world::{World, field, lock};
use super::decode;
use super::face::{RATE_CODE, refusal};

/// Entries of a page, unless asked for otherwise.
const PAGE_SIZE: usize = 50;
/// The code of a content that fails Twilio's checks.
const INVALID: i64 = 92_001;
/// The longest title of a quick reply, caption of a list's button, and item of a list.
const TITLE_MAX: usize = 24;
/// The most quick replies or items.
const CHOICES_MAX: usize = 10;

/// A content resource.
#[derive(Clone, Debug)]
struct Content {
    account_sid: String,
    /// The body of the request that made it.
    made_of: Value,
    at: Timestamp,
    /// The name and category under which it was submitted to WhatsApp; the simulator approves at once.
    approval: Option<(String, String)>,
}

/// The contents of every account.
#[derive(Debug, Default)]
pub(super) struct Contents(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    contents: BTreeMap<String, Content>,
    deleted: BTreeSet<String>,
}

/// What a ContentSid stands for.
pub(super) enum Found {
    /// A template: approved here, or one that was never created here and is taken for approved.
    Template(Summary),
    /// A content that may only leave within the service window.
    FreeForm(Summary),
    /// Nothing: malformed, deleted, or of another account.
    Nothing,
}

impl Contents {
    /// What a message with this content and these values says.
    pub(super) fn find(&self, account: &str, sid: &str, values: &Map<String, Value>) -> Found {
        let kept = lock(&self.0);
        let template = TemplateUse {
            name: sid.to_owned(),
            language: String::new(),
            params: in_order(values),
        };
        let Some(content) = kept.contents.get(sid) else {
            if kept.deleted.contains(sid) || !is_sid(sid) {
                return Found::Nothing;
            }
            return Found::Template(Summary {
                kind: "template".to_owned(),
                template: Some(template),
                ..Summary::default()
            });
        };
        if content.account_sid != account {
            return Found::Nothing;
        }
        let summary = summary(&content.made_of, values);
        if content.approval.is_none() {
            return Found::FreeForm(summary);
        }
        Found::Template(Summary {
            kind: "template".to_owned(),
            template: Some(template),
            ..summary
        })
    }
}

/// Answers a request to the Content API; `path` begins after the version.
pub(super) async fn answer(
    world: &Arc<World>,
    account: &str,
    path: &[&str],
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let request = Request {
        face: Face::Twilio,
        operation: Operation::Content,
        number: account,
        to: "",
        text: "",
    };
    let take = |_: Option<&_>| operate(world, account, path, call).into();
    carry(world, &request, refusal, RATE_CODE, take).await
}

fn operate(world: &World, account: &str, path: &[&str], call: Call<'_>) -> Answer {
    let kept = &mut *lock(&world.twilio_store.contents.0);
    match (call.method, path) {
        (&Method::POST, ["Content"]) => create(world, kept, account, call),
        (&Method::GET, ["Content" | "ContentAndApprovals"]) => list(world, kept, account, call),
        (method, ["Content", sid, rest @ ..]) => {
            let Some(content) = kept
                .contents
                .get_mut(*sid)
                .filter(|content| content.account_sid == account)
            else {
                return refusal(20_404);
            };
            match (method, rest) {
                (&Method::GET, []) => json(
                    StatusCode::OK,
                    shown(world, sid, content, false).to_string(),
                ),
                (&Method::DELETE, []) => {
                    kept.contents.remove(*sid);
                    kept.deleted.insert((*sid).to_owned());
                    empty(StatusCode::NO_CONTENT)
                }
                (&Method::POST, ["ApprovalRequests", "whatsapp"]) => approve(content, call),
                (&Method::GET, ["ApprovalRequests"]) => {
                    let body = json!({
                        "sid": sid,
                        "account_sid": account,
                        "whatsapp": approval(content),
                        "url": format!("{}{}", world.base_url, call.path),
                    });
                    json(StatusCode::OK, body.to_string())
                }
                _ => refusal(20_004),
            }
        }
        _ => refusal(20_004),
    }
}

fn create(world: &World, kept: &mut Kept, account: &str, call: Call<'_>) -> Answer {
    let Ok(made_of) = serde_json::from_slice::<Value>(call.body) else {
        return refusal(INVALID);
    };
    if !is_valid(&made_of) {
        return refusal(INVALID);
    }
    let sid = format!("HX{}", world.next_id());
    let content = Content {
        account_sid: account.to_owned(),
        made_of,
        at: world.now(),
        approval: None,
    };
    let body = shown(world, &sid, &content, false);
    kept.contents.insert(sid, content);
    json(StatusCode::CREATED, body.to_string())
}

/// The checks of which a sender must know: the limits on texts and counts.
fn is_valid(content: &Value) -> bool {
    let text = |value: &Value, max: usize| {
        value
            .as_str()
            .is_some_and(|text| (1..=max).contains(&text.chars().count()))
    };
    let choices = |items: &Value, title: &str| {
        items.as_array().is_some_and(|items| {
            (1..=CHOICES_MAX).contains(&items.len())
                && items.iter().all(|item| text(&item[title], TITLE_MAX))
        })
    };
    let Some(types) = content["types"].as_object() else {
        return false;
    };
    content["language"].is_string()
        && !types.is_empty()
        && types.iter().all(|(kind, value)| match kind.as_str() {
            "twilio/text" => text(&value["body"], 1600),
            "twilio/quick-reply" => {
                text(&value["body"], 1024) && choices(&value["actions"], "title")
            }
            "twilio/list-picker" => {
                text(&value["body"], 1024)
                    && text(&value["button"], TITLE_MAX)
                    && choices(&value["items"], "item")
            }
            _ => value.is_object(),
        })
}

fn approve(content: &mut Content, call: Call<'_>) -> Answer {
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let (Some(name), Some(category)) = (body["name"].as_str(), body["category"].as_str()) else {
        return refusal(INVALID);
    };
    content.approval = Some((name.to_owned(), category.to_owned()));
    json(StatusCode::CREATED, approval(content).to_string())
}

fn approval(content: &Content) -> Value {
    let kind = content.made_of["types"]
        .as_object()
        .and_then(|types| types.keys().next());
    let (name, category, status) = match &content.approval {
        Some((name, category)) => (name.as_str(), category.as_str(), "approved"),
        None => ("", "", "unsubmitted"),
    };
    json!({
        "type": "whatsapp",
        "name": name,
        "category": category,
        "content_type": kind,
        "status": status,
        "rejection_reason": "",
        "allow_category_change": true,
    })
}

/// A page of an account's contents, newest first.
fn list(world: &World, kept: &Kept, account: &str, call: Call<'_>) -> Answer {
    let filters = decode(call.query.as_bytes());
    let with_approvals = call.path.ends_with("ContentAndApprovals");
    let size = field(&filters, "PageSize").and_then(|size| size.parse().ok());
    let size = size.unwrap_or(PAGE_SIZE).clamp(1, 1000);
    let page: usize = field(&filters, "Page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(0);
    let after = field(&filters, "PageToken").and_then(|token| token.strip_prefix("PA"));
    let name = field(&filters, "ContentName");
    let mut matching = kept.contents.iter().rev().filter(|(sid, content)| {
        content.account_sid == account
            && after.is_none_or(|after| sid.as_str() < after)
            && name.is_none_or(|name| content.made_of["friendly_name"] == name)
    });
    let page_of: Vec<_> = matching.by_ref().take(size).collect();
    let more = matching.next().is_some();
    let url = |page: usize, token: String| {
        format!(
            "{}{}?PageSize={size}&Page={page}{token}",
            world.base_url, call.path
        )
    };
    let next = page_of
        .last()
        .filter(|_| more)
        .map(|(sid, _)| url(page + 1, format!("&PageToken=PA{sid}")));
    let contents: Vec<Value> = page_of
        .iter()
        .map(|(sid, content)| shown(world, sid, content, with_approvals))
        .collect();
    let body = json!({
        "contents": contents,
        "meta": {
            "page": page,
            "page_size": size,
            "first_page_url": url(0, String::new()),
            "previous_page_url": null,
            "url": url(page, String::new()),
            "next_page_url": next,
            "key": "contents",
        },
    });
    json(StatusCode::OK, body.to_string())
}

/// A content as the API writes it.
fn shown(world: &World, sid: &str, content: &Content, with_approval: bool) -> Value {
    let url = format!("{}/v1/Content/{sid}", world.base_url);
    let created = content.at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let variables = &content.made_of["variables"];
    let mut shown = json!({
        "sid": sid,
        "account_sid": content.account_sid,
        "friendly_name": content.made_of["friendly_name"],
        "language": content.made_of["language"],
        "variables": if variables.is_null() { json!({}) } else { variables.clone() },
        "types": content.made_of["types"],
        "date_created": created,
        "date_updated": created,
        "url": url,
        "links": {
            "approval_create": format!("{url}/ApprovalRequests/whatsapp"),
            "approval_fetch": format!("{url}/ApprovalRequests"),
        },
    });
    if with_approval {
        shown["approval_requests"] = approval(content);
    }
    shown
}

fn is_sid(sid: &str) -> bool {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    sid.strip_prefix("HX")
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(lower_hex))
}

/// The values by the number of their variable; names that are no numbers come last.
fn in_order(values: &Map<String, Value>) -> Vec<String> {
    let mut pairs: Vec<(&String, &Value)> = values.iter().collect();
    pairs.sort_by_key(|(name, _)| (name.parse().unwrap_or(usize::MAX), *name));
    pairs
        .into_iter()
        .filter_map(|(_, value)| value.as_str().map(str::to_owned))
        .collect()
}

/// What a content says with these values, of those types that a message can show best.
fn summary(content: &Value, values: &Map<String, Value>) -> Summary {
    let fill = |text: &Value| {
        let mut text = text.as_str().unwrap_or_default().to_owned();
        let samples = content["variables"].as_object().into_iter().flatten();
        for (name, value) in values.iter().chain(samples) {
            let value = value.as_str().unwrap_or_default();
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        text
    };
    let buttons = |items: &Value, title: &str| {
        let items = items.as_array().into_iter().flatten();
        items
            .map(|item| Button {
                id: fill(&item["id"]),
                title: fill(&item[title]),
            })
            .collect()
    };
    let types = &content["types"];
    let (kind, of, buttons) = if let Some(reply) = types.get("twilio/quick-reply") {
        ("buttons", reply, buttons(&reply["actions"], "title"))
    } else if let Some(list) = types.get("twilio/list-picker") {
        ("list", list, buttons(&list["items"], "item"))
    } else if let Some(place) = types.get("twilio/location") {
        ("location", place, Vec::new())
    } else {
        let first = types.as_object().and_then(|types| types.values().next());
        ("text", first.unwrap_or(&Value::Null), Vec::new())
    };
    Summary {
        kind: kind.to_owned(),
        text: fill(&of["body"]),
        buttons,
        ..Summary::default()
    }
}
