//! Sealed secrets, changed: one opens only as it was sealed, and only in its place. The bytes are what is
//! changed of an envelope, and an envelope of their own.

use std::sync::LazyLock;

use rejoinder_engine::crypto::{DataKey, Place, Secret, Vault};
use rejoinder_engine::domain::ids::LocationId;

use crate::bytes;
use crate::text::edited;

/// A ring, a data key sealed by it, and a secret sealed by that: written down, so that a case stays a case.
const RING: &str = "test:UgwvIXePYonxE08oEzcuJnTdgOkpX+f1eZx0Qljluwo=";
const SEALED_KEY: &str =
    "v1.test.-AsqqkpJeaKSi6WX.Cwr4sDPAU7PXwoRxSBONbPRz1q4kvGHiKIq61YwonWsrqQVPWquHZjRC2sprq224";
const SEALED_SECRET: &str =
    "v1.data.RGm7WtGkadtgRCoD.vQ5NfsDeUyrat0MWaFw6XwR61piqFOJb_DLuXwckSm4T26H4";
const OPEN: &str = "EAAG-a-token-of-Meta";

static VAULT: LazyLock<Vault> =
    LazyLock::new(|| Vault::from_ring(&Secret::new(RING)).expect("a ring"));
static KEY: LazyLock<DataKey> = LazyLock::new(|| {
    let key = VAULT.open_data_key(location(), SEALED_KEY);
    key.expect("it opens as it was sealed")
});

/// What is changed, and an envelope.
pub fn run(data: &[u8]) {
    let opened = KEY.open(&place("chn_1"), SEALED_SECRET);
    let opened = opened.expect("it opens as it was sealed");
    assert_eq!(opened.expose(), OPEN);
    assert!(
        KEY.open(&place("chn_2"), SEALED_SECRET).is_err(),
        "it opened in another place"
    );
    for text in [
        edited(SEALED_SECRET.as_bytes(), data),
        data.to_vec(),
        SEALED_KEY.into(),
    ] {
        let text = String::from_utf8_lossy(&text);
        let opens = KEY.open(&place("chn_1"), &text).is_ok();
        assert_eq!(opens, text == SEALED_SECRET, "whether it opens: {text}");
    }
    for text in [edited(SEALED_KEY.as_bytes(), data), data.to_vec()] {
        let text = String::from_utf8_lossy(&text);
        let opens = VAULT.open_data_key(location(), &text).is_ok();
        assert_eq!(opens, text == SEALED_KEY, "whether it opens: {text}");
    }
    let text = String::from_utf8_lossy(data);
    let _ = Vault::from_ring(&Secret::new(text.clone()));
    let _ = Vault::from_single_key(&Secret::new(text));
}

fn location() -> LocationId {
    LocationId::derive(&[b"location"])
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "rejoinder_channel",
        column: "credentials",
        location_id: location(),
        row,
        version: 1,
    }
}

/// What to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = bytes(&[
        "",
        "v1.data..",
        "v1.test.AAAA.",
        RING,
        SEALED_KEY,
        SEALED_SECRET,
    ]);
    for at in 0..u8::try_from(SEALED_SECRET.len().min(255)).unwrap_or(u8::MAX) {
        seeds.push(vec![0, at, 1, 0]);
        seeds.push(vec![0, at, 0, b'A']);
    }
    seeds
}
