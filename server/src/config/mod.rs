//! The settings: read once, at start, from the defaults, a file, the environment and flags.
//! The only owner of the environment; everything else is handed what it needs.

mod layers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use rejoinder_adapters::Reach;
use rejoinder_adapters::meta::{MetaApp, MetaConfig};
use rejoinder_adapters::twilio::TwilioConfig;
use rejoinder_engine::crypto::{Secret, Vault};
use url::{Host, Url};

use crate::bridge::BridgeOptions;
use crate::serve::ServeOptions;
use layers::Layers;

/// The file that is read if no other is named.
const DEFAULT_FILE: &str = "rejoinder.toml";
/// Names from before, read where ours say nothing.
const LEGACY: [(&str, &str); 2] = [
    ("META_APP_ID", "meta.app_id"),
    ("META_APP_SECRET", "meta.app_secret"),
];
/// What to do about a missing key.
const NO_KEY: &str = "no key is set to seal credentials with; make one with `rejoinder keys generate`, \
     and put it into REJOINDER_KEYS or into a file that REJOINDER_KEYS_FILE names";

/// A setting is wrong; the sentence names it and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file to read; it must be there.
    pub file: Option<String>,
    /// Settings by name, with the flag that sets them.
    pub settings: Vec<(&'static str, &'static str, String)>,
}

/// How things are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where and how to serve.
    pub serve: ServeOptions,
    /// The database's address; it may hold a password.
    pub database_url: Secret,
    /// The id of the server's own Meta app, or "".
    pub meta_app_id: String,
    /// The secret of the server's own Meta app, or empty.
    pub meta_app_secret: Secret,
    /// The word of Meta's handshake on the shared address, or empty.
    pub meta_verify_token: Secret,
    /// Where the providers are.
    pub adapters: rejoinder_adapters::Config,
    /// How far rules' requests may go.
    pub requests: Reach,
    /// What is logged.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// What is odd about the settings, though not wrong; to be logged.
    pub warnings: Vec<String>,
    keys: Secret,
    keys_file: String,
    single_key: Secret,
}

impl Config {
    /// Reads the settings: flags win, then the environment, the file, the defaults.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        // A variable that is no text cannot be one of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = match &flags.file {
            Some(path) => Some((path.as_str(), read(path)?)),
            None if Path::new(DEFAULT_FILE).exists() => Some((DEFAULT_FILE, read(DEFAULT_FILE)?)),
            None => None,
        };
        let file = file.as_ref().map(|(path, text)| (*path, text.as_str()));
        Self::from_parts(file, &variables, &flags.settings)
    }

    fn from_parts(
        file: Option<(&str, &str)>,
        variables: &BTreeMap<String, String>,
        flags: &[(&str, &str, String)],
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::defaults();
        let warnings = layers.mistyped(variables);
        if let Some((path, text)) = file {
            layers.file(path, text)?;
        }
        for (variable, name) in LEGACY {
            if let Some(text) = variables.get(variable) {
                layers.set(variable, name, text)?;
            }
        }
        layers.environment(variables)?;
        for (flag, name, text) in flags {
            layers.set(flag, name, text)?;
        }
        let single_key = variables.get("ENCRYPTION_KEY").cloned();
        Self::read(&layers, single_key.unwrap_or_default(), warnings)
    }

    fn read(
        layers: &Layers,
        single_key: String,
        warnings: Vec<String>,
    ) -> Result<Self, ConfigError> {
        let seconds = |name| layers.number(name).map(Duration::from_secs);
        let secret = |name| Secret::new(layers.text(name).trim());
        let log_format = match layers.text("log_format") {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                return Err(ConfigError(format!(
                    "'log_format' is 'text' or 'json', not '{other}'"
                )));
            }
        };
        let database_url = match layers.text("database_url").trim() {
            "" => format!("sqlite:{}/rejoinder.db", layers.text("data_dir")),
            url => url.to_owned(),
        };
        let max_connections = usize::try_from(layers.number("max_connections")?);
        Ok(Self {
            serve: ServeOptions {
                listen: listen(layers.text("listen"))?,
                public_url: public_url(layers.text("public_url"))?,
                max_connections: max_connections.expect("it has an upper limit"),
                header_deadline: seconds("header_deadline_s")?,
                body_deadline: seconds("body_deadline_s")?,
                drain_deadline: seconds("drain_deadline_s")?,
                bridge: BridgeOptions {
                    app_id: layers.text("meta.app_id").trim().to_owned(),
                    config_id: layers.text("meta.config_id").trim().to_owned(),
                    has_app_secret: !layers.text("meta.app_secret").trim().is_empty(),
                    version: layers.text("meta.version").to_owned(),
                    sdk_url: base_url(layers, "meta.sdk_url")?,
                    dialog_url: base_url(layers, "meta.dialog_url")?,
                    graph_url: base_url(layers, "meta.base_url")?,
                },
            },
            database_url: Secret::new(database_url),
            meta_app_id: layers.text("meta.app_id").to_owned(),
            meta_app_secret: secret("meta.app_secret"),
            meta_verify_token: secret("meta.verify_token"),
            adapters: rejoinder_adapters::Config {
                meta: MetaConfig {
                    base_url: base_url(layers, "meta.base_url")?,
                    version: layers.text("meta.version").to_owned(),
                    app: meta_app(layers),
                },
                twilio: TwilioConfig {
                    api_url: base_url(layers, "twilio.api_url")?,
                    content_url: base_url(layers, "twilio.content_url")?,
                    messaging_url: base_url(layers, "twilio.messaging_url")?,
                },
            },
            requests: if layers.is_set("requests.allow_private") {
                Reach::Everywhere
            } else {
                Reach::Internet
            },
            log: layers.text("log").to_owned(),
            log_format,
            warnings,
            keys: secret("keys"),
            keys_file: layers.text("keys_file").to_owned(),
            single_key: Secret::new(single_key),
        })
    }

    /// The keys that seal credentials.
    ///
    /// # Errors
    /// There is none, or it does not read.
    pub fn vault(&self) -> Result<Vault, ConfigError> {
        let of_ring = |source: &str, ring: &Secret| {
            Vault::from_ring(ring).map_err(|error| ConfigError(format!("{source}: {error}")))
        };
        if !self.keys.is_empty() {
            return of_ring("'keys' (REJOINDER_KEYS)", &self.keys);
        }
        if !self.keys_file.is_empty() {
            let text = Secret::new(read(&self.keys_file)?.trim());
            return of_ring(&self.keys_file, &text);
        }
        if !self.single_key.is_empty() {
            return Vault::from_single_key(&self.single_key)
                .map_err(|error| ConfigError(format!("ENCRYPTION_KEY: {error}")));
        }
        Err(ConfigError(NO_KEY.to_owned()))
    }
}

