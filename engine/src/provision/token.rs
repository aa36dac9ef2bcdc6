//! Bearer tokens of the API: shown once, kept as hashes.

use sha2::{Digest, Sha256};

use super::{Problem, name};
use crate::crypto::{Secret, Vault};
use crate::domain::ids::{LocationId, TokenId};
use crate::engine::Engine;
use crate::store::{self, CreateToken, RevokeToken, TokenRow};

impl Engine {
    /// Makes a bearer token for the API; it is shown this once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_token(
        &self,
        token_name: &str,
        location_id: Option<LocationId>,
    ) -> Result<(TokenRow, Secret), Problem> {
        let core = &self.core;
        // A key of the vault is 32 bytes of chance: as good a token as any.
        let ring = Vault::generate_ring("t");
        let word = ring
            .expose()
            .trim_start_matches("t:")
            .replace(['+', '/', '='], "");
        let secret = Secret::new(format!("rjt_{word}"));
        let token = TokenRow {
            id: TokenId::generate(),
            name: name(token_name)?,
            location_id,
            created_at: core.clock.now(),
        };
        let hash = token_hash(secret.expose());
        core.store
            .write(CreateToken {
                token: token.clone(),
                hash,
            })
            .await?;
        Ok((token, secret))
    }

    /// Revokes a token: it opens nothing from now on, on no node.
    ///
    /// # Errors
    /// It is not there, or the database failed.
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), Problem> {
        let was_there = self.core.store.write(RevokeToken(id)).await?;
        was_there.then_some(()).ok_or(Problem::Missing("token"))
    }

    /// The first token, if there was none yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn first_token(&self) -> Result<Option<Secret>, Problem> {
        if self.core.store.has_tokens().await? {
            return Ok(None);
        }
        Ok(Some(self.create_token("first", None).await?.1))
    }

    /// The token that a request carries, if it is one of ours.
    ///
    /// # Errors
    /// The database failed.
    pub async fn authenticate(&self, token: &str) -> Result<Option<TokenRow>, store::Error> {
        let core = &self.core;
        core.store.token(&token_hash(token)).await
    }
}

fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
