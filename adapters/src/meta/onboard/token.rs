//! The access token: exchanged or prolonged, and looked at; and the app's secret.

use rejoinder_engine::adapter::{Case, Progress, StepError};
use rejoinder_engine::crypto::{Secret, random_word};
use rejoinder_engine::domain::time::Timestamp;
use serde_json::Value;

use super::graph::{Graph, GraphError};
use super::{ACCESS_TOKEN, APP_ID, App, CODE, GRANTED, REDIRECT_URI, VERIFY_TOKEN, access_token};
use crate::meta::MetaApp;

/// What a token must be allowed to do.
pub(super) const PERMISSIONS: [&str; 2] = [
    "whatsapp_business_management",
    "whatsapp_business_messaging",
];
/// The fact that holds what the token is: `USER`, `SYSTEM_USER`.
pub(super) const TOKEN_TYPE: &str = "token_type";
/// The fact that holds until when the token is good, or `never`.
pub(super) const TOKEN_EXPIRES: &str = "token_expires";
/// A page of granted accounts at most; a token that was granted more names them in `account`.
const MAX_GRANTED: usize = 50;

/// Exchanges the code of a sign-up, or prolongs the token that came instead of one.
pub(super) async fn token(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let app = server_app(&app)?;
    if let Some(code) = case.secrets.get(CODE) {
        let mut query = vec![
            ("client_id", app.id.as_str()),
            ("client_secret", app.secret.expose()),
            ("code", code.expose()),
        ];
        // The pop-up has none; the full page must repeat its own to the letter.
        if let Some(redirect_uri) = case.fact(REDIRECT_URI) {
            query.push(("redirect_uri", redirect_uri));
        }
        let answer = match graph.get_openly("oauth/access_token", &query).await {
            Ok(answer) => answer,
            Err(error) => return Err(exchange_failed(graph, &error)),
        };
        let token = read_token(&answer).ok_or_else(no_token)?;
        graph.says("a token, in exchange for the code");
        let progress = Progress::done("the code was exchanged for a token")
            .secret(ACCESS_TOKEN, token)
            .spend(CODE);
        return Ok(with(progress, graph));
    }
    let Some(given) = case.secrets.get(ACCESS_TOKEN) else {
        return Ok(Progress::ask(
            CODE,
            "the code of the sign-up, to be given within 30 seconds; or its token as 'access_token'",
            Vec::new(),
        ));
    };
    let seen = match debug(&mut graph, &app_token(app), given).await {
        Ok(seen) => seen,
        Err(error) => return Err(graph.failed(&error)),
    };
    if seen.kind != "USER" {
        let says = "the token is a system user's and need not be prolonged";
        return Ok(with(Progress::done(says), graph));
    }
    let query = [
        ("grant_type", "fb_exchange_token"),
        ("client_id", app.id.as_str()),
        ("client_secret", app.secret.expose()),
        ("fb_exchange_token", given.expose()),
    ];
    let answer = match graph.get_openly("oauth/access_token", &query).await {
        Ok(answer) => answer,
        Err(error) => return Err(graph.failed(&error)),
    };
    let token = read_token(&answer).ok_or_else(no_token)?;
    graph.says("a token that lasts longer");
    let progress = Progress::done("the user's token was prolonged").secret(ACCESS_TOKEN, token);
    Ok(with(progress, graph))
}

/// After a lost answer nobody knows whether the code still works; it costs nothing to try.
fn exchange_failed(graph: Graph<'_>, error: &GraphError) -> StepError {
    let failure = graph.failed(error);
    if *error != GraphError::NoAnswer {
        return failure;
    }
    let mut failure = failure.asks(CODE, "the new code of the sign-up");
    "take the step again within 30 seconds; if the code was used up by then, open the sign-up again and give its \
     new code"
        .clone_into(&mut failure.failure.fix);
    failure
}

fn server_app<'a>(app: &App<'a>) -> Result<&'a MetaApp, StepError> {
    app.server
        .filter(|app| !app.id.is_empty() && !app.secret.is_empty())
        .ok_or_else(|| {
            StepError::new(
                "no_app",
                "the server has no Meta app, through which numbers could sign up",
                "set meta.app_id and meta.app_secret (REJOINDER_META_APP_ID, REJOINDER_META_APP_SECRET), or connect \
                 the number with keys of its own app (meta-keys)",
            )
        })
}