/// The server's own app at Meta, as far as it is set.
fn meta_app(layers: &Layers) -> Option<MetaApp> {
    let secret = |name| Secret::new(layers.text(name).trim());
    let app = MetaApp {
        id: layers.text("meta.app_id").trim().to_owned(),
        secret: secret("meta.app_secret"),
        verify_token: secret("meta.verify_token"),
    };
    (!app.id.is_empty() || !app.secret.is_empty()).then_some(app)
}

/// Every setting with its default and a sentence, as a file to begin with.
pub(crate) const fn defaults() -> &'static str {
    layers::DEFAULTS
}

/// A variable that a person names as the place of a credential.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The key under which the integration before this one sealed its secrets; any text.
pub(crate) fn legacy_key() -> Option<Secret> {
    let names = ["LEGACY_ENCRYPTION_KEY", "ENCRYPTION_KEY"];
    let mut keys = names.into_iter().filter_map(variable);
    keys.find(|key| !key.is_empty()).map(Secret::new)
}

fn read(path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigError(format!(
            "cannot read '{path}': {error}; check the name and who may read it"
        ))
    })
}

fn listen(text: &str) -> Result<SocketAddr, ConfigError> {
    // A name such as `localhost` has several addresses; the first one is as good as any.
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| {
            ConfigError(format!(
                "'listen' is an address and a port, such as 127.0.0.1:8080, not '{text}'"
            ))
        })
}

/// Our public address without a slash at its end, or "".
fn public_url(text: &str) -> Result<String, ConfigError> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() {
        return Ok(String::new());
    }
    let refuse = |why: &str| {
        Err(ConfigError(format!(
            "'public_url' {why}; write for example https://rejoinder.example.com"
        )))
    };
    let Ok(url) = Url::parse(text) else {
        return refuse("is not an address");
    };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return refuse("must have no query, fragment or user");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(text.to_owned()),
        "http" if is_loopback(&url) => Ok(text.to_owned()),
        _ => refuse("must begin with https:// (http:// is for this machine alone)"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A provider's address; credentials go there, so that it must be https outside this machine.
fn base_url(layers: &Layers, name: &str) -> Result<String, ConfigError> {
    let text = layers.text(name).trim().trim_end_matches('/');
    match Url::parse(text) {
        Ok(url) if url.scheme() == "https" || is_loopback(&url) => Ok(text.to_owned()),
        _ => Err(ConfigError(format!(
            "'{name}' must begin with https:// (http:// is for this machine alone)"
        ))),
    }
}
