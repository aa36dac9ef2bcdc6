//! Customers.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, FromQueryResult, IntoActiveModel, QueryOrder,
    QuerySelect,
};

use super::{Error, LocationStore, address, read_json, write_json};
use crate::domain::contact::{Address, Contact, ContactChanges, Peer, Phone};
use crate::domain::ids::{ContactId, LocationId};
use crate::domain::time::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_contact")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub phone: Option<String>,
    pub language: String,
    pub tags: String,
    pub attributes: String,
    pub opted_out: bool,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Contact {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: ContactId::from_uuid(row.id),
            name: row.name,
            phone: row.phone.as_deref().and_then(Phone::parse),
            language: row.language,
            tags: read_json("contact", &row.tags)?,
            attributes: read_json("contact", &row.attributes)?,
            opted_out: row.opted_out,
        })
    }
}

/// A contact without its ids, for queries that read more than contacts.
#[derive(FromQueryResult)]
pub(super) struct Facts {
    name: String,
    phone: Option<String>,
    language: String,
    tags: String,
    attributes: String,
    opted_out: bool,
    created_at: i64,
}

impl Facts {
    pub(super) fn into_contact(self, location_id: Uuid, id: Uuid) -> Result<Contact, Error> {
        let Self {
            name,
            phone,
            language,
            tags,
            attributes,
            opted_out,
            created_at,
        } = self;
        Contact::try_from(Model {
            location_id,
            id,
            name,
            phone,
            language,
            tags,
            attributes,
            opted_out,
            created_at,
        })
    }
}

impl LocationStore<'_> {
    /// The location's contacts, oldest first, after the one named.
    ///
    /// # Errors
    /// The database failed.
    pub async fn contacts(
        &self,
        after: Option<ContactId>,
        limit: u64,
    ) -> Result<Vec<Contact>, Error> {
        let mut query = Entity::find().filter(Column::LocationId.eq(self.location_id.uuid()));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Contact::try_from).collect()
    }

    /// One contact.
    ///
    /// # Errors
    /// The database failed.
    pub async fn contact(&self, id: ContactId) -> Result<Option<Contact>, Error> {
        let row = Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?;
        row.map(Contact::try_from).transpose()
    }
}

/// Finds the contact at the other end, or creates it; links addresses that were not known yet.
pub(super) async fn resolve(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    peer: &Peer,
    now: Timestamp,
) -> Result<Option<ContactId>, Error> {
    let addresses: Vec<Address> = peer.addresses().collect();
    let mut known = None;
    // A business-scoped id is reassigned less often than a number: it is asked first.
    for address in addresses.iter().rev() {
        known = address::find(tx, location_id, address).await?;
        if known.is_some() {
            break;
        }
    }
    if addresses.is_empty() {
        return Ok(None);
    }
    let contact_id = match known {
        Some(contact_id) => {
            complete(tx, location_id, contact_id, peer).await?;
            contact_id
        }
        None => create(tx, location_id, peer, now).await?,
    };
    for address in &addresses {
        address::link(tx, location_id, address, contact_id).await?;
    }
    Ok(Some(contact_id))
}

async fn create(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    peer: &Peer,
    now: Timestamp,
) -> Result<ContactId, Error> {
    let id = ContactId::generate();
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        id: Set(id.uuid()),
        name: Set(peer.name.clone().unwrap_or_default()),
        phone: Set(peer.phone.as_ref().map(|phone| phone.digits().to_owned())),
        language: Set(String::new()),
        tags: Set("[]".to_owned()),
        attributes: Set("{}".to_owned()),
        opted_out: Set(false),
        created_at: Set(now.ms()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

/// Fills in what was not known: a name, a number. What people have set is left alone.
async fn complete(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ContactId,
    peer: &Peer,
) -> Result<(), Error> {
    let Some(row) = Entity::find_by_id((location_id.uuid(), id.uuid()))
        .one(tx)
        .await?
    else {
        return Err(Error::corrupt(
            "address",
            "it leads to a contact that is not there",
        ));
    };
    let name = peer
        .name
        .as_ref()
        .filter(|name| row.name.is_empty() && !name.is_empty())
        .cloned();
    let phone = peer
        .phone
        .as_ref()
        .filter(|_| row.phone.is_none())
        .map(|phone| phone.digits().to_owned());
    if name.is_none() && phone.is_none() {
        return Ok(());
    }
    let mut row = row.into_active_model();
    if let Some(name) = name {
        row.name = Set(name);
    }
    if let Some(phone) = phone {
        row.phone = Set(Some(phone));
    }
    Entity::update(row).exec(tx).await?;
    Ok(())
}

/// The customer has a new number, or one that we are not told.
pub(super) async fn change_phone(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ContactId,
    phone: Option<&Phone>,
) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        id: Set(id.uuid()),
        phone: Set(phone.map(|phone| phone.digits().to_owned())),
        ..Default::default()
    };
    Entity::update(row).exec(tx).await?;
    Ok(())
}

/// Sets what the address book of the phone app calls the customer.
pub(super) async fn rename(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ContactId,
    name: &str,
) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        id: Set(id.uuid()),
        name: Set(name.to_owned()),
        ..Default::default()
    };
    Entity::update(row).exec(tx).await?;
    Ok(())
}

/// Sets the language in which the customer is written to.
pub(super) async fn set_language(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ContactId,
    language: &str,
) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        id: Set(id.uuid()),
        language: Set(language.to_owned()),
        ..Default::default()
    };
    Entity::update(row).exec(tx).await?;
    Ok(())
}

/// Whether the customer does not want to be written to.
pub(super) async fn is_opted_out(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ContactId,
) -> Result<bool, Error> {
    let row = Entity::find_by_id((location_id.uuid(), id.uuid()))
        .one(tx)
        .await?;
    Ok(row.is_some_and(|row| row.opted_out))
}

/// Notes whether the customer wants to be written to.
pub(super) async fn set_opted_out(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    id: ContactId,
    opted_out: bool,
) -> Result<(), Error> {
    let row = ActiveModel {
        location_id: Set(location_id.uuid()),
        id: Set(id.uuid()),
        opted_out: Set(opted_out),
        ..Default::default()
    };
    Entity::update(row).exec(tx).await?;
    Ok(())
}

/// Makes the changes of rules to a contact as it is now. The row is locked from here on: on PostgreSQL
/// another node may be about to change it too, and SQLite has one writer and needs no lock.
pub(super) async fn change(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    changes: &ContactChanges,
) -> Result<(), Error> {
    let row = Entity::find_by_id((location_id.uuid(), changes.contact_id.uuid()))
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await?;
    let Some(row) = row else {
        return Ok(());
    };
    let mut contact = Contact::try_from(row)?;
    for change in &changes.changes {
        change.apply(&mut contact);
    }
    let row = ActiveModel {
        location_id: Set(contact.location_id.uuid()),
        id: Set(contact.id.uuid()),
        tags: Set(write_json(&contact.tags)),
        attributes: Set(write_json(&contact.attributes)),
        opted_out: Set(contact.opted_out),
        ..Default::default()
    };
    Entity::update(row).exec(tx).await?;
    Ok(())
}
