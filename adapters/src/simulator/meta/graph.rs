//! Apps, business accounts, numbers and tokens of the Graph API: what there is, and what tests change about it.
//! Answers nothing itself.

mod edges;
mod manage;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use rejoinder_engine::domain::time::{Span, Timestamp};
use serde_json::{Map, Value, json};

use super::super::world::{World, lock, plain};
use super::signup::SignUps;
use super::{MetaNumber, Registration};

pub(super) use self::manage::answer;

/// How long a code of a sign-up works (reference: code exchange).
const CODE_LIFE: Span = Span::seconds(30);
/// Fields whose webhooks go to the address of an account's own, if it has one; the others go to the app's.
const FOLLOWING: [&str; 5] = [
    "messages",
    "smb_message_echoes",
    "smb_app_state_sync",
    "history",
    "account_settings_update",
];

/// An app.
#[derive(Clone, Debug, Default)]
pub struct MetaApp {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where its webhooks go.
    pub callback_url: String,
    /// What it hears of.
    pub fields: Vec<String>,
}

/// A business account.
#[derive(Clone, Debug)]
pub struct MetaAccount {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The portfolio that owns it.
    pub business_id: String,
    /// Fields of the account, over those of one that is in order.
    pub details: Value,
    /// The apps that are subscribed to it, and where its webhooks go instead.
    pub subscribed: BTreeMap<String, Option<String>>,
}

/// A phone number.
#[derive(Clone, Debug)]
pub struct MetaPhone {
    /// Its id.
    pub id: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// Fields of the number, as the Graph API has them.
    pub details: Value,
    /// Its two-step verification.
    pub pin: Option<String>,
    /// What was asked for of its phone.
    pub asked: BTreeSet<String>,
    /// When it signed up.
    pub onboarded_at: Timestamp,
    /// How often it was registered.
    pub registrations: usize,
}

/// A token.
#[derive(Clone, Debug)]
pub struct MetaToken {
    /// The app it was made for.
    pub app_id: String,
    /// `USER` or `SYSTEM_USER`.
    pub kind: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The accounts that it opens.
    pub accounts: Vec<String>,
    /// Whether it says which accounts those are.
    pub names_accounts: bool,
    /// Until when it is good, if not for ever.
    pub expires_at: Option<Timestamp>,
    /// What listing portfolios comes to.
    pub portfolios: Portfolios,
}

/// What listing portfolios comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portfolios {
    /// They are listed.
    Listed,
    /// The token lacks a permission (200).
    Forbidden,
    /// There is no such field on this kind of token (100).
    Nonexisting,
}

impl MetaToken {
    /// A system user's token of an app that opens some accounts, for ever, as a sign-up gives it.
    pub fn of(app_id: &str, accounts: &[&str]) -> Self {
        let scopes = [
            "whatsapp_business_management",
            "whatsapp_business_messaging",
        ];
        Self {
            app_id: app_id.to_owned(),
            kind: "SYSTEM_USER".to_owned(),
            scopes: scopes.map(str::to_owned).into(),
            accounts: accounts.iter().map(|id| (*id).to_owned()).collect(),
            names_accounts: true,
            expires_at: None,
            portfolios: Portfolios::Forbidden,
        }
    }
}

#[derive(Clone, Debug)]
struct Code {
    app_id: String,
    redirect_uri: Option<String>,
    token: String,
    made_at: Timestamp,
    is_used: bool,
}

/// All that there is.
#[derive(Debug, Default)]
pub(in super::super) struct Graph(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    apps: BTreeMap<String, MetaApp>,
    accounts: BTreeMap<String, MetaAccount>,
    phones: BTreeMap<String, MetaPhone>,
    tokens: BTreeMap<String, MetaToken>,
    codes: BTreeMap<String, Code>,
    pub(super) sign_ups: SignUps,
}

impl Graph {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Whether a number may send, as far as it is known here.
    pub(super) fn is_registered(&self, number: &str) -> bool {
        let state = self.state();
        let phone = state.phones.get(number);
        phone.is_none_or(|phone| phone.details["status"] == "CONNECTED")
    }

    /// Where a webhook about `field` of a number and its account goes, and which secret signs it; `None` if
    /// nobody hears of it.
    pub(super) fn destination(
        &self,
        account: &str,
        number: &str,
        field: &str,
    ) -> Option<(String, String)> {
        let state = self.state();
        let phone = state.phones.get(number);
        let of_number = phone
            .and_then(|phone| phone.details["webhook_configuration"]["phone_number"].as_str())
            .filter(|url| !url.is_empty());
        let account = state.accounts.get(account)?;
        let (app, url) = account
            .subscribed
            .iter()
            .find_map(|(id, url)| Some((state.apps.get(id)?, url)))?;
        if !app.fields.iter().any(|known| known == field) {
            return None;
        }
        let own = of_number.map(str::to_owned).or_else(|| url.clone());
        let own = own.filter(|_| FOLLOWING.contains(&field));
        let url = own.unwrap_or_else(|| app.callback_url.clone());
        (!url.is_empty()).then(|| (url, app.secret.clone()))
    }
}

/// Meta's own side of the Graph API, as tests arrange it.
#[derive(Clone, Debug)]
pub struct MetaGraph {
    world: Arc<World>,
}

