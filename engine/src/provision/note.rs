//! A person writes a note beside a conversation, for colleagues.

use super::Problem;
use crate::domain::ids::{ConversationId, LocationId, NoteId};
use crate::domain::note::{Author, Note};
use crate::engine::Engine;
use crate::store::AddNote;

/// Letters of an author's name at most.
const MAX_AUTHOR: usize = 200;

impl Engine {
    /// Writes a person's note beside a conversation; `author` is their name, or "".
    ///
    /// # Errors
    /// The conversation is not there, the note is empty or too long, or the database failed.
    pub async fn add_note(
        &self,
        location_id: LocationId,
        conversation_id: ConversationId,
        author: &str,
        text: &str,
    ) -> Result<Note, Problem> {
        let core = &self.core;
        let text = text.trim();
        if text.is_empty() || text.len() > Note::MAX_BYTES || text.contains('\0') {
            return Err(Problem::Invalid(format!(
                "a note has 1 to {} bytes of text",
                Note::MAX_BYTES
            )));
        }
        let author = author.trim();
        if author.chars().count() > MAX_AUTHOR || author.contains('\0') {
            return Err(Problem::Invalid(format!(
                "'author' has {MAX_AUTHOR} letters at most"
            )));
        }
        let store = core.store.of(location_id);
        if store.conversation(conversation_id).await?.is_none() {
            return Err(Problem::Missing("conversation"));
        }
        let note = Note {
            location_id,
            id: NoteId::generate(),
            conversation_id,
            author: Author::Person(author.to_owned()),
            text: text.to_owned(),
            created_at: core.clock.now(),
            position: 0,
        };
        core.store.write(AddNote(note.clone())).await?;
        Ok(note)
    }
}
