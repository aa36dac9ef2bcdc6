//! Requests about accounts and numbers, one after the other, and what each was answered, as evidence. Nothing here
//! reaches a customer. Addresses are never told on: their queries may hold secrets.

use http::Method;
use rejoinder_engine::adapter::{SendErrorKind, StepError};
use rejoinder_engine::domain::finding::Finding;
use rejoinder_engine::domain::onboarding::Evidence;
use rejoinder_engine::domain::time::{Span, Timestamp};

use crate::http::{Answer, Http, Request};

/// A clock that is off by more makes windows close at the wrong time.
const SKEW: Span = Span::seconds(30);

/// Requests, one after the other.
pub(crate) struct Asking<'a> {
    http: &'a Http,
    /// What was asked, and answered.
    pub(crate) evidence: Vec<Evidence>,
    /// The provider's time at the first answer.
    pub(crate) date: Option<Timestamp>,
}

/// Nothing usable was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// No connection was made, so that nothing was done.
    NotConnected,
    /// It may have been done.
    NoAnswer,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(http: &'a Http) -> Self {
        Self {
            http,
            evidence: Vec::new(),
            date: None,
        }
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: Method, url: &str) -> Request {
        self.http.request(method, url)
    }

    /// Asks, and notes that it was asked; `what` is the method and the path. A step that is taken may be taken
    /// again: a request that could not be built is one that was not answered.
    pub(crate) async fn ask(
        &mut self,
        what: String,
        request: Request,
    ) -> Result<Answer, Unanswered> {
        let answer = self.http.send(request).await;
        let says = match &answer {
            Ok(_) => "answered",
            Err(error) if error.kind == SendErrorKind::NotConnected => {
                "no connection could be made"
            }
            Err(_) => "no usable answer came",
        };
        self.evidence.push(Evidence {
            request: what,
            status: answer.as_ref().map_or(0, |answer| answer.status),
            request_id: answer.as_ref().ok().and_then(|it| it.request_id.clone()),
            says: says.to_owned(),
        });
        match answer {
            Ok(answer) => {
                self.date = self.date.or(answer.date);
                Ok(answer)
            }
            Err(error) if error.kind == SendErrorKind::NotConnected => {
                Err(Unanswered::NotConnected)
            }
            Err(_) => Err(Unanswered::NoAnswer),
        }
    }

    /// What the last answer says, in words.
    pub(crate) fn says(&mut self, sentence: impl Into<String>) {
        if let Some(last) = self.evidence.last_mut() {
            last.says = sentence.into();
        }
    }

    /// The provider's id of the last request.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.evidence.last()?.request_id.clone()
    }

    /// The last request was not answered with anything usable.
    pub(crate) fn unanswered(&self, provider: &str) -> StepError {
        // A code is used up by asking what it opens.
        let is_look = |asked: &str| asked.starts_with("GET ") && !asked.contains("access_token");
        let last = self.evidence.last();
        if last.is_some_and(|last| is_look(&last.request)) {
            return StepError::new(
                "no_answer",
                format!("{provider} gave no usable answer; nothing was changed"),
                "take the step again in a minute",
            );
        }
        StepError::new(
            "no_answer",
            format!("{provider} gave no usable answer; it may have been done"),
            "take the step again: what was done is found to be done",
        )
    }

    /// By how much the provider's clock and ours differ.
    pub(crate) fn clock(&self, provider: &str, now: Timestamp) -> Finding {
        const CHECK: &str = "clock";
        let Some(theirs) = self.date else {
            return Finding::unknown(CHECK, format!("{provider} told no time"));
        };
        let off = theirs.since(now).ms().abs();
        let (seconds, tenths) = (off / 1_000, off % 1_000 / 100);
        let evidence = format!("{seconds}.{tenths} s between {provider}'s clock and ours");
        if off <= SKEW.ms() {
            return Finding::good(CHECK, evidence);
        }
        Finding::warning(CHECK, evidence)
            .breaks("service windows close, and timers fire, at the wrong time")
            .fix("let the system keep its clock by NTP")
    }

    /// The same, if the answer itself names the request.
    pub(crate) fn name(&mut self, request_id: Option<&str>) {
        if let Some(last) = self.evidence.last_mut()
            && last.request_id.is_none()
        {
            last.request_id = request_id.map(str::to_owned);
        }
    }
}
