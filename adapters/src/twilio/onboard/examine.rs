//! What can be wrong with a connected number at Twilio, looked at one after the other. Changes nothing.

use rejoinder_engine::adapter::Case;
use rejoinder_engine::domain::finding::Finding;

use super::rest::{Login, Rest, RestError, account_login};
use super::sender::{Sender, find};
use super::{ACCOUNT, SERVICE, look_at_account};
use crate::twilio::TwilioConfig;

/// What a wrong address of webhooks breaks.
const DEAF: &str =
    "what customers write is not received, or late, by looking into Twilio's list of messages";

/// Looks at everything.
pub(super) async fn examine(
    mut rest: Rest<'_>,
    config: &TwilioConfig,
    case: &Case<'_>,
) -> Vec<Finding> {
    let Some(login) = account_login(case) else {
        let finding = Finding::bad("credentials", "the channel has no account or no auth token")
            .breaks("webhooks cannot be verified, and nothing is sent")
            .fix("give it one: `rejoinder channel set … --credential auth_token=@file`");
        return vec![finding];
    };
    let mut findings = vec![account(&mut rest, config, case, login).await];
    if findings.iter().any(|finding| finding.check == "reachable") {
        return findings;
    }
    findings.push(rest.asking.clock("Twilio", case.now));
    findings.extend(secondary(&mut rest, config, case).await);
    findings.extend(api_key(&mut rest, config, case).await);
    match find(&mut rest, &config.messaging_url, case, login).await {
        Ok(Some(sender)) => {
            findings.push(status(&sender));
            findings.push(quality(&sender));
            if case.fact(SERVICE).is_none() {
                findings.push(webhook(
                    &sender.callback_url,
                    &sender.status_callback_url,
                    case,
                ));
            }
        }
        Ok(None) => findings.push(
            Finding::unknown(
                "sender",
                "Twilio lists no such sender: the sandbox's, or one of before",
            )
            .fix("see in Twilio's Console that its webhooks go to the channel's address"),
        ),
        Err(error) => findings.push(unseen("sender", &error)),
    }
    findings.extend(service(&mut rest, config, case, login).await);
    findings
}

/// What a failed look says.
fn unseen(check: &str, error: &RestError) -> Finding {
    match error {
        RestError::NotConnected => {
            Finding::bad("reachable", "Twilio cannot be reached from this server")
                .breaks("nothing is sent, and nothing can be looked at")
                .fix("check that this server reaches api.twilio.com over https")
        }
        RestError::NoAnswer => Finding::unknown(
            check,
            "Twilio gave no usable answer; look again in a minute",
        ),
        RestError::Refused(_, code, message) => {
            Finding::unknown(check, format!("code {code}: {message}"))
        }
    }
}

async fn account(
    rest: &mut Rest<'_>,
    config: &TwilioConfig,
    case: &Case<'_>,
    login: Login<'_>,
) -> Finding {
    const CHECK: &str = "account";
    let sid = case.fact(ACCOUNT).unwrap_or_default();
    match look_at_account(rest, &config.api_url, sid, login).await {
        Ok((name, status, kind)) if status != "active" => {
            Finding::bad(CHECK, format!("'{name}', {status}, {kind}"))
                .breaks("nothing is sent or received")
                .fix("see in Twilio's Console why, and let it be active again")
        }
        Ok((name, status, kind)) if kind == "Trial" => {
            Finding::warning(CHECK, format!("'{name}', {status}, a trial account"))
                .breaks("only verified numbers can be written to")
                .fix("upgrade the account in Twilio's Console")
        }
        Ok((name, status, _)) => Finding::good(
            CHECK,
            format!("'{name}', {status}; the auth token is accepted"),
        ),
        Err(RestError::Refused(401, code, message)) => Finding::bad(
            CHECK,
            format!("the auth token is not accepted (code {code}: {message})"),
        )
        .breaks("webhooks cannot be verified any more, and without an API key nothing is sent")
        .fix("it was rotated, or mistyped: give the channel the present primary auth token"),
        Err(error) => unseen(CHECK, &error),
    }
}

async fn secondary(rest: &mut Rest<'_>, config: &TwilioConfig, case: &Case<'_>) -> Option<Finding> {
    const CHECK: &str = "secondary_token";
    let sid = case.fact(ACCOUNT)?;
    let password = case.secrets.get("auth_token_secondary")?;
    let login = Login {
        user: sid,
        password,
    };
    Some(
        match look_at_account(rest, &config.api_url, sid, login).await {
            Ok(_) => Finding::good(CHECK, "accepted"),
            Err(RestError::Refused(401, ..)) => Finding::warning(CHECK, "not accepted")
                .breaks("nothing yet; after it is promoted webhooks could not be verified")
                .fix("give the present one, or take it out if the rotation is over"),
            Err(error) => unseen(CHECK, &error),
        },
    )
}

