//! Webhooks: what the app hears of, the app's subscription to the account, and where the account's go.

use rejoinder_engine::adapter::{Case, Progress, StepError};
use rejoinder_engine::crypto::Secret;
use serde_json::{Value, json};

use super::graph::{Graph, GraphError};
use super::token::with;
use super::{App, COEXISTENCE, PHONE_NUMBER_ID, WABA_ID, access_token, need_id};

/// Bytes of an address at most, as Meta has it.
const MAX_URL_BYTES: usize = 200;
/// What webhooks are about.
const OBJECT: &str = "whatsapp_business_account";
/// Without it nothing that customers write arrives.
pub(super) const MESSAGES: &str = "messages";
/// What rules and people are better off with.
pub(super) const USEFUL: [&str; 7] = [
    "message_template_status_update",
    "template_category_update",
    "phone_number_quality_update",
    "phone_number_name_update",
    "account_update",
    "user_preferences",
    "security",
];
/// What a number on a phone needs besides.
pub(super) const OF_PHONES: [&str; 3] = ["smb_message_echoes", "smb_app_state_sync", "history"];

/// What the app hears of, and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subscribed {
    pub(super) callback_url: String,
    pub(super) fields: Vec<String>,
}

impl Subscribed {
    /// The address of the app itself, if it is another server's: what follows no override goes there.
    pub(super) fn elsewhere(&self, case: &Case<'_>) -> Option<&str> {
        let url = self.callback_url.as_str();
        (!url.is_empty() && !is_ours(url, case)).then_some(url)
    }

