//! How the number and its account stand at Meta, and what webhooks told of them.

use rejoinder_engine::adapter::{Case, StepOutcome};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::finding::Finding;
use serde_json::Value;

use super::super::graph::{Graph, GraphError};
use super::super::{COEXISTENCE, PHONE, PHONE_NUMBER_ID, WABA_ID, phone};
use super::unseen;

/// What is asked about the number.
const NUMBER: &str = "display_phone_number,verified_name,name_status,new_name_status,quality_rating,\
     code_verification_status,platform_type,throughput,status,account_mode,is_on_biz_app,\
     whatsapp_business_manager_messaging_limit,health_status";
/// What is asked about the account.
const ACCOUNT: &str = "id,name,account_review_status,business_verification_status";

/// News of an account that say that it was taken away from us, and that it came back.
const LOST: [&str; 4] = [
    "PARTNER_REMOVED",
    "PARTNER_APP_UNINSTALLED",
    "ACCOUNT_OFFBOARDED",
    "ACCOUNT_DELETED",
];
const FOUND: [&str; 3] = [
    "PARTNER_ADDED",
    "PARTNER_APP_INSTALLED",
    "ACCOUNT_RECONNECTED",
];

/// The number.
pub(super) async fn number(graph: &mut Graph<'_>, case: &Case<'_>, token: &Secret) -> Vec<Finding> {
    let id = case.fact(PHONE_NUMBER_ID).unwrap_or_default();
    let seen = match graph.get(id, &[("fields", NUMBER)], token).await {
        Ok(seen) => seen,
        Err(GraphError::Refused(refusal)) if refusal.code == 100 && refusal.subcode == 33 => {
            return vec![
                Finding::bad("number", "Meta shows no such number to this token")
                    .breaks("nothing is sent or received")
                    .fix("the number was deleted, moved, or taken away from the app: connect it again"),
            ];
        }
        Err(error) => return vec![unseen("number", &error)],
    };
    vec![
        status(&seen, case),
        phone_app(&seen, case),
        verification(&seen),
        name(&seen),
        quality(&seen),
        tier(&seen),
        throughput(&seen, case),
        health(&seen),
    ]
}

fn text<'a>(seen: &'a Value, name: &str) -> &'a str {
    seen[name].as_str().unwrap_or("not told")
}

fn status(seen: &Value, case: &Case<'_>) -> Finding {
    const CHECK: &str = "number_status";
    let (status, platform) = (text(seen, "status"), text(seen, "platform_type"));
    let evidence = format!("{status}, {platform}");
    match status {
        "CONNECTED" => Finding::good(CHECK, evidence),
        // What is on a phone must never be registered: that is not even offered.
        "PENDING" | "UNVERIFIED" | "DISCONNECTED" | "OFFLINE" | "MIGRATED"
            if case.is(COEXISTENCE) =>
        {
            Finding::bad(CHECK, evidence)
                .breaks("the mobile app or the account was disconnected: nothing is sent or received")
                .fix(
                    "on the phone open the WhatsApp Business app (Settings, Account, Business Platform), see that the \
                     connection is there, and sign up again if it is not",
                )
        }
        "PENDING" | "UNVERIFIED" => Finding::bad(CHECK, evidence)
            .breaks("nothing is sent before the number is registered")
            .fix("register it")
            .action("register"),
        "DISCONNECTED" | "OFFLINE" | "MIGRATED" => Finding::bad(CHECK, evidence)
            .breaks("the number or its account was disconnected: nothing is sent or received")
            .fix(
                "register it anew; if it is in use in the WhatsApp Business app on a phone, connect it again from \
                 there instead",
            )
            .action("register"),
        "FLAGGED" | "RESTRICTED" | "RATE_LIMITED" => Finding::warning(CHECK, evidence)
            .breaks("Meta lets fewer messages through")
            .fix("see WhatsApp Manager (Account quality) for why; write less that nobody asked for"),
        "BANNED" | "DELETED" | "BLOCKED" => Finding::bad(CHECK, evidence)
            .breaks("nothing is sent or received")
            .fix("see WhatsApp Manager (Account quality), and appeal there"),
        _ => Finding::unknown(CHECK, evidence),
    }
}

