//! Templates in the API: what is known of those of a location, written so that a person can type it.

use percent_encoding::percent_decode_str;
use rejoinder_engine::SyncedAccount;
use rejoinder_engine::domain::content::MediaKind;
use rejoinder_engine::domain::template::{
    ButtonShape, HeaderShape, TemplateCategory, TemplateParameters, TemplateShape, TemplateStatus,
};
use rejoinder_engine::store::{TemplateListRow, TemplateRow};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::request::Scoped;
use crate::reply::{self, Error};

/// What a template looks like; what is absent is nothing, and a status that is absent is `approved`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShapeJson {
    pub(crate) name: String,
    pub(crate) language: String,
    /// How many values the body takes, or their names.
    #[serde(default)]
    parameters: TemplateParameters,
    /// What stands above the body and has to be given, or null.
    #[serde(default)]
    header: Option<HeaderJson>,
    /// The buttons that need a value.
    #[serde(default)]
    buttons: Vec<ButtonShape>,
    #[serde(default)]
    status: TemplateStatus,
    #[serde(default)]
    category: TemplateCategory,
    /// The account at the provider, where the location's channels belong to several.
    #[serde(default)]
    pub(crate) account: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum HeaderJson {
    Text,
    Image,
    Video,
    Document,
}

impl ShapeJson {
    pub(crate) fn into_shape(self) -> TemplateShape {
        TemplateShape {
            name: self.name,
            language: self.language,
            parameters: self.parameters,
            header: match self.header {
                None => HeaderShape::None,
                Some(HeaderJson::Text) => HeaderShape::Text,
                Some(HeaderJson::Image) => HeaderShape::Media(MediaKind::Image),
                Some(HeaderJson::Video) => HeaderShape::Media(MediaKind::Video),
                Some(HeaderJson::Document) => HeaderShape::Media(MediaKind::Document),
            },
            buttons: self.buttons,
            status: self.status,
            category: self.category,
        }
    }
}

/// A template as printed: as it is written, and when that was learnt.
#[derive(Serialize)]
pub(crate) struct TemplateJson {
    #[serde(flatten)]
    shape: ShapeJson,
    seen_at: String,
}

impl From<TemplateRow> for TemplateJson {
    fn from(row: TemplateRow) -> Self {
        let shape = row.shape;
        Self {
            shape: ShapeJson {
                name: shape.name,
                language: shape.language,
                parameters: shape.parameters,
                header: match shape.header {
                    HeaderShape::None => None,
                    HeaderShape::Text => Some(HeaderJson::Text),
                    HeaderShape::Media(MediaKind::Image | MediaKind::Sticker) => {
                        Some(HeaderJson::Image)
                    }
                    HeaderShape::Media(MediaKind::Video) => Some(HeaderJson::Video),
                    HeaderShape::Media(
                        MediaKind::Document | MediaKind::Audio | MediaKind::Voice,
                    ) => Some(HeaderJson::Document),
                },
                buttons: shape.buttons,
                status: shape.status,
                category: shape.category,
                account: Some(row.account),
            },
            seen_at: row.seen_at.to_string(),
        }
    }
}

/// An account whose list was read at its provider.
#[derive(Serialize)]
struct ListJson {
    account: String,
    read_at: String,
}

/// A location's templates as printed, and of which accounts these are all.
#[derive(Serialize)]
pub(crate) struct TemplatesJson {
    templates: Vec<TemplateJson>,
    lists: Vec<ListJson>,
}

impl TemplatesJson {
    pub(crate) fn new(templates: Vec<TemplateRow>, lists: Vec<TemplateListRow>) -> Self {
        let lists = lists.into_iter().map(|list| ListJson {
            account: list.account,
            read_at: list.read_at.to_string(),
        });
        Self {
            templates: templates.into_iter().map(TemplateJson::from).collect(),
            lists: lists.collect(),
        }
    }
}

