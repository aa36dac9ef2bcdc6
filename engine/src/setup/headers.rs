//! What goes along with a call of an endpoint: sealed in the database, opened for the call.
//! Knows neither who calls nor when.

use std::collections::BTreeMap;

use super::Setup;
use super::sealed::{open_fields, seal_fields};
use crate::crypto::{DataKey, Place, Secret};
use crate::domain::endpoint::Endpoint;
use crate::domain::ids::LocationId;
use crate::store::{self, StoredEndpoint};

/// An endpoint, and what goes along.
pub(crate) struct EndpointSetup {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: BTreeMap<String, Secret>,
}

impl Setup {
    /// The endpoint of a name, opened. Calls are few: it is read anew for each.
    pub(crate) async fn endpoint(
        &self,
        location_id: LocationId,
        name: &str,
    ) -> Result<Option<EndpointSetup>, store::Error> {
        let Some(stored) = self.store.of(location_id).endpoint(name).await? else {
            return Ok(None);
        };
        let key = self.data_key(location_id).await?;
        let headers = open_headers(&key, &stored)?;
        let endpoint = stored.endpoint;
        Ok(Some(EndpointSetup { endpoint, headers }))
    }
}

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
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value));
    seal_fields(key, &place(endpoint, version), headers)
}

/// Opens an endpoint's headers.
pub(crate) fn open_headers(
    key: &DataKey,
    stored: &StoredEndpoint,
) -> Result<BTreeMap<String, Secret>, store::Error> {
    let place = place(&stored.endpoint, stored.headers_version);
    open_fields(key, &place, &stored.headers)
}
