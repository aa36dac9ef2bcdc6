//! The customers of a location in the API.

use rejoinder_engine::domain::contact::Contact;
use serde::Serialize;
use serde_json::{Map, Value};
use warp::http::Method;
use warp::reply::Response;

use super::Next;
use super::request::Scoped;
use crate::reply::{self, Error};

#[derive(Serialize)]
struct ContactJson {
    id: String,
    name: String,
    phone: Option<String>,
    language: String,
    tags: Vec<String>,
    attributes: Map<String, Value>,
    opted_out: bool,
}

impl From<Contact> for ContactJson {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            name: contact.name,
            phone: contact.phone.map(|phone| phone.to_string()),
            language: contact.language,
            tags: contact.tags,
            attributes: contact.attributes,
            opted_out: contact.opted_out,
        }
    }
}

#[derive(Serialize)]
struct ContactsJson {
    contacts: Vec<ContactJson>,
    #[serde(flatten)]
    next: Next,
}

/// `/contacts`
pub(super) async fn all(scoped: &Scoped) -> Result<Response, Error> {
    if scoped.request.method != Method::GET {
        return Err(Error::Method("GET"));
    }
    let query = scoped.request.query.only(&["after", "limit"])?;
    let limit = query.limit()?;
    let rows = scoped.store().contacts(query.id("after")?, limit).await?;
    let next = Next::after(&rows, limit, |row| row.id.to_string());
    Ok(reply::ok(&ContactsJson {
        contacts: rows.into_iter().map(ContactJson::from).collect(),
        next,
    }))
}
