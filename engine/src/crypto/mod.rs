//! Secrets: how they are held in memory, and how they are sealed for the database.
//! The only owner of aes-gcm.

pub mod legacy;
mod random;
mod secret;

use std::fmt;

use aes_gcm::aead::{Aead, Generate, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::domain::ids::LocationId;

pub use self::random::{random_digits, random_key_word, random_word};
pub use self::secret::Secret;

/// The bytes of an AES-256 key.
const KEY_BYTES: usize = 32;
/// The bytes of a GCM nonce; random, never repeated under one key in practice (2^32 messages are safe).
const NONCE_BYTES: usize = 12;
/// The first part of an envelope: the way it was sealed.
const ENVELOPE_VERSION: &str = "v1";
/// The key id in the envelope of what a location's data key sealed.
const DATA_KID: &str = "data";

/// Where a sealed value belongs. It opens nowhere else: not in another row, column, location or version.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The tenant.
    pub location_id: LocationId,
    /// The row's id, printed.
    pub row: &'a str,
    /// How often the value was replaced: an old value does not open in the place of the new one.
    pub version: i32,
}

impl Place<'_> {
    fn associated_data(&self) -> String {
        format!(
            "{}/{}/{}/{}/{}",
            self.table, self.column, self.location_id, self.row, self.version
        )
    }
}

/// The master keys, each with an id; the first one seals, all of them open.
#[derive(Clone)]
pub struct Vault {
    ring: Vec<(String, SealingKey)>,
}

impl Vault {
    /// Reads a key ring: `kid:base64(32 bytes)`, several separated by commas or lines, the one that seals first.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn from_ring(text: &Secret) -> Result<Self, KeyError> {
        let mut ring: Vec<(String, SealingKey)> = Vec::new();
        for entry in text
            .expose()
            .split([',', '\n'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            let (kid, key) = entry.split_once(':').ok_or(KeyError::Shape)?;
            let valid = !kid.is_empty()
                && kid.len() <= 32
                && kid != DATA_KID
                && kid
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !valid {
                return Err(KeyError::Kid);
            }
            if ring.iter().any(|(known, _)| known == kid) {
                return Err(KeyError::DoubledKid(kid.to_owned()));
            }
            ring.push((kid.to_owned(), SealingKey::read(key)?));
        }
        if ring.is_empty() {
            Err(KeyError::Shape)
        } else {
            Ok(Self { ring })
        }
    }

    /// Reads the legacy `ENCRYPTION_KEY`: 32 bytes in base64 or hex, with the key id `env`.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn from_single_key(text: &Secret) -> Result<Self, KeyError> {
        let key = text.expose().trim();
        let bytes = hex::decode(key)
            .ok()
            .filter(|bytes| bytes.len() == KEY_BYTES)
            .map(Zeroizing::new);
        let key = bytes.map_or_else(
            || SealingKey::read(key),
            |bytes| SealingKey::from_bytes(&bytes),
        )?;
        Ok(Self {
            ring: vec![("env".to_owned(), key)],
        })
    }

    /// A new master key as a ring of one, to be kept by the operator.
    pub fn generate_ring(kid: &str) -> Secret {
        let key = Zeroizing::new(Key::<Aes256Gcm>::generate().to_vec());
        Secret::new(format!("{kid}:{}", STANDARD.encode(&*key)))
    }

    /// The ids of the keys, the one that seals first.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.ring.iter().map(|(kid, _)| kid.as_str())
    }

    /// The id of the key that seals.
    pub fn sealing_kid(&self) -> &str {
        self.first().0
    }

    fn first(&self) -> (&str, &SealingKey) {
        let (kid, key) = self.ring.first().expect("a ring has at least one key");
        (kid, key)
    }

    /// A word sealed under the key `kid`, by which a wrong key of that id is noticed at start.
    pub(crate) fn seal_check(&self, kid: &str) -> Option<String> {
        let (kid, key) = self.ring.iter().find(|(known, _)| known == kid)?;
        Some(key.seal(kid, &check_data(kid), kid.as_bytes()))
    }

    /// Whether a word sealed by `seal_check` opens.
    pub(crate) fn opens_check(&self, kid: &str, sealed: &str) -> bool {
        self.open_with_ring(sealed, &check_data(kid)).is_ok()
    }

    /// A new data key for a location, sealed by the master key, to be stored with the location.
    pub fn new_data_key(&self, location_id: LocationId) -> String {
        let key = Zeroizing::new(Key::<Aes256Gcm>::generate().to_vec());
        let (kid, master) = self.first();
        master.seal(kid, &data_key_data(location_id), &key)
    }

    /// A location's data key sealed anew under the first key of the ring; `None` if that one sealed it already.
    ///
    /// # Errors
    /// Its master key is not in the ring, or it does not belong to this location.
    pub fn rewrap_data_key(
        &self,
        location_id: LocationId,
        sealed: &str,
    ) -> Result<Option<String>, SealError> {
        let associated_data = data_key_data(location_id);
        let key = self.open_with_ring(sealed, &associated_data)?;
        let (kid, master) = self.first();
        let is_sealed_so = Envelope::read(sealed)?.kid == kid;
        Ok((!is_sealed_so).then(|| master.seal(kid, &associated_data, &key)))
    }

    /// Opens a location's data key.
    ///
    /// # Errors
    /// Its master key is not in the ring, or it does not belong to this location.
    pub fn open_data_key(
        &self,
        location_id: LocationId,
        sealed: &str,
    ) -> Result<DataKey, SealError> {
        let key = self.open_with_ring(sealed, &data_key_data(location_id))?;
        SealingKey::from_bytes(&key)
            .map(DataKey)
            .map_err(|_| SealError::Broken)
    }

    fn open_with_ring(
        &self,
        sealed: &str,
        associated_data: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let envelope = Envelope::read(sealed)?;
        let (_, key) = self
            .ring
            .iter()
            .find(|(kid, _)| kid == envelope.kid)
            .ok_or_else(|| SealError::UnknownKey(envelope.kid.to_owned()))?;
        key.open(&envelope, associated_data)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kids()).finish()
    }
}

