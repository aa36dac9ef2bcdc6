//! A number of Meta's as its customers and its owner use it: each act is a signed webhook.
//! Knows nothing of what the business answers; that is in the simulator's log.

use std::sync::Arc;

use bytes::Bytes;
use rejoinder_engine::adapter::SendError;
use rejoinder_engine::domain::time::{Span, Timestamp};
use serde_json::Value;

use super::super::Face;
use super::super::log::ReceivedMessage;
use super::super::world::{Pushed, World, plain, write};
use super::{Arrival, Registration, webhook};

/// A registered number of Meta's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MetaNumber {
    registration: Arc<Registration>,
    world: Arc<World>,
}

impl MetaNumber {
    pub(in super::super) fn register(world: &Arc<World>, registration: Registration) -> Self {
        if let Some(token) = &registration.access_token {
            let bearer = format!("Bearer {token}");
            world
                .meta_access
                .grant(&registration.phone_number_id, bearer);
        }
        let registration = Arc::new(registration);
        write(&world.meta_numbers).insert(
            registration.phone_number_id.clone(),
            Arc::clone(&registration),
        );
        Self {
            registration,
            world: Arc::clone(world),
        }
    }

    /// What the number is registered with.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// A customer writes a text.
    ///
    /// # Errors
    /// As of `Http::send`: nobody listens, or nobody answers.
    pub async fn customer_says(
        &self,
        name: &str,
        phone: &str,
        text: &str,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, None, |number, arrival| {
            webhook::text_message(number, arrival, text)
        })
        .await
    }

    /// A customer writes a text that quotes one of our messages.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn customer_replies(
        &self,
        name: &str,
        phone: &str,
        text: &str,
        context: &str,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, Some(context), |number, arrival| {
            webhook::text_message(number, arrival, text)
        })
        .await
    }

    /// A customer taps a button of our message `context`.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn customer_taps(
        &self,
        name: &str,
        phone: &str,
        button_id: &str,
        title: &str,
        context: &str,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, Some(context), |number, arrival| {
            webhook::button_tap(number, arrival, button_id, title)
        })
        .await
    }

    /// A customer chooses a row from the list of our message `context`.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn customer_chooses(
        &self,
        name: &str,
        phone: &str,
        row_id: &str,
        title: &str,
        context: &str,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, Some(context), |number, arrival| {
            webhook::list_choice(number, arrival, row_id, title)
        })
        .await
    }

    /// A customer sends a picture.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn customer_sends_image(
        &self,
        name: &str,
        phone: &str,
        media_id: &str,
        caption: Option<&str>,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, None, |number, arrival| {
            webhook::image(number, arrival, media_id, caption)
        })
        .await
    }

    /// A customer sends a message of any type, whose object is `content`.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn customer_sends(
        &self,
        name: &str,
        phone: &str,
        kind: &str,
        content: Value,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, None, |number, arrival| {
            webhook::message(number, arrival, kind, content)
        })
        .await
    }

    /// The owner writes a text to a customer on the phone. Opens no window.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn owner_echoes(&self, phone: &str, text: &str) -> Result<Pushed, SendError> {
        let id = wamid(&self.world);
        let body = webhook::echo(&self.registration, phone, &id, self.world.now(), text);
        self.push(body.into(), id).await
    }

    /// A status of a message that the simulator took: `sent`, `delivered`, `read`.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn status(
        &self,
        message: &ReceivedMessage,
        status: &str,
    ) -> Result<Pushed, SendError> {
        self.update(message, status, None).await
    }

    /// The status that a message failed, with Meta's code.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn fails(&self, message: &ReceivedMessage, code: i64) -> Result<Pushed, SendError> {
        self.update(message, "failed", Some(code)).await
    }

    /// Any body, signed; the windows of the customers whose messages it holds open, if it can be read.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn raw(&self, body: impl Into<Bytes>) -> Result<Pushed, SendError> {
        let body = body.into();
        for (customer, at) in senders(&body) {
            self.open_window(&customer, at);
        }
        self.push(body, String::new()).await
    }

    /// The same webhook once more, byte for byte.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn duplicate(&self, pushed: &Pushed) -> Result<Pushed, SendError> {
        self.push(pushed.body.clone(), pushed.id.clone()).await
    }

    async fn arrive(
        &self,
        name: &str,
        phone: &str,
        context: Option<&str>,
        build: impl FnOnce(&Registration, &Arrival<'_>) -> Vec<u8>,
    ) -> Result<Pushed, SendError> {
        let id = wamid(&self.world);
        let arrival = Arrival {
            name,
            phone,
            user_id: None,
            id: &id,
            at: self.world.now(),
            context,
        };
        // Before the webhook leaves, because the answer may overtake the webhook's own.
        self.open_window(phone, arrival.at);
        let body = build(&self.registration, &arrival);
        self.push(body.into(), id).await
    }

    async fn update(
        &self,
        message: &ReceivedMessage,
        status: &str,
        error_code: Option<i64>,
    ) -> Result<Pushed, SendError> {
        let update = webhook::StatusUpdate {
            id: &message.provider_id,
            status,
            to: &message.to,
            at: self.world.now(),
            callback: message.callback.as_deref(),
            error_code,
        };
        let body = webhook::status(&self.registration, &update);
        self.push(body.into(), message.provider_id.clone()).await
    }

    fn open_window(&self, customer: &str, at: Timestamp) {
        let number = &self.registration.phone_number_id;
        self.world.open_window(Face::Meta, number, customer, at);
    }

    /// News of the account or the number, by the name of its field.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn news(&self, field: &str, value: &Value) -> Result<Pushed, SendError> {
        let body = webhook::news(&self.registration, field, value, self.world.now());
        self.push(body.into(), String::new()).await
    }

    /// The phone app shares a part of its past: texts of one customer, one a minute up to an hour ago.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn shares_history(
        &self,
        phase: u8,
        chunk_order: u32,
        progress: u8,
        customer: &str,
        texts: &[&str],
    ) -> Result<Pushed, SendError> {
        let begin = self.world.now() - Span::hours(1);
        let lines = texts.iter().zip(1..).map(|(text, minute)| {
            let id = wamid(&self.world);
            (id, begin - Span::minutes(minute), *text)
        });
        let lines: Vec<_> = lines.collect();
        let part = (phase, chunk_order, progress);
        let body = webhook::history(&self.registration, part, customer, &lines);
        self.push(body.into(), String::new()).await
    }

    /// The business does not share its past.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn declines_history(&self) -> Result<Pushed, SendError> {
        let body = webhook::history_declined(&self.registration);
        self.push(body.into(), String::new()).await
    }

    async fn push(&self, body: Bytes, id: String) -> Result<Pushed, SendError> {
        super::push(&self.world, &self.registration, body, id).await
    }
}

/// The next message id, as opaque as Meta's.
pub(super) fn wamid(world: &World) -> String {
    use base64::Engine as _;
    let id = base64::engine::general_purpose::STANDARD.encode(world.next_id());
    format!("wamid.{id}")
}

/// The customers whose messages a body holds, with the time of each.
fn senders(body: &[u8]) -> Vec<(String, Timestamp)> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let items = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    items(&body, "entry")
        .iter()
        .flat_map(|entry| items(entry, "changes"))
        .filter(|change| change["field"] == "messages")
        .flat_map(|change| items(&change["value"], "messages"))
        .filter_map(|message| {
            let from = message["from"]
                .as_str()
                .or(message["from_user_id"].as_str())?;
            let at = message["timestamp"].as_str()?.parse().ok()?;
            Some((plain(from).to_owned(), Timestamp::from_seconds(at)))
        })
        .collect()
}
