//! A provider on loopback: an HTTP server with the faces of Meta's Graph API and Twilio's REST APIs,
//! and the customers who write to a business through them, by properly signed webhooks.
//! Knows nothing of the engine's rules or database: it sees only what a provider would see.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use rejoinder_adapters::simulator::{Simulator, meta};
//! let simulator = Simulator::start().await?;
//! let number = simulator.meta_number(meta::Registration {
//!     webhook_url: "http://127.0.0.1:8080/hooks/meta".to_owned(),
//!     app_secret: "app-secret".to_owned(),
//!     phone_number_id: "106853218861309".to_owned(),
//!     waba_id: "215589313241560883".to_owned(),
//!     display_phone: "4930901820".to_owned(),
//!     access_token: Some("token".to_owned()),
//! });
//! number.customer_says("Ana Souza", "+5511987654321", "Hello!").await?;
//! let answers = simulator.wait_for(1).await;
//! assert_eq!(answers[0].to, "5511987654321");
//! # Ok(())
//! # }
//! ```

mod access;
mod faults;
mod log;
pub mod meta;
mod server;
mod statuses;
pub mod twilio;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rejoinder_engine::clock::{Clock, SystemClock};
use rejoinder_engine::domain::time::{Span, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub use self::faults::{Fault, FaultId, Operation, Request};
pub use self::log::{Counters, Outcome, ReceivedMessage, ReceivedSignal, Summary, TemplateUse};
pub use self::meta::MetaNumber;
pub use self::twilio::TwilioNumber;
pub use self::world::{Pushed, Settings, Statuses, WindowRule};

use self::world::World;

/// Which provider's API a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    /// The Graph API.
    Meta,
    /// The REST APIs of Twilio.
    Twilio,
}

/// The simulated providers. Stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    world: Arc<World>,
    server: Option<JoinHandle<()>>,
    address: SocketAddr,
}

impl Simulator {
    /// Starts on a free port of loopback, by the operating system's clock.
    ///
    /// # Errors
    /// No port could be bound.
    pub async fn start() -> Result<Self, io::Error> {
        Self::start_with(Arc::new(SystemClock)).await
    }

