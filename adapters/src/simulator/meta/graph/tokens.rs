//! Codes and tokens: exchanged, prolonged, looked at.

use rejoinder_engine::domain::time::Span;
use serde_json::{Value, json};

use super::manage::Refusal;
use super::{CODE_LIFE, MetaToken, State};
use crate::simulator::world::{World, field};

/// What a user's token is worth once it was prolonged (reference: token life).
const PROLONGED: Span = Span::days(60);

/// `oauth/access_token`: a code for a token, or a user's token for one that lasts longer.
pub(super) fn exchange(
    world: &World,
    state: &mut State,
    query: &[(String, String)],
) -> Result<Value, Refusal> {
    let value = |name| field(query, name).unwrap_or_default();
    let app = state.apps.get(value("client_id"));
    let app = app.ok_or_else(|| {
        Refusal::new(
            101,
            0,
            "Error validating application. Invalid application ID.",
        )
    })?;
    if app.secret != value("client_secret") {
        return Err(Refusal::new(1, 0, "Error validating client secret."));
    }
    if value("grant_type") == "fb_exchange_token" {
        let short = value("fb_exchange_token").to_owned();
        let token = state.tokens.get(&short).cloned();
        let token = token.ok_or_else(|| Refusal::new(190, 0, "Invalid OAuth access token."))?;
        let long = format!("{short}Long");
        let until = world.now() + PROLONGED;
        state.insert_token(
            world,
            &long,
            MetaToken {
                expires_at: Some(until),
                ..token
            },
        );
        return Ok(
            json!({ "access_token": long, "token_type": "bearer", "expires_in": PROLONGED.ms() / 1_000 }),
        );
    }
    let app_id = app.id.clone();
    let Some(code) = state
        .codes
        .get_mut(value("code"))
        .filter(|code| code.app_id == app_id)
    else {
        return Err(Refusal::new(100, 0, "Invalid verification code format."));
    };
    if code.is_used {
        return Err(Refusal::new(
            100,
            36_009,
            "This authorization code has been used.",
        ));
    }
    if world.now().since(code.made_at) > CODE_LIFE {
        return Err(Refusal::new(
            100,
            36_007,
            "This authorization code has expired.",
        ));
    }
    if code.redirect_uri.as_deref() != field(query, "redirect_uri") {
        let message = "Error validating verification code. Please make sure your redirect_uri is identical to the one \
                       you used in the OAuth dialog request";
        return Err(Refusal::new(100, 36_008, message));
    }
    code.is_used = true;
    Ok(json!({ "access_token": code.token, "token_type": "bearer" }))
}

/// `debug_token`: what a token may do, asked by its app, by itself, or by another of the same app.
pub(super) fn debug(
    world: &World,
    state: &State,
    asker: &str,
    query: &[(String, String)],
) -> Result<Value, Refusal> {
    let input = field(query, "input_token").unwrap_or_default();
    let app_id = match asker.split_once('|') {
        Some((id, secret)) => {
            let app = state.apps.get(id).filter(|app| app.secret == secret);
            app.map(|app| app.id.clone())
        }
        None => state.tokens.get(asker).map(|token| token.app_id.clone()),
    };
    let app_id =
        app_id.ok_or_else(|| Refusal::new(190, 0, "Invalid OAuth access token signature."))?;
    let Some(token) = state
        .tokens
        .get(input)
        .filter(|token| token.app_id == app_id)
    else {
        return Ok(json!({ "data": {
            "is_valid": false,
            "scopes": [],
            "error": { "code": 190, "message": format!("Malformed access token {input}") },
        }}));
    };
    let is_valid = token.expires_at.is_none_or(|at| at > world.now());
    let seconds = token.expires_at.map_or(0, |at| at.ms() / 1_000);
    let mut granular = Vec::new();
    for scope in &token.scopes {
        let mut grant = json!({ "scope": scope });
        if token.names_accounts && scope.starts_with("whatsapp_") {
            grant["target_ids"] = json!(token.accounts);
        }
        granular.push(grant);
    }
    let mut data = json!({
        "app_id": token.app_id,
        "type": token.kind,
        "application": "Example App",
        "data_access_expires_at": 0,
        "expires_at": seconds,
        "is_valid": is_valid,
        "issued_at": 1_767_220_000,
        "scopes": token.scopes,
        "granular_scopes": granular,
        "user_id": "122102000000000000",
    });
    if !is_valid {
        data["error"] = json!({ "code": 190, "subcode": 463, "message": "Error validating access token: Session has expired" });
    }
    Ok(json!({ "data": data }))
}

impl State {
    fn insert_token(&mut self, world: &World, text: &str, token: MetaToken) {
        for phone in self.phones.values() {
            if token.accounts.contains(&phone.account_id) {
                world.meta_access.grant(&phone.id, format!("Bearer {text}"));
            }
        }
        self.tokens.insert(text.to_owned(), token);
    }

    /// The token of a request, if it is good.
    pub(super) fn good_token(&self, world: &World, text: &str) -> Result<&MetaToken, Refusal> {
        let token = self.tokens.get(text);
        let token = token.ok_or_else(|| {
            // As Meta does, whole.
            Refusal::new(190, 0, &format!("Malformed access token {text}"))
        })?;
        if token.expires_at.is_some_and(|at| at <= world.now()) {
            return Err(Refusal::new(
                190,
                463,
                "Error validating access token: Session has expired",
            ));
        }
        Ok(token)
    }
}
