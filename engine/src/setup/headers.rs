//! What goes along with a call of an endpoint: sealed in the database, opened for the call.
//! Knows neither who calls nor when.

use std::collections::BTreeMap;

use crate::crypto::{DataKey, Place, Secret};
use crate::domain::endpoint::Endpoint;
use crate::store::{self, StoredEndpoint};

fn place(endpoint: &Endpoint, version: i32) -> Place<'_> {
    Place {
        table: "endpoint",
        column: "headers",
        location_id: endpoint.location_id,
        row: endpoint.name.as_str(),
        version,
    }
}

/// Seals an endpoint's headers.
pub(crate) fn seal_headers(
    key: &DataKey,
    endpoint: &Endpoint,
    version: i32,
    headers: &BTreeMap<String, Secret>,
) -> String {
    let fields: BTreeMap<&str, &str> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let plain = Secret::new(store::write_json(&fields));
    key.seal(&place(endpoint, version), &plain)
}

/// Opens an endpoint's headers.
pub(crate) fn open_headers(
    key: &DataKey,
    stored: &StoredEndpoint,
) -> Result<BTreeMap<String, Secret>, store::Error> {
    let place = place(&stored.endpoint, stored.headers_version);
    let plain = key.open(&place, &stored.headers)?;
    let fields: BTreeMap<String, String> = store::read_json("endpoint", plain.expose())?;
    Ok(fields
        .into_iter()
        .map(|(name, value)| (name, Secret::new(value)))
        .collect())
}
