//! Which credentials may act for which owner: a phone number id of Meta's, an account of Twilio's.
//! Knows no scheme: a credential is the whole value of the Authorization header.

use std::collections::{HashMap, HashSet};
use std::sync::RwLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::world::{read, write};

/// What a credential is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may act for the owner.
    Granted,
    /// It is known, but the owner is somebody else's.
    Foreign,
    /// It is missing or unknown.
    Unknown,
}

/// The credentials of one face.
#[derive(Debug, Default)]
pub(super) struct Access(RwLock<Grants>);

#[derive(Debug, Default)]
struct Grants {
    /// Stays true after the last credential is revoked: a revoked token must not open the door.
    strict: bool,
    owners: HashMap<String, HashSet<String>>,
}

impl Access {
    pub(super) fn grant(&self, owner: &str, authorization: String) {
        let mut grants = write(&self.0);
        grants.strict = true;
        grants
            .owners
            .entry(authorization)
            .or_default()
            .insert(owner.to_owned());
    }

    pub(super) fn revoke(&self, authorization: &str) {
        write(&self.0).owners.remove(authorization);
    }

    /// Before the first grant, any credential is good for any owner.
    pub(super) fn verdict(&self, owner: Option<&str>, authorization: Option<&str>) -> Verdict {
        let Some(authorization) = authorization else {
            return Verdict::Unknown;
        };
        let grants = read(&self.0);
        if !grants.strict {
            return Verdict::Granted;
        }
        match (grants.owners.get(authorization), owner) {
            (None, _) => Verdict::Unknown,
            (Some(owners), Some(owner)) if !owners.contains(owner) => Verdict::Foreign,
            (Some(_), _) => Verdict::Granted,
        }
    }

    /// The account that a Basic credential stands for: the one it was granted for, or its user.
    pub(super) fn owner(&self, authorization: Option<&str>) -> String {
        let Some(authorization) = authorization else {
            return String::new();
        };
        let grants = read(&self.0);
        let granted = grants.owners.get(authorization);
        if let Some(owner) = granted.and_then(|owners| owners.iter().min()) {
            return owner.clone();
        }
        authorization
            .strip_prefix("Basic ")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .and_then(|pair| String::from_utf8(pair).ok())
            .and_then(|pair| pair.split_once(':').map(|(user, _)| user.to_owned()))
            .unwrap_or_default()
    }
}

/// The Authorization header of a user and password.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
