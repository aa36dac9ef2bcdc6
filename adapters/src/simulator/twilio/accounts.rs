//! Accounts, WhatsApp senders and Messaging Services of Twilio's: what there is, what tests change about it, and the
//! paths that show it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::Face;
use super::super::access;
use super::super::faults::{Fault, Operation, Request};
use super::super::server::{Answer, Call, Dropped, Taken, carry, json as answered};
use super::super::world::{World, decode, field, lock};
use super::face::{RATE_CODE, refusal};
use super::{Registration, TwilioNumber};

/// An account.
#[derive(Clone, Debug)]
pub struct TwilioAccount {
    /// `active`, `suspended`, `closed`.
    pub status: String,
    /// `Full` or `Trial`.
    pub kind: String,
    /// Its auth token, which signs webhooks.
    pub auth_token: String,
}

/// A WhatsApp sender.
#[derive(Clone, Debug)]
pub struct TwilioSender {
    /// The account.
    pub account_sid: String,
    /// The sender as the Senders API shows it.
    pub details: Value,
    /// The service that it belongs to, if it does.
    pub service_sid: Option<String>,
    /// How often it is still shown as being updated after a change.
    pub updating: usize,
}

/// A Messaging Service.
#[derive(Clone, Debug)]
pub struct TwilioService {
    /// The account.
    pub account_sid: String,
    /// The service as the API shows it.
    pub details: Value,
}

/// All that there is.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    accounts: BTreeMap<String, TwilioAccount>,
    senders: BTreeMap<String, TwilioSender>,
    services: BTreeMap<String, TwilioService>,
}

impl Accounts {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Where webhooks of a sender go, by its number: as its service has it, or itself.
    pub(super) fn destination(&self, number: &str) -> Option<String> {
        let state = self.state();
        let address = format!("whatsapp:+{number}");
        let mut senders = state.senders.values();
        let sender = senders.find(|sender| sender.details["sender_id"] == address.as_str())?;
        let service = sender
            .service_sid
            .as_ref()
            .and_then(|sid| state.services.get(sid));
        let url = match service {
            Some(service) if service.details["use_inbound_webhook_on_number"] != true => {
                &service.details["inbound_request_url"]
            }
            _ => &sender.details["webhook"]["callback_url"],
        };
        url.as_str()
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
    }
}

/// Twilio's own side, as tests arrange it.
#[derive(Clone, Debug)]
pub struct TwilioAccounts {
    world: Arc<World>,
}

impl TwilioAccounts {
    pub(in super::super) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
        }
    }

    /// There is an active account with this auth token.
    pub fn account(&self, sid: &str, auth_token: &str) {
        let account = TwilioAccount {
            status: "active".to_owned(),
            kind: "Full".to_owned(),
            auth_token: auth_token.to_owned(),
        };
        self.world
            .twilio_access
            .grant(sid, access::basic(sid, auth_token));
        self.state().accounts.insert(sid.to_owned(), account);
    }

    /// There is a WhatsApp sender that is online, whose webhooks go nowhere yet, and whose customers may write.
    pub fn sender(&self, sid: &str, account_sid: &str, number: &str, name: &str) -> TwilioNumber {
        let sender = TwilioSender {
            account_sid: account_sid.to_owned(),
            details: json!({
                "sid": sid,
                "status": "ONLINE",
                "sender_id": format!("whatsapp:{number}"),
                "configuration": { "waba_id": "215589313241560883" },
                "webhook": { "callback_url": null, "callback_method": "POST", "status_callback_url": null,
                    "status_callback_method": "POST", "fallback_url": null, "fallback_method": null },
                "profile": { "name": name },
                "properties": { "quality_rating": "HIGH", "messaging_limit": "10K Customers/24hr" },
                "offline_reasons": null,
                "url": format!("{}/v2/Channels/Senders/{sid}", self.world.base_url),
            }),
            service_sid: None,
            updating: 1,
        };
        let auth_token = self
            .state()
            .accounts
            .get(account_sid)
            .map(|it| it.auth_token.clone());
        self.state().senders.insert(sid.to_owned(), sender);
        TwilioNumber::register(
            &self.world,
            Registration {
                webhook_url: String::new(),
                reach: None,
                account_sid: account_sid.to_owned(),
                auth_token: auth_token.unwrap_or_default(),
                number: number.to_owned(),
            },
        )
    }

    /// There is a Messaging Service with these senders.
    pub fn service(&self, sid: &str, account_sid: &str, senders: &[&str]) {
        let service = TwilioService {
            account_sid: account_sid.to_owned(),
            details: json!({
                "sid": sid,
                "account_sid": account_sid,
                "friendly_name": "Shop",
                "inbound_request_url": null,
                "inbound_method": "POST",
                "status_callback": null,
                "use_inbound_webhook_on_number": true,
            }),
        };
        let mut state = self.state();
        state.services.insert(sid.to_owned(), service);
        for sender in senders {
            if let Some(sender) = state.senders.get_mut(*sender) {
                sender.service_sid = Some(sid.to_owned());
            }
        }
    }

    /// Changes an account.
    pub fn edit_account(&self, sid: &str, change: impl FnOnce(&mut TwilioAccount)) {
        self.state().accounts.get_mut(sid).map(change);
    }

    /// Changes a sender.
    pub fn edit_sender(&self, sid: &str, change: impl FnOnce(&mut TwilioSender)) {
        self.state().senders.get_mut(sid).map(change);
    }

    /// Changes a service.
    pub fn edit_service(&self, sid: &str, change: impl FnOnce(&mut TwilioService)) {
        self.state().services.get_mut(sid).map(change);
    }

    /// A sender as it is.
    pub fn sender_of(&self, sid: &str) -> Option<TwilioSender> {
        self.state().senders.get(sid).cloned()
    }

    /// A service as it is.
    pub fn service_of(&self, sid: &str) -> Option<TwilioService> {
        self.state().services.get(sid).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.world.twilio_store.accounts.state()
    }
}

