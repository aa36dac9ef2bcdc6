//! Who asks: the bearer token of a request. Knows no route.

use rejoinder_engine::Engine;
use rejoinder_engine::domain::ids::{LocationId, TokenId};
use rejoinder_engine::store::TokenRow;
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

use crate::reply::Error;

/// What a request may see.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    token: TokenRow,
}

impl Caller {
    /// The caller whose token the headers carry.
    ///
    /// # Errors
    /// There is none, or it is not one of ours: the two look the same.
    pub(crate) async fn of(engine: &Engine, headers: &HeaderMap) -> Result<Self, Error> {
        let token = bearer(headers).ok_or(Error::Unauthorized)?;
        let token = engine.authenticate(token).await?;
        token.map(|token| Self { token }).ok_or(Error::Unauthorized)
    }

    /// Whether a location is there for this caller.
    pub(crate) fn sees(&self, location_id: LocationId) -> bool {
        self.token
            .location_id
            .is_none_or(|only| only == location_id)
    }

    /// Its token.
    pub(crate) fn token_id(&self) -> TokenId {
        self.token.id
    }

    /// Whether the caller operates the whole server, not one location.
    pub(crate) fn is_operator(&self) -> bool {
        self.token.location_id.is_none()
    }
}

/// The token of a header that came exactly once.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn a_token_comes_once_and_as_a_bearer_token() {
        assert_eq!(bearer(&headers(&["Bearer rjt_1"])), Some("rjt_1"));
        assert_eq!(bearer(&headers(&["bearer  rjt_1"])), Some("rjt_1"));
        for wrong in [
            &[][..],
            &["rjt_1"],
            &["Basic rjt_1"],
            &["Bearer rjt_1", "Bearer rjt_1"],
        ] {
            assert_eq!(bearer(&headers(wrong)), None, "{wrong:?}");
        }
    }
}
