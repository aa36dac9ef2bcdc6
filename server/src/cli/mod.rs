//! The command line: its commands, and what goes wrong with them as one line.
//! A command works on the database itself; a server at work on it follows within a second.

mod anew;
mod channel;
mod check;
mod connect;
mod docs;
mod doctor;
mod endpoint;
mod errands;
mod failure;
mod files;
mod import;
mod keys;
mod location;
mod open;
mod rule;
mod secret;
mod serve;
mod simulate;
mod template;
mod test;
mod ticket;
mod token;
mod traffic;

use std::process::ExitCode;
use std::str::FromStr as _;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{self, Config, ConfigError, Flags, LogFormat};
use crate::out::{self, Format};
use failure::Failure;

/// Rules-driven automation for WhatsApp Business.
#[derive(Debug, Parser)]
#[command(name = "rejoinder", version)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Keeps what goes with every command apart from what makes this one.
const GLOBAL: &str = "With every command";

#[derive(Args, Debug)]
struct Global {
    /// The settings [default: rejoinder.toml]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    config: Option<String>,
    /// sqlite:path/to/file or postgres://user@host/name
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "URL")]
    database: Option<String>,
    /// What is logged: error, warn, info, debug, trace
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "LEVEL")]
    log: Option<String>,
    /// How it is logged
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FORMAT")]
    log_format: Option<LogFormatArg>,
    /// Print the API's JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server: webhooks, API, rules, deliveries
    Serve(serve::Serve),
    /// Watch rules at work on simulated customers; needs nothing set up
    Demo,
    Test(test::Test),
    Check(check::Check),
    Simulate(simulate::Simulate),
    /// Print every setting with its default, as a file to begin with
    Settings,
    /// Look up what rules can write: functions, properties, handlers
    Docs(docs::Docs),
    /// Keys that seal credentials
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Bring the database to the present shape
    Migrate,
    /// Locations: the businesses this server works for
    #[command(subcommand)]
    Location(location::Command),
    /// Channels: the WhatsApp numbers of a location
    #[command(subcommand)]
    Channel(channel::Command),
    /// Connect a number step by step, or see which step failed and why
    #[command(subcommand)]
    Connect(connect::Command),
    Doctor(doctor::Doctor),
    /// Endpoints: the programs that rules may call
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// Rules: the scripts of a location
    #[command(subcommand)]
    Rule(rule::Command),
    /// Templates: what is known of those of a location
    #[command(subcommand)]
    Template(template::Command),
    /// Conversations with customers
    #[command(subcommand)]
    Conversation(traffic::Conversation),
    /// List what happened, or run again what was put aside
    Events(traffic::Events),
    /// List what was sent, or send anew what failed
    Deliveries(traffic::Deliveries),
    /// List what rules asked of endpoints
    Requests(errands::Requests),
    /// List the functions that rules had called for many chats
    Fanouts(errands::Fanouts),
    /// Webhook items that belong to no channel
    #[command(subcommand)]
    Unrouted(traffic::Unrouted),
    /// Tokens of the API
    #[command(subcommand)]
    Token(token::Command),
    /// Send a message as a person
    Send(traffic::SendText),
}

/// Runs what the command line asks for. A failure is one line on stderr that ends with what to do.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    match Box::pin(run(cli)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::note(&format!("rejoinder: {failure}"));
            failure.exit_code()
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let format = if cli.global.json {
        Format::Json
    } else {
        Format::Human
    };
    let mut flags = cli.global.flags();
    match cli.command {
        Command::Settings => {
            out::line(config::defaults().trim_end());
            Ok(())
        }
        Command::Docs(docs) => docs.run(format),
        Command::Keys(keys::Keys::Generate(generate)) => generate.run(),
        Command::Test(test) => test.run(format).await,
        Command::Check(check) => check.run(format),
        Command::Simulate(simulate) => simulate.run().await,
        Command::Serve(serve) => {
            flags.settings.extend(serve.settings());
            let config = Config::load(&flags)?;
            log(&config, &config.log)?;
            serve.run(config).await
        }
        Command::Demo => {
            let config = Config::load(&flags)?;
            log(&config, &config.log)?;
            let done = crate::demo::run().await;
            done.map_err(|error| Failure::of_demo(&error))
        }
        command => {
            let config = Config::load(&flags)?;
            // What a server tells of its work is noise beside the output of a command.
            let quiet = if config.log == "info" {
                "warn"
            } else {
                &config.log
            };
            log(&config, quiet)?;
            on_database(command, &config, format).await
        }
    }
}

async fn on_database(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    if let Command::Migrate = command {
        return open::migrate(config).await;
    }
    let engine = open::engine(config).await?;
    match command {
        Command::Keys(keys::Keys::Rotate(rotate)) => rotate.run(&engine, format).await,
        Command::Location(command) => command.run(&engine, format).await,
        Command::Channel(command) => command.run(&engine, format).await,
        Command::Connect(command) => Box::pin(command.run(&engine, format)).await,
        Command::Doctor(command) => Box::pin(command.run(&engine, format)).await,
        Command::Endpoint(command) => command.run(&engine, format).await,
        Command::Rule(command) => command.run(&engine, format).await,
        Command::Template(command) => command.run(&engine, format).await,
        Command::Conversation(command) => command.run(&engine, format).await,
        Command::Events(command) => command.run(&engine, format).await,
        Command::Deliveries(command) => command.run(&engine, format).await,
        Command::Requests(command) => command.run(&engine, format).await,
        Command::Fanouts(command) => command.run(&engine, format).await,
        Command::Unrouted(command) => command.run(&engine, format).await,
        Command::Token(command) => command.run(&engine, format).await,
        Command::Send(command) => command.run(&engine, format).await,
        // They need no engine, and are done by now.
        Command::Serve(_)
        | Command::Demo
        | Command::Docs(_)
        | Command::Settings
        | Command::Test(_)
        | Command::Check(_)
        | Command::Simulate(_)
        | Command::Keys(keys::Keys::Generate(_))
        | Command::Migrate => Ok(()),
    }
}

impl Global {
    fn flags(&self) -> Flags {
        let log_format = self.log_format.map(|format| match format {
            LogFormatArg::Text => "text".to_owned(),
            LogFormatArg::Json => "json".to_owned(),
        });
        let settings = [
            ("--database", "database_url", self.database.clone()),
            ("--log", "log", self.log.clone()),
            ("--log-format", "log_format", log_format),
        ];
        Flags {
            file: self.config.clone(),
            settings: settings
                .into_iter()
                .filter_map(|(flag, name, text)| Some((flag, name, text?)))
                .collect(),
        }
    }
}

fn log(config: &Config, filter: &str) -> Result<(), ConfigError> {
    // Each migration would tell of itself in three lines; what was done is told once, by us.
    let filter = match filter {
        "info" => "info,sea_orm_migration=warn",
        other => other,
    };
    // A word alone that is no level would be taken for a target, and silence everything else.
    let is_odd =
        |part: &str| !part.contains(['=', '[', ':']) && LevelFilter::from_str(part.trim()).is_err();
    let parsed = EnvFilter::try_new(filter).ok();
    let parsed = parsed.filter(|_| !filter.split(',').any(is_odd));
    let filter = parsed.ok_or_else(|| {
        ConfigError(format!(
            "'log' is error, warn, info, debug, trace or off, or levels by target (info,rejoinder_engine=debug), not \
             '{filter}'"
        ))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that finds no room is lost; telling of it on the same stream would end whoever wrote it.
        .log_internal_errors(false)
        .with_ansi(false);
    // Logging can be set up once; a host that did so already keeps its own.
    let _ = match config.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}