/// Answers a request about an account itself. Its auth token stands in the answer, as it does at Twilio.
pub(super) async fn account(
    world: &Arc<World>,
    sid: &str,
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let request = manage(sid, call, "");
    let take = |_: Option<&Fault>| -> Taken {
        let state = world.twilio_store.accounts.state();
        let known = state.accounts.get(sid);
        let text = |of: fn(&TwilioAccount) -> &String, other: &str| {
            known.map_or_else(|| other.to_owned(), |account| of(account).clone())
        };
        let body = json!({
            "sid": sid,
            "friendly_name": "Loja Exemplo",
            "status": text(|account| &account.status, "active"),
            "type": text(|account| &account.kind, "Full"),
            "auth_token": text(|account| &account.auth_token, ""),
        });
        with_id(world, answered(StatusCode::OK, body.to_string())).into()
    };
    carry(world, &request, refusal, RATE_CODE, take).await
}

/// Answers a request about senders or services; `path` begins after the version.
pub(super) async fn answer(
    world: &Arc<World>,
    account: &str,
    path: &[&str],
    call: Call<'_>,
) -> Result<Answer, Dropped> {
    let request = manage(account, call, path.first().copied().unwrap_or_default());
    let take =
        |_: Option<&Fault>| -> Taken { with_id(world, operate(world, account, path, call)).into() };
    carry(world, &request, refusal, RATE_CODE, take).await
}

fn manage<'a>(number: &'a str, call: Call<'a>, text: &'a str) -> Request<'a> {
    Request {
        face: Face::Twilio,
        operation: Operation::Manage,
        number,
        to: call.method.as_str(),
        text,
    }
}

/// Twilio names every request.
fn with_id(world: &World, mut answer: Answer) -> Answer {
    if let Ok(id) = format!("RQ{}", world.next_id()).parse() {
        answer.headers_mut().insert("twilio-request-id", id);
    }
    answer
}

fn operate(world: &World, account: &str, path: &[&str], call: Call<'_>) -> Answer {
    let mut state = world.twilio_store.accounts.state();
    let shown = |value: &Value| answered(StatusCode::OK, value.to_string());
    match (call.method, path) {
        (&Method::GET, ["Channels", "Senders"]) => {
            if !call.query.contains("Channel=whatsapp") {
                return refusal(20_001);
            }
            let own = state
                .senders
                .values()
                .filter(|sender| sender.account_sid == account);
            let senders: Vec<&Value> = own.map(|sender| &sender.details).collect();
            shown(
                &json!({ "senders": senders, "meta": { "key": "senders", "next_page_url": null } }),
            )
        }
        (method, ["Channels", "Senders", sid]) => {
            let sender = state
                .senders
                .get_mut(*sid)
                .filter(|sender| sender.account_sid == account);
            let Some(sender) = sender else {
                return refusal(20_404);
            };
            match *method {
                Method::GET => {
                    if sender.details["status"] == "ONLINE:UPDATING" {
                        sender.updating = sender.updating.saturating_sub(1);
                        if sender.updating == 0 {
                            sender.details["status"] = "ONLINE".into();
                            sender.updating = 1;
                        }
                    }
                    shown(&sender.details)
                }
                Method::POST => update(sender, call),
                _ => refusal(20_004),
            }
        }
        (&Method::GET, ["Services", sid, "ChannelSenders"]) => {
            if state
                .services
                .get(*sid)
                .is_none_or(|service| service.account_sid != account)
            {
                return refusal(20_404);
            }
            let of_service = state
                .senders
                .values()
                .filter(|it| it.service_sid.as_deref() == Some(*sid));
            let senders: Vec<Value> = of_service
                .map(|sender| {
                    json!({
                        "account_sid": account,
                        "messaging_service_sid": sid,
                        "sid": sender.details["sid"],
                        "sender": sender.details["sender_id"],
                        "sender_type": "WhatsApp",
                        "country_code": "DE",
                    })
                })
                .collect();
            shown(
                &json!({ "senders": senders, "meta": { "key": "senders", "next_page_url": null } }),
            )
        }
        (method, ["Services", sid]) => {
            let service = state
                .services
                .get_mut(*sid)
                .filter(|service| service.account_sid == account);
            let Some(service) = service else {
                return refusal(20_404);
            };
            if method == Method::POST {
                let form = decode(call.body);
                for (name, member) in [
                    ("InboundRequestUrl", "inbound_request_url"),
                    ("InboundMethod", "inbound_method"),
                    ("StatusCallback", "status_callback"),
                ] {
                    if let Some(value) = field(&form, name) {
                        service.details[member] = value.into();
                    }
                }
                if let Some(value) = field(&form, "UseInboundWebhookOnNumber") {
                    service.details["use_inbound_webhook_on_number"] = (value == "true").into();
                }
            }
            shown(&service.details)
        }
        _ => refusal(20_404),
    }
}

/// A change that is taken over in a moment.
fn update(sender: &mut TwilioSender, call: Call<'_>) -> Answer {
    let Ok(Value::Object(body)) = serde_json::from_slice(call.body) else {
        return refusal(20_001);
    };
    for (section, members) in &body {
        let Some(members) = members.as_object() else {
            return refusal(20_001);
        };
        for (name, value) in members {
            sender.details[section][name] = value.clone();
        }
    }
    sender.details["status"] = "ONLINE:UPDATING".into();
    answered(StatusCode::ACCEPTED, sender.details.to_string())
}
