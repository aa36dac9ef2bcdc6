//! The WhatsApp business account and the number: found by what the token opens, chosen where there are several.

use rejoinder_engine::adapter::{Case, Progress, StepError};
use rejoinder_engine::crypto::{Secret, random_digits};
use rejoinder_engine::domain::onboarding::Choice;
use serde_json::Value;

use super::graph::{Graph, GraphError};
use super::token::with;
use super::{
    COEXISTENCE, EVENT, GRANTED, PHONE, PHONE_NUMBER_ID, PIN, PIN_DIGITS, WABA_ID, access_token,
    need_id, yes_or_no,
};

/// The event of a sign-up with a number that stays on its phone.
const COEXISTENCE_EVENT: &str = "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING";
/// What is asked of each number.
pub(super) const NUMBER_FIELDS: &str = "id,display_phone_number,verified_name,status,code_verification_status,\
     platform_type,quality_rating,name_status,is_on_biz_app,is_pin_enabled";
/// Portfolios that are walked at most; people have one or two.
const MAX_BUSINESSES: usize = 20;
/// Accounts whose names are looked up, to choose from.
const MAX_NAMED: usize = 10;

/// Finds the business account: as told, or by the portfolios, or by what the token was granted for.
pub(super) async fn account(mut graph: Graph<'_>, case: &Case<'_>) -> Result<Progress, StepError> {
    let token = access_token(case)?;
    let found = if case.fact(WABA_ID).is_some() {
        vec![need_id(case, WABA_ID)?.to_owned()]
    } else {
        match search(&mut graph, token, case).await {
            Ok(found) => found,
            Err(error) => return Err(graph.failed(&error)),
        }
    };
    match found.as_slice() {
        [] => {
            let error = StepError::new(
                "no_account",
                "the token opens no WhatsApp business account that could be found",
                "sign up again and choose an account on the way, or give its id as 'waba_id' (WhatsApp Manager, \
                 Account tools)",
            );
            Err(graph.with(error.asks(WABA_ID, "the id of the WhatsApp business account")))
        }
        [only] => {
            let name = match name_of(&mut graph, only, token).await {
                Ok(name) => name,
                Err(error) => {
                    let failure = graph.failed(&error);
                    let help = "the id of a WhatsApp business account that the token opens";
                    return Err(
                        if failure.ask.is_some() || failure.failure.code != "not_there" {
                            failure
                        } else {
                            failure.asks(WABA_ID, help)
                        },
                    );
                }
            };
            let says = format!("the account {only}, '{name}'");
            let progress = Progress::done(says)
                .fact(WABA_ID, only.clone())
                .fact("waba_name", name);
            Ok(with(progress, graph))
        }
        several => {
            let mut options = Vec::new();
            for (nth, id) in several.iter().enumerate() {
                let name = if nth < MAX_NAMED {
                    name_of(&mut graph, id, token).await.unwrap_or_default()
                } else {
                    String::new()
                };
                options.push(Choice {
                    value: id.clone(),
                    label: name,
                });
            }
            let help = "the token opens several business accounts: choose one";
            Ok(with(Progress::ask(WABA_ID, help, options), graph))
        }
    }
}

async fn name_of(graph: &mut Graph<'_>, id: &str, token: &Secret) -> Result<String, GraphError> {
    let answer = graph.get(id, &[("fields", "id,name")], token).await?;
    let name = answer["name"].as_str().unwrap_or_default().to_owned();
    graph.says(format!("the account '{name}'"));
    Ok(name)
}

