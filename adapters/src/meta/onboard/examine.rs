//! What can be wrong with a connected number at Meta, looked at one after the other. Changes nothing.

mod number;

use rejoinder_engine::adapter::Case;
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::finding::Finding;
use rejoinder_engine::domain::time::Span;

use super::graph::{Graph, GraphError};
use super::{ACCESS_TOKEN, App, PHONE_NUMBER_ID, WABA_ID, token, webhooks};

/// A token that ends within this time should be renewed now.
const SOON: Span = Span::days(14);

/// Looks at everything.
pub(super) async fn examine(
    mut graph: Graph<'_>,
    mut app: App<'_>,
    case: &Case<'_>,
) -> Vec<Finding> {
    let Some(token) = case.secrets.get(ACCESS_TOKEN) else {
        let finding = Finding::bad("token", "the channel has no access token")
            .breaks("nothing is sent")
            .fix("give it one: `rejoinder channel set … --credential access_token=@file`");
        return vec![finding];
    };
    let mut findings = token_and_permissions(&mut graph, &mut app, case, token).await;
    if findings.iter().any(|finding| finding.check == "reachable") {
        return findings;
    }
    findings.push(graph.asking.clock("Meta", case.now));
    let shared = subscription(&mut graph, &app, case, token).await;
    findings.extend(shared);
    findings.extend(fields(&mut graph, &app, case).await);
    findings.extend(number::number(&mut graph, case, token).await);
    findings.extend(number::account(&mut graph, case, token).await);
    findings.push(number::connection(case));
    findings.extend(number::history(case));
    findings
}

/// What a failed look says.
fn unseen(check: &str, error: &GraphError) -> Finding {
    match error {
        GraphError::NotConnected => {
            Finding::bad("reachable", "Meta cannot be reached from this server")
                .breaks("nothing is sent, and nothing can be looked at")
                .fix("check that this server reaches graph.facebook.com over https")
        }
        GraphError::NoAnswer => {
            Finding::unknown(check, "Meta gave no usable answer; look again in a minute")
        }
        GraphError::Refused(refusal) => {
            let id = refusal
                .trace_id
                .as_deref()
                .map(|id| format!(" (fbtrace_id {id})"));
            Finding::unknown(
                check,
                format!("{}{}", refusal.told(), id.unwrap_or_default()),
            )
        }
    }
}

async fn token_and_permissions(
    graph: &mut Graph<'_>,
    app: &mut App<'_>,
    case: &Case<'_>,
    token: &Secret,
) -> Vec<Finding> {
    const CHECK: &str = "token";
    let asker = if App::is_own(case) {
        None
    } else {
        app.token(case)
    };
    let seen = match token::debug(graph, asker.as_ref().unwrap_or(token), token).await {
        Ok(seen) => seen,
        Err(GraphError::Refused(refusal)) if refusal.code == 190 => {
            return vec![
                Finding::bad(CHECK, refusal.told())
                    .breaks("nothing is sent")
                    .fix("sign up again, or give the channel a new access token"),
            ];
        }
        Err(error) => return vec![unseen(CHECK, &error)],
    };
    app.learn(&seen);
    let until = seen.until();
    let ends_soon = |at: Option<_>| at.is_some_and(|at| at < case.now + SOON);
    let mut findings = Vec::new();
    findings.push(if !seen.is_valid {
        Finding::bad(CHECK, format!("not valid (until {until}): {}", seen.reason))
            .breaks("nothing is sent")
            .fix("sign up again, or give the channel a new access token")
    } else if ends_soon(seen.expires_at) || ends_soon(seen.data_until) {
        let data = seen.data_until.map_or_else(|| "never".to_owned(), |at| at.to_string());
        Finding::warning(CHECK, format!("valid, expires {until}, opens data until {data}"))
            .breaks("from then on nothing is sent")
            .fix("sign up again before, or give the channel a token that never expires")
    } else if seen.kind == "USER" {
        Finding::warning(CHECK, format!("valid, a user's token, expires {until}"))
            .breaks("it ends when that user changes the password or leaves")
            .fix(
                "choose the system user's token in the configuration of Facebook Login for Business; if the option \
                 is greyed out, make the app one of the type Business and verify its portfolio",
            )
    } else {
        Finding::good(CHECK, format!("valid, expires {until}"))
    });
    let server_id = app.server.map(|app| app.id.as_str()).unwrap_or_default();
    if !App::is_own(case) && !server_id.is_empty() && seen.app_id != server_id {
        findings.push(
            Finding::bad("app", format!("the token belongs to the app {}, not to the server's {server_id}", seen.app_id))
                .breaks("webhooks of the number are signed by another app, and refused")
                .fix("give the channel the secret of that app as 'app_secret', or a token of the server's app"),
        );
    }
    let lacks = seen.lacks();
    findings.push(if lacks.is_empty() {
        Finding::good("permissions", seen.scopes.join(" "))
    } else {
        Finding::bad(
            "permissions",
            format!("the token lacks {}", lacks.join(" and ")),
        )
        .breaks("without them nothing can be sent or managed")
        .fix("make a token with these permissions, or sign up again and leave every box ticked")
    });
    findings
}

