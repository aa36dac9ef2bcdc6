//! How a channel fares, as far as its rows tell: what last came, what does not leave, what failed, and when a
//! webhook was last refused. Judges nothing.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, FromQueryResult};

use super::batch::Batch;
use super::{Error, LocationStore, Operation, read_json, sql};
use crate::domain::channel::Channel;
use crate::domain::ids::ChannelId;
use crate::domain::inbound::Failure;
use crate::domain::time::{Span, Timestamp};

/// A message that could leave and did not for as long is stuck.
const STUCK: Span = Span::minutes(10);
/// How far back failures are looked at.
const LATELY: Span = Span::hours(24);
/// Failures that are looked at.
const MAX_FAILURES: u64 = 500;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejoinder_refusal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub channel_id: Uuid,
    pub refused_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// How a channel fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelHealth {
    /// When it was made.
    pub(crate) made_at: Timestamp,
    /// When something last came by a webhook of it, or was found by a sweep.
    pub(crate) heard_at: Option<Timestamp>,
    /// When a sweep last found what no webhook had told.
    pub(crate) found_at: Option<Timestamp>,
    /// When a webhook of it was last refused.
    pub(crate) refused_at: Option<Timestamp>,
    /// When a webhook on the address that all share was last refused.
    pub(crate) shared_refused_at: Option<Timestamp>,
    /// Messages that could have left long ago.
    pub(crate) stuck: u64,
    /// Messages of which it is unknown whether they were sent.
    pub(crate) in_doubt: u64,
    /// Why messages failed lately.
    pub(crate) failures: Vec<Failure>,
}

#[derive(FromQueryResult)]
struct Heard {
    made_at: Option<i64>,
    found_at: Option<i64>,
    heard_at: Option<i64>,
}

#[derive(FromQueryResult)]
struct Waiting {
    stuck: i64,
    in_doubt: i64,
}

#[derive(FromQueryResult)]
struct Failed {
    failure: Option<String>,
}

impl LocationStore<'_> {
    /// How a channel of the location fares.
    pub(crate) async fn health(
        &self,
        channel: &Channel,
        now: Timestamp,
    ) -> Result<ChannelHealth, Error> {
        // Where messages are swept for, statuses are looked up as well: they say nothing of webhooks.
        const HEARD: &str = "SELECT MAX(received_at) AS heard_at, \
             (SELECT created_at FROM rejoinder_channel WHERE location_id = $1 AND id = $2) AS made_at, \
             (SELECT found_at FROM rejoinder_sweep WHERE location_id = $1 AND channel_id = $2) AS found_at \
             FROM rejoinder_event \
             WHERE location_id = $1 AND channel_id = $2 \
             AND kind IN ('message', 'echo', 'status', 'update', 'history', 'address_book', 'unknown') \
             AND (kind <> 'status' OR NOT EXISTS \
             (SELECT 1 FROM rejoinder_sweep WHERE location_id = $1 AND channel_id = $2))";
        const WAITING: &str = "SELECT \
             COUNT(CASE WHEN state = 'ready' AND not_before < $3 AND created_at < $3 THEN 1 END) AS stuck, \
             COUNT(CASE WHEN state = 'in_doubt' THEN 1 END) AS in_doubt FROM rejoinder_delivery \
             WHERE location_id = $1 AND channel_id = $2 AND state IN ('ready', 'sending', 'in_doubt')";
        const FAILED: &str = "SELECT failure FROM rejoinder_delivery \
             WHERE location_id = $1 AND channel_id = $2 AND state = 'failed' AND updated_at > $3 \
             ORDER BY updated_at DESC LIMIT $4";
        let reader = self.reader();
        let ids = || [self.location_id.uuid().into(), channel.id.uuid().into()];
        let with = |more: Vec<sea_orm::Value>| ids().into_iter().chain(more).collect::<Vec<_>>();
        let heard = Heard::find_by_statement(sql(reader, HEARD, ids()));
        let heard = heard.one(reader).await?;
        let long_ago = (now - STUCK).ms().into();
        let waiting = Waiting::find_by_statement(sql(reader, WAITING, with(vec![long_ago])));
        let waiting = waiting.one(reader).await?;
        let limit = i64::try_from(MAX_FAILURES).unwrap_or(i64::MAX);
        let lately = vec![(now - LATELY).ms().into(), limit.into()];
        let failed = Failed::find_by_statement(sql(reader, FAILED, with(lately)));
        let failed = failed.all(reader).await?;
        let failures = failed.iter().filter_map(|row| row.failure.as_deref());
        let failures: Result<_, Error> = failures.map(|text| read_json("delivery", text)).collect();
        let count = |count: Option<i64>| count.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        Ok(ChannelHealth {
            made_at: Timestamp::from_ms(heard.as_ref().and_then(|row| row.made_at).unwrap_or(0)),
            found_at: heard
                .as_ref()
                .and_then(|row| row.found_at)
                .map(Timestamp::from_ms),
            heard_at: heard.and_then(|row| row.heard_at).map(Timestamp::from_ms),
            refused_at: self.refused_at(&channel.provider, channel.id).await?,
            shared_refused_at: self.refused_at(&channel.provider, ChannelId::NONE).await?,
            stuck: count(waiting.as_ref().map(|row| row.stuck)),
            in_doubt: count(waiting.as_ref().map(|row| row.in_doubt)),
            failures: failures?,
        })
    }

    async fn refused_at(&self, provider: &str, id: ChannelId) -> Result<Option<Timestamp>, Error> {
        let row = Entity::find_by_id((provider.to_owned(), id.uuid()))
            .one(self.reader())
            .await?;
        Ok(row.map(|row| Timestamp::from_ms(row.refused_at)))
    }
}

/// Keeps when webhooks were last refused.
pub(crate) struct KeepRefusals(pub(crate) Vec<(&'static str, ChannelId, Timestamp)>);

impl Operation for KeepRefusals {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction, _batch: &mut Batch) -> Result<(), Error> {
        for (provider, channel_id, at) in &self.0 {
            let row = ActiveModel {
                provider: Set((*provider).to_owned()),
                channel_id: Set(channel_id.uuid()),
                refused_at: Set(at.ms()),
            };
            Entity::insert(row)
                .on_conflict(
                    OnConflict::columns([Column::Provider, Column::ChannelId])
                        .update_column(Column::RefusedAt)
                        .to_owned(),
                )
                .exec_without_returning(tx)
                .await?;
        }
        Ok(())
    }
}
