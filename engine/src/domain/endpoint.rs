//! A place outside that a location's admin lets rules call by HTTP, under a name.
//! Knows its address, not the secrets that go along, nor how it is called.

use super::ids::LocationId;
use super::time::Span;

/// A place that rules may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The tenant.
    pub location_id: LocationId,
    /// What rules call it.
    pub name: EndpointName,
    /// Where it is.
    pub url: String,
    /// How it is asked.
    pub method: Method,
    /// The names of the headers that go along; their values are secrets, and are kept apart.
    pub headers: Vec<String>,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: Span,
}

impl Endpoint {
    /// How long an answer may take unless the admin says otherwise.
    pub const DEFAULT_TIMEOUT: Span = Span::seconds(10);
    /// An endpoint that takes longer does not answer a customer who waits.
    pub const MAX_TIMEOUT: Span = Span::seconds(30);
}

/// What rules call an endpoint: `crm`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointName(String);

impl EndpointName {
    /// Letters of a name at most: it is typed into scripts.
    const MAX_LETTERS: usize = 64;

    /// Reads a name: a small letter, then small letters, digits, `_` and `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_first = |letter: u8| letter.is_ascii_lowercase();
        let is_rest = |letter: u8| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"_-".contains(&letter)
        };
        let (first, rest) = text.as_bytes().split_first()?;
        let reads = is_first(*first) && rest.iter().copied().all(is_rest);
        (reads && text.len() <= Self::MAX_LETTERS).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for EndpointName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an endpoint is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The data stands in the query.
    Get,
    /// The data is the body, as with those that follow.
    #[default]
    Post,
    /// Replaces something.
    Put,
    /// Changes something.
    Patch,
    /// Removes something.
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The name, as stored, printed and sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Reads what `name` wrote, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_typed_into_a_script() {
        for good in ["crm", "crm_2", "a-b"] {
            assert_eq!(
                EndpointName::parse(good).as_ref().map(EndpointName::as_str),
                Some(good)
            );
        }
        for bad in ["", "CRM", "2crm", "a b", "ä", "a.b", &"x".repeat(65)] {
            assert_eq!(EndpointName::parse(bad), None, "{bad}");
        }
    }
}
