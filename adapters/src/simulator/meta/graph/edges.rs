//! The paths of the Graph API about apps, accounts and numbers.

use bytes::Bytes;
use http::Method;
use rejoinder_engine::domain::time::Span;
use serde_json::{Map, Value, json};

use super::manage::Refusal;
use super::{MetaAccount, MetaPhone, Portfolios, State, chosen};
use crate::simulator::server::Call;
use crate::simulator::world::{World, decode, field};

/// What Meta knows of a number beside what is set.
const NUMBER_FIELDS: [&str; 3] = [
    "certificate",
    "last_onboarded_time",
    "webhook_configuration",
];
/// What Meta knows of an account beside what is set.
const ACCOUNT_FIELDS: [&str; 4] = ["currency", "timezone_id", "health_status", "ownership_type"];
/// What is told of a number that nobody asked fields of.
const DEFAULT_NUMBER: &str =
    "display_phone_number,verified_name,quality_rating,code_verification_status";
/// Registrations of a number within 72 hours.
const MAX_REGISTRATIONS: usize = 10;
/// How long after the sign-up a phone's data may be asked for.
const ASKING: Span = Span::hours(24);

type Done = Result<Value, Refusal>;

/// An account, if the token opens it.
fn account<'a>(
    world: &World,
    state: &'a State,
    bearer: &str,
    id: &str,
) -> Result<&'a MetaAccount, Refusal> {
    let token = state.good_token(world, bearer)?;
    if !token
        .scopes
        .iter()
        .any(|scope| scope == "whatsapp_business_management")
    {
        return Err(Refusal::new(
            200,
            0,
            "(#200) You do not have the necessary permissions required to send messages on behalf of this WhatsApp Business Account",
        ));
    }
    let account = state
        .accounts
        .get(id)
        .filter(|_| token.accounts.iter().any(|it| it == id));
    account.ok_or_else(|| Refusal::not_there(id))
}

fn phone<'a>(
    world: &World,
    state: &'a State,
    bearer: &str,
    id: &str,
) -> Result<&'a MetaPhone, Refusal> {
    state.good_token(world, bearer)?;
    let phone = state.phones.get(id).ok_or_else(|| Refusal::not_there(id))?;
    account(world, state, bearer, &phone.account_id).map_err(|refusal| match refusal {
        other if other == Refusal::not_there(&phone.account_id) => Refusal::not_there(id),
        other => other,
    })?;
    Ok(phone)
}

fn nonexisting(name: &str) -> Refusal {
    Refusal::new(
        100,
        0,
        &format!("(#100) Tried accessing nonexisting field ({name})"),
    )
}

fn members(value: &Value, id: &str) -> Map<String, Value> {
    let mut members = value.as_object().cloned().unwrap_or_default();
    members.insert("id".to_owned(), id.into());
    members
}

/// What is known of a number.
fn of_phone(phone: &MetaPhone) -> Map<String, Value> {
    let mut details = members(&phone.details, &phone.id);
    details.insert("is_pin_enabled".to_owned(), phone.pin.is_some().into());
    details
}

/// A number or an account by its id.
pub(super) fn node(
    world: &World,
    state: &State,
    bearer: &str,
    id: &str,
    query: &[(String, String)],
) -> Done {
    if state.phones.contains_key(id) {
        let phone = phone(world, state, bearer, id)?;
        let fields = field(query, "fields").unwrap_or(DEFAULT_NUMBER);
        return chosen(&of_phone(phone), fields, &NUMBER_FIELDS).map_err(|name| nonexisting(&name));
    }
    let account = account(world, state, bearer, id)?;
    let mut details = members(&account.details, id);
    details.insert("name".to_owned(), account.name.clone().into());
    let fields = field(query, "fields").unwrap_or("name");
    chosen(&details, fields, &ACCOUNT_FIELDS).map_err(|name| nonexisting(&name))
}

/// Says of a number where its webhooks go; an empty address takes that back.
pub(super) fn edit_number(
    world: &World,
    state: &mut State,
    bearer: &str,
    id: &str,
    body: &Bytes,
) -> Done {
    phone(world, state, bearer, id)?;
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let url = body["webhook_configuration"]["override_callback_uri"].as_str();
    let url = url.ok_or_else(|| Refusal::new(100, 0, "(#100) Invalid parameter"))?;
    if let Some(phone) = state.phones.get_mut(id) {
        phone.details["webhook_configuration"] = json!({ "phone_number": url });
    }
    Ok(json!({ "success": true }))
}