fn app_token(app: &MetaApp) -> Secret {
    Secret::new(format!("{}|{}", app.id, app.secret.expose()))
}

fn read_token(answer: &Value) -> Option<Secret> {
    let token = answer["access_token"].as_str()?;
    (!token.is_empty()).then(|| Secret::new(token))
}

fn no_token() -> StepError {
    StepError::new(
        "no_answer",
        "Meta answered without a token",
        "open the sign-up again and give its new code",
    )
    .asks(CODE, "the new code of the sign-up")
}

/// What Meta tells of a token.
pub(super) struct Seen {
    pub(super) app_id: String,
    pub(super) kind: String,
    pub(super) is_valid: bool,
    /// `None`: never.
    pub(super) expires_at: Option<Timestamp>,
    /// Until when it opens data; `None`: as long as it is valid.
    pub(super) data_until: Option<Timestamp>,
    pub(super) scopes: Vec<String>,
    /// The business accounts it was granted for, the newest grant first; empty for all of its owner's.
    pub(super) granted: Vec<String>,
    /// Why it is not valid.
    pub(super) reason: String,
}

impl Seen {
    fn read(answer: &Value) -> Self {
        let data = &answer["data"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let moment = |value: &Value| {
            let seconds = value.as_i64().filter(|seconds| *seconds > 0)?;
            Some(Timestamp::from_seconds(seconds))
        };
        let list = |value: &Value| -> Vec<String> {
            let entries = value.as_array().into_iter().flatten();
            entries
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        };
        let granular = || data["granular_scopes"].as_array().into_iter().flatten();
        let mut scopes = list(&data["scopes"]);
        // The permissions of WhatsApp may stand here only.
        scopes.extend(granular().map(|grant| text(&grant["scope"])));
        scopes.sort();
        scopes.dedup();
        let of_accounts = granular().find(|grant| grant["scope"] == PERMISSIONS[0]);
        Self {
            app_id: text(&data["app_id"]),
            kind: text(&data["type"]),
            is_valid: data["is_valid"] == true,
            expires_at: moment(&data["expires_at"]),
            data_until: moment(&data["data_access_expires_at"]),
            scopes,
            granted: of_accounts
                .map(|grant| list(&grant["target_ids"]))
                .unwrap_or_default(),
            reason: text(&data["error"]["message"]),
        }
    }

    /// The permissions that it lacks.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        let has = |name: &str| self.scopes.iter().any(|scope| scope == name);
        PERMISSIONS.into_iter().filter(|name| !has(name)).collect()
    }

    /// Until when it is good, in words.
    pub(super) fn until(&self) -> String {
        self.expires_at
            .map_or_else(|| "never".to_owned(), |at| at.to_string())
    }
}

/// Looks at a token, by the right of the app or of another token.
pub(super) async fn debug(
    graph: &mut Graph<'_>,
    asker: &Secret,
    token: &Secret,
) -> Result<Seen, GraphError> {
    let query = [("input_token", token.expose())];
    let seen = Seen::read(&graph.get("debug_token", &query, asker).await?);
    graph.says(format!(
        "valid: {}, type {}, of app {}, expires {}, may {}",
        if seen.is_valid { "yes" } else { "no" },
        seen.kind,
        seen.app_id,
        seen.until(),
        seen.scopes.join(" "),
    ));
    Ok(seen)
}

