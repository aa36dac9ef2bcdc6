//! `rejoinder keys`: the keys that seal credentials.

use clap::Subcommand;
use rejoinder_engine::crypto::Vault;

use super::Failure;
use crate::out;

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key and print it
    Generate {
        /// Its id, which no other key may have
        #[arg(long, default_value = "k1")]
        kid: String,
    },
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Generate { kid } = self;
        let ring = Vault::generate_ring(&kid);
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
