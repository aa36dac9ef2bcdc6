//! Which address leads to which contact.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use super::Error;
use crate::domain::contact::Address;
use crate::domain::ids::{ContactId, LocationId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_address")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub value: String,
    pub contact_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

/// The contact that an address leads to, if any.
pub(super) async fn find(
    on: &impl ConnectionTrait,
    location_id: LocationId,
    address: &Address,
) -> Result<Option<ContactId>, Error> {
    let key = (
        location_id.uuid(),
        address.kind().to_owned(),
        address.value().to_owned(),
    );
    Ok(Entity::find_by_id(key)
        .one(on)
        .await?
        .map(|row| ContactId::from_uuid(row.contact_id)))
}

/// Lets no address of a kind lead to a contact any more.
pub(super) async fn unlink(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    contact_id: ContactId,
    kind: &str,
) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::LocationId.eq(location_id.uuid()))
        .filter(Column::ContactId.eq(contact_id.uuid()))
        .filter(Column::Kind.eq(kind))
        .exec(tx)
        .await?;
    Ok(())
}

/// Lets an address lead to a contact, unless it leads to one already.
pub(super) async fn link(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    address: &Address,
    contact_id: ContactId,
) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        kind: Set(address.kind().to_owned()),
        value: Set(address.value().to_owned()),
        contact_id: Set(contact_id.uuid()),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::LocationId, Column::Kind, Column::Value])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