/// An account that was asked for its list.
#[derive(Serialize)]
struct SyncedJson {
    provider: String,
    account: String,
    /// How many templates it has; null if its provider keeps no list.
    templates: Option<usize>,
}

/// What came of asking the accounts of a location.
#[derive(Serialize)]
pub(crate) struct SyncJson {
    accounts: Vec<SyncedJson>,
}

impl From<Vec<SyncedAccount>> for SyncJson {
    fn from(accounts: Vec<SyncedAccount>) -> Self {
        let accounts = accounts.into_iter().map(|synced| SyncedJson {
            provider: synced.provider,
            account: synced.account,
            templates: synced.templates,
        });
        Self {
            accounts: accounts.collect(),
        }
    }
}

/// A template in the body of a request: its name and language are in the path, and need not be repeated.
#[derive(Deserialize)]
struct Put(serde_json::Map<String, serde_json::Value>);

/// `/templates…`
pub(crate) async fn route(path: &[&str], scoped: &Scoped) -> Result<Response, Error> {
    match (scoped.request.method.as_str(), path) {
        ("GET", []) => list(scoped).await,
        (_, []) => Err(Error::Method("GET")),
        ("POST", ["sync"]) => sync(scoped).await,
        (_, ["sync"]) => Err(Error::Method("POST")),
        (method, [name, language]) => {
            let (name, language) = (segment(name)?, segment(language)?);
            match method {
                "GET" => show(scoped, &name, &language).await,
                "PUT" => put(scoped, name, language).await,
                "DELETE" => remove(scoped, &name, &language).await,
                _ => Err(Error::Method("GET, PUT, DELETE")),
            }
        }
        _ => Err(Error::Missing("path")),
    }
}

/// A part of the path as text: Twilio's names may hold spaces.
fn segment(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::Missing("template"))
}

async fn list(scoped: &Scoped) -> Result<Response, Error> {
    scoped.request.query.only(&[])?;
    let store = scoped.store();
    let templates = store.templates().await?;
    let lists = store.template_lists().await?;
    Ok(reply::ok(&TemplatesJson::new(templates, lists)))
}

async fn sync(scoped: &Scoped) -> Result<Response, Error> {
    let synced = scoped.engine().sync_templates(scoped.location_id).await?;
    Ok(reply::ok(&SyncJson::from(synced)))
}

async fn show(scoped: &Scoped, name: &str, language: &str) -> Result<Response, Error> {
    let query = scoped.request.query.only(&["account"])?;
    let account = query.text("account");
    let mut templates = scoped.store().templates().await?.into_iter();
    let template = templates.find(|row| {
        row.shape.name == name
            && row.shape.language == language
            && account.is_none_or(|account| row.account == account)
    });
    let template = template.ok_or(Error::Missing("template"))?;
    Ok(reply::ok(&TemplateJson::from(template)))
}

async fn put(scoped: &Scoped, name: String, language: String) -> Result<Response, Error> {
    let Put(mut members) = scoped.request.json()?;
    for (member, text) in [("name", name), ("language", language)] {
        match members.get(member) {
            Some(other) if *other != text.as_str() => {
                return Err(Error::Invalid(format!(
                    "'{member}' is {other} in the body and '{text}' in the path; leave it out of the body"
                )));
            }
            _ => members.insert(member.to_owned(), text.into()),
        };
    }
    let mut template: ShapeJson = serde_json::from_value(members.into())
        .map_err(|error| Error::Invalid(format!("the body does not read: {error}")))?;
    let account = template.account.take();
    let engine = scoped.engine();
    let row = engine
        .put_template(
            scoped.location_id,
            account.as_deref(),
            template.into_shape(),
        )
        .await?;
    Ok(reply::ok(&TemplateJson::from(row)))
}

async fn remove(scoped: &Scoped, name: &str, language: &str) -> Result<Response, Error> {
    let account = scoped.request.query.only(&["account"])?.text("account");
    let engine = scoped.engine();
    engine
        .remove_template(scoped.location_id, account, name, language)
        .await?;
    Ok(reply::gone())
}
