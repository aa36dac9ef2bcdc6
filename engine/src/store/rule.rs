//! Rules and their published versions.

use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    DatabaseTransaction, QueryOrder,
};

use super::batch::Batch;
use super::{Error, LocationStore, Operation, location, revision, schedule};
use crate::domain::ids::{LocationId, RuleId};
use crate::domain::rule::{Rule, RuleVersion};
use crate::domain::time::Timestamp;
use crate::script::ScheduleLine;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_rule")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub location_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub position: i32,
    pub enabled: bool,
    pub draft: String,
    pub tests: String,
    pub published: Option<i32>,
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

mod version {
    //! Published scripts; a row never changes.

    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rejoinder_rule_version")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub location_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub rule_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i32,
        pub source: String,
        pub tests: String,
        pub published_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<Model> for Rule {
    fn from(row: Model) -> Self {
        Self {
            location_id: LocationId::from_uuid(row.location_id),
            id: RuleId::from_uuid(row.id),
            name: row.name,
            position: row.position,
            enabled: row.enabled,
            draft: row.draft,
            tests: row.tests,
            published: row.published,
            updated_at: Timestamp::from_ms(row.updated_at),
        }
    }
}

impl From<version::Model> for RuleVersion {
    fn from(row: version::Model) -> Self {
        Self {
            location_id: LocationId::from_uuid(row.location_id),
            rule_id: RuleId::from_uuid(row.rule_id),
            version: row.version,
            source: row.source,
            tests: row.tests,
            published_at: Timestamp::from_ms(row.published_at),
        }
    }
}

impl LocationStore<'_> {
    /// The location's rules in the order in which they are asked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rules(&self) -> Result<Vec<Rule>, Error> {
        let rows = Entity::find()
            .filter(Column::LocationId.eq(self.location_id.uuid()))
            .order_by_asc(Column::Position)
            .order_by_asc(Column::Name)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(Rule::from).collect())
    }

    /// One rule.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rule(&self, id: RuleId) -> Result<Option<Rule>, Error> {
        Ok(Entity::find_by_id((self.location_id.uuid(), id.uuid()))
            .one(self.reader())
            .await?
            .map(Rule::from))
    }

    /// A published script.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rule_version(
        &self,
        id: RuleId,
        version: i32,
    ) -> Result<Option<RuleVersion>, Error> {
        let key = (self.location_id.uuid(), id.uuid(), version);
        Ok(version::Entity::find_by_id(key)
            .one(self.reader())
            .await?
            .map(RuleVersion::from))
    }
}

/// A rule to be created.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// What people call it; unique in its location.
    pub name: String,
    /// The script.
    pub source: String,
    /// Its tests; "" for none.
    pub tests: String,
    /// Rules are asked in this order, then by name; absent: after all others.
    pub position: Option<i32>,
}

/// Creates a rule.
pub(crate) struct CreateRule(pub(crate) Rule);

impl Operation for CreateRule {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        let Self(rule) = self;
        location::must_be_there(tx, rule.location_id).await?;
        let row = ActiveModel {
            location_id: Set(rule.location_id.uuid()),
            id: Set(rule.id.uuid()),
            name: Set(rule.name.clone()),
            position: Set(rule.position),
            enabled: Set(rule.enabled),
            draft: Set(rule.draft.clone()),
            tests: Set(rule.tests.clone()),
            published: Set(rule.published),
            updated_at: Set(rule.updated_at.ms()),
        };
        let written = Entity::insert(row).exec_without_returning(tx).await;
        written.map_err(|error| match Error::from(error) {
            Error::Conflict(_) => {
                Error::Conflict(format!("a rule named '{}' exists already", rule.name))
            }
            other => other,
        })?;
        revision::raise(tx).await
    }
}

/// Replaces a rule's draft, and nothing else: what is published meanwhile stays published.
pub(crate) struct SaveDraft {
    pub(crate) location_id: LocationId,
    pub(crate) rule_id: RuleId,
    pub(crate) draft: String,
    /// Absent: they stay.
    pub(crate) tests: Option<String>,
    pub(crate) now: Timestamp,
}

impl Operation for SaveDraft {
    type Output = Rule;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<Rule, Error> {
        let row = ActiveModel {
            location_id: Set(self.location_id.uuid()),
            id: Set(self.rule_id.uuid()),
            draft: Set(self.draft.clone()),
            tests: self.tests.clone().map_or(NotSet, Set),
            updated_at: Set(self.now.ms()),
            ..Default::default()
        };
        let row = Entity::update(row).exec(tx).await?;
        revision::raise(tx).await?;
        Ok(Rule::from(row))
    }
}

/// Lets a rule take part, by what is published, or not.
pub(crate) struct SwitchRule {
    pub(crate) location_id: LocationId,
    pub(crate) rule_id: RuleId,
    pub(crate) enabled: bool,
    /// The version that takes part, and its cron lines.
    pub(crate) published: Option<i32>,
    pub(crate) lines: Vec<ScheduleLine>,
    pub(crate) now: Timestamp,
}

impl Operation for SwitchRule {
    type Output = Rule;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<Rule, Error> {
        let (location_id, rule_id) = (self.location_id, self.rule_id);
        let row = ActiveModel {
            location_id: Set(location_id.uuid()),
            id: Set(rule_id.uuid()),
            enabled: Set(self.enabled),
            updated_at: Set(self.now.ms()),
            ..Default::default()
        };
        let row = Entity::update(row).exec(tx).await?;
        if !self.enabled {
            schedule::clear(tx, location_id, rule_id).await?;
        } else if row.published == self.published {
            schedule::replace(tx, location_id, rule_id, &self.lines, self.now).await?;
        } else {
            // The cron lines at hand are those of another version.
            return Err(Error::Conflict(
                "the rule was published at the same moment; look at it, and try again".to_owned(),
            ));
        }
        revision::raise(tx).await?;
        Ok(Rule::from(row))
    }
}

/// Publishes a rule's draft as its next version, with the cron lines that fall due from now on.
pub(crate) struct PublishRule {
    pub(crate) location_id: LocationId,
    pub(crate) rule_id: RuleId,
    pub(crate) source: String,
    pub(crate) tests: String,
    pub(crate) lines: Vec<ScheduleLine>,
    pub(crate) now: Timestamp,
}

impl Operation for PublishRule {
    type Output = i32;

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<i32, Error> {
        let latest = version::Entity::find()
            .filter(version::Column::LocationId.eq(self.location_id.uuid()))
            .filter(version::Column::RuleId.eq(self.rule_id.uuid()))
            .order_by_desc(version::Column::Version)
            .one(tx)
            .await?;
        let version = latest.map_or(1, |row| row.version + 1);
        let row = version::ActiveModel {
            location_id: Set(self.location_id.uuid()),
            rule_id: Set(self.rule_id.uuid()),
            version: Set(version),
            source: Set(self.source.clone()),
            tests: Set(self.tests.clone()),
            published_at: Set(self.now.ms()),
        };
        version::Entity::insert(row)
            .exec_without_returning(tx)
            .await?;
        let rule = ActiveModel {
            location_id: Set(self.location_id.uuid()),
            id: Set(self.rule_id.uuid()),
            published: Set(Some(version)),
            enabled: Set(true),
            updated_at: Set(self.now.ms()),
            ..Default::default()
        };
        Entity::update(rule).exec(tx).await?;
        schedule::replace(tx, self.location_id, self.rule_id, &self.lines, self.now).await?;
        revision::raise(tx).await?;
        Ok(version)
    }
}