fn phone_app(seen: &Value, case: &Case<'_>) -> Finding {
    const CHECK: &str = "phone_app";
    let is_on_phone = seen["is_on_biz_app"] == true;
    match (case.is(COEXISTENCE), is_on_phone) {
        (true, true) => Finding::good(CHECK, "in use in the app on the phone as well"),
        (false, false) => Finding::good(CHECK, "on no phone"),
        (false, true) => Finding::warning(CHECK, "in use in the app on the phone as well, which the channel does not know")
            .breaks("more is sent in a second than Meta lets through (20), and the number must never be registered")
            .fix("connect it again, or run `rejoinder channel set … --setting coexistence=true --setting messages_per_second=20`"),
        (true, false) => Finding::bad(CHECK, "the mobile app is disconnected: the number is on no phone any more")
            .breaks("what is written on the phone is not seen; Meta ends the connection when a phone is not opened for 14 days")
            .fix("open the WhatsApp Business app on the phone; if it does not come back, sign up again from there"),
    }
}

fn verification(seen: &Value) -> Finding {
    const CHECK: &str = "verification";
    let status = text(seen, "code_verification_status");
    match status {
        "VERIFIED" => Finding::good(CHECK, status),
        "NOT_VERIFIED" | "UNVERIFIED" | "EXPIRED" => {
            // It matters while a number is registered; one that is connected works on.
            let finding = if seen["status"] == "CONNECTED" {
                Finding::warning(CHECK, status)
            } else {
                Finding::bad(CHECK, status)
            };
            finding
                .breaks("an unverified number cannot be registered")
                .fix("verify it in WhatsApp Manager (Phone numbers): a code comes by SMS or a call")
        }
        other => Finding::unknown(CHECK, other),
    }
}

fn name(seen: &Value) -> Finding {
    const CHECK: &str = "name";
    let (name, status) = (text(seen, "verified_name"), text(seen, "name_status"));
    let evidence = format!("'{name}', {status}");
    match status {
        "APPROVED" | "AVAILABLE_WITHOUT_REVIEW" => Finding::good(CHECK, evidence),
        "PENDING_REVIEW" => Finding::warning(
            CHECK,
            format!("{evidence}: in review, which takes a day or two"),
        )
        .breaks("nothing yet: the number works meanwhile, with lower limits"),
        "DECLINED" | "EXPIRED" | "NONE" => Finding::bad(CHECK, evidence)
            .breaks("customers do not see the name, and Meta may refuse to send (131037)")
            .fix("choose another display name in WhatsApp Manager (Phone numbers, Profile)"),
        _ => Finding::unknown(CHECK, evidence),
    }
}

fn quality(seen: &Value) -> Finding {
    const CHECK: &str = "quality";
    let rating = text(seen, "quality_rating");
    match rating {
        "GREEN" => Finding::good(CHECK, rating),
        "YELLOW" => Finding::warning(CHECK, rating)
            .breaks("customers block or report the number: limits will not rise")
            .fix("write less that nobody asked for, and let customers opt out easily"),
        "RED" => Finding::bad(CHECK, rating)
            .breaks("customers block or report the number: Meta pauses templates and lowers limits")
            .fix("stop campaigns, and look at which templates are blocked (WhatsApp Manager, Insights)"),
        other => Finding::unknown(CHECK, format!("{other}: not enough messages to tell")),
    }
}

fn tier(seen: &Value) -> Finding {
    const CHECK: &str = "tier";
    match seen["whatsapp_business_manager_messaging_limit"].as_str() {
        Some("TIER_50" | "TIER_250") => Finding::warning(
            CHECK,
            text(seen, "whatsapp_business_manager_messaging_limit"),
        )
        .breaks("templates reach only so many customers in 24 hours; answers to customers are not limited")
        .fix("verify the business (Business settings, Security Centre)"),
        Some(tier) => Finding::good(CHECK, tier),
        None => Finding::unknown(CHECK, "not told"),
    }
}

fn throughput(seen: &Value, case: &Case<'_>) -> Finding {
    let level = seen["throughput"]["level"].as_str().unwrap_or("not told");
    let rate = match level {
        _ if case.is(COEXISTENCE) => " (20 messages a second, as the number is on a phone)",
        "STANDARD" => " (80 messages a second)",
        "HIGH" => " (1,000 messages a second)",
        _ => "",
    };
    Finding::good("throughput", format!("{level}{rate}"))
}

