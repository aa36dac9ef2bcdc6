//! What goes on: `rejoinder conversation`, `events`, `deliveries`, `unrouted` and `send`.

use clap::{Args, Subcommand, value_parser};
use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::ids::{ConversationId, EventId, UnroutedId};
use rejoinder_engine::store::DeliveryFilter;
use rejoinder_engine::{Engine, PersonSend};

use super::{Failure, anew, open};
use crate::api::conversations;
use crate::api::deliveries::{self, DeliveriesJson, DeliveryJson};
use crate::api::events::{self, CountsJson};
use crate::api::messages::LinesJson;
use crate::api::unrouted::UnroutedJson;
use crate::out::{self, Column, Format};

/// Items of a list at most: more than anybody reads, and little enough for the memory.
pub(super) const MAX_LISTED: u64 = 10_000;
/// Lines of a conversation that are shown.
const SHOWN_LINES: u64 = 20;

pub(super) const EVENT_COLUMNS: [Column; 5] = [
    ("TIME", "received_at"),
    ("EVENT", "event"),
    ("KIND", "kind"),
    ("STATE", "state"),
    ("TEXT", "text"),
];
pub(super) const DELIVERY_COLUMNS: [Column; 5] = [
    ("TIME", "created_at"),
    ("STATE", "state"),
    ("BY", "origin"),
    ("KIND", "kind"),
    ("TEXT", "text"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Conversation {
    /// List a location's conversations, oldest first
    List(Page<ConversationId>),
    /// Show a conversation and its latest lines
    Show {
        /// Its id
        conversation: ConversationId,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Page<T: std::str::FromStr + Clone + Send + Sync + 'static>
where
    T::Err: std::error::Error + Send + Sync,
{
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// Begin behind this one
    #[arg(long, value_name = "ID")]
    after: Option<T>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=MAX_LISTED))]
    limit: u64,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Events {
    #[command(subcommand)]
    anew: Option<anew::Events>,
    #[command(flatten)]
    page: Page<EventId>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Deliveries {
    #[command(subcommand)]
    anew: Option<anew::Deliveries>,
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// Those of one conversation
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// Those in one state, such as failed or in_doubt
    #[arg(long)]
    state: Option<String>,
    /// How many of the latest
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=MAX_LISTED))]
    limit: u64,
}

#[derive(Debug, Subcommand)]
pub(super) enum Unrouted {
    /// List them, oldest first
    List {
        /// Begin behind this one
        #[arg(long, value_name = "ID")]
        after: Option<UnroutedId>,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=MAX_LISTED))]
        limit: u64,
    },
    /// Run one again, now that its channel is there
    Run {
        /// Its id
        item: UnroutedId,
    },
}

#[derive(Args, Debug)]
pub(super) struct SendText {
    /// Its id or name [default: the only one]
    #[arg(long)]
    location: Option<String>,
    /// The conversation, by id
    #[arg(long, value_name = "ID")]
    conversation: ConversationId,
    /// Under one key, only one message is sent
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// What to say
    text: String,
}

impl Conversation {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::List(page) => {
                let location = open::location(engine, page.location.as_deref()).await?;
                let store = engine.store().of(location.id);
                let columns = [
                    ("ID", "id"),
                    ("CUSTOMER", "address"),
                    ("OPEN", "window_open"),
                    ("NAME", "name"),
                ];
                let now = engine.now();
                let page = conversations::page(&store, page.after, page.limit, now).await?;
                format.list(&page, "conversations", &columns);
            }
            Self::Show {
                conversation,
                location,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                let store = engine.store().of(location.id);
                let detail = conversations::detail(&store, conversation, engine.now()).await?;
                let name = conversation.to_string();
                format.one(
                    &detail.ok_or_else(|| {
                        Failure::missing("conversation", &name, "conversation list")
                    })?,
                );
                if format == Format::Human {
                    let lines = engine
                        .history(location.id, conversation, SHOWN_LINES)
                        .await?;
                    let columns = [
                        ("TIME", "at"),
                        ("BY", "by"),
                        ("KIND", "kind"),
                        ("TEXT", "text"),
                    ];
                    out::line("");
                    format.list(&LinesJson::from(lines), "messages", &columns);
                }
            }
        }
        Ok(())
    }
}

impl Events {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        if let Some(command) = self.anew {
            return command.run(engine, format).await;
        }
        let page = self.page;
        let location = open::location(engine, page.location.as_deref()).await?;
        let store = engine.store().of(location.id);
        let events = events::page(&store, None, page.after, page.limit).await?;
        format.list(&events, "events", &EVENT_COLUMNS);
        Ok(())
    }
}

impl Deliveries {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        if let Some(command) = self.anew {
            return command.run(engine, format).await;
        }
        let location = open::location(engine, self.location.as_deref()).await?;
        let filter = DeliveryFilter {
            conversation_id: self.conversation,
            state: self.state.as_deref().map(deliveries::state).transpose()?,
        };
        let store = engine.store().of(location.id);
        let rows = store.deliveries(&filter, self.limit).await?;
        format.list(&DeliveriesJson::from(rows), "deliveries", &DELIVERY_COLUMNS);
        Ok(())
    }
}

impl Unrouted {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::List { after, limit } => {
                let rows = engine.store().unrouted(after, limit).await?;
                let columns = [("ID", "id"), ("REASON", "reason")];
                format.list(&UnroutedJson::new(&rows, limit), "unrouted", &columns);
            }
            Self::Run { item } => {
                free(engine, "POST /api/v1/unrouted/{id}/run").await?;
                let counts = engine.rerun_unrouted(item).await?;
                format.one(&CountsJson::from(counts));
            }
        }
        Ok(())
    }
}

impl SendText {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        let location = open::location(engine, self.location.as_deref()).await?;
        free(
            engine,
            "POST /api/v1/locations/{id}/conversations/{id}/messages",
        )
        .await?;
        let send = PersonSend {
            content: Content::Text { text: self.text },
            fallback: None,
            reply_to: None,
            idempotency_key: self.idempotency_key,
        };
        let id = engine.send(location.id, self.conversation, send).await?;
        let row = engine.store().of(location.id).delivery(id).await?;
        if let Some(row) = row {
            format.one(&DeliveryJson::from(row));
        }
        out::note("It is stored, and leaves once `rejoinder serve` runs.");
        Ok(())
    }
}

/// A server at work hears of changes of the set-up, but not of messages and events stored beside it:
/// they would lie there until it is started again.
pub(super) async fn free(engine: &Engine, instead: &str) -> Result<(), Failure> {
    if engine.store().is_worked_on().await {
        return Err(Failure::new(format!(
            "a server works on this database; ask it instead: {instead}"
        )));
    }
    Ok(())
}
