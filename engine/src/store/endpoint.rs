//! Places that a location lets its rules call, with the headers as sealed.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder};

use super::batch::Batch;
use super::{Error, LocationStore, Operation, location, read_json, revision, write_json};
use crate::domain::endpoint::{Endpoint, EndpointName, Method};
use crate::domain::ids::LocationId;
use crate::domain::time::{Span, Timestamp};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_endpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub url: String,
    pub method: String,
    pub header_names: String,
    pub headers: String,
    pub headers_version: i32,
    pub timeout_ms: i64,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// An endpoint with its headers as sealed.
#[derive(Clone, Debug)]
pub(crate) struct StoredEndpoint {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: String,
    pub(crate) headers_version: i32,
}

impl TryFrom<Model> for StoredEndpoint {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let corrupt = |what: &str| Error::corrupt("endpoint", what);
        Ok(Self {
            endpoint: Endpoint {
                location_id: LocationId::from_uuid(row.location_id),
                name: EndpointName::parse(&row.name).ok_or_else(|| corrupt("its name"))?,
                url: row.url,
                method: Method::parse(&row.method).ok_or_else(|| corrupt("its method"))?,
                headers: read_json("endpoint", &row.header_names)?,
                timeout_ms: Span::from_ms(row.timeout_ms),
            },
            headers: row.headers,
            headers_version: row.headers_version,
        })
    }
}

impl LocationStore<'_> {
    /// The location's endpoints, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_asc(Column::Name)
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|row| StoredEndpoint::try_from(row).map(|stored| stored.endpoint))
            .collect()
    }

    /// The endpoint of a name.
    pub(crate) async fn endpoint(&self, name: &str) -> Result<Option<StoredEndpoint>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), name.to_owned()))
            .one(self.reader())
            .await?;
        row.map(StoredEndpoint::try_from).transpose()
    }
}

/// Creates or changes an endpoint.
pub(crate) struct SaveEndpoint {
    pub(crate) stored: StoredEndpoint,
    /// For a new one: the present.
    pub(crate) new: Option<Timestamp>,
}

impl Operation for SaveEndpoint {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let StoredEndpoint {
            endpoint,
            headers,
            headers_version,
        } = &self.stored;
        let mut row = ActiveModel {
            location_id: Set(endpoint.location_id.uuid()),
            name: Set(endpoint.name.as_str().to_owned()),
            url: Set(endpoint.url.clone()),
            method: Set(endpoint.method.name().to_owned()),
            header_names: Set(write_json(&endpoint.headers)),
            headers: Set(headers.clone()),
            headers_version: Set(*headers_version),
            timeout_ms: Set(endpoint.timeout_ms.ms()),
            ..Default::default()
        };
        if let Some(now) = self.new {
            row.created_at = Set(now.ms());
            location::must_be_there(tx, endpoint.location_id).await?;
            Entity::insert(row)
                .exec_without_returning(tx)
                .await
                .map_err(|error| match Error::from(error) {
                    Error::Conflict(_) => Error::Conflict(format!(
                        "there is an endpoint '{}' already; change that one instead",
                        endpoint.name
                    )),
                    other => other,
                })?;
        } else {
            Entity::update(row).exec(tx).await?;
        }
        revision::raise(tx).await
    }
}

/// Forgets an endpoint; false if it was not there.
pub(crate) struct DeleteEndpoint {
    pub(crate) location_id: LocationId,
    pub(crate) name: EndpointName,
}

impl Operation for DeleteEndpoint {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let key = (self.location_id.uuid(), self.name.as_str().to_owned());
        let deleted = Entity::delete_by_id(key).exec(tx).await?;
        revision::raise(tx).await?;
        Ok(deleted.rows_affected > 0)
    }
}