async fn api_key(rest: &mut Rest<'_>, config: &TwilioConfig, case: &Case<'_>) -> Option<Finding> {
    const CHECK: &str = "api_key";
    let sid = case.fact(ACCOUNT)?;
    let user = case.secrets.get("api_key_sid")?;
    let password = case.secrets.get("api_key_secret")?;
    let login = Login {
        user: user.expose(),
        password,
    };
    let path = format!("/2010-04-01/Accounts/{sid}/Messages.json");
    Some(match rest.get(&config.api_url, &path, &[("PageSize", "1")], login).await {
        Ok(_) => Finding::good(CHECK, "accepted"),
        Err(RestError::Refused(401, code, message)) => {
            Finding::bad(CHECK, format!("not accepted (code {code}: {message})"))
                .breaks("nothing is sent")
                .fix("it was deleted, or its secret mistyped: make a new API key and give it to the channel")
        }
        Err(error) => unseen(CHECK, &error),
    })
}

fn status(sender: &Sender) -> Finding {
    const CHECK: &str = "sender";
    let reasons = sender.reasons.join("; ");
    let evidence = format!("'{}', {} {reasons}", sender.name, sender.status);
    let evidence = evidence.trim_end().to_owned();
    if sender.is_online() {
        return Finding::good(CHECK, evidence);
    }
    let finding = match sender.status.as_str() {
        "PENDING_VERIFICATION" | "VERIFYING" => Finding::bad(CHECK, evidence).fix(
            "an unverified sender: enter the code that comes by SMS or a call in Twilio's Console",
        ),
        "TWILIO_REVIEW" | "CREATING" | "DRAFT" | "STUBBED" => Finding::warning(CHECK, evidence)
            .fix("it is being made: finish it in Twilio's Console, or wait for Twilio"),
        _ => Finding::bad(CHECK, evidence)
            .fix("see the reasons, and Twilio's Console (Messaging, Senders)"),
    };
    finding.breaks("nothing is sent or received")
}

fn quality(sender: &Sender) -> Finding {
    const CHECK: &str = "quality";
    let limit = if sender.limit.is_empty() {
        String::new()
    } else {
        format!(", {}", sender.limit)
    };
    let evidence = format!("{}{limit}", sender.quality);
    match sender.quality.as_str() {
        "HIGH" | "GREEN" => Finding::good(CHECK, evidence),
        "MEDIUM" | "YELLOW" => Finding::warning(CHECK, evidence)
            .breaks("customers block or report the number: limits will not rise")
            .fix("write less that nobody asked for, and let customers opt out easily"),
        "LOW" | "RED" => Finding::bad(CHECK, evidence)
            .breaks("customers block or report the number: limits are lowered")
            .fix("stop campaigns, and let customers opt out easily"),
        "" => Finding::unknown(CHECK, "not told"),
        _ => Finding::unknown(CHECK, evidence),
    }
}

/// Whether webhooks go to ours: to the channel's own address, or to the one that all channels share.
fn webhook(callback: &str, status_callback: &str, case: &Case<'_>) -> Finding {
    const CHECK: &str = "webhook";
    let ours = [case.channel_webhook_url, case.shared_webhook_url];
    if case.channel_webhook_url.is_empty() {
        return Finding::unknown(CHECK, "the server has no `public_url` to compare with");
    }
    let is_ours = |url: &str| {
        ours.iter()
            .any(|known| without_fragment(known) == without_fragment(url))
    };
    if !is_ours(callback) {
        let shown = if callback.is_empty() {
            "no address"
        } else {
            callback
        };
        return Finding::bad(
            CHECK,
            format!(
                "webhooks go to {shown}, not to {}",
                case.channel_webhook_url
            ),
        )
        .breaks(DEAF)
        .fix("set it to ours")
        .action("webhook");
    }
    if !is_ours(status_callback) {
        return Finding::warning(
            CHECK,
            "statuses that no message names an address for go elsewhere",
        )
        .breaks("nothing for our own messages, which name theirs")
        .fix("set it to ours")
        .action("webhook");
    }
    if !ours.contains(&callback) {
        return Finding::warning(
            CHECK,
            format!("webhooks go to {callback}, without what lets Twilio try again"),
        )
        .breaks("a webhook that is not answered at once is not sent again")
        .fix("set it to ours")
        .action("webhook");
    }
    Finding::good(CHECK, format!("webhooks go to {callback}"))
}

/// What follows a `#` says how Twilio connects.
fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

async fn service(
    rest: &mut Rest<'_>,
    config: &TwilioConfig,
    case: &Case<'_>,
    login: Login<'_>,
) -> Option<Finding> {
    let service = case.fact(SERVICE)?;
    let path = format!("/v1/Services/{service}");
    let seen = match rest.get(&config.messaging_url, &path, &[], login).await {
        Ok(seen) => seen,
        Err(error) if error.code() == 20_404 => {
            return Some(
                Finding::bad(
                    "messaging_service",
                    "there is no such Messaging Service any more",
                )
                .breaks("nothing is sent")
                .fix("connect the number again, with another service or none"),
            );
        }
        Err(error) => return Some(unseen("messaging_service", &error)),
    };
    if seen["use_inbound_webhook_on_number"] == true {
        return Some(
            Finding::bad(
                "webhook",
                "the Messaging Service leaves webhooks to its senders",
            )
            .breaks(DEAF)
            .fix("have the service send them to ours")
            .action("webhook"),
        );
    }
    let text = |name: &str| seen[name].as_str().unwrap_or_default();
    Some(webhook(
        text("inbound_request_url"),
        text("status_callback"),
        case,
    ))
}