pub(super) fn businesses(world: &World, state: &State, bearer: &str) -> Done {
    let token = state.good_token(world, bearer)?;
    match token.portfolios {
        Portfolios::Forbidden => Err(Refusal::new(
            200,
            0,
            "(#200) Requires business_management permission to manage the object",
        )),
        Portfolios::Nonexisting => Err(Refusal::new(
            100,
            0,
            "(#100) Tried accessing nonexisting field (whatsapp_business_accounts) on node type (SystemUser)",
        )),
        Portfolios::Listed => {
            let accounts = token
                .accounts
                .iter()
                .filter_map(|id| state.accounts.get(id));
            let mut ids: Vec<&str> = accounts
                .map(|account| account.business_id.as_str())
                .collect();
            ids.sort_unstable();
            ids.dedup();
            let data: Vec<Value> = ids
                .iter()
                .map(|id| json!({ "id": id, "name": "Portfolio" }))
                .collect();
            Ok(json!({ "data": data }))
        }
    }
}

pub(super) fn accounts_of(world: &World, state: &State, bearer: &str, business: &str) -> Done {
    let token = state.good_token(world, bearer)?;
    let opened = token
        .accounts
        .iter()
        .filter_map(|id| state.accounts.get(id));
    let owned = opened.filter(|account| account.business_id == business);
    let data: Vec<Value> = owned
        .map(|account| json!({ "id": account.id, "name": account.name }))
        .collect();
    Ok(json!({ "data": data }))
}

pub(super) fn phone_numbers(
    world: &World,
    state: &State,
    bearer: &str,
    account_id: &str,
    query: &[(String, String)],
) -> Done {
    account(world, state, bearer, account_id)?;
    let fields = field(query, "fields").unwrap_or(DEFAULT_NUMBER);
    let of_account = state
        .phones
        .values()
        .filter(|phone| phone.account_id == account_id);
    let data: Result<Vec<Value>, String> = of_account
        .map(|phone| chosen(&of_phone(phone), fields, &NUMBER_FIELDS))
        .collect();
    Ok(json!({ "data": data.map_err(|name| nonexisting(&name))? }))
}

pub(super) fn subscribed_apps(
    world: &World,
    state: &mut State,
    bearer: &str,
    account_id: &str,
    method: &Method,
    body: &Bytes,
) -> Done {
    account(world, state, bearer, account_id)?;
    let app_id = state.good_token(world, bearer)?.app_id.clone();
    let Some(account) = state.accounts.get_mut(account_id) else {
        return Err(Refusal::not_there(account_id));
    };
    match *method {
        Method::GET => {
            let entry = |(id, url): (&String, &Option<String>)| {
                let mut entry = json!({ "whatsapp_business_api_data": { "id": id, "link": "https://example.com", "name": "App" } });
                if let Some(url) = url {
                    entry["override_callback_uri"] = url.as_str().into();
                }
                entry
            };
            Ok(json!({ "data": account.subscribed.iter().map(entry).collect::<Vec<_>>() }))
        }
        Method::POST => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let url = body["override_callback_uri"].as_str().map(str::to_owned);
            if url.is_some() && !account.subscribed.contains_key(&app_id) {
                let message = "Before override the current callback uri, your app must be subscribed to receive messages";
                return Err(Refusal::new(100, 0, message));
            }
            // Without a body it clears what was there.
            account.subscribed.insert(app_id, url);
            Ok(json!({ "success": true }))
        }
        Method::DELETE => {
            account.subscribed.remove(&app_id);
            Ok(json!({ "success": true }))
        }
        _ => Err(Refusal::new(100, 0, "Unsupported request method.")),
    }
}

