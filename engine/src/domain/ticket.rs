//! What lets a page of a location's own website connect one number, once and soon. Knows neither the page nor
//! the word that opens it.

use super::ids::{LocationId, OnboardingId, TicketId, TokenId};
use super::origin::Origin;
use super::time::{Span, Timestamp};

/// Lets whoever has its word connect one number of a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The tenant.
    pub location_id: LocationId,
    /// This ticket; not the word that opens it.
    pub id: TicketId,
    /// The token with which it was made; none on the command line.
    pub token_id: Option<TokenId>,
    /// The website that is told what came of it, and no other.
    pub origin: Origin,
    /// What people will call the channel.
    pub name: String,
    /// Whether the number stays in use in the app on a phone.
    pub coexistence: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// What was begun with it.
    pub onboarding_id: Option<OnboardingId>,
}

/// How a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// It can be used.
    Open,
    /// It was used.
    Used,
    /// Its time is over.
    Expired,
}

impl Ticket {
    /// How long a person has to get through the sign-up.
    pub const LIFE: Span = Span::minutes(10);
    /// How long its page may see what came of it.
    const TOLD: Span = Span::hours(1);

    /// How it stands.
    pub fn state(&self, now: Timestamp) -> TicketState {
        if self.used_at.is_some() {
            TicketState::Used
        } else if now >= self.expires_at {
            TicketState::Expired
        } else {
            TicketState::Open
        }
    }

    /// Whether its page may still see what came of it.
    pub fn tells(&self, now: Timestamp) -> bool {
        now < self.created_at + Self::TOLD
    }
}
