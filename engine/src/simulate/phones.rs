//! The provider of a simulated world, and its customers' phones: an adapter without a network.
//! It keeps a ledger of windows of its own and refuses as providers do. Knows no rule and no database.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use super::business::Provider;
use super::templates;
use crate::adapter::{
    Adapter, CredentialField, Credentials, Outgoing, Received, Refused, Route, SendError,
    SendErrorKind, Sent, Signal, Webhook,
};
use crate::clock::Clock;
use crate::crypto::Secret;
use crate::domain::content::Content;
use crate::domain::ids::DeliveryId;
use crate::domain::inbound::{Failure, Inbound, Item};
use crate::domain::template::TemplateShape;
use crate::domain::time::Timestamp;
use crate::domain::window;
use crate::script::testing::Heard;

/// The adapter's name, as in channels.
pub(super) const KIND: &str = "simulator";
/// Meta's code for free-form text outside the service window.
const WINDOW_IS_SHUT: i64 = 131_047;
/// Meta's code for a template to a customer who wants none.
const WANTS_NONE: i64 = 131_050;

/// Every customer's phone, and what the provider knows of them.
pub(super) struct Phones {
    clock: Arc<dyn Clock>,
    provider: Provider,
    /// The templates that there are; none: they are not known, and any will do.
    templates: Vec<TemplateShape>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    /// Until when the provider lets free-form text through, by address.
    windows: BTreeMap<String, Timestamp>,
    wants_no_templates: BTreeSet<String>,
    /// What the next sends meet.
    failures: VecDeque<SendError>,
    ids: u64,
}

/// A message on a customer's phone.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) address: String,
    pub(super) delivery_id: DeliveryId,
    pub(super) heard: Heard,
    /// Whether the provider has told that it arrived.
    pub(super) told: bool,
    /// Why it did not arrive after all, as the provider said later.
    pub(super) lost: Option<Failure>,
}

