//! What the bridge page may load: itself, and of Facebook what a sign-up needs.

use url::Url;

use super::BridgeOptions;

/// The domain to which all of Facebook's own windows belong.
const FACEBOOK: &str = "facebook.com";

/// What a page may load that speaks to this server alone.
const ALONE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     frame-ancestors 'none'; form-action 'none'; base-uri 'none'";

/// What may be loaded by a page that speaks to nobody but us.
pub(super) fn alone() -> String {
    ALONE.to_owned()
}

/// The same for a page with Facebook's script: from where it comes, whom it asks, and what it frames.
pub(super) fn with_facebook(options: &BridgeOptions) -> String {
    let (script, graph) = (origin(&options.sdk_url), origin(&options.graph_url));
    let dialog = origin(&options.dialog_url);
    let frames = if is_facebook(&options.dialog_url) {
        format!("https://*.{FACEBOOK}")
    } else {
        dialog.clone()
    };
    format!(
        "default-src 'none'; script-src 'self' {script}; style-src 'self'; img-src 'self'; connect-src 'self' \
         {graph} {dialog}; frame-src {frames}; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
    )
}

/// The origin of an address in the settings.
pub(super) fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| "'none'".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}

/// Whether an address is one of Facebook's, by its host and not by how it ends.
pub(super) fn is_facebook(url: &str) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host == FACEBOOK
        || host
            .strip_suffix(FACEBOOK)
            .is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_may_load_what_a_sign_up_needs_and_nothing_else() {
        assert_eq!(
            with_facebook(&BridgeOptions::default()),
            "default-src 'none'; script-src 'self' https://connect.facebook.net; style-src 'self'; img-src 'self'; \
             connect-src 'self' https://graph.facebook.com https://www.facebook.com; \
             frame-src https://*.facebook.com; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
        );
    }

    #[test]
    fn a_host_is_facebooks_by_its_parts() {
        assert!(is_facebook("https://www.facebook.com"));
        assert!(is_facebook("https://facebook.com"));
        for other in [
            "https://evilfacebook.com",
            "https://facebook.com.evil.example",
            "x",
        ] {
            assert!(!is_facebook(other), "{other}");
        }
    }
}