/// Looks at what the token may do, and for how long.
pub(super) async fn permissions(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let Some(token) = case.secrets.get(ACCESS_TOKEN) else {
        return Ok(Progress::ask(
            ACCESS_TOKEN,
            "the token of a system user (Business settings, System users)",
            Vec::new(),
        ));
    };
    // A token may be asked about itself; the app of a token that a person gave is not known before.
    let asker = if App::is_own(case) {
        None
    } else {
        app.token(case)
    };
    let seen = match debug(&mut graph, asker.as_ref().unwrap_or(token), token).await {
        Ok(seen) => seen,
        Err(error) => return Err(graph.failed(&error)),
    };
    if let Some(error) = unfit(&seen, &app, case) {
        return Err(graph.with(error));
    }
    let says = match (seen.kind.as_str(), seen.expires_at) {
        ("USER", _) => format!(
            "a user's token, good until {}; a system user's lasts: choose it in the configuration of Facebook Login \
             for Business (if the option is greyed out there, the app must be of the type Business and belong to a \
             verified portfolio)",
            seen.until()
        ),
        (_, Some(at)) => format!("good until {at}; sign up again, or give a new one, before"),
        (_, None) => "good for ever".to_owned(),
    };
    let progress = Progress::done(says)
        .fact(APP_ID, seen.app_id.clone())
        .fact(TOKEN_TYPE, seen.kind.clone())
        .fact(TOKEN_EXPIRES, seen.until())
        .fact(
            GRANTED,
            seen.granted[..seen.granted.len().min(MAX_GRANTED)].join(" "),
        );
    Ok(with(progress, graph))
}

fn unfit(seen: &Seen, app: &App<'_>, case: &Case<'_>) -> Option<StepError> {
    if !seen.is_valid {
        let has_ended = seen.expires_at.is_some_and(|at| at <= case.now);
        let (code, what) = if has_ended {
            ("token_expired", "the token has expired")
        } else {
            ("token_invalid", "Meta says that the token is not valid")
        };
        let detail = format!("{what}: {}", seen.reason);
        let fix = "sign up again, or give a new token";
        return Some(StepError::new(code, detail, fix).asks(ACCESS_TOKEN, "a new access token"));
    }
    if !App::is_own(case)
        && let Some(server) = app.server
        && !server.id.is_empty()
        && seen.app_id != server.id
    {
        let detail = format!(
            "the token belongs to the app {}, not to the server's {}",
            seen.app_id, server.id
        );
        let fix = "give a token of the server's app, or the secret of this app as 'app_secret' (meta-keys)";
        return Some(
            StepError::new("other_app", detail, fix)
                .asks(ACCESS_TOKEN, "a token of the server's app"),
        );
    }
    let lacks = seen.lacks();
    if !lacks.is_empty() {
        let detail = format!("the token lacks {}", lacks.join(" and "));
        let fix = "make a token with these permissions (Business settings, System users, Generate token), or sign \
                   up again and leave every box ticked";
        let error = StepError::new("permission_missing", detail, fix);
        return Some(error.asks(ACCESS_TOKEN, "a token with these permissions"));
    }
    None
}

/// Sees that the secret of an own app is the right one, by having the app itself ask.
pub(super) async fn secret(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    if !App::is_own(case) {
        return match app.server {
            Some(server) if !server.secret.is_empty() => Ok(Progress::skipped(
                "no 'app_secret' was given: webhooks are verified with that of the server's app",
            )),
            _ => Ok(Progress::ask(
                super::APP_SECRET,
                "the secret of the app (App settings, Basic), with which it signs webhooks",
                Vec::new(),
            )),
        };
    }
    let token = access_token(case)?;
    let asker = app.token(case).ok_or_else(|| {
        StepError::new(
            "not_known_yet",
            "the app's id is not known yet",
            "take the steps before this one",
        )
    })?;
    match debug(&mut graph, &asker, token).await {
        Ok(_) => {}
        Err(GraphError::Refused(refusal)) if matches!(refusal.code, 1 | 100 | 101 | 104 | 190) => {
            let error = StepError::new(
                "app_secret_wrong",
                format!(
                    "Meta does not accept this secret for the app {}",
                    app.id(case).unwrap_or_default()
                ),
                "copy the secret of this very app (App settings, Basic, App secret)",
            );
            return Err(graph.with(error.asks(super::APP_SECRET, "the secret of the app")));
        }
        Err(error) => return Err(graph.failed(&error)),
    }
    let mut progress = Progress::done("Meta accepts the app's secret");
    if case.secrets.get(VERIFY_TOKEN).is_none() {
        progress = progress.secret(VERIFY_TOKEN, random_word());
    }
    Ok(with(progress, graph))
}

/// The progress, with what was asked on the way.
pub(super) fn with(mut progress: Progress, graph: Graph<'_>) -> Progress {
    progress.evidence = graph.asking.evidence;
    progress
}