/// The accounts that the token opens. Tokens of a sign-up mostly may not walk portfolios; what they were granted
/// for says it then.
async fn search(
    graph: &mut Graph<'_>,
    token: &Secret,
    case: &Case<'_>,
) -> Result<Vec<String>, GraphError> {
    let mut found = match walk(graph, token).await {
        Ok(found) => found,
        Err(GraphError::Refused(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    if found.is_empty() {
        let granted = case.fact(GRANTED).unwrap_or_default();
        found = granted.split_whitespace().map(str::to_owned).collect();
    }
    Ok(found)
}

async fn walk(graph: &mut Graph<'_>, token: &Secret) -> Result<Vec<String>, GraphError> {
    let businesses = graph.list("me/businesses", &[], token).await?;
    graph.says(format!("{} portfolio(s)", businesses.len()));
    let mut found: Vec<String> = Vec::new();
    for business in businesses.iter().take(MAX_BUSINESSES) {
        let Some(id) = digits(&business["id"]) else {
            continue;
        };
        for edge in [
            "owned_whatsapp_business_accounts",
            "client_whatsapp_business_accounts",
        ] {
            let accounts = match graph.list(&format!("{id}/{edge}"), &[], token).await {
                Ok(accounts) => accounts,
                // One portfolio that may not be looked into hides no other.
                Err(GraphError::Refused(_)) => continue,
                Err(error) => return Err(error),
            };
            graph.says(format!("{} account(s)", accounts.len()));
            for id in accounts.iter().filter_map(|account| digits(&account["id"])) {
                if !found.iter().any(|known| known == id) {
                    found.push(id.to_owned());
                }
            }
        }
    }
    Ok(found)
}

fn digits(value: &Value) -> Option<&str> {
    let text = value.as_str()?;
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some(text)
}

/// Finds the number in the account, and how it stands.
pub(super) async fn number(mut graph: Graph<'_>, case: &Case<'_>) -> Result<Progress, StepError> {
    let token = access_token(case)?;
    let account = need_id(case, WABA_ID)?;
    let wanted = match case.fact(PHONE_NUMBER_ID) {
        Some(_) => Some(need_id(case, PHONE_NUMBER_ID)?),
        None => None,
    };
    let path = format!("{account}/phone_numbers");
    let query = [("fields", NUMBER_FIELDS), ("limit", "100")];
    let numbers = match graph.list(&path, &query, token).await {
        Ok(numbers) => numbers,
        Err(error) => return Err(graph.failed(&error)),
    };
    graph.says(format!("{} number(s)", numbers.len()));
    let candidates: Vec<&Value> = numbers
        .iter()
        .filter(|number| wanted.is_none_or(|id| number["id"] == id))
        .collect();
    match candidates.as_slice() {
        [] => Err(graph.with(none(wanted, account))),
        [only] => Ok(with(found(only, case), graph)),
        several => {
            let options = several.iter().filter_map(|number| choice(number));
            let help = "the account has several numbers: choose one";
            let ask = Progress::ask(PHONE_NUMBER_ID, help, options.collect());
            Ok(with(ask, graph))
        }
    }
}

fn none(wanted: Option<&str>, account: &str) -> StepError {
    match wanted {
        Some(id) => StepError::new(
            "number_not_there",
            format!("the account {account} has no number with the id {id}"),
            "copy the id once more (App dashboard, WhatsApp, API setup), or leave it out to choose",
        )
        .asks(PHONE_NUMBER_ID, "Meta's id of the phone number"),
        None => StepError::new(
            "no_number",
            format!("the account {account} has no number yet"),
            "add a number in WhatsApp Manager (Phone numbers), and take the step again",
        ),
    }
}

fn choice(number: &Value) -> Option<Choice> {
    let text = |name: &str| number[name].as_str().unwrap_or_default();
    Some(Choice {
        value: digits(&number["id"])?.to_owned(),
        label: format!("{} {}", text("display_phone_number"), text("verified_name")),
    })
}

fn found(number: &Value, case: &Case<'_>) -> Progress {
    let text = |name: &str| number[name].as_str().unwrap_or_default().to_owned();
    let is_on_phone =
        number["is_on_biz_app"] == true || case.fact(EVENT) == Some(COEXISTENCE_EVENT);
    let phone = text("display_phone_number");
    let place = if is_on_phone {
        ", in use on the phone as well"
    } else {
        ""
    };
    let says = format!(
        "{phone}, '{}', {}{place}",
        text("verified_name"),
        text("status")
    );
    let progress = Progress::done(says)
        .fact(PHONE_NUMBER_ID, text("id"))
        .fact(PHONE, phone)
        .fact("verified_name", text("verified_name"))
        .fact("number_status", text("status"))
        .fact(COEXISTENCE, yes_or_no(is_on_phone));
    // Kept before the number is registered with it: a PIN that is lost locks the number. And none is made up for a
    // number that has its own: Meta counts wrong guesses.
    let has_own = number["is_pin_enabled"] == true;
    if is_on_phone || has_own || case.secrets.get(PIN).is_some() {
        progress
    } else {
        progress.secret(PIN, random_digits(PIN_DIGITS))
    }
}
