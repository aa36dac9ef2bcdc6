//! `rejoinder serve`: from settings to a server at work, and to its orderly end.

use clap::Args;
use rejoinder_engine::Engine;
use rejoinder_engine::store::Store;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, open};
use crate::config::Config;
use crate::out;
use crate::serve::Server;

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The https address that providers know
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Refuse to start on a database that lacks migrations
    #[arg(long)]
    no_migrate: bool,
}

impl Serve {
    /// The settings that the flags say.
    pub(super) fn settings(&self) -> Vec<(&'static str, &'static str, String)> {
        [
            ("--listen", "listen", self.listen.clone()),
            ("--public-url", "public_url", self.public_url.clone()),
        ]
        .into_iter()
        .filter_map(|(flag, name, text)| Some((flag, name, text?)))
        .collect()
    }

    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        // Before the database is made: a start without a key leaves nothing behind.
        config.vault()?;
        let store = Store::open(config.database_url.expose()).await?;
        self.migrate(&store).await?;
        let engine = open::build(&config, store).await?;
        // Listened for before anything runs, so that no signal finds the default at work.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        engine.start().await?;
        let server = match Server::bind(engine.clone(), config.serve.clone()).await {
            Ok(server) => server,
            Err(error) => {
                engine.stop().await;
                return Err(error.into());
            }
        };
        announce(&engine, &server).await?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = engine.watch_onboardings() => {}
        }
        tracing::info!("stopping: requests and messages on their way may end");
        let end = async {
            // First what comes in: once the engine lets go of the database, another server may take it.
            server.stop().await;
            engine.stop().await;
        };
        tokio::select! {
            () = end => tracing::info!("stopped"),
            _ = interrupt.recv() => tracing::warn!("stopped at once, by a second signal"),
            _ = terminate.recv() => tracing::warn!("stopped at once, by a second signal"),
        }
        Ok(())
    }

    async fn migrate(&self, store: &Store) -> Result<(), Failure> {
        if !self.no_migrate {
            open::must_be_free(store).await?;
            let applied = open::apply_migrations(store).await?;
            if applied > 0 {
                tracing::info!(applied, "the database was brought to the present shape");
            }
            return Ok(());
        }
        match open::pending_migrations(store).await? {
            0 => Ok(()),
            count => Err(Failure::new(format!(
                "the database lacks {count} migration(s); run `rejoinder migrate`, or leave out --no-migrate"
            ))),
        }
    }
}

/// Says where the server is, and what its first caller needs.
async fn announce(engine: &Engine, server: &Server) -> Result<(), Failure> {
    out::line(&format!("listening on http://{}", server.addr()));
    if engine.public_url().is_empty() {
        out::line("webhooks: set `public_url`; Twilio's cannot be verified without it");
    } else {
        for (kind, _) in engine.providers() {
            let address = engine.webhook_url(kind, None).unwrap_or_default();
            out::line(&format!("webhooks of {kind}: {address}"));
        }
    }
    if let Some(token) = engine.first_token().await? {
        out::note(&format!(
            "the first token of the API, shown this once: {}",
            token.expose()
        ));
    }
    Ok(())
}
