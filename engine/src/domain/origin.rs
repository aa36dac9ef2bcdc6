//! The origin of a website: scheme, host and port, as a browser compares it. Knows no page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

/// Letters of an origin at most: a host has 253.
const MAX_BYTES: usize = 300;

/// The origin of a website that is encrypted, or of this machine: `https://bots.cafe.example`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// A text is no origin of a website.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not the origin of a website; write scheme and host and nothing behind them, such as \
     https://bots.cafe.example (http:// is for this machine alone)"
)]
pub struct ParseOriginError(String);

impl Origin {
    /// As browsers write it: without a slash at its end, the port only if it is not the usual one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people read: the host, and the port if it is not the usual one.
    pub fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let shown = || ParseOriginError(text.chars().take(MAX_BYTES).collect());
        // The parser forgives much: line breaks, backslashes, a missing slash. An origin is compared to the letter.
        let plain = |letter: char| letter.is_alphanumeric() || ":/.-[]".contains(letter);
        if text.len() > MAX_BYTES || !text.chars().all(plain) {
            return Err(shown());
        }
        let url = Url::parse(text).map_err(|_| shown())?;
        let written = text.trim_end_matches('/');
        let has_path = url.path() != "/" || written.matches('/').count() != 2;
        let is_allowed = match url.scheme() {
            "https" => url.has_host(),
            "http" => is_loopback(&url),
            _ => false,
        };
        if has_path || !is_allowed {
            return Err(shown());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_browsers_write_it() {
        for (written, read) in [
            ("https://bots.cafe.example", "https://bots.cafe.example"),
            ("https://Bots.Cafe.Example/", "https://bots.cafe.example"),
            ("https://bots.cafe.example:443", "https://bots.cafe.example"),
            (
                "https://bots.cafe.example:8443",
                "https://bots.cafe.example:8443",
            ),
            ("https://café.example", "https://xn--caf-dma.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            let origin: Origin = written.parse().expect(written);
            assert_eq!(origin.as_str(), read, "{written}");
        }
        let origin: Origin = "https://bots.cafe.example:8443".parse().expect("an origin");
        assert_eq!(origin.host(), "bots.cafe.example:8443");
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in [
            "",
            "null",
            "*",
            "bots.cafe.example",
            "//bots.cafe.example",
            "http://bots.cafe.example",
            "http://127.0.0.1.cafe.example",
            "http://localhost.cafe.example",
            "https://*.cafe.example",
            "https://bots.cafe.example/page",
            "https://bots.cafe.example?x",
            "https://bots.cafe.example#x",
            "https://user@bots.cafe.example",
            "https:bots.cafe.example",
            "https:/bots.cafe.example",
            "https:\\\\bots.cafe.example",
            "https://bots.cafe.example\n",
            " https://bots.cafe.example",
            "https://bots.cafe.example//",
            "javascript://bots.cafe.example",
            "file:///etc",
            "https://",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text:?}");
        }
    }
}