    /// Starts on a free port of loopback, by `clock`, which may be the engine's own.
    ///
    /// # Errors
    /// No port could be bound.
    pub async fn start_with(clock: Arc<dyn Clock>) -> Result<Self, io::Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(clock, format!("http://{address}")));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&world)));
        Ok(Self {
            world,
            server: Some(server),
            address,
        })
    }

    /// Where both faces are, without a slash at the end: `http://127.0.0.1:40123`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the port and every connection, and gives up the statuses that were not sent yet.
    pub async fn shutdown(mut self) {
        self.world.stop();
        if let Some(server) = self.server.take() {
            // A server that panicked is stopped as well.
            let _ = server.await;
        }
    }

    /// The present by the simulator's clock.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Moves the simulator's time forward, on top of its clock: windows close, new webhooks are dated later.
    pub fn advance(&self, span: Span) {
        self.world.advance(span);
    }

    /// How the providers behave at the moment.
    pub fn settings(&self) -> Settings {
        self.world.settings()
    }

    /// Changes how the providers behave, from the next request on.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        self.world.configure(change);
    }

    /// Registers a number of Meta's, or registers it anew (with another webhook address, say).
    /// Once a token is registered, requests without one of the number's tokens are refused.
    pub fn meta_number(&self, registration: meta::Registration) -> MetaNumber {
        MetaNumber::register(&self.world, registration)
    }

    /// Meta's own side: apps, business accounts, numbers and tokens that can be connected.
    pub fn meta_graph(&self) -> meta::MetaGraph {
        meta::MetaGraph::new(&self.world)
    }

    /// Registers a sender of Twilio's, or registers it anew. From the first one on, requests must
    /// carry the credentials of the account that they name.
    pub fn twilio_number(&self, registration: twilio::Registration) -> TwilioNumber {
        TwilioNumber::register(&self.world, registration)
    }

    /// Twilio's own side: accounts, senders and services that can be connected.
    pub fn twilio_accounts(&self) -> twilio::TwilioAccounts {
        twilio::TwilioAccounts::new(&self.world)
    }

    /// Adds a template to a business account of Meta's, as its list would tell of it, in place of one of
    /// that name and language.
    pub fn meta_template(&self, waba_id: &str, template: serde_json::Value) {
        self.world.meta_templates.put(waba_id, template);
    }

    /// Lets a further bearer token send by a number of Meta's.
    pub fn grant_meta(&self, phone_number_id: &str, token: &str) {
        let bearer = format!("Bearer {token}");
        self.world.meta_access.grant(phone_number_id, bearer);
    }

    /// Makes a bearer token unknown, as if it had expired.
    pub fn revoke_meta(&self, token: &str) {
        self.world.meta_access.revoke(&format!("Bearer {token}"));
    }

    /// Lets a further user and password (an API key, say) act for an account of Twilio's.
    pub fn grant_twilio(&self, account_sid: &str, user: &str, password: &str) {
        let basic = access::basic(user, password);
        self.world.twilio_access.grant(account_sid, basic);
    }

    /// Makes a user and password unknown, as if they had been rotated.
    pub fn revoke_twilio(&self, user: &str, password: &str) {
        self.world
            .twilio_access
            .revoke(&access::basic(user, password));
    }

    /// Notes that a customer wrote to a number just now, without sending a webhook: for senders of
    /// prebuilt bodies. The number is Meta's phone number id, or the digits of Twilio's sender.
    pub fn open_window(&self, face: Face, number: &str, customer: &str) {
        self.world.open_window(face, number, customer, self.now());
    }

    /// Makes the next `count` messages meet `fault`, after the faults that were set before.
    pub fn fault_next(&self, count: usize, fault: Fault) -> FaultId {
        let send = |request: &Request<'_>| request.operation == Operation::Send;
        self.world.faults.add(Some(count), Box::new(send), fault)
    }

    /// Makes the next `count` messages by one API meet `fault`, after the faults that were set before.
    pub fn fault_next_of(&self, face: Face, count: usize, fault: Fault) -> FaultId {
        let send = move |request: &Request<'_>| {
            request.operation == Operation::Send && request.face == face
        };
        self.world.faults.add(Some(count), Box::new(send), fault)
    }

    /// Makes every request for which `when` holds meet `fault`, until it is cleared. Where several
    /// faults apply, the one set first does.
    pub fn fault_when(
        &self,
        when: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static,
        fault: Fault,
    ) -> FaultId {
        self.world.faults.add(None, Box::new(when), fault)
    }

    /// Makes the next `count` requests for which `when` holds meet `fault`.
    pub fn fault_next_when(
        &self,
        count: usize,
        when: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static,
        fault: Fault,
    ) -> FaultId {
        self.world.faults.add(Some(count), Box::new(when), fault)
    }

    /// Takes one fault back.
    pub fn clear_fault(&self, id: FaultId) {
        self.world.faults.clear(id);
    }

    /// Takes every fault back.
    pub fn clear_faults(&self) {
        self.world.faults.clear_all();
    }

    /// The messages that the providers took, in order; empty while the log is off.
    pub fn received(&self) -> Vec<ReceivedMessage> {
        self.world.log.messages()
    }

    /// The read and typing marks that the providers took, in order; empty while the log is off.
    pub fn signals(&self) -> Vec<ReceivedSignal> {
        self.world.log.signals()
    }

    /// Forgets the messages and marks received so far; counters go on.
    pub fn forget(&self) {
        self.world.log.forget();
    }

    /// Waits until the log holds at least `count` messages, and gives them all.
    pub async fn wait_for(&self, count: usize) -> Vec<ReceivedMessage> {
        self.world.log.wait_for(count).await
    }

    /// Waits until the providers took at least `count` messages since the start, log or no log.
    pub async fn wait_until_accepted(&self, count: u64) {
        self.world.log.wait_until_accepted(count).await;
    }

    /// Every message from now on, as the providers take it; nothing while the log is off.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<ReceivedMessage>> {
        self.world.log.subscribe()
    }

    /// How much has come and gone since the start.
    pub fn counters(&self) -> Counters {
        self.world.log.counters()
    }

    /// Waits until every status that is due has been sent.
    pub async fn settled(&self) {
        self.world.settled().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.world.stop();
    }
}
