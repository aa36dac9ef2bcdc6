//! Secrets that nobody chose: PINs and words that only two parties know.

use aes_gcm::aead::Generate;
use aes_gcm::{Aes256Gcm, Key};
use zeroize::Zeroizing;

use super::{KEY_BYTES, Secret};

/// A PIN of `count` digits, each as likely as any other.
pub fn random_digits(count: usize) -> Secret {
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        // The last six values of a byte would favour the digits 0 to 5.
        let fair = random_bytes()
            .iter()
            .copied()
            .filter(|byte| *byte < 250)
            .collect::<Vec<_>>();
        let missing = count - digits.len();
        digits.extend(
            fair.iter()
                .take(missing)
                .map(|byte| char::from(b'0' + byte % 10)),
        );
    }
    Secret::new(digits)
}

/// A word of 32 hexadecimal digits.
pub fn random_word() -> Secret {
    Secret::new(hex::encode(&random_bytes()[..16]))
}

/// A word of 64 hexadecimal digits: as hard to guess as a key.
pub fn random_key_word() -> Secret {
    Secret::new(hex::encode(&random_bytes()[..]))
}

fn random_bytes() -> Zeroizing<[u8; KEY_BYTES]> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    bytes.copy_from_slice(&Key::<Aes256Gcm>::generate());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_the_digits_asked_for_and_no_two_are_alike() {
        let (one, other) = (random_digits(40), random_digits(40));
        assert_eq!(one.expose().len(), 40);
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_digit()));
        assert!(!one.matches(&other));
        assert_eq!(random_word().expose().len(), 32);
        assert_eq!(random_key_word().expose().len(), 64);
    }
}