/// What Meta itself holds against sending: payment, limits, templates.
fn health(seen: &Value) -> Finding {
    const CHECK: &str = "health";
    let health = &seen["health_status"];
    let can = health["can_send_message"].as_str().unwrap_or("not told");
    let entities = health["entities"].as_array().into_iter().flatten();
    let mut reasons = Vec::new();
    let mut solutions = Vec::new();
    for entity in entities {
        for error in entity["errors"].as_array().into_iter().flatten() {
            let text = |name: &str| error[name].as_str().unwrap_or_default();
            let of = entity["entity_type"].as_str().unwrap_or_default();
            reasons.push(format!(
                "{of}: {} ({})",
                text("error_description"),
                error["error_code"]
            ));
            solutions.push(text("possible_solution").to_owned());
        }
    }
    let evidence = if reasons.is_empty() {
        can.to_owned()
    } else {
        format!("{can}; {}", reasons.join("; "))
    };
    let fix = if solutions.is_empty() {
        "see WhatsApp Manager (Overview)".to_owned()
    } else {
        solutions.join("; ")
    };
    match can {
        "AVAILABLE" => Finding::good(CHECK, evidence),
        "LIMITED" => Finding::warning(CHECK, evidence)
            .breaks("some messages do not go out")
            .fix(fix),
        "BLOCKED" => Finding::bad(CHECK, evidence)
            .breaks("nothing goes out")
            .fix(fix),
        _ => Finding::unknown(CHECK, evidence),
    }
}

/// The account.
pub(super) async fn account(
    graph: &mut Graph<'_>,
    case: &Case<'_>,
    token: &Secret,
) -> Vec<Finding> {
    let id = case.fact(WABA_ID).unwrap_or_default();
    let seen = match graph.get(id, &[("fields", ACCOUNT)], token).await {
        Ok(seen) => seen,
        Err(error) => return vec![unseen("account", &error)],
    };
    let review = text(&seen, "account_review_status");
    let verification = seen["business_verification_status"]
        .as_str()
        .unwrap_or("not told");
    vec![
        match review {
            "APPROVED" => Finding::good("account_review", review),
            "PENDING" => Finding::warning("account_review", review)
                .breaks("nothing yet: the account works meanwhile, with lower limits"),
            "REJECTED" | "RESTRICTED" => Finding::bad("account_review", review)
                .breaks("nothing is sent")
                .fix("see WhatsApp Manager (Account quality), and appeal there"),
            other => Finding::unknown("account_review", other),
        },
        match verification.to_ascii_lowercase().as_str() {
            "verified" => Finding::good("business_verification", verification),
            "not told" => Finding::unknown("business_verification", verification),
            _ => Finding::warning(
                "business_verification",
                format!("unverified ({verification})"),
            )
            .breaks("two numbers at most, and templates reach 250 customers in 24 hours")
            .fix("verify the business (Business settings, Security Centre)"),
        },
    ]
}

/// Whether the account was taken away, as far as webhooks told.
pub(super) fn connection(case: &Case<'_>) -> Finding {
    const CHECK: &str = "connection";
    let events = case
        .reports
        .updates
        .iter()
        .filter(|update| update.field == "account_update")
        .filter(|update| is_of(&update.value, case));
    let event = |value: &Value| value["event"].as_str().unwrap_or_default().to_owned();
    let told = events
        .map(|update| (event(&update.value), &update.value))
        .find(|(event, _)| LOST.contains(&event.as_str()) || FOUND.contains(&event.as_str()));
    match told {
        Some((event, value)) if LOST.contains(&event.as_str()) => {
            let reason = value["disconnection_info"]["reason"].as_str();
            let reason = reason.map(|reason| format!(", because of {reason}"));
            Finding::bad(
                CHECK,
                format!("Meta told: {event}{}", reason.unwrap_or_default()),
            )
            .breaks("the account is not ours to use any more: nothing is sent or received")
            .fix("connect the number again, from the phone if it is in use there")
        }
        Some((event, _)) => Finding::good(CHECK, format!("Meta told: {event}")),
        None => Finding::good(CHECK, "Meta told of no disconnection"),
    }
}

/// Whether news of the account is about this number: what names another number is not.
fn is_of(value: &Value, case: &Case<'_>) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let named = value["phone_number"].as_str().map(digits);
    let ours = case.fact(PHONE).map(digits);
    named.is_none_or(|named| named.is_empty() || Some(named) == ours)
}

/// How far the import from a phone has come.
pub(super) fn history(case: &Case<'_>) -> Option<Finding> {
    const CHECK: &str = "history";
    if !case.is(COEXISTENCE) {
        return None;
    }
    let progress = phone::imported(case);
    Some(match (progress.outcome, case.reports.progress) {
        (StepOutcome::Done(says) | StepOutcome::Skipped(says), _) => {
            Finding::good(CHECK, says)
        }
        (_, Some(percent)) => Finding::good(CHECK, format!("{percent} % of the history have come")),
        (_, None) => Finding::warning(CHECK, "no history of the phone has come")
            .breaks("conversations begin empty; Meta sends the past within 24 hours of signing up, or never")
            .fix("ask for it, if the number was connected within the last 24 hours; else sign up again")
            .action("history"),
    })
}
