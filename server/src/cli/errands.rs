//! What rules had others do: `rejoinder requests` and `rejoinder fanouts`.

use clap::{Args, value_parser};
use rejoinder_engine::Engine;
use rejoinder_engine::domain::ids::ConversationId;

use super::traffic::MAX_LISTED;
use super::{Failure, open};
use crate::api::fanouts::FanoutsJson;
use crate::api::requests::RequestsJson;
use crate::out::Format;

#[derive(Args, Debug)]
pub(super) struct Requests {
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// Those of one conversation
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// How many of the latest
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=MAX_LISTED))]
    limit: u64,
}

#[derive(Args, Debug)]
pub(super) struct Fanouts {
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// How many of the latest
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=MAX_LISTED))]
    limit: u64,
}

impl Requests {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        let store = engine.store().of(location.id);
        let rows = store.requests(self.conversation, self.limit).await?;
        let columns = [
            ("TIME", "created_at"),
            ("ENDPOINT", "endpoint"),
            ("STATE", "state"),
            ("TRIED", "attempts"),
            ("STATUS", "status"),
            ("ERROR", "error"),
        ];
        format.list(&RequestsJson::from(rows), "requests", &columns);
        Ok(())
    }
}

impl Fanouts {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        let rows = engine.store().of(location.id).fanouts(self.limit).await?;
        let columns = [
            ("TIME", "created_at"),
            ("FUNCTION", "handler"),
            ("STATE", "state"),
            ("CALLED", "visited"),
            ("ENDED", "ended_at"),
        ];
        format.list(&FanoutsJson::from(rows), "fanouts", &columns);
        Ok(())
    }
}
