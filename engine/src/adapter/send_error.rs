//! Why a message was not sent, or may not have been: a closed list of kinds, from which the engine acts.
//! Knows no provider's codes: adapters map those.

use crate::domain::inbound::Failure;
use crate::domain::time::Span;

/// Why a message was not sent, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.code())]
pub struct SendError {
    /// One of a closed list.
    pub kind: SendErrorKind,
    /// The provider's own code, or 0.
    pub provider_code: i64,
    /// What happened, for the tenant: free of secrets and of message text.
    pub detail: String,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Span>,
}

impl SendError {
    /// An error without a provider's code.
    pub fn new(kind: SendErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            provider_code: 0,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The same error with the provider's code.
    #[must_use]
    pub const fn with_code(mut self, provider_code: i64) -> Self {
        self.provider_code = provider_code;
        self
    }

    /// The stable code, as stored and printed.
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The error as it is kept with a failed delivery.
    pub fn to_failure(&self) -> Failure {
        Failure {
            kind: self.code().to_owned(),
            provider_code: self.provider_code,
            detail: self.detail.clone(),
        }
    }
}

/// The closed list of reasons. What the engine does follows from the kind alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// No connection was ever made: certainly not sent.
    NotConnected,
    /// The request was written and no usable answer came: it may have been sent.
    InDoubt,
    /// The provider refused for now, and says so.
    Temporary,
    /// The number, or the account, sends too fast.
    RateLimited,
    /// Too many messages to this one customer.
    PairLimited,
    /// The credentials are wrong, expired, or lack a permission.
    Credential,
    /// The number or account is not in a state to send: not registered, not paid for, under review.
    ChannelUnready,
    /// Free-form text outside the service window.
    WindowClosed,
    /// The customer does not want to be written to.
    OptedOut,
    /// The customer cannot be reached at this address.
    Unreachable,
    /// The template is missing, paused, or its values do not fit.
    TemplateRejected,
    /// The file could not be fetched, or is not allowed.
    MediaRejected,
    /// The message is not well formed; the detail names the limit or field.
    Invalid,
    /// The provider will not send it: policy, spam, an experiment.
    Refused,
    /// Too late: it waited longer than it was worth.
    Expired,
}

impl SendErrorKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::NotConnected,
        Self::InDoubt,
        Self::Temporary,
        Self::RateLimited,
        Self::PairLimited,
        Self::Credential,
        Self::ChannelUnready,
        Self::WindowClosed,
        Self::OptedOut,
        Self::Unreachable,
        Self::TemplateRejected,
        Self::MediaRejected,
        Self::Invalid,
        Self::Refused,
        Self::Expired,
    ];

    /// The stable code, as stored, printed, and seen by scripts as `status.failure.kind`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::InDoubt => "in_doubt",
            Self::Temporary => "temporary",
            Self::RateLimited => "rate_limited",
            Self::PairLimited => "pair_limited",
            Self::Credential => "credential",
            Self::ChannelUnready => "channel_unready",
            Self::WindowClosed => "window_closed",
            Self::OptedOut => "opted_out",
            Self::Unreachable => "unreachable",
            Self::TemplateRejected => "template_rejected",
            Self::MediaRejected => "media_rejected",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }

    /// Whether the same request may be made again, because the message was certainly not sent.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::NotConnected
            | Self::Temporary
            | Self::RateLimited
            | Self::PairLimited
            | Self::Credential
            | Self::ChannelUnready => true,
            Self::InDoubt
            | Self::WindowClosed
            | Self::OptedOut
            | Self::Unreachable
            | Self::TemplateRejected
            | Self::MediaRejected
            | Self::Invalid
            | Self::Refused
            | Self::Expired => false,
        }
    }
}
