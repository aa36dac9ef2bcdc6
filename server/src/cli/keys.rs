//! `rejoinder keys`: the keys that seal credentials.

use clap::{Args, Subcommand};
use rejoinder_engine::crypto::Vault;
use rejoinder_engine::{Engine, Rotation};
use serde::Serialize;

use super::Failure;
use crate::out::{self, Format};

/// What must be so before a key is changed for another.
const BEFORE: &str = "Servers at work on this database must have been started with the new key first and the old one \
     behind it; one that lacks the new key cannot start again, and opens no location that it had not opened before.";

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Generate(Generate),
    Rotate(Rotate),
}

/// Make a key and print it
#[derive(Args, Debug)]
pub(super) struct Generate {
    /// Its id, which no other key may have
    #[arg(long, default_value = "k1")]
    kid: String,
}

/// Seal every location's data key under the first key of the ring
///
/// First `rejoinder keys generate --kid k2` makes the new key. Put it in front of the old one in the key ring
/// (k2:…,k1:…) of every server and of this command, and restart the servers. Then run this command. At last take the
/// keys out of the ring that it says no location names any more, and restart.
///
/// It works beside a running server, which must have both keys: one that lacks the new key says so in its log, goes
/// on with what it has opened, and cannot start again. It may be ended at any time, and run again. Credentials
/// themselves are not touched.
#[derive(Args, Debug)]
pub(super) struct Rotate {}

impl Generate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let ring = Vault::generate_ring(&self.kid);
        // Reading it back checks the id.
        Vault::from_ring(&ring)?;
        out::line(ring.expose());
        out::note(
            "Put this into REJOINDER_KEYS, or into a file that REJOINDER_KEYS_FILE names.\n\
             Keep a copy apart from the database: without it, credentials cannot be opened.",
        );
        Ok(())
    }
}

/// What became of a rotation, as printed.
#[derive(Serialize)]
struct RotationJson {
    key: String,
    sealed_anew: usize,
    sealed_before: usize,
    not_opened: Vec<UnopenedJson>,
    other_keys: Vec<OtherJson>,
}

#[derive(Serialize)]
struct UnopenedJson {
    location_id: String,
    name: String,
    why: String,
}

#[derive(Serialize)]
struct OtherJson {
    key: String,
    locations: u64,
}

impl From<Rotation> for RotationJson {
    fn from(rotation: Rotation) -> Self {
        let unopened = rotation.unopened.into_iter();
        let others = rotation.others.into_iter();
        Self {
            key: rotation.kid,
            sealed_anew: rotation.rewrapped,
            sealed_before: rotation.already,
            not_opened: unopened
                .map(|unopened| UnopenedJson {
                    location_id: unopened.location_id.to_string(),
                    name: unopened.name,
                    why: unopened.why.to_string(),
                })
                .collect(),
            other_keys: others
                .map(|(key, locations)| OtherJson { key, locations })
                .collect(),
        }
    }
}

impl Rotate {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        out::note(BEFORE);
        let rotation = RotationJson::from(engine.rotate_keys().await?);
        match format {
            Format::Json => format.one(&rotation),
            Format::Human => rotation.tell(),
        }
        match rotation.not_opened.len() {
            0 => Ok(()),
            count => Err(Failure::new(format!(
                "{count} location(s) could not be opened and stay as they are; see to each of them, and run this again"
            ))),
        }
    }
}

impl RotationJson {
    fn tell(&self) {
        let Self { key, .. } = self;
        out::line(&format!(
            "{} location(s) sealed anew under '{key}', {} were before",
            self.sealed_anew, self.sealed_before
        ));
        for unopened in &self.not_opened {
            out::note(&format!(
                "{} ({}): {}",
                unopened.name, unopened.location_id, unopened.why
            ));
        }
        if self.other_keys.is_empty() {
            out::line("There is no other key in the ring.");
        }
        for OtherJson { key, locations } in &self.other_keys {
            out::line(&match locations {
                0 => format!(
                    "No location names '{key}' any more: it may be taken out of the key ring."
                ),
                _ => format!("{locations} location(s) name '{key}': it must stay in the key ring."),
            });
        }
    }
}