impl MetaGraph {
    pub(in super::super) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
        }
    }

    /// There is an app.
    pub fn app(&self, app: MetaApp) {
        self.state().apps.insert(app.id.clone(), app);
    }

    /// There is a business account in order, owned by a portfolio.
    pub fn account(&self, id: &str, name: &str, business_id: &str) {
        let account = MetaAccount {
            id: id.to_owned(),
            name: name.to_owned(),
            business_id: business_id.to_owned(),
            details: json!({
                "account_review_status": "APPROVED",
                "business_verification_status": "verified",
            }),
            subscribed: BTreeMap::new(),
        };
        self.state().accounts.insert(id.to_owned(), account);
    }

    /// There is a verified number in an account, not registered yet, whose customers and owner may act.
    pub fn phone(&self, id: &str, account_id: &str, display_phone: &str, name: &str) -> MetaNumber {
        let phone = MetaPhone {
            id: id.to_owned(),
            account_id: account_id.to_owned(),
            details: json!({
                "display_phone_number": display_phone,
                "verified_name": name,
                "name_status": "APPROVED",
                "new_name_status": "NONE",
                "quality_rating": "GREEN",
                "code_verification_status": "VERIFIED",
                "platform_type": "NOT_APPLICABLE",
                "throughput": { "level": "STANDARD" },
                "status": "PENDING",
                "account_mode": "LIVE",
                "is_on_biz_app": false,
                "whatsapp_business_manager_messaging_limit": "TIER_2K",
                "health_status": { "can_send_message": "AVAILABLE", "entities": [] },
            }),
            pin: None,
            asked: BTreeSet::new(),
            onboarded_at: self.world.now(),
            registrations: 0,
        };
        self.state().phones.insert(id.to_owned(), phone);
        let digits: String = display_phone.chars().filter(char::is_ascii_digit).collect();
        MetaNumber::register(
            &self.world,
            Registration {
                webhook_url: String::new(),
                app_secret: String::new(),
                phone_number_id: id.to_owned(),
                waba_id: account_id.to_owned(),
                display_phone: plain(&digits).to_owned(),
                access_token: None,
            },
        )
    }

    /// The number is in use in the app on a phone as well.
    pub fn put_on_phone(&self, id: &str) {
        self.edit_phone(id, |phone| {
            phone.details["is_on_biz_app"] = true.into();
            phone.details["platform_type"] = "CLOUD_API".into();
            phone.details["status"] = "CONNECTED".into();
        });
    }

    /// There is a token.
    pub fn token(&self, text: &str, token: MetaToken) {
        let bearer = format!("Bearer {text}");
        let mut state = self.state();
        for phone in state.phones.values() {
            if token.accounts.contains(&phone.account_id) {
                self.world.meta_access.grant(&phone.id, bearer.clone());
            }
        }
        state.tokens.insert(text.to_owned(), token);
    }

    /// A business has signed up: the code that its browser got for `token`. The full page names where it
    /// came back to.
    pub fn code(&self, token: &str, redirect_uri: Option<&str>) -> String {
        let code = format!("AQ{}", self.world.next_id());
        let mut state = self.state();
        let app_id = state.tokens.get(token).map(|token| token.app_id.clone());
        let made = Code {
            app_id: app_id.unwrap_or_default(),
            redirect_uri: redirect_uri.map(str::to_owned),
            token: token.to_owned(),
            made_at: self.world.now(),
            is_used: false,
        };
        state.codes.insert(code.clone(), made);
        code
    }

    /// Changes an app.
    pub fn edit_app(&self, id: &str, change: impl FnOnce(&mut MetaApp)) {
        self.state().apps.get_mut(id).map(change);
    }

    /// Changes an account.
    pub fn edit_account(&self, id: &str, change: impl FnOnce(&mut MetaAccount)) {
        self.state().accounts.get_mut(id).map(change);
    }

    /// Changes a number.
    pub fn edit_phone(&self, id: &str, change: impl FnOnce(&mut MetaPhone)) {
        self.state().phones.get_mut(id).map(change);
    }

    /// Changes a token.
    pub fn edit_token(&self, text: &str, change: impl FnOnce(&mut MetaToken)) {
        self.state().tokens.get_mut(text).map(change);
    }

    /// A number as it is.
    pub fn phone_of(&self, id: &str) -> Option<MetaPhone> {
        self.state().phones.get(id).cloned()
    }

    /// An account as it is.
    pub fn account_of(&self, id: &str) -> Option<MetaAccount> {
        self.state().accounts.get(id).cloned()
    }

    /// An app as it is.
    pub fn app_of(&self, id: &str) -> Option<MetaApp> {
        self.state().apps.get(id).cloned()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.world.meta_graph.state()
    }
}

/// Of an object, the fields that are asked for; an unknown one is an error with its name.
fn chosen(object: &Map<String, Value>, fields: &str, known: &[&str]) -> Result<Value, String> {
    let mut picked = Map::new();
    for name in fields
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        match object.get(name) {
            Some(value) => picked.insert(name.to_owned(), value.clone()),
            None if known.contains(&name) => None,
            None => return Err(name.to_owned()),
        };
    }
    if let Some(id) = object.get("id") {
        picked.insert("id".to_owned(), id.clone());
    }
    Ok(Value::Object(picked))
}
