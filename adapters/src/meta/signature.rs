//! Whether a webhook comes from Meta: a MAC over the raw bytes, keyed with the app's secret.
//! Never sees a parsed body: parsing and writing again would change the bytes.

use hmac::{Hmac, KeyInit, Mac};
use rejoinder_engine::crypto::Secret;
use sha2::Sha256;

/// The header's name, in lower case.
pub(super) const HEADER: &str = "x-hub-signature-256";

/// Which of `secrets` made `signature` (`sha256=` and 64 lower-case digits) over `body`.
/// An empty secret never did: anybody could have.
pub(super) fn signer(signature: &str, body: &[u8], secrets: &[Secret]) -> Option<usize> {
    let digits = signature.strip_prefix("sha256=")?;
    if digits.len() != 64 || digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
        return None;
    }
    let expected = hex::decode(digits).ok()?;
    secrets.iter().position(|secret| {
        !secret.is_empty()
            && Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
                .is_ok_and(|mac| mac.chain_update(body).verify_slice(&expected).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other vectors are files: `tests/payloads/meta/signatures`.
    #[test]
    fn bytes_that_are_no_text_are_verified_as_they_came() {
        let body = b"{\"a\":\"\xff\"}";
        let mac = Hmac::<Sha256>::new_from_slice(b"s3cr3t")
            .expect("any length will do")
            .chain_update(body)
            .finalize();
        let signature = format!("sha256={}", hex::encode(mac.into_bytes()));
        let secrets = [Secret::new(""), Secret::new("s3cr3t")];
        assert_eq!(signer(&signature, body, &secrets), Some(1));
        assert_eq!(
            signer(&signature, "{\"a\":\"\u{fffd}\"}".as_bytes(), &secrets),
            None
        );
    }
}
