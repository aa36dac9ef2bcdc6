//! Whether a webhook was signed by Twilio: HMAC-SHA1 over the public address and the form.
//! Knows no channel, and does not read what the webhook says.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use rejoinder_engine::adapter::{Method, Webhook};
use rejoinder_engine::crypto::Secret;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The header that carries the signature.
const HEADER: &str = "x-twilio-signature";
/// The query parameter that carries the hash of a body which is not a form.
const BODY_HASH: &str = "bodySHA256";

/// The position, among `secrets`, of the one that signed `webhook`.
/// An empty secret signs nothing: anybody could have computed its signature.
pub(super) fn verify(webhook: &Webhook, secrets: &[Secret]) -> Option<usize> {
    let signature = BASE64.decode(webhook.header(HEADER)?).ok()?;
    let url = webhook.url.split('#').next()?;
    let parameters = match webhook.method {
        Method::Get => String::new(),
        Method::Post if is_form(webhook) => sorted_parameters(&webhook.body),
        Method::Post => {
            hash_matches(url, &webhook.body).then_some(())?;
            String::new()
        }
    };
    let urls = spellings(url)?;
    secrets.iter().position(|secret| {
        !secret.is_empty()
            && urls
                .iter()
                .any(|url| is_signed(secret, url, &parameters, &signature))
    })
}

fn is_signed(secret: &Secret, url: &str, parameters: &str, signature: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()) else {
        return false;
    };
    mac.update(url.as_bytes());
    mac.update(parameters.as_bytes());
    mac.verify_slice(signature).is_ok()
}

fn is_form(webhook: &Webhook) -> bool {
    webhook
        .header("content-type")
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| {
            essence
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

/// The names in the order of their code points, each before every one of its distinct values.
fn sorted_parameters(body: &[u8]) -> String {
    let mut parameters: BTreeMap<Cow<'_, str>, BTreeSet<Cow<'_, str>>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        parameters.entry(name).or_default().insert(value);
    }
    let mut text = String::with_capacity(body.len());
    for (name, values) in &parameters {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

/// Whether the address, which is signed, names the hash of the body, exactly once.
fn hash_matches(url: &str, body: &[u8]) -> bool {
    let Some((_, query)) = url.split_once('?') else {
        return false;
    };
    let mut hashes = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == BODY_HASH);
    let (Some((_, hash)), None) = (hashes.next(), hashes.next()) else {
        return false;
    };
    hex::decode(hash.as_bytes()).is_ok_and(|hash| hash == Sha256::digest(body)[..])
}

/// The two ways in which Twilio may have written the address that it signed: without any port, and
/// with one. Its own libraries accept both. `None` if this is no web address.
fn spellings(url: &str) -> Option<[String; 2]> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        // A colon within brackets belongs to an IPv6 address, one before an @ to a user's name.
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        _ => (authority, default_port),
    };
    (!host.is_empty()).then(|| {
        [
            format!("{scheme}://{host}{path}"),
            format!("{scheme}://{host}:{port}{path}"),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_spelling_without_and_one_with_a_port() {
        for (url, without, with) in [
            (
                "https://a.b/c?d=1",
                "https://a.b/c?d=1",
                "https://a.b:443/c?d=1",
            ),
            ("http://a.b", "http://a.b", "http://a.b:80"),
            ("https://a.b:8443/c", "https://a.b/c", "https://a.b:8443/c"),
            ("https://[::1]/c", "https://[::1]/c", "https://[::1]:443/c"),
            (
                "https://u:p@a.b/c",
                "https://u:p@a.b/c",
                "https://u:p@a.b:443/c",
            ),
            (
                "https://a.b?u=x:1",
                "https://a.b?u=x:1",
                "https://a.b:443?u=x:1",
            ),
        ] {
            assert_eq!(spellings(url), Some([without.into(), with.into()]), "{url}");
        }
        for wrong in ["", "/path", "ftp://a.b/", "https://", "https:///path"] {
            assert_eq!(spellings(wrong), None, "{wrong}");
        }
    }
}