/// Calls the address that a request wants webhooks sent to, if it names one.
pub(super) async fn handshake(world: &World, path: &[&str], call: Call<'_>) -> Result<(), Refusal> {
    if call.method != Method::POST {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let query = decode(call.query.as_bytes());
    let (url, token) = match path {
        [_, "subscribed_apps"] => (
            body["override_callback_uri"].as_str(),
            body["verify_token"].as_str(),
        ),
        [_, "subscriptions"] => (field(&query, "callback_url"), field(&query, "verify_token")),
        [_] => {
            let place = &body["webhook_configuration"];
            (
                place["override_callback_uri"].as_str(),
                place["verify_token"].as_str(),
            )
        }
        _ => return Ok(()),
    };
    let Some(url) = url else { return Ok(()) };
    let challenge = world.next_id();
    let query = [
        ("hub.mode", "subscribe"),
        ("hub.verify_token", token.unwrap_or_default()),
        ("hub.challenge", &challenge),
    ];
    let answer = world.call(url, &query).await;
    match answer {
        Ok(answer) if answer.status == 200 && answer.body == challenge.as_bytes() => Ok(()),
        Ok(answer) => Err(Refusal::new(
            2_200,
            0,
            &format!(
                "(#2200) Callback verification failed with the following errors: HTTP Status Code = {}; HTTP Message = Forbidden",
                answer.status
            ),
        )),
        Err(_) => Err(Refusal::new(
            2_200,
            0,
            "(#2200) Callback verification failed with the following errors: curl_errno = 7; Couldn't connect to server",
        )),
    }
}

pub(super) fn subscriptions(
    state: &mut State,
    app_id: &str,
    bearer: &str,
    method: &Method,
    query: &[(String, String)],
) -> Done {
    let app = state.apps.get_mut(app_id);
    let app = app.filter(|app| bearer == format!("{}|{}", app.id, app.secret));
    let app = app.ok_or_else(|| Refusal::new(190, 0, "Invalid OAuth access token signature."))?;
    if method == Method::POST {
        let value = |name| field(query, name).unwrap_or_default();
        if value("object") != "whatsapp_business_account" {
            return Err(Refusal::new(
                100,
                0,
                "(#100) Param object must be one of {whatsapp_business_account}",
            ));
        }
        app.callback_url = value("callback_url").to_owned();
        app.fields = value("fields").split(',').map(str::to_owned).collect();
        return Ok(json!({ "success": true }));
    }
    if app.callback_url.is_empty() && app.fields.is_empty() {
        return Ok(json!({ "data": [] }));
    }
    let fields: Vec<Value> = app
        .fields
        .iter()
        .map(|name| json!({ "name": name, "version": "v25.0" }))
        .collect();
    Ok(json!({ "data": [{
        "object": "whatsapp_business_account",
        "callback_url": app.callback_url,
        "active": true,
        "fields": fields,
    }]}))
}

pub(super) fn register(
    world: &World,
    state: &mut State,
    bearer: &str,
    id: &str,
    body: &Bytes,
) -> Done {
    phone(world, state, bearer, id)?;
    let Some(phone) = state.phones.get_mut(id) else {
        return Err(Refusal::not_there(id));
    };
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let pin = body["pin"].as_str().unwrap_or_default();
    if body["messaging_product"] != "whatsapp"
        || pin.len() != 6
        || !pin.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(Refusal::new(100, 0, "(#100) Invalid parameter"));
    }
    phone.registrations += 1;
    if phone.details["is_on_biz_app"] == true {
        // The number leaves its phone, which its owner did not want.
        phone.details["is_on_biz_app"] = false.into();
    }
    if phone.registrations > MAX_REGISTRATIONS {
        return Err(Refusal::new(
            133_016,
            0,
            "(#133016) Account register deregister rate limit exceeded",
        ));
    }
    if phone.details["code_verification_status"] != "VERIFIED" {
        return Err(Refusal::new(
            133_006,
            0,
            "(#133006) Phone number needs to be verified before registering",
        ));
    }
    if phone.pin.as_deref().is_some_and(|known| known != pin) {
        return Err(Refusal::new(
            133_005,
            0,
            "(#133005) Two step verification PIN mismatch",
        ));
    }
    phone.pin = Some(pin.to_owned());
    phone.details["status"] = "CONNECTED".into();
    phone.details["platform_type"] = "CLOUD_API".into();
    Ok(json!({ "success": true }))
}

pub(super) fn phone_data(
    world: &World,
    state: &mut State,
    bearer: &str,
    id: &str,
    body: &Bytes,
) -> Done {
    phone(world, state, bearer, id)?;
    let Some(phone) = state.phones.get_mut(id) else {
        return Err(Refusal::not_there(id));
    };
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = body["sync_type"].as_str().unwrap_or_default();
    if body["messaging_product"] != "whatsapp" || !["smb_app_state_sync", "history"].contains(&kind)
    {
        return Err(Refusal::new(100, 0, "(#100) Invalid parameter"));
    }
    if phone.details["is_on_biz_app"] != true {
        return Err(Refusal::new(
            100,
            0,
            "(#100) The phone number is not in use in the WhatsApp Business app",
        ));
    }
    if world.now().since(phone.onboarded_at) > ASKING {
        return Err(Refusal::new(
            2_593_108,
            0,
            "(#2593108) The time to synchronize has passed",
        ));
    }
    if !phone.asked.insert(kind.to_owned()) {
        return Err(Refusal::new(
            2_593_107,
            0,
            "(#2593107) Synchronization was requested already",
        ));
    }
    Ok(json!({ "messaging_product": "whatsapp", "request_id": world.next_id() }))
}