impl Phones {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        provider: Provider,
        templates: Vec<TemplateShape>,
    ) -> Self {
        Self {
            clock,
            provider,
            templates,
            state: Mutex::default(),
        }
    }

    pub(super) const fn provider(&self) -> &Provider {
        &self.provider
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that arrived at an address, oldest first.
    pub(super) fn at(&self, address: &str) -> Vec<Heard> {
        let state = self.state();
        let arrived = state
            .arrived
            .iter()
            .filter(|message| message.lost.is_none());
        arrived
            .filter(|message| message.address == address)
            .map(|message| message.heard.clone())
            .collect()
    }

    /// The messages whose arrival the provider has not told of yet; from now on it has.
    pub(super) fn take_untold(&self) -> Vec<Arrived> {
        let mut state = self.state();
        let untold = state.arrived.iter_mut().filter(|message| !message.told);
        untold
            .map(|message| {
                message.told = true;
                message.clone()
            })
            .collect()
    }

    /// The latest message to an address that is not lost.
    pub(super) fn latest(&self, address: &str) -> Option<Arrived> {
        let state = self.state();
        let mut latest = state.arrived.iter().rev();
        latest
            .find(|message| message.address == address && message.lost.is_none())
            .cloned()
    }

    /// Why a message that was taken did not arrive after all, if the provider said so.
    pub(super) fn lost(&self, delivery_id: DeliveryId) -> Option<Failure> {
        let state = self.state();
        let mut arrived = state.arrived.iter();
        arrived
            .find(|message| message.delivery_id == delivery_id)
            .and_then(|message| message.lost.clone())
    }

    /// The latest message to an address turns out not to have arrived.
    pub(super) fn lose_latest(&self, address: &str, failure: Failure) {
        let mut state = self.state();
        let mut latest = state.arrived.iter_mut().rev();
        if let Some(message) =
            latest.find(|message| message.address == address && message.lost.is_none())
        {
            message.lost = Some(failure);
        }
    }

    /// The next send meets this; several queue up.
    pub(super) fn fail_next(&self, error: SendError) {
        self.state().failures.push_back(error);
    }

    /// The provider shuts a window, without telling.
    pub(super) fn close_window(&self, address: &str) {
        self.state().windows.remove(address);
    }

    pub(super) fn window_is_open(&self, address: &str) -> bool {
        let now = self.clock.now();
        self.state()
            .windows
            .get(address)
            .is_some_and(|until| *until > now)
    }

    /// Whether a customer wants templates, as WhatsApp's own switch says.
    pub(super) fn set_wants_templates(&self, address: &str, wants: Wants) {
        let mut state = self.state();
        match wants {
            Wants::Them => state.wants_no_templates.remove(address),
            Wants::None => state.wants_no_templates.insert(address.to_owned()),
        };
    }

    /// An id as the provider gives them, the same in every repetition.
    pub(super) fn next_id(&self, of: &str) -> String {
        let mut state = self.state();
        state.ids += 1;
        format!("wamid.{of}.{}", state.ids)
    }

    fn send_now(&self, outgoing: &Outgoing<'_>) -> Result<Sent, SendError> {
        let address = outgoing.to.value();
        let now = self.clock.now();
        {
            let mut state = self.state();
            if let Some(error) = state.failures.pop_front() {
                return Err(error);
            }
            let is_open = state.windows.get(address).is_some_and(|until| *until > now);
            if !outgoing.content.is_template() && !is_open {
                return Err(refusal(
                    SendErrorKind::WindowClosed,
                    WINDOW_IS_SHUT,
                    "more than 24 hours have passed since the customer last wrote",
                ));
            }
            if outgoing.content.is_template() && state.wants_no_templates.contains(address) {
                return Err(refusal(
                    SendErrorKind::OptedOut,
                    WANTS_NONE,
                    "the customer has switched off messages of this business",
                ));
            }
            if let Content::Template(template) = outgoing.content {
                templates::check(&self.templates, template, outgoing.language)?;
            }
        }
        let provider_id = self.next_id("out");
        self.state().arrived.push(Arrived {
            address: address.to_owned(),
            delivery_id: outgoing.delivery_id,
            heard: Heard {
                provider_id: provider_id.clone(),
                content: outgoing.content.clone(),
                at: now,
            },
            told: false,
            lost: None,
        });
        Ok(Sent { provider_id })
    }
}

fn refusal(kind: SendErrorKind, code: i64, detail: &str) -> SendError {
    SendError::new(kind, detail).with_code(code)
}

/// Whether a customer wants templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Them,
    None,
}

impl Adapter for Phones {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn credential_fields(&self) -> &'static [CredentialField] {
        &[]
    }

    fn key_is_phone(&self) -> bool {
        true
    }

    fn route(&self, _webhook: &Webhook) -> Route {
        Route::Server
    }

    fn webhook_secrets(&self, _credentials: &Credentials) -> Vec<Secret> {
        Vec::new()
    }

    /// Reads what the world itself put together: nobody else can reach this adapter.
    fn receive(&self, webhook: &Webhook, _secrets: &[Secret]) -> Result<Received, Refused> {
        let items: Vec<Inbound> = serde_json::from_slice(&webhook.body).map_err(|_| Refused)?;
        let now = self.clock.now();
        let mut state = self.state();
        for inbound in &items {
            if let Item::Message { peer, message } = &inbound.item
                && message.body.opens_window()
            {
                for address in peer.addresses() {
                    state
                        .windows
                        .insert(address.value().to_owned(), now + window::LENGTH);
                }
            }
        }
        Ok(Received { secret: 0, items })
    }

    fn parse(&self, raw: &str) -> Vec<Inbound> {
        serde_json::from_str(raw).unwrap_or_default()
    }

    fn check(&self, content: &Content) -> Result<(), SendError> {
        self.provider.check(content)
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Sent, SendError>> {
        Box::pin(std::future::ready(self.send_now(outgoing)))
    }

    fn signal<'a>(&'a self, _signal: &'a Signal<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
