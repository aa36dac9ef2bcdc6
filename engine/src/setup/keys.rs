//! The data keys of locations, opened. A process goes on with what it has opened, also when `keys rotate` has
//! sealed it anew under a key that this process was not started with: the data key is the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::MutexGuard;

use super::Setup;
use crate::crypto::{DataKey, SealError};
use crate::domain::ids::LocationId;
use crate::store;

/// Data keys that were opened, or why they were not.
type Opened = HashMap<LocationId, Result<DataKey, SealError>>;

impl Setup {
    /// A location's data key, opened.
    pub(crate) async fn data_key(&self, id: LocationId) -> Result<DataKey, store::Error> {
        let sealed = self.store.data_key(id).await?;
        let sealed = sealed.ok_or_else(|| store::Error::corrupt("location", "it is gone"))?;
        let mut kept = self.kept_keys();
        let key = self.open_key(&kept, id, &sealed).map(|(key, _)| key)?;
        kept.insert(id, key.clone());
        Ok(key)
    }

    /// Opens the data keys of all locations, and forgets those of locations that are gone.
    pub(super) fn open_keys(&self, sealed: Vec<(LocationId, String)>) -> Opened {
        let mut kept = self.kept_keys();
        let mut opened = Opened::with_capacity(sealed.len());
        let mut lacking: BTreeMap<String, usize> = BTreeMap::new();
        for (id, sealed) in sealed {
            let key = match self.open_key(&kept, id, &sealed) {
                Ok((key, lacked)) => {
                    if let Some(kid) = lacked {
                        *lacking.entry(kid).or_default() += 1;
                    }
                    Ok(key)
                }
                // One location's lost key must not stop the others.
                Err(error) => {
                    tracing::error!(location.id = %id, why = %error,
                        "a location's secrets do not open; its channels and endpoints are out of order");
                    Err(error)
                }
            };
            opened.insert(id, key);
        }
        for (kid, locations) in lacking {
            tracing::error!(
                key = kid,
                locations,
                "locations are sealed under a key that this process was not started with; it goes on with what it \
                 has opened before, and cannot start again without that key: add it to the key ring and restart"
            );
        }
        *kept = opened
            .iter()
            .filter_map(|(id, key)| Some((*id, key.as_ref().ok()?.clone())))
            .collect();
        opened
    }

    /// A data key, and the master key that was not there to open it.
    fn open_key(
        &self,
        kept: &HashMap<LocationId, DataKey>,
        id: LocationId,
        sealed: &str,
    ) -> Result<(DataKey, Option<String>), SealError> {
        match (self.vault.open_data_key(id, sealed), kept.get(&id)) {
            (Err(SealError::UnknownKey(kid)), Some(key)) => Ok((key.clone(), Some(kid))),
            (opened, _) => opened.map(|key| (key, None)),
        }
    }

    fn kept_keys(&self) -> MutexGuard<'_, HashMap<LocationId, DataKey>> {
        self.keys.lock().expect("no one panics while holding it")
    }
}

/// Why a secret does not open, in one sentence.
pub(crate) fn reason(error: &store::Error) -> String {
    match error {
        store::Error::Sealed(error) => error.to_string(),
        other => other.to_string(),
    }
}
