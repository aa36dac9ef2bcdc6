//! What is sealed opens where it belongs, and nowhere else.

use std::collections::HashSet;

use super::*;

fn place(row: &str, version: i32) -> Place<'_> {
    Place {
        table: "channel",
        column: "credentials",
        location_id: LocationId::derive(&[b"a"]),
        row,
        version,
    }
}

#[test]
fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
    let vault = Vault::from_ring(&Vault::generate_ring("k1")).expect("a ring");
    let location_id = LocationId::derive(&[b"a"]);
    let sealed_key = vault.new_data_key(location_id);
    let key = vault
        .open_data_key(location_id, &sealed_key)
        .expect("the key opens");
    assert!(
        vault
            .open_data_key(LocationId::derive(&[b"b"]), &sealed_key)
            .is_err()
    );

    let sealed = key.seal(&place("chn_1", 1), &Secret::new("token"));
    assert_eq!(
        key.open(&place("chn_1", 1), &sealed)
            .expect("it opens")
            .expose(),
        "token"
    );
    for elsewhere in [
        place("chn_2", 1),
        place("chn_1", 2),
        Place {
            table: "other",
            ..place("chn_1", 1)
        },
        Place {
            column: "other",
            ..place("chn_1", 1)
        },
        Place {
            location_id: LocationId::derive(&[b"b"]),
            ..place("chn_1", 1)
        },
    ] {
        assert_eq!(
            key.open(&elsewhere, &sealed).err(),
            Some(SealError::Broken),
            "{elsewhere:?}"
        );
    }
}

#[test]
fn a_damaged_or_short_envelope_is_an_error_and_not_a_panic() {
    let vault = Vault::from_ring(&Vault::generate_ring("k1")).expect("a ring");
    let location_id = LocationId::derive(&[b"a"]);
    let sealed = vault.new_data_key(location_id);
    for end in 0..sealed.len() {
        assert!(
            vault.open_data_key(location_id, &sealed[..end]).is_err(),
            "{end}"
        );
    }
    assert!(vault.open_data_key(location_id, "v1.k1.AA.AA").is_err());
    assert!(vault.open_data_key(location_id, "v1.k1..").is_err());
}

#[test]
fn a_ring_opens_what_an_older_key_sealed_and_names_a_key_it_lacks() {
    let old = Vault::generate_ring("old");
    let new = Vault::generate_ring("new");
    let location_id = LocationId::derive(&[b"a"]);
    let sealed = Vault::from_ring(&old)
        .expect("a ring")
        .new_data_key(location_id);
    for separator in [",", "\n", ",\n", "\r\n"] {
        let both = Secret::new(format!("{}{separator}{}\n", new.expose(), old.expose()));
        let both = Vault::from_ring(&both).expect("a ring");
        assert!(both.open_data_key(location_id, &sealed).is_ok());
    }
    let missing = Vault::from_ring(&new)
        .expect("a ring")
        .open_data_key(location_id, &sealed);
    assert_eq!(missing.err(), Some(SealError::UnknownKey("old".into())));
}

#[test]
fn keys_that_are_not_keys_are_refused() {
    for wrong in ["", "k1", "k1:AAAA", ":AAAA", "data:AAAA", "k 1:AAAA"] {
        assert!(Vault::from_ring(&Secret::new(wrong)).is_err(), "{wrong}");
    }
    assert!(Vault::from_single_key(&Secret::new("0".repeat(64))).is_ok());
    assert!(Vault::from_single_key(&Secret::new("password")).is_err());
}

#[test]
fn a_data_key_sealed_anew_is_the_same_key() {
    let (old, new) = (Vault::generate_ring("old"), Vault::generate_ring("new"));
    let location_id = LocationId::derive(&[b"a"]);
    let before = Vault::from_ring(&old).expect("a ring");
    let sealed_key = before.new_data_key(location_id);
    let sealed = before
        .open_data_key(location_id, &sealed_key)
        .expect("it opens")
        .seal(&place("chn_1", 1), &Secret::new("token"));

    let both = Secret::new(format!("{},{}", new.expose(), old.expose()));
    let both = Vault::from_ring(&both).expect("a ring");
    assert!(
        both.rewrap_data_key(LocationId::derive(&[b"b"]), &sealed_key)
            .is_err()
    );
    let again = both
        .rewrap_data_key(location_id, &sealed_key)
        .expect("it opens");
    let again = again.expect("the old key sealed it");
    assert!(again.starts_with(&head(both.sealing_kid())), "{again}");
    assert_eq!(both.rewrap_data_key(location_id, &again), Ok(None));

    let after = Vault::from_ring(&new).expect("a ring");
    let key = after.open_data_key(location_id, &again).expect("it opens");
    let token = key.open(&place("chn_1", 1), &sealed).expect("it opens");
    assert_eq!(token.expose(), "token");
}

#[test]
fn no_nonce_of_a_million_comes_twice() {
    // Sealing a million times takes this profile half a minute; the nonce is all that chance decides.
    let mut seen = HashSet::new();
    for _ in 0..1_000_000 {
        let nonce: Nonce<<Aes256Gcm as aes_gcm::aead::AeadCore>::NonceSize> = Nonce::generate();
        assert!(seen.insert(<[u8; NONCE_BYTES]>::from(nonce)));
    }
}

#[test]
fn what_is_sealed_twice_looks_different_twice() {
    let vault = Vault::from_ring(&Vault::generate_ring("k1")).expect("a ring");
    let location_id = LocationId::derive(&[b"a"]);
    let sealed: HashSet<String> = (0..1_000)
        .map(|_| vault.new_data_key(location_id))
        .collect();
    let nonces: HashSet<Vec<u8>> = sealed
        .iter()
        .map(|sealed| Envelope::read(sealed).expect("an envelope").nonce)
        .collect();
    assert_eq!(nonces.len(), 1_000);
}
