//! Secrets as the integration before this one kept them (npm `cryptr`, versions 5 and 6): opened, to be moved over.
//! Nothing is sealed in this way any more, and it is not known where such a value was kept.

use aes_gcm::AesGcm;
use aes_gcm::aead::array::Array;
use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::aes::Aes256;
use pbkdf2::pbkdf2_hmac;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{KEY_BYTES, Secret};

/// It seals with a nonce of 16 bytes, where others have 12.
type Cipher = AesGcm<Aes256, U16>;

/// The bytes that come before what is sealed: salt, nonce, tag.
const SALT_BYTES: usize = 64;
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// How often the password is stirred: the number is part of the format.
const ROUNDS: u32 = 100_000;
/// Bytes of a value at most; a token has some hundred.
const MAX_BYTES: usize = 64 * 1024;

/// A legacy value that does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// Nothing like it was ever sealed.
    #[error("it is not what cryptr writes: at least 96 bytes in hex")]
    Shape,
    /// The secret is another one, or the value is damaged. The two cannot be told apart.
    #[error("it does not open: another ENCRYPTION_KEY sealed it, or it is damaged")]
    Broken,
}

/// Opens a value in hex that was sealed under `secret`. Takes a good part of a second, so that it belongs on a
/// thread that may be blocked.
///
/// # Errors
/// It is not such a value, or was sealed under another secret.
pub fn open(secret: &Secret, hex: &str) -> Result<Secret, LegacyError> {
    let hex = hex.trim();
    if hex.len() > 2 * MAX_BYTES {
        return Err(LegacyError::Shape);
    }
    let bytes = hex::decode(hex).map_err(|_| LegacyError::Shape)?;
    let (salt, rest) = bytes
        .split_at_checked(SALT_BYTES)
        .ok_or(LegacyError::Shape)?;
    let (nonce, rest) = rest
        .split_at_checked(NONCE_BYTES)
        .ok_or(LegacyError::Shape)?;
    let (tag, sealed) = rest.split_at_checked(TAG_BYTES).ok_or(LegacyError::Shape)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    pbkdf2_hmac::<Sha512>(secret.expose().as_bytes(), salt, ROUNDS, key.as_mut());
    let cipher = Cipher::new_from_slice(key.as_ref()).map_err(|_| LegacyError::Broken)?;
    let nonce = Array::try_from(nonce).map_err(|_| LegacyError::Shape)?;
    // Elsewhere the tag stands behind.
    let opened = cipher.decrypt(&nonce, [sealed, tag].concat().as_slice());
    let mut opened = opened
        .map(Zeroizing::new)
        .map_err(|_| LegacyError::Broken)?;
    String::from_utf8(std::mem::take(&mut *opened))
        .map(Secret::new)
        .map_err(|_| LegacyError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with version 6.4.0: secret, what was sealed, and what came of it.
    const MADE: [(&str, &str, &str); 3] = [
        (
            "legacy-secret-1",
            "AC5f0e1d2c3b4a59687786950413223140",
            "845df302cccfeb299165c64941fa11c0b7081e3610293a5cd4af3b1cd5c4e36d86fd41e4f52679b2f5175b9282bc88792d95d26a6238fc08038f1f8c070e5570ce035699140e39c362a72e07e39589b11e0bfcf309812f004b3041368e90bc68583c549fe0d7a43469b6e62c2a081b127b359c66e039938c5f45deac33b9baddc983",
        ),
        (
            "ключ 🔑",
            "EAAGtokenWithÜñïçødé",
            "9e24565511d1b0f6e0941a0e1c385d0a430d099e1c02de07afe10bb3bbed80025d2e402fcf99a1b947e7540a0929cb2a9a2d525f32f60f216aab64ac7320cc1f451cbc4ab0bd95163ac0e4e82fad72a207a6595d0b0b780e5f55445279d81278dffc5d4d7e3c5975894b41176d3b1bfb2a349b0356d9fa4b67bd",
        ),
        (
            "x",
            "",
            "4e71766bd0a6784c901aaf6b25218e7c25a72ae17f922c225aba51fc22a0d64689e7e9f61116ea67234df153ab0edf7c02973b56448addfe499e800c5cbdd0cdfe992f8815e4f9744fdb7bb966277580224c9b2675a4cc7302ce27f6f25e5068",
        ),
    ];

    #[test]
    fn what_cryptr_sealed_opens() {
        for (secret, plain, hex) in MADE {
            let opened = open(&Secret::new(secret), hex).expect("it opens");
            assert_eq!(opened.expose(), plain);
        }
    }

    #[test]
    fn what_another_secret_sealed_or_somebody_changed_does_not_open() {
        let (secret, _, hex) = MADE[0];
        let broken = Some(LegacyError::Broken);
        assert_eq!(open(&Secret::new("another"), hex).err(), broken);
        // In the salt, the nonce, the tag and the text.
        for at in [0, 128, 160, 192] {
            let other = if hex.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut changed = hex.to_owned();
            changed.replace_range(at..=at, other);
            assert_eq!(open(&Secret::new(secret), &changed).err(), broken, "{at}");
        }
    }

    #[test]
    fn what_is_no_such_value_is_told_apart() {
        let (secret, _, hex) = MADE[2];
        let secret = Secret::new(secret);
        for wrong in ["", "EAAG", "zz", &hex[..hex.len() - 2], &hex[1..]] {
            assert_eq!(
                open(&secret, wrong).err(),
                Some(LegacyError::Shape),
                "{wrong}"
            );
        }
        let long = "0".repeat(2 * MAX_BYTES + 2);
        assert_eq!(open(&secret, &long).err(), Some(LegacyError::Shape));
    }
}