    /// Of `wanted`, what the app does not hear of.
    pub(super) fn lacks(&self, wanted: &[&'static str]) -> Vec<&'static str> {
        let has = |name: &str| self.fields.iter().any(|field| field == name);
        wanted.iter().copied().filter(|name| !has(name)).collect()
    }
}

/// Whether an address is this server's, as far as that is known.
fn is_ours(url: &str, case: &Case<'_>) -> bool {
    case.shared_webhook_url.is_empty() || url.starts_with(case.shared_webhook_url)
}

/// What a number needs the app to hear of.
pub(super) fn wanted(case: &Case<'_>) -> Vec<&'static str> {
    let of_phones = if case.is(COEXISTENCE) {
        &OF_PHONES[..]
    } else {
        &[]
    };
    [MESSAGES]
        .iter()
        .chain(&USEFUL)
        .chain(of_phones)
        .copied()
        .collect()
}

/// Asks the app what it hears of.
pub(super) async fn subscribed(
    graph: &mut Graph<'_>,
    app_id: &str,
    asker: &Secret,
) -> Result<Subscribed, GraphError> {
    let answer = graph
        .get(&format!("{app_id}/subscriptions"), &[], asker)
        .await?;
    let entries = answer["data"].as_array().into_iter().flatten();
    let mut of_whatsapp = entries.filter(|entry| entry["object"] == OBJECT);
    let subscribed = of_whatsapp.next().map(read).unwrap_or_default();
    graph.says(format!(
        "the app hears of {} at {}",
        if subscribed.fields.is_empty() {
            "nothing".to_owned()
        } else {
            subscribed.fields.join(" ")
        },
        if subscribed.callback_url.is_empty() {
            "no address"
        } else {
            &subscribed.callback_url
        },
    ));
    Ok(subscribed)
}

fn read(entry: &Value) -> Subscribed {
    let fields = entry["fields"].as_array().into_iter().flatten();
    // An entry is an object with the version, or the name alone.
    let name = |field: &Value| field["name"].as_str().or(field.as_str()).map(str::to_owned);
    Subscribed {
        callback_url: entry["callback_url"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        fields: if entry["active"] == false {
            Vec::new()
        } else {
            fields.filter_map(name).collect()
        },
    }
}

/// Sees that the app hears of everything, and has it do so if its address is ours or it has none yet.
pub(super) async fn fields(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let app = app.asking(&mut graph, case).await;
    let (Some(app_id), Some(asker)) = (app.id(case), app.token(case)) else {
        return Ok(Progress::skipped(
            "without the app's id and secret nobody can look",
        ));
    };
    let seen = match subscribed(&mut graph, &app_id, &asker).await {
        Ok(seen) => seen,
        Err(error) => return Err(graph.failed(&error)),
    };
    let wanted = wanted(case);
    let lacks = seen.lacks(&wanted);
    if lacks.is_empty() {
        let says = match seen.elsewhere(case) {
            None => "the app hears of everything that is needed".to_owned(),
            Some(place) => format!(
                "the app hears of everything that is needed; news of templates, names and limits go to {place}, \
                 which stands in its dashboard"
            ),
        };
        return Ok(with(Progress::done(says), graph));
    }
    let url = app.webhook_url(case);
    let by_hand = format!(
        "in the App dashboard (WhatsApp, Configuration, Webhook fields) subscribe to {}",
        lacks.join(", ")
    );
    let is_ours = seen.callback_url.is_empty() || seen.callback_url == url;
    let verify_token = app
        .verify_token(case)
        .filter(|_| is_ours && !url.is_empty());
    let Some(verify_token) = verify_token else {
        let detail = format!("the app does not hear of {}", lacks.join(", "));
        let is_vital = |field: &&str| *field == MESSAGES || OF_PHONES.contains(field);
        if !lacks.iter().any(is_vital) {
            return Ok(with(Progress::done(format!("{detail}; {by_hand}")), graph));
        }
        return Err(graph.with(StepError::new("field_missing", detail, by_hand)));
    };
    let mut all: Vec<&str> = seen.fields.iter().map(String::as_str).collect();
    all.extend(&lacks);
    let all = all.join(",");
    let query = [
        ("object", OBJECT),
        ("callback_url", url),
        ("verify_token", verify_token.expose()),
        ("fields", all.as_str()),
    ];
    let path = format!("{app_id}/subscriptions");
    match graph.post_query(&path, &query, &asker).await {
        Ok(_) => {
            graph.says(format!("the app now hears of {} too", lacks.join(" ")));
            let says = format!("the app was told to hear of {}", lacks.join(", "));
            Ok(with(Progress::done(says), graph))
        }
        Err(error) => Err(graph.failed(&error)),
    }
}

/// Why nobody here would hear what comes by a field, if that is so.
pub(super) async fn deafness(
    graph: &mut Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
    field: &'static str,
) -> Result<Option<StepError>, GraphError> {
    let (Ok(token), Ok(account)) = (access_token(case), need_id(case, WABA_ID)) else {
        return Ok(None);
    };
    let app = app.asking(graph, case).await;
    let app_id = app.id(case);
    let apps = apps(graph, account, token).await?;
    let Some((_, of_account)) = ours(&apps, app_id.as_deref()) else {
        return Ok(Some(StepError::new(
            "not_subscribed",
            "the app is not subscribed to the account: nobody would hear what can be asked for once",
            "take the steps 'subscribe' and 'override', then this one",
        )));
    };
    let mut place = of_account.clone();
    if let (true, Ok(number)) = (App::is_own(case), need_id(case, PHONE_NUMBER_ID)) {
        place = of_number(graph, number, token).await?.or(place);
    }
    if let (Some(app_id), Some(asker)) = (app_id, app.token(case)) {
        let seen = subscribed(graph, &app_id, &asker).await?;
        if !seen.lacks(&[field]).is_empty() {
            return Ok(Some(StepError::new(
                "field_missing",
                format!(
                    "the app does not hear of {field}: nobody would hear what can be asked for once"
                ),
                format!(
                    "take the step 'fields', or subscribe to {field} in the App dashboard (WhatsApp, Configuration, \
                     Webhook fields); then take this step"
                ),
            )));
        }
        place = place.or(Some(seen.callback_url).filter(|url| !url.is_empty()));
    }
    let elsewhere = place.filter(|place| !is_ours(place, case));
    Ok(elsewhere.map(|place| {
        StepError::new(
            "heard_elsewhere",
            format!("webhooks go to {place}: nobody here would hear what can be asked for once"),
            "take the step 'override', then this one",
        )
    }))
}

/// The apps that are subscribed to an account: their ids, and where the account's webhooks go instead.
pub(super) async fn apps(
    graph: &mut Graph<'_>,
    account: &str,
    token: &Secret,
) -> Result<Vec<(String, Option<String>)>, GraphError> {
    let entries = graph
        .list(&format!("{account}/subscribed_apps"), &[], token)
        .await?;
    let read = |entry: &Value| {
        let id = entry["whatsapp_business_api_data"]["id"]
            .as_str()?
            .to_owned();
        let url = entry["override_callback_uri"]
            .as_str()
            .filter(|url| !url.is_empty());
        Some((id, url.map(str::to_owned)))
    };
    let apps: Vec<_> = entries.iter().filter_map(read).collect();
    let ids: Vec<&str> = apps.iter().map(|(id, _)| id.as_str()).collect();
    graph.says(if ids.is_empty() {
        "no app".to_owned()
    } else {
        format!("the app(s) {}", ids.join(" "))
    });
    Ok(apps)
}

/// Of the subscribed apps ours: by its id if it is known, else the only one.
pub(super) fn ours<'a>(
    apps: &'a [(String, Option<String>)],
    app_id: Option<&str>,
) -> Option<&'a (String, Option<String>)> {
    match app_id {
        Some(app_id) => apps.iter().find(|(id, _)| id == app_id),
        None => apps.first().filter(|_| apps.len() == 1),
    }
}

/// Subscribes the app to the account. Asked for twice it would clear the override, so it looks first.
pub(super) async fn subscribe(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let token = access_token(case)?;
    let account = need_id(case, WABA_ID)?;
    let app_id = app.asking(&mut graph, case).await.id(case);
    let before = match apps(&mut graph, account, token).await {
        Ok(apps) => apps,
        Err(error) => return Err(graph.failed(&error)),
    };
    if ours(&before, app_id.as_deref()).is_some() {
        return Ok(with(
            Progress::done("the app is subscribed to the account"),
            graph,
        ));
    }
    if let Err(error) = post(&mut graph, account, None, token).await {
        return Err(graph.failed(&error));
    }
    graph.says("success");
    let after = match apps(&mut graph, account, token).await {
        Ok(apps) => apps,
        Err(error) => return Err(graph.failed(&error)),
    };
    if app_id.is_some() && ours(&after, app_id.as_deref()).is_none() {
        let error = StepError::new(
            "not_subscribed",
            "Meta said yes, and yet the app is not among those subscribed",
            "take the step again in a minute",
        );
        return Err(graph.with(error));
    }
    Ok(with(
        Progress::done("the app was subscribed to the account"),
        graph,
    ))
}

/// Has the webhooks of the account, or of the number alone, sent to this server, whatever address the app has.
pub(super) async fn override_url(
    mut graph: Graph<'_>,
    app: App<'_>,
    case: &Case<'_>,
) -> Result<Progress, StepError> {
    let token = access_token(case)?;
    let account = need_id(case, WABA_ID)?;
    let url = app.webhook_url(case);
    if url.is_empty() && App::is_own(case) {
        return Err(StepError::new(
            "no_public_url",
            "the server has no `public_url`, to which the webhooks of your own app must go",
            "set `public_url` (REJOINDER_PUBLIC_URL) to the https address that leads to this server, restart it, and \
             take the step again",
        ));
    }
    if url.is_empty() {
        return Ok(Progress::skipped(
            "the server has no `public_url`: webhooks go to the address that stands in the app's dashboard, which \
             must be this server's /api/webhooks/whatsapp",
        ));
    }
    if url.len() > MAX_URL_BYTES {
        return Err(StepError::new(
            "url_too_long",
            format!(
                "Meta takes addresses of up to {MAX_URL_BYTES} letters, and ours has {}",
                url.len()
            ),
            "choose a shorter `public_url`",
        ));
    }
    let Some(verify_token) = app.verify_token(case) else {
        return Err(StepError::new(
            "no_verify_token",
            "there is no word for the handshake of webhooks",
            "set meta.verify_token (REJOINDER_META_VERIFY_TOKEN) to a word of your choice, and restart the server",
        ));
    };
    let app_id = app.id(case);
    let scope = if App::is_own(case) {
        Scope::Number(need_id(case, PHONE_NUMBER_ID)?)
    } else {
        Scope::Account(account, app_id.as_deref())
    };
    if is_set(&mut graph, scope, token, url).await == Ok(true) {
        return Ok(with(Progress::done(format!("webhooks go to {url}")), graph));
    }
    let place = json!({ "override_callback_uri": url, "verify_token": verify_token.expose() });
    let set = match scope {
        Scope::Account(account, _) => post(&mut graph, account, Some(place), token).await,
        Scope::Number(number) => {
            let body = json!({ "webhook_configuration": place });
            succeed(graph.post(number, Some(body), token).await)
        }
    };
    if let Err(error) = set {
        return Err(graph.failed(&error));
    }
    graph.says("success: the handshake was answered");
    match is_set(&mut graph, scope, token, url).await {
        Ok(true) => Ok(with(Progress::done(format!("webhooks go to {url}")), graph)),
        Ok(false) => {
            let error = StepError::new(
                "not_overridden",
                "Meta said yes, and yet shows another address",
                "take the step again in a minute",
            );
            Err(graph.with(error))
        }
        Err(error) => Err(graph.failed(&error)),
    }
}

/// For what an address is set. Each number of an own app has an address of its own, so that a second number of
/// the account does not take the first one's away.
#[derive(Clone, Copy)]
enum Scope<'a> {
    /// An account, of which the app of this id is subscribed.
    Account(&'a str, Option<&'a str>),
    Number(&'a str),
}

/// Subscribes the app; with a body it says where the account's webhooks go.
async fn post(
    graph: &mut Graph<'_>,
    account: &str,
    body: Option<Value>,
    token: &Secret,
) -> Result<(), GraphError> {
    let path = format!("{account}/subscribed_apps");
    succeed(graph.post(&path, body, token).await)
}

fn succeed(answer: Result<Value, GraphError>) -> Result<(), GraphError> {
    let is_done = answer?["success"] == true;
    is_done.then_some(()).ok_or(GraphError::NoAnswer)
}

/// Where the webhooks of a number go, if that was said for the number itself.
pub(super) async fn of_number(
    graph: &mut Graph<'_>,
    number: &str,
    token: &Secret,
) -> Result<Option<String>, GraphError> {
    let query = [("fields", "webhook_configuration")];
    let seen = graph.get(number, &query, token).await?;
    let url = seen["webhook_configuration"]["phone_number"].as_str();
    let url = url.filter(|url| !url.is_empty());
    graph.says(url.map_or_else(
        || "the number has no address of its own".to_owned(),
        |url| format!("the number's webhooks go to {url}"),
    ));
    Ok(url.map(str::to_owned))
}

async fn is_set(
    graph: &mut Graph<'_>,
    scope: Scope<'_>,
    token: &Secret,
    url: &str,
) -> Result<bool, GraphError> {
    let found = match scope {
        Scope::Number(number) => of_number(graph, number, token).await?,
        Scope::Account(account, app_id) => {
            let apps = apps(graph, account, token).await?;
            ours(&apps, app_id).and_then(|(_, url)| url.clone())
        }
    };
    Ok(found.as_deref() == Some(url))
}
