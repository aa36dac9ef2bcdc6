//! The corners of reading settings: who wins, and what is refused in which words.

use std::collections::BTreeMap;

use super::{Config, ConfigError};
use crate::bridge::BridgeOptions;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    Config::from_parts(Some(("rejoinder.toml", text)), &variables(&[]), &[])
}

fn refusal(text: &str) -> String {
    from_file(text).expect_err("refused").to_string()
}

#[test]
fn without_anything_said_the_defaults_hold() {
    let config = Config::from_parts(None, &variables(&[]), &[]).expect("the defaults are good");
    assert_eq!(config.serve.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url.expose(), "sqlite:data/rejoinder.db");
    let adapters = rejoinder_adapters::Config::default();
    assert_eq!(config.adapters.meta.base_url, adapters.meta.base_url);
    assert_eq!(config.adapters.meta.version, adapters.meta.version);
    assert_eq!(config.serve.bridge, BridgeOptions::default());
    assert!(config.adapters.meta.app.is_none());
    assert_eq!(config.adapters.twilio, adapters.twilio);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"file\"\nlog = \"warn\"\n";
    let environment = variables(&[
        ("REJOINDER_LISTEN", "127.0.0.1:2"),
        ("REJOINDER_DATA_DIR", "env"),
    ]);
    let flags = [("--listen", "listen", "127.0.0.1:3".to_owned())];
    let config = Config::from_parts(Some(("rejoinder.toml", file)), &environment, &flags)
        .expect("all of it is good");
    assert_eq!(config.serve.listen.port(), 3);
    assert_eq!(config.database_url.expose(), "sqlite:env/rejoinder.db");
    assert_eq!(config.log, "warn");
}

#[test]
fn names_from_before_are_read_where_ours_say_nothing() {
    let legacy = variables(&[("META_APP_SECRET", "old"), ("META_APP_ID", "7")]);
    let config = Config::from_parts(None, &legacy, &[]).expect("good");
    assert_eq!(config.meta_app_secret.expose(), "old");
    assert_eq!(config.meta_app_id, "7");
    let both = variables(&[
        ("META_APP_SECRET", "old"),
        ("REJOINDER_META_APP_SECRET", "new"),
    ]);
    let config = Config::from_parts(None, &both, &[]).expect("good");
    assert_eq!(config.meta_app_secret.expose(), "new");
}

#[test]
fn an_unknown_setting_is_refused_with_the_one_that_was_meant() {
    assert_eq!(
        refusal("public_ur = \"https://a.example\""),
        "rejoinder.toml: there is no setting 'public_ur'; did you mean 'public_url'?"
    );
    assert_eq!(
        refusal("[meta]\nap_secret = \"x\""),
        "rejoinder.toml: there is no setting 'meta.ap_secret'; did you mean 'meta.app_secret'?"
    );
    assert!(refusal("colour = \"red\"").contains("rejoinder settings"));
}

#[test]
fn a_refusal_names_the_line_and_never_quotes_it() {
    let refusal = refusal("listen = \"127.0.0.1:1\"\nkeys = \"k1:c2VjcmV0\n");
    assert!(refusal.starts_with("rejoinder.toml, line 2: "), "{refusal}");
    assert!(!refusal.contains("c2VjcmV0"), "{refusal}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_an_example() {
    assert_eq!(
        refusal("listen = 8080"),
        "rejoinder.toml: 'listen' must be a string, as in: listen = \"127.0.0.1:8080\""
    );
    let environment = variables(&[("REJOINDER_MAX_CONNECTIONS", "many")]);
    let error = Config::from_parts(None, &environment, &[]).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "REJOINDER_MAX_CONNECTIONS must be a number"
    );
}

#[test]
fn a_truth_is_true_or_false() {
    assert_eq!(
        from_file("").expect("good").requests,
        rejoinder_adapters::Reach::Internet
    );
    let open = from_file("[requests]\nallow_private = true").expect("good");
    assert_eq!(open.requests, rejoinder_adapters::Reach::Everywhere);
    let environment = variables(&[("REJOINDER_REQUESTS_ALLOW_PRIVATE", "true")]);
    let open = Config::from_parts(None, &environment, &[]).expect("good");
    assert_eq!(open.requests, rejoinder_adapters::Reach::Everywhere);
    let environment = variables(&[("REJOINDER_REQUESTS_ALLOW_PRIVATE", "yes")]);
    let error = Config::from_parts(None, &environment, &[]).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "REJOINDER_REQUESTS_ALLOW_PRIVATE must be true or false"
    );
    assert_eq!(
        refusal("[requests]\nallow_private = 1"),
        "rejoinder.toml: 'requests.allow_private' must be a boolean, as in: allow_private = false"
    );
}

#[test]
fn a_mistyped_variable_is_pointed_out_and_a_strangers_is_not() {
    let environment = variables(&[
        ("REJOINDER_PUBLC_URL", "https://a.example"),
        ("REJOINDER_SERVICE_PORT_HTTP", "80"),
    ]);
    let config = Config::from_parts(None, &environment, &[]).expect("good");
    assert_eq!(
        config.warnings,
        ["the variable REJOINDER_PUBLC_URL is not read; did you mean REJOINDER_PUBLIC_URL?"]
    );
}

#[test]
fn the_public_address_is_https_or_of_this_machine() {
    for (good, kept) in [
        ("https://a.example/", "https://a.example"),
        ("https://a.example/base/", "https://a.example/base"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1/", "http://localhost:1"),
        ("", ""),
    ] {
        let config = from_file(&format!("public_url = \"{good}\"")).expect(good);
        assert_eq!(config.serve.public_url, kept);
    }
    for wrong in [
        "http://a.example",
        "a.example",
        "https://",
        "https://a.example/?x=1",
        "ftp://localhost",
    ] {
        let refusal = refusal(&format!("public_url = \"{wrong}\""));
        assert!(
            refusal.contains("https://rejoinder.example.com"),
            "{refusal}"
        );
    }
}

#[test]
fn a_missing_or_wrong_key_says_how_to_make_one() {
    let vault = |pairs: &[(&str, &str)]| {
        let config = Config::from_parts(None, &variables(pairs), &[]).expect("good");
        config.vault().map(|vault| vault.kids().count())
    };
    let refusal = |pairs| vault(pairs).expect_err("refused").to_string();
    assert!(refusal(&[]).contains("rejoinder keys generate"));
    let wrong = refusal(&[("REJOINDER_KEYS", "k1:c2hvcnQ=")]);
    assert!(wrong.contains("rejoinder keys generate"), "{wrong}");
    assert!(!wrong.contains("c2hvcnQ"), "{wrong}");
    let hex = "00".repeat(32);
    assert_eq!(vault(&[("ENCRYPTION_KEY", &hex)]), Ok(1));
}

#[test]
fn secrets_do_not_print() {
    let secret = variables(&[
        ("REJOINDER_META_APP_SECRET", "canary"),
        ("REJOINDER_DATABASE_URL", "postgres://u:canary@host/db"),
        ("REJOINDER_KEYS", "canary"),
    ]);
    let config = Config::from_parts(None, &secret, &[]).expect("good");
    assert!(!format!("{config:?}").contains("canary"));
}
