//! Secrets by name, sealed together in one column. Knows nothing of what they open.

use std::collections::BTreeMap;

use crate::crypto::{DataKey, Place, Secret};
use crate::store;

/// Seals secrets by name for one place.
pub(crate) fn seal_fields<'a>(
    key: &DataKey,
    place: &Place<'_>,
    fields: impl IntoIterator<Item = (&'a str, &'a Secret)>,
) -> String {
    let fields = fields.into_iter();
    let fields: BTreeMap<&str, &str> = fields
        .map(|(name, secret)| (name, secret.expose()))
        .collect();
    key.seal(place, &Secret::new(store::write_json(&fields)))
}

/// Opens what `seal_fields` sealed for the same place.
pub(crate) fn open_fields<C: FromIterator<(String, Secret)>>(
    key: &DataKey,
    place: &Place<'_>,
    sealed: &str,
) -> Result<C, store::Error> {
    let plain = key.open(place, sealed)?;
    let fields: BTreeMap<String, String> = store::read_json("secrets", plain.expose())?;
    let fields = fields.into_iter();
    Ok(fields
        .map(|(name, secret)| (name, Secret::new(secret)))
        .collect())
}
