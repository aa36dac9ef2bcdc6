//! Tickets: made for a page of a location's own website, used once, and asked what came of them.

use sha2::{Digest, Sha256};

use super::{Given, NewOnboarding, Problem, name};
use crate::crypto::{Secret, random_key_word};
use crate::domain::ids::{LocationId, OnboardingId, TicketId, TokenId};
use crate::domain::onboarding::{Onboarding, StepState};
use crate::domain::origin::Origin;
use crate::domain::ticket::{Ticket, TicketState};
use crate::domain::time::Span;
use crate::engine::Engine;
use crate::store::{CreateTicket, UseTicket};

/// An onboarding at which nobody was for as long was left: by a server that was stopped.
const LEFT: Span = Span::seconds(10);

/// A ticket to be made.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// The website that opens the bridge page; one of the location's setting `origins`.
    pub origin: String,
    /// What people will call the channel.
    pub name: String,
    /// Whether the number stays in use in the app on a phone.
    pub coexistence: bool,
    /// The token with which it is made; none on the command line.
    pub token_id: Option<TokenId>,
}

/// A ticket, and what came of it.
#[derive(Clone, Debug)]
pub struct Bridged {
    /// The ticket.
    pub ticket: Ticket,
    /// How it stands.
    pub state: TicketState,
    /// What was begun with it, as far as its page may still see it.
    pub onboarding: Option<Onboarding>,
}

impl Engine {
    /// Makes a ticket, and the word that opens it; the word is shown this once.
    ///
    /// # Errors
    /// The location is not there or does not name the origin, or the database failed.
    pub async fn create_ticket(
        &self,
        location_id: LocationId,
        new: NewTicket,
    ) -> Result<(Ticket, Secret), Problem> {
        let core = &self.core;
        let origin: Origin = new
            .origin
            .parse()
            .map_err(|error| Problem::Invalid(format!("'origin': {error}")))?;
        let name = name(&new.name)?;
        if !self.is_origin_of(location_id, &origin).await? {
            return Err(Problem::Invalid(format!(
                "'{origin}' is not among the websites of this location; add it to its setting `origins`, such as \
                 `rejoinder location set … --setting 'origins=[\"{origin}\"]'`"
            )));
        }
        let now = core.clock.now();
        let ticket = Ticket {
            location_id,
            id: TicketId::generate(),
            token_id: new.token_id,
            origin,
            name,
            coexistence: new.coexistence,
            created_at: now,
            expires_at: now + Ticket::LIFE,
            used_at: None,
            onboarding_id: None,
        };
        let word = random_key_word();
        let create = CreateTicket {
            ticket: ticket.clone(),
            hash: hash(&word),
        };
        core.store.write(create).await?;
        Ok((ticket, word))
    }

    /// The ticket that a word opens, with what came of it. None as well if the token with which it was made is
    /// gone, or the location does not name its website any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bridged(&self, word: &Secret) -> Result<Option<Bridged>, Problem> {
        let core = &self.core;
        let Some(ticket) = core.store.ticket(&hash(word)).await? else {
            return Ok(None);
        };
        let location_id = ticket.location_id;
        let is_made_by_one = match ticket.token_id {
            Some(id) => core.store.is_token_of(id, location_id).await?,
            None => true,
        };
        if !is_made_by_one || !self.is_origin_of(location_id, &ticket.origin).await? {
            return Ok(None);
        }
        let now = core.clock.now();
        let onboarding = match ticket.onboarding_id.filter(|_| ticket.tells(now)) {
            Some(id) => core.store.of(location_id).onboarding(id).await?,
            None => None,
        };
        Ok(Some(Bridged {
            state: ticket.state(now),
            onboarding: onboarding.map(|stored| stored.onboarding),
            ticket,
        }))
    }

    /// Uses a ticket up and begins to connect a number with what is given: noted at once, and its steps taken in
    /// a task of its own. `bridged` tells what comes of it. False if the ticket opens nothing (any more).
    ///
    /// # Errors
    /// The route is not there, a field is not the route's, or the database failed.
    pub async fn use_ticket(
        &self,
        word: &Secret,
        route: &str,
        given: Given,
    ) -> Result<bool, Problem> {
        let (engine, word, route) = (self.clone(), word.clone(), route.to_owned());
        // Who asked may hang up: a ticket that is used up is used for something.
        let work = async move { engine.use_up(&word, route, given).await };
        tokio::spawn(Box::pin(work)).await.unwrap_or_else(|_| {
            Err(Problem::Invalid(
                "the ticket ended in a mistake of the program; make a new one".to_owned(),
            ))
        })
    }

    async fn use_up(&self, word: &Secret, route: String, given: Given) -> Result<bool, Problem> {
        let core = &self.core;
        let bridged = self.bridged(word).await?;
        let Some(bridged) = bridged.filter(|bridged| bridged.state == TicketState::Open) else {
            return Ok(false);
        };
        let location_id = bridged.ticket.location_id;
        let new = NewOnboarding {
            route,
            name: bridged.ticket.name,
            given,
        };
        let onboarding = self.new_onboarding(location_id, new).await?;
        let id = onboarding.onboarding.id;
        let use_up = UseTicket {
            hash: hash(word),
            now: core.clock.now(),
            onboarding,
        };
        if !core.store.write(use_up).await? {
            return Ok(false);
        }
        self.take_steps(location_id, id);
        Ok(true)
    }

    /// Goes on with what a ticket began, if nobody is at it: the server may have been stopped meanwhile.
    pub fn take_up(&self, bridged: &Bridged) {
        let Some(onboarding) = &bridged.onboarding else {
            return;
        };
        let is_idle = !self.core.onboardings().contains_key(&onboarding.id);
        let is_left = self.core.clock.now().since(onboarding.updated_at) > LEFT;
        if onboarding.state() == StepState::Open && is_idle && is_left {
            self.take_steps(onboarding.location_id, onboarding.id);
        }
    }

    fn take_steps(&self, location_id: LocationId, id: OnboardingId) {
        let engine = self.clone();
        tokio::spawn(async move {
            let steps = engine.continue_onboarding(location_id, id, Given::default());
            if let Err(error) = Box::pin(steps).await {
                // It is noted, so that a person or a program can go on with it.
                tracing::warn!(%error, onboarding.id = %id, "the steps of an onboarding were not taken");
            }
        });
    }

    async fn is_origin_of(
        &self,
        location_id: LocationId,
        origin: &Origin,
    ) -> Result<bool, Problem> {
        let location = self.core.store.location(location_id).await?;
        Ok(location.is_some_and(|(location, _)| location.settings.origins.contains(origin)))
    }
}

fn hash(word: &Secret) -> String {
    hex::encode(Sha256::digest(word.expose().as_bytes()))
}
