//! The number itself: registered, unless it stays on its phone; and then the phone's contacts and history.

use rejoinder_engine::adapter::{Case, Progress, StepError};
use serde_json::json;

use super::graph::{Graph, GraphError};
use super::token::with;
use super::webhooks;
use super::{App, COEXISTENCE, PHONE_NUMBER_ID, PIN, PIN_DIGITS, access_token, need_id};

/// What is asked before a number is registered.
const BEFORE: &str = "status,platform_type,is_on_biz_app,is_pin_enabled";
/// What the status of a number may be that is registered.
const REGISTERED: [&str; 4] = ["CONNECTED", "FLAGGED", "RESTRICTED", "RATE_LIMITED"];
/// Meta's code of something that was asked for already.
const ASKED_BEFORE: i64 = 2_593_107;
/// Meta's code of a request later than 24 hours after the sign-up.
const TOO_LATE: i64 = 2_593_108;
/// Meta's code of a history that the business does not share; it comes by a webhook.
const DECLINED: i64 = 2_593_109;
/// All of the history has come.
const WHOLE: u8 = 100;

/// Registers the number, unless it is, or stays on its phone.
pub(super) async fn register(mut graph: Graph<'_>, case: &Case<'_>) -> Result<Progress, StepError> {
    const ON_PHONE: &str = "a number that stays on its phone must never be registered";
    if case.is(COEXISTENCE) {
        return Ok(Progress::skipped(ON_PHONE));
    }
    let token = access_token(case)?;
    let number = need_id(case, PHONE_NUMBER_ID)?;
    let seen = match graph.get(number, &[("fields", BEFORE)], token).await {
        Ok(seen) => seen,
        Err(error) => return Err(graph.failed(&error)),
    };
    let text = |name: &str| seen[name].as_str().unwrap_or_default();
    graph.says(format!("{}, {}", text("status"), text("platform_type")));
    if seen["is_on_biz_app"] == true {
        return Ok(with(Progress::skipped(ON_PHONE), graph));
    }
    if REGISTERED.contains(&text("status")) && text("platform_type") == "CLOUD_API" {
        return Ok(with(
            Progress::done("the number is registered already"),
            graph,
        ));
    }
    let Some(pin) = case.secrets.get(PIN) else {
        let help = if seen["is_pin_enabled"] == true {
            "the six digits of the number's two-step verification; forgotten, it is changed in WhatsApp Manager \
             (Phone numbers, Settings, Two-step verification)"
        } else {
            "six digits: the number's two-step verification, or a new one if it has none"
        };
        return Ok(with(Progress::ask(PIN, help, Vec::new()), graph));
    };
    let is_pin =
        pin.expose().len() == PIN_DIGITS && pin.expose().bytes().all(|it| it.is_ascii_digit());
    if !is_pin {
        let error = StepError::new(
            "pin_malformed",
            "the PIN is not six digits",
            "give the six digits of the number's two-step verification, without spaces",
        );
        return Err(
            graph.with(error.asks(PIN, "the six digits of the number's two-step verification"))
        );
    }
    let body = json!({ "messaging_product": "whatsapp", "pin": pin.expose() });
    match graph
        .post(&format!("{number}/register"), Some(body), token)
        .await
    {
        Ok(answer) if answer["success"] == true => {
            graph.says("success");
            Ok(with(Progress::done("the number was registered"), graph))
        }
        Ok(_) => Err(graph.failed(&GraphError::NoAnswer)),
        Err(error) => Err(graph.failed(&error)),
    }
}

/// Asks for the phone app's contacts; they come by webhooks from then on.
pub(super) async fn contacts(
    graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let begun = ask(graph, app, case, "smb_app_state_sync", "contacts_request").await?;
    Ok(match begun {
        Begun::NotHere(progress) => progress,
        Begun::Here(mut progress) => {
            let come = case.reports.contacts;
            progress.outcome =
                Progress::done(format!("asked for; {come} have come so far")).outcome;
            progress
        }
    })
}

/// Asks for the phone app's history, and waits until it has come, or is known not to.
pub(super) async fn history(
    graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let begun = ask(graph, app, case, "history", "history_request").await?;
    Ok(match begun {
        Begun::NotHere(progress) => progress,
        Begun::Here(mut progress) => {
            progress.outcome = imported(case).outcome;
            progress
        }
    })
}

/// How far the history has come.
pub(super) fn imported(case: &Case<'_>) -> Progress {
    let reports = &case.reports;
    let declined = reports
        .updates
        .iter()
        .any(|update| update.value["code"] == DECLINED);
    if declined {
        return Progress::skipped("the business chose not to share its history");
    }
    let lines = reports.lines;
    let phase = match reports.phase {
        None => "none of it has come yet",
        Some(0) => "messages of the last day are coming",
        Some(1) => "messages of the last 90 days are coming",
        Some(_) => "messages of the last 180 days are coming",
    };
    match reports.progress {
        Some(WHOLE..) => Progress::done(format!("all of the history has come: {lines} message(s)")),
        Some(progress) => Progress::waiting(format!("{phase}: {progress} %, {lines} message(s)")),
        None => Progress::waiting(phase),
    }
}

enum Begun {
    /// The number is on no phone.
    NotHere(Progress),
    /// It was asked for, now or before.
    Here(Progress),
}

/// Asks once for what the phone app shares, if somebody here hears the answer, which comes by the webhook field
/// of the same name. The fact named `fact` remembers that it was asked.
async fn ask(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
    sync_type: &'static str,
    fact: &str,
) -> Result<Begun, StepError> {
    if !case.is(COEXISTENCE) {
        return Ok(Begun::NotHere(Progress::skipped(
            "the number is in use on no phone",
        )));
    }
    if case.fact(fact).is_some() {
        return Ok(Begun::Here(Progress::done("asked for")));
    }
    let token = access_token(case)?;
    let number = need_id(case, PHONE_NUMBER_ID)?;
    match webhooks::deafness(&mut graph, app, case, sync_type).await {
        Ok(None) => {}
        Ok(Some(error)) => return Err(graph.with(error)),
        Err(error) => return Err(graph.failed(&error)),
    }
    let body = json!({ "messaging_product": "whatsapp", "sync_type": sync_type });
    let path = format!("{number}/smb_app_data");
    let request_id = match graph.post(&path, Some(body), token).await {
        Ok(answer) => answer["request_id"]
            .as_str()
            .unwrap_or("unnamed")
            .to_owned(),
        // It can be asked for once: an answer that was lost, or somebody else.
        Err(GraphError::Refused(refusal)) if refusal.code == ASKED_BEFORE => {
            "asked before".to_owned()
        }
        // The number works without it, and what comes after this step must not wait for what never comes.
        Err(GraphError::Refused(refusal)) if refusal.code == TOO_LATE => {
            let why = "too late: Meta gives this within 24 hours of the sign-up only; to have it, disconnect in the \
                       app (Settings, Account, Business Platform) and sign up again";
            return Ok(Begun::NotHere(with(Progress::skipped(why), graph)));
        }
        Err(error) => return Err(graph.failed(&error)),
    };
    graph.says(format!("request {request_id}"));
    let progress = Progress::done("asked for").fact(fact, request_id);
    Ok(Begun::Here(with(progress, graph)))
}
