//! Rows that do not read as what they should be: they are left out and told of, and stop nobody else.

use sea_orm::entity::prelude::Uuid;

use super::{Error, Store};
use crate::domain::ids::LocationId;

impl Store {
    /// What reads of `rows`; `ids` gives a row's location and its own id.
    pub(super) fn readable<R, T>(
        &self,
        rows: Vec<R>,
        ids: impl Fn(&R) -> (Uuid, Uuid),
        read: impl Fn(R) -> Result<T, Error>,
    ) -> Vec<T> {
        let rows = rows.into_iter();
        rows.filter_map(|row| {
            let ids = ids(&row);
            read(row)
                .inspect_err(|error| self.tell_unreadable(ids, error))
                .ok()
        })
        .collect()
    }

    /// Tells of a row that does not read, once in the life of a process, and without what it says:
    /// the reason may quote what a customer wrote.
    pub(super) fn tell_unreadable(&self, (location_id, id): (Uuid, Uuid), error: &Error) {
        let table = match error {
            Error::Corrupt { table, .. } => table,
            _ => "unknown",
        };
        if self.known.is_news(id) {
            tracing::error!(location.id = %LocationId::from_uuid(location_id), row.id = %id, table,
                "a row does not read and is left out");
        }
    }
}
