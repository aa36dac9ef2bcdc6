//! A sender of Twilio's as its customers use it: each act is a signed webhook, and is listed.
//! Knows nothing of what the business answers; that is in the simulator's log.

use std::sync::Arc;

use rejoinder_engine::adapter::{SendError, SendErrorKind};

use super::super::log::ReceivedMessage;
use super::super::world::{Pushed, World, field, plain, write};
use super::super::{Face, access};
use super::messages::StoredMessage;
use super::{Arrival, Registration, webhook};

/// A registered sender of Twilio's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TwilioNumber {
    registration: Arc<Registration>,
    world: Arc<World>,
}

impl TwilioNumber {
    pub(in super::super) fn register(world: &Arc<World>, registration: Registration) -> Self {
        let basic = access::basic(&registration.account_sid, &registration.auth_token);
        world.twilio_access.grant(&registration.account_sid, basic);
        let registration = Arc::new(registration);
        write(&world.twilio_numbers).insert(
            plain(&registration.number).to_owned(),
            Arc::clone(&registration),
        );
        Self {
            registration,
            world: Arc::clone(world),
        }
    }

    /// What the sender is registered with.
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
        self.arrive(name, phone, None, |sender, arrival| {
            webhook::text_message(sender, arrival, text)
        })
        .await
    }

    /// A customer writes a text whose webhook is lost; only the list of messages tells of it. Gives
    /// the message's SID.
    pub fn customer_says_unheard(&self, name: &str, phone: &str, text: &str) -> String {
        let (sid, params) = self.written(name, phone, None, |sender, arrival| {
            webhook::text_message(sender, arrival, text)
        });
        self.keep(&params);
        sid
    }

    /// A customer sends a picture whose webhook is lost. Gives the message's SID.
    pub fn customer_sends_image_unheard(
        &self,
        name: &str,
        phone: &str,
        media_url: &str,
        caption: Option<&str>,
    ) -> String {
        let (sid, params) = self.written(name, phone, None, |sender, arrival| {
            webhook::image(sender, arrival, media_url, caption)
        });
        self.keep(&params);
        sid
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
        self.arrive(name, phone, Some(context), |sender, arrival| {
            webhook::text_message(sender, arrival, text)
        })
        .await
    }

    /// A customer taps a quick reply of our message `context`.
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
        self.arrive(name, phone, Some(context), |sender, arrival| {
            webhook::button_tap(sender, arrival, button_id, title)
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
        self.arrive(name, phone, Some(context), |sender, arrival| {
            webhook::list_choice(sender, arrival, row_id, title)
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
        media_url: &str,
        caption: Option<&str>,
    ) -> Result<Pushed, SendError> {
        self.arrive(name, phone, None, |sender, arrival| {
            webhook::image(sender, arrival, media_url, caption)
        })
        .await
    }

    /// The owner writes a text to a customer on the phone, if Twilio told of such things.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn owner_echoes(&self, phone: &str, text: &str) -> Result<Pushed, SendError> {
        let sid = format!("SM{}", self.world.next_id());
        let params = webhook::echo(&self.registration, phone, &sid, text);
        self.push(&self.registration.webhook_url, &params, sid)
            .await
    }

    /// A status of a message that the simulator took (`sent`, `delivered`, `read`), to the message's
    /// StatusCallback address, or else to the sender's webhook.
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

    /// The status that a message was not delivered, with Twilio's code.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn fails(&self, message: &ReceivedMessage, code: i64) -> Result<Pushed, SendError> {
        self.update(message, "undelivered", Some(code)).await
    }

    /// Any parameters, signed; the window of the customer in `From` opens.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn raw(&self, params: &[(String, String)]) -> Result<Pushed, SendError> {
        self.open_window(params);
        self.push(&self.registration.webhook_url, params, String::new())
            .await
    }

    /// The same webhook once more, byte for byte.
    ///
    /// # Errors
    /// As of `customer_says`.
    pub async fn duplicate(&self, pushed: &Pushed) -> Result<Pushed, SendError> {
        let params = super::decode(&pushed.body);
        self.push(&pushed.url, &params, pushed.id.clone()).await
    }

    async fn arrive(
        &self,
        name: &str,
        phone: &str,
        context: Option<&str>,
        build: impl FnOnce(&Registration, &Arrival<'_>) -> Vec<(String, String)>,
    ) -> Result<Pushed, SendError> {
        let (sid, params) = self.written(name, phone, context, build);
        self.keep(&params);
        let url = self.webhook_url()?;
        self.push(&url, &params, sid).await
    }

    /// Where webhooks go: as registered, or as the sender or its service has it.
    fn webhook_url(&self) -> Result<String, SendError> {
        if !self.registration.webhook_url.is_empty() {
            return Ok(self.registration.webhook_url.clone());
        }
        let number = plain(&self.registration.number);
        let url = self.world.twilio_store.accounts.destination(number);
        url.ok_or_else(|| {
            SendError::new(
                SendErrorKind::NotConnected,
                "the sender's webhooks go nowhere",
            )
        })
    }

    fn written(
        &self,
        name: &str,
        phone: &str,
        context: Option<&str>,
        build: impl FnOnce(&Registration, &Arrival<'_>) -> Vec<(String, String)>,
    ) -> (String, Vec<(String, String)>) {
        let sid = format!("SM{}", self.world.next_id());
        let arrival = Arrival {
            name,
            phone,
            sid: &sid,
            context,
        };
        let params = build(&self.registration, &arrival);
        (sid, params)
    }

    /// Before the webhook leaves, because the answer may overtake the webhook's own.
    fn keep(&self, params: &[(String, String)]) {
        self.open_window(params);
        if self.world.settings().log {
            let message = StoredMessage::inbound(params, self.world.now());
            self.world.twilio_store.messages.add(message);
        }
    }

    fn open_window(&self, params: &[(String, String)]) {
        if let Some(customer) = field(params, "From") {
            let now = self.world.now();
            let own = &self.registration.number;
            self.world.open_window(Face::Twilio, own, customer, now);
        }
    }

    async fn update(
        &self,
        message: &ReceivedMessage,
        status: &str,
        error_code: Option<i64>,
    ) -> Result<Pushed, SendError> {
        let sid = &message.provider_id;
        self.world
            .twilio_store
            .messages
            .update(sid, status, error_code);
        let update = webhook::StatusUpdate {
            sid,
            status,
            to: &message.to,
            error_code,
        };
        let params = webhook::status(&self.registration, &update);
        let url = message.callback.as_deref();
        let url = url.unwrap_or(&self.registration.webhook_url);
        self.push(url, &params, sid.clone()).await
    }

    async fn push(
        &self,
        url: &str,
        params: &[(String, String)],
        id: String,
    ) -> Result<Pushed, SendError> {
        super::push(&self.world, &self.registration, url, params, id).await
    }
}
