//! Templates that are known of a location's accounts. What is stored is what they look like to a rule;
//! nothing in memory keeps them: whoever checks a rule reads them here.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, ExprTrait, QueryOrder};

use super::batch::Batch;
use super::{Error, LocationStore, Operation, read_json, revision, write_json};
use crate::domain::ids::LocationId;
use crate::domain::inbound::TemplateNews;
use crate::domain::template::TemplateShape;
use crate::domain::time::Timestamp;

/// Rows of one statement: six values each, and a statement of SQLite's has 32,766 at most.
const ROWS_AT_ONCE: usize = 1_000;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_template")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub language: String,
    pub shape: String,
    pub seen_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

mod list {
    //! When the whole list of an account was last read at its provider.

    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rejoinder_template_list")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub location_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        pub read_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A template of an account of a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRow {
    /// The account at the provider that it belongs to.
    pub account: String,
    /// What it looks like.
    pub shape: TemplateShape,
    /// When that was last learnt.
    pub seen_at: Timestamp,
}

/// An account whose list of templates was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateListRow {
    /// The account at the provider.
    pub account: String,
    /// When its list was last read.
    pub read_at: Timestamp,
}

impl TryFrom<Model> for TemplateRow {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            account: row.account,
            shape: read_json("template", &row.shape)?,
            seen_at: Timestamp::from_ms(row.seen_at),
        })
    }
}

impl LocationStore<'_> {
    /// The templates of the location's accounts, by name, language and account.
    ///
    /// # Errors
    /// The database failed.
    pub async fn templates(&self) -> Result<Vec<TemplateRow>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_asc(Column::Name)
            .order_by_asc(Column::Language)
            .order_by_asc(Column::Account)
            .all(self.reader())
            .await?;
        rows.into_iter().map(TemplateRow::try_from).collect()
    }

    /// The accounts whose lists were read, by account. One that was not read may have any templates.
    ///
    /// # Errors
    /// The database failed.
    pub async fn template_lists(&self) -> Result<Vec<TemplateListRow>, Error> {
        let rows = list::Entity::find()
            .filter(list::Column::LocationId.eq(self.location_id.uuid()))
            .order_by_asc(list::Column::Account)
            .all(self.reader())
            .await?;
        let read = |row: list::Model| TemplateListRow {
            account: row.account,
            read_at: Timestamp::from_ms(row.read_at),
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

/// Notes what a template looks like, whether it was known or not.
pub(crate) struct SaveTemplate {
    pub(crate) location_id: LocationId,
    pub(crate) row: TemplateRow,
}

impl Operation for SaveTemplate {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let TemplateRow {
            account,
            shape,
            seen_at,
        } = &self.row;
        let key = [
            Column::LocationId,
            Column::Account,
            Column::Name,
            Column::Language,
        ];
        Entity::insert(row(self.location_id, account, shape, *seen_at))
            .on_conflict(
                OnConflict::columns(key)
                    .update_columns([Column::Shape, Column::SeenAt])
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        revision::raise(tx).await
    }
}

/// Forgets a template in one language, of one account or of all; false if it was not known.
pub(crate) struct ForgetTemplate {
    pub(crate) location_id: LocationId,
    pub(crate) account: Option<String>,
    pub(crate) name: String,
    pub(crate) language: String,
}

impl Operation for ForgetTemplate {
    type Output = bool;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<bool, Error> {
        let mut delete = Entity::delete_many()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .filter(Column::Name.eq(&self.name))
            .filter(Column::Language.eq(&self.language));
        if let Some(account) = &self.account {
            delete = delete.filter(Column::Account.eq(account));
        }
        let deleted = delete.exec(tx).await?;
        revision::raise(tx).await?;
        Ok(deleted.rows_affected > 0)
    }
}

/// Replaces everything that is known of an account's templates by what its provider listed, except what
/// the provider told of their status while the list was being read.
pub(crate) struct ReplaceTemplates {
    pub(crate) location_id: LocationId,
    pub(crate) account: String,
    /// Each name and language once.
    pub(crate) shapes: Vec<TemplateShape>,
    /// When the provider was asked: what was learnt since then is later than its list.
    pub(crate) asked_at: Timestamp,
}

impl Operation for ReplaceTemplates {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let of_account = Column::LocationId
            .eq(self.location_id.uuid())
            .and(Column::Account.eq(&self.account));
        let later = Entity::find()
            .filter(of_account.clone())
            .filter(Column::SeenAt.gt(self.asked_at.ms()))
            .all(tx)
            .await?;
        let later: BTreeMap<(String, String), TemplateRow> = later
            .into_iter()
            .filter_map(|row| {
                let key = (row.name.clone(), row.language.clone());
                Some((key, TemplateRow::try_from(row).ok()?))
            })
            .collect();
        Entity::delete_many().filter(of_account).exec(tx).await?;
        for shapes in self.shapes.chunks(ROWS_AT_ONCE) {
            let rows = shapes.iter().map(|shape| {
                let key = (shape.name.clone(), shape.language.clone());
                let Some(known) = later.get(&key) else {
                    return row(self.location_id, &self.account, shape, self.asked_at);
                };
                let shape = TemplateShape {
                    status: known.shape.status,
                    ..shape.clone()
                };
                row(self.location_id, &self.account, &shape, known.seen_at)
            });
            Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        let read = list::ActiveModel {
            location_id: Set(self.location_id.uuid()),
            account: Set(self.account.clone()),
            read_at: Set(self.asked_at.ms()),
        };
        list::Entity::insert(read)
            .on_conflict(
                OnConflict::columns([list::Column::LocationId, list::Column::Account])
                    .update_column(list::Column::ReadAt)
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        revision::raise(tx).await
    }
}

/// Notes whether a known template may be sent, unless something later is known of it.
pub(super) async fn set_status(
    tx: &DatabaseTransaction,
    location_id: LocationId,
    account: &str,
    news: &TemplateNews,
    at: Timestamp,
) -> Result<(), Error> {
    let key = (
        location_id.uuid(),
        account.to_owned(),
        news.name.clone(),
        news.language.clone(),
    );
    let Some(known) = Entity::find_by_id(key).one(tx).await? else {
        return Ok(());
    };
    if known.seen_at > at.ms() {
        return Ok(());
    }
    let mut shape: TemplateShape = match read_json("template", &known.shape) {
        Ok(shape) => shape,
        // The webhook that tells this must be stored all the same.
        Err(error) => {
            tracing::error!(location.id = %location_id, %error, "a template keeps the status that it had");
            return Ok(());
        }
    };
    shape.status = news.status;
    Entity::update(row(location_id, account, &shape, at))
        .exec(tx)
        .await?;
    Ok(())
}

fn row(
    location_id: LocationId,
    account: &str,
    shape: &TemplateShape,
    seen_at: Timestamp,
) -> ActiveModel {
    ActiveModel {
        location_id: Set(location_id.uuid()),
        account: Set(account.to_owned()),
        name: Set(shape.name.clone()),
        language: Set(shape.language.clone()),
        shape: Set(write_json(shape)),
        seen_at: Set(seen_at.ms()),
    }
}
