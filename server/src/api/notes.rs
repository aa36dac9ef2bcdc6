//! Notes beside a conversation in the API: what rules and people wrote down for people.

use rejoinder_engine::domain::ids::ConversationId;
use rejoinder_engine::domain::note::{Author, Note};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::request::Scoped;
use crate::reply::{self, Error};

/// A note as printed.
#[derive(Serialize)]
struct NoteJson {
    id: String,
    /// `rule` or `person`.
    by: &'static str,
    rule_id: Option<String>,
    /// The rule's name as it was then, or the person's, or "".
    author: String,
    text: String,
    created_at: String,
}

impl From<Note> for NoteJson {
    fn from(note: Note) -> Self {
        let (by, rule_id, author) = match note.author {
            Author::Rule { rule_id, name } => ("rule", Some(rule_id.to_string()), name),
            Author::Person(name) => ("person", None, name),
        };
        Self {
            id: note.id.to_string(),
            by,
            rule_id,
            author,
            text: note.text,
            created_at: note.created_at.to_string(),
        }
    }
}

/// The latest notes of a conversation, oldest first, as printed.
#[derive(Serialize)]
struct NotesJson {
    notes: Vec<NoteJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    text: String,
    #[serde(default)]
    author: String,
}

/// `/conversations/{id}/notes`
pub(super) async fn route(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    match scoped.request.method.as_str() {
        "GET" => list(scoped, id).await,
        "POST" => create(scoped, id).await,
        _ => Err(Error::Method("GET, POST")),
    }
}

async fn list(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    let limit = scoped.request.query.only(&["limit"])?.limit()?;
    let store = scoped.store();
    if store.conversation(id).await?.is_none() {
        return Err(Error::Missing("conversation"));
    }
    let notes = store.notes(id, limit).await?.into_iter();
    Ok(reply::ok(&NotesJson {
        notes: notes.map(NoteJson::from).collect(),
    }))
}

async fn create(scoped: &Scoped, id: ConversationId) -> Result<Response, Error> {
    let Create { text, author } = scoped.request.json()?;
    let engine = scoped.engine();
    let note = engine
        .add_note(scoped.location_id, id, &author, &text)
        .await?;
    Ok(reply::created(&NoteJson::from(note)))
}