/// The key under which a location's secrets are sealed. Destroying its sealed form destroys them all.
#[derive(Clone)]
pub struct DataKey(SealingKey);

impl DataKey {
    /// Seals `secret` for one place.
    pub fn seal(&self, place: &Place<'_>, secret: &Secret) -> String {
        self.0.seal(
            DATA_KID,
            &place.associated_data(),
            secret.expose().as_bytes(),
        )
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// It was sealed for another place, or under another key, or is damaged.
    pub fn open(&self, place: &Place<'_>, sealed: &str) -> Result<Secret, SealError> {
        let envelope = Envelope::read(sealed)?;
        // Nothing else vouches for the key's id: a location has one data key.
        if envelope.kid != DATA_KID {
            return Err(SealError::Broken);
        }
        let mut bytes = self.0.open(&envelope, &place.associated_data())?;
        String::from_utf8(std::mem::take(&mut *bytes))
            .map(Secret::new)
            .map_err(|_| SealError::Broken)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

#[derive(Clone)]
struct SealingKey(Aes256Gcm);

impl SealingKey {
    fn read(base64: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD
            .decode(base64.trim())
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Length)?;
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != KEY_BYTES {
            return Err(KeyError::Length);
        }
        Aes256Gcm::new_from_slice(bytes)
            .map(Self)
            .map_err(|_| KeyError::Length)
    }

    fn seal(&self, kid: &str, associated_data: &str, plain: &[u8]) -> String {
        let nonce = Nonce::generate();
        let payload = Payload {
            msg: plain,
            aad: associated_data.as_bytes(),
        };
        let sealed = self
            .0
            .encrypt(&nonce, payload)
            .expect("AES-GCM seals anything shorter than 64 GiB");
        format!(
            "{}{}.{}",
            head(kid),
            URL_SAFE_NO_PAD.encode(nonce),
            URL_SAFE_NO_PAD.encode(sealed)
        )
    }

    fn open(
        &self,
        envelope: &Envelope<'_>,
        associated_data: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let nonce = Nonce::try_from(envelope.nonce.as_slice()).map_err(|_| SealError::Broken)?;
        let payload = Payload {
            msg: &envelope.sealed,
            aad: associated_data.as_bytes(),
        };
        self.0
            .decrypt(&nonce, payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Broken)
    }
}

/// `v1.kid.nonce.ciphertext`, the last two in URL-safe base64 without padding.
struct Envelope<'a> {
    kid: &'a str,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, SealError> {
        let parts: Vec<&str> = text.split('.').collect();
        let [ENVELOPE_VERSION, kid, nonce, sealed] = parts[..] else {
            return Err(SealError::Broken);
        };
        let nonce = URL_SAFE_NO_PAD
            .decode(nonce)
            .map_err(|_| SealError::Broken)?;
        let sealed = URL_SAFE_NO_PAD
            .decode(sealed)
            .map_err(|_| SealError::Broken)?;
        if nonce.len() != NONCE_BYTES {
            return Err(SealError::Broken);
        }
        Ok(Self { kid, nonce, sealed })
    }
}

/// How everything begins that the key `kid` sealed.
pub(crate) fn head(kid: &str) -> String {
    format!("{ENVELOPE_VERSION}.{kid}.")
}

fn check_data(kid: &str) -> String {
    format!("key_check/{kid}")
}

fn data_key_data(location_id: LocationId) -> String {
    format!("location/data_key/{location_id}")
}

/// A key, or a ring of keys, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `kid:key` pairs.
    #[error(
        "a key ring is written kid:base64key, several separated by commas; `rejoinder keys generate` makes one"
    )]
    Shape,
    /// A key id that cannot stand in an envelope.
    #[error("a key id has 1 to 32 letters, digits, '-' or '_', and is not 'data'")]
    Kid,
    /// The same key id twice.
    #[error("the key id '{0}' stands twice in the ring; give each key an id of its own")]
    DoubledKid(String),
    /// Not 32 bytes.
    #[error("a key is 32 bytes, written in base64; `rejoinder keys generate` makes one")]
    Length,
}

/// A sealed value that does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Its key is not in the ring.
    #[error("it was sealed under the key '{0}', which is not in the key ring; add that key again")]
    UnknownKey(String),
    /// It belongs elsewhere, or is damaged. The two cannot be told apart.
    #[error("the sealed value does not belong here or is damaged")]
    Broken,
}

#[cfg(test)]
mod tests;
