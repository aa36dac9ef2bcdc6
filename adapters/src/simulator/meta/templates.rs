//! The list of a business account's templates, in pages. Knows nothing of what they say.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use http::StatusCode;
use serde_json::{Value, json};

use super::super::Face;
use super::super::access::Verdict;
use super::super::faults::{Operation, Request};
use super::super::server::{Answer, Call, Dropped, carry, json};
use super::super::world::{World, field, read, write};
use super::face::{RATE_CODE, bearer, refusal};
use super::title;

/// Templates of a page, unless asked for otherwise.
const PAGE_SIZE: usize = 25;

/// The templates of every business account, in the order in which they came.
#[derive(Debug, Default)]
pub(in super::super) struct Templates(RwLock<HashMap<String, Vec<Value>>>);

impl Templates {
    pub(in super::super) fn put(&self, account: &str, template: Value) {
        let mut all = write(&self.0);
        let templates = all.entry(account.to_owned()).or_default();
        templates.retain(|known| {
            (&known["name"], &known["language"]) != (&template["name"], &template["language"])
        });
        templates.push(template);
    }
}

/// Answers with a page of an account's templates. A token may read the accounts whose numbers it may use.
pub(super) async fn list(
    world: &Arc<World>,
    account: &str,
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let access = |number: Option<&str>| world.meta_access.verdict(number, bearer(call));
    if access(None) == Verdict::Unknown {
        return Ok(refusal(world, 190, "Invalid OAuth access token."));
    }
    let is_admitted = read(&world.meta_numbers)
        .values()
        .filter(|number| number.waba_id == account)
        .any(|number| access(Some(&number.phone_number_id)) == Verdict::Granted);
    if !is_admitted {
        return Ok(refusal(world, 100, "Object missing or no access to it."));
    }
    let request = Request {
        face: Face::Meta,
        operation: Operation::Content,
        number: account,
        to: "",
        text: "",
    };
    let take = |_: Option<&_>| page(world, account, call).into();
    let refuse = |code| refusal(world, code, title(code));
    carry(world, &request, refuse, RATE_CODE, take).await
}

fn page(world: &World, account: &str, call: Call<'_>) -> Answer {
    let query: Vec<(String, String)> = form_urlencoded::parse(call.query.as_bytes())
        .into_owned()
        .collect();
    let number = |name| field(&query, name).and_then(|text| text.parse::<usize>().ok());
    let size = number("limit").unwrap_or(PAGE_SIZE).clamp(1, 1000);
    let start = number("after").unwrap_or(0);
    let all = read(&world.meta_templates.0);
    let all = all.get(account).map_or(&[][..], Vec::as_slice);
    let end = all.len().min(start.saturating_add(size));
    let page = all.get(start..end).unwrap_or_default();
    let mut body = json!({ "data": page });
    if !page.is_empty() {
        body["paging"] =
            json!({ "cursors": { "before": start.to_string(), "after": end.to_string() } });
    }
    if end < all.len() {
        let next = format!("{}{}?limit={size}&after={end}", world.base_url, call.path);
        body["paging"]["next"] = next.into();
    }
    json(StatusCode::OK, body.to_string())
}
