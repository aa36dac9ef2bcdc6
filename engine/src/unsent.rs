//! Which deliveries the database may have as *sending* although nobody sent them. Knows not why.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

use crate::domain::ids::DeliveryId;

/// Deliveries that may be written as being sent and certainly were not: nobody heard of the commit.
#[derive(Debug, Default)]
pub(crate) struct Unsent(Mutex<HashSet<DeliveryId>>);

impl Unsent {
    pub(crate) fn insert(&self, id: DeliveryId) {
        self.lock().insert(id);
    }

    pub(crate) fn contains(&self, id: DeliveryId) -> bool {
        self.lock().contains(&id)
    }

    /// It is sent now, or is written as not being sent.
    pub(crate) fn remove(&self, id: DeliveryId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<DeliveryId>> {
        self.0.lock().expect("no one panics while holding it")
    }
}
