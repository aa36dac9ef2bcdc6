//! The master keys: from an old one to a new one. Only data keys are sealed by them, so that no credential is
//! touched.

use super::Problem;
use crate::crypto::SealError;
use crate::domain::ids::LocationId;
use crate::engine::Engine;
use crate::store::{ForgetKeys, RewrapDataKey, SealingKey};

/// How often a data key is read again that somebody changed meanwhile: another rotation, which ends.
const MAX_LOOKS: usize = 3;

/// What became of a change to the first key of the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The first key of the ring: it seals.
    pub kid: String,
    /// Locations whose data key was sealed anew.
    pub rewrapped: usize,
    /// Locations whose data key the first key had sealed before.
    pub already: usize,
    /// Locations whose data key does not open, and why; they stay as they are.
    pub unopened: Vec<Unopened>,
    /// The other keys of the ring, with the number of locations that name them. What none names may be taken out.
    pub others: Vec<(String, u64)>,
}

/// A location whose data key does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// The location.
    pub location_id: LocationId,
    /// What people call it.
    pub name: String,
    /// Why it does not open.
    pub why: SealError,
}

enum Fate {
    Rewrapped,
    Already,
    Gone,
    Unopened(SealError),
}

impl Engine {
    /// Seals every location's data key under the first key of the ring. What was done stays done if it ends early,
    /// and the next run goes on from there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rotate_keys(&self) -> Result<Rotation, Problem> {
        let core = &self.core;
        let vault = core.setup.vault();
        let mut rotation = Rotation {
            kid: vault.sealing_kid().to_owned(),
            rewrapped: 0,
            already: 0,
            unopened: Vec::new(),
            others: Vec::new(),
        };
        for (location_id, sealed) in core.store.data_keys().await? {
            match self.rewrap(location_id, sealed).await? {
                Fate::Rewrapped => rotation.rewrapped += 1,
                Fate::Already => rotation.already += 1,
                Fate::Gone => {}
                Fate::Unopened(why) => {
                    let name = core.store.location_name(location_id).await?;
                    rotation.unopened.push(Unopened {
                        location_id,
                        name: name.unwrap_or_default(),
                        why,
                    });
                }
            }
        }
        let except = rotation.kid.clone();
        let _ = super::save(core, ForgetKeys { except }).await?;
        for kid in vault.kids().skip(1) {
            let naming = core.store.naming(kid).await?;
            rotation.others.push((kid.to_owned(), naming));
        }
        Ok(rotation)
    }

    async fn rewrap(&self, location_id: LocationId, sealed: String) -> Result<Fate, Problem> {
        let (store, vault) = (&self.core.store, self.core.setup.vault());
        let mut from = sealed;
        for _ in 0..MAX_LOOKS {
            let to = match vault.rewrap_data_key(location_id, &from) {
                Ok(Some(to)) => to,
                Ok(None) => return Ok(Fate::Already),
                Err(why) => return Ok(Fate::Unopened(why)),
            };
            let key = SealingKey::of(vault);
            let rewrap = RewrapDataKey {
                location_id,
                from,
                to,
                key,
            };
            if store.write(rewrap).await? {
                return Ok(Fate::Rewrapped);
            }
            match store.data_key(location_id).await? {
                Some(sealed) => from = sealed,
                None => return Ok(Fate::Gone),
            }
        }
        Err(Problem::Invalid(
            "somebody else changes the keys at the same time; wait until that has ended, and run it again".to_owned(),
        ))
    }
}