async fn subscription(
    graph: &mut Graph<'_>,
    app: &App<'_>,
    case: &Case<'_>,
    token: &Secret,
) -> Vec<Finding> {
    let account = case.fact(WABA_ID).unwrap_or_default();
    let apps = match webhooks::apps(graph, account, token).await {
        Ok(apps) => apps,
        Err(error) => return vec![unseen("subscription", &error)],
    };
    let app_id = app.id(case);
    let Some((id, override_url)) = webhooks::ours(&apps, app_id.as_deref()) else {
        let finding = Finding::bad(
            "subscription",
            "the app is not subscribed to the business account",
        )
        .breaks("what customers write is not received")
        .fix("subscribe it; then set the address of webhooks again, which that clears")
        .action("subscribe");
        return vec![finding];
    };
    let mut findings = vec![Finding::good(
        "subscription",
        format!("the app {id} is subscribed to the account"),
    )];
    let url = app.webhook_url(case);
    let mut set = override_url.clone();
    if App::is_own(case) {
        let number = case.fact(PHONE_NUMBER_ID).unwrap_or_default();
        match webhooks::of_number(graph, number, token).await {
            // What is said for a number goes before what is said for its account.
            Ok(of_number) => set = of_number.or(set),
            Err(error) => {
                findings.push(unseen("override", &error));
                return findings;
            }
        }
    }
    findings.push(match set.as_deref() {
        _ if url.is_empty() => {
            Finding::unknown("override", "the server has no `public_url` to compare with")
        }
        Some(set) if set == url => Finding::good("override", format!("webhooks go to {set}")),
        Some(other) => Finding::bad("override", format!("webhooks go to {other}, not to {url}"))
            .breaks("what customers write is received elsewhere")
            .fix("set the address of webhooks to ours")
            .action("override"),
        None => Finding::warning(
            "override",
            "webhooks go to the address that stands in the app's dashboard",
        )
        .breaks("if that is not this server, what customers write is received elsewhere")
        .fix("set the address of webhooks to ours")
        .action("override"),
    });
    findings
}

async fn fields(graph: &mut Graph<'_>, app: &App<'_>, case: &Case<'_>) -> Option<Finding> {
    const CHECK: &str = "webhook_fields";
    let (Some(app_id), Some(asker)) = (app.id(case), app.token(case)) else {
        return Some(Finding::unknown(
            CHECK,
            "without the app's id and secret nobody can look",
        ));
    };
    let seen = match webhooks::subscribed(graph, &app_id, &asker).await {
        Ok(seen) => seen,
        Err(error) => return Some(unseen(CHECK, &error)),
    };
    let lacks = seen.lacks(&webhooks::wanted(case));
    if let (true, Some(place)) = (lacks.is_empty(), seen.elsewhere(case)) {
        let evidence =
            format!("the app hears of everything that is needed; its own address is {place}");
        return Some(
            Finding::warning(CHECK, evidence)
                .breaks(
                    "what follows no override goes there: news of templates, names, limits, and of customers who \
                     want no marketing",
                )
                .fix(
                    "let the app's address lead to this server (App dashboard, WhatsApp, Configuration), or have \
                     that server pass its webhooks on, as they are",
                ),
        );
    }
    if lacks.is_empty() {
        return Some(Finding::good(
            CHECK,
            "the app hears of everything that is needed",
        ));
    }
    let evidence = format!("the app does not hear of {}", lacks.join(", "));
    let by_hand =
        "subscribe to them in the App dashboard (WhatsApp, Configuration, Webhook fields)";
    let of_phones = webhooks::OF_PHONES
        .iter()
        .any(|field| lacks.contains(field));
    Some(if lacks.contains(&webhooks::MESSAGES) {
        Finding::bad(CHECK, evidence)
            .breaks("messages are not syncing: what customers write, and whether answers arrive, is not received")
            .fix(by_hand)
            .action("fields")
    } else if of_phones {
        Finding::bad(CHECK, evidence)
            .breaks("messages are not syncing: what is written on the phone is not seen, so that rules answer along")
            .fix(by_hand)
            .action("fields")
    } else {
        Finding::warning(CHECK, evidence)
            .breaks("changes of templates, names, limits and wishes go unnoticed")
            .fix(by_hand)
            .action("fields")
    })
}
