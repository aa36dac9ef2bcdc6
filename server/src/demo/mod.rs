//! The main job, shown in a terminal: a server on a temporary database, a simulated provider that speaks
//! both wire protocols on loopback, customers who write, an owner who answers from the phone.
//! Afterwards one may type as the customer. Nothing leaves this machine.

mod scene;
mod screen;
mod stage;

use std::io::BufRead as _;

use anyhow::Context as _;
use rejoinder_engine::domain::time::Span;
use tokio::sync::mpsc;

use self::scene::play;
use self::screen::Screen;
use self::stage::{ADA, Stage};

/// Plays the scene, then serves until the input ends.
///
/// # Errors
/// The demo could not be set up, or something in it did not happen.
pub async fn run() -> anyhow::Result<()> {
    let mut screen = Screen::new();
    let mut stage = Stage::set().await.context("the demo could not be set up")?;
    play(&mut stage, &mut screen).await?;
    converse(&mut stage, &mut screen).await?;
    stage.strike().await;
    Ok(())
}

const HELP: &str = "Your turn: you are Ada. Type a message and press Enter.\n\
     :1 taps the first button     :owner TEXT answers as the owner, from the phone\n\
     :wait 2d moves the clock     :quit (or the end of input) ends the demo";

async fn converse(stage: &mut Stage, screen: &mut Screen) -> anyhow::Result<()> {
    screen.heading("Now you");
    screen.plain(HELP);
    let (lines, mut typed) = mpsc::channel::<String>(16);
    // Reading the terminal blocks a thread until a line comes, whatever else ends meanwhile.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = typed.recv().await {
        let line = line.trim();
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "" => continue,
            ":quit" | ":q" => break,
            ":help" => screen.plain(HELP),
            ":owner" if !rest.is_empty() => {
                screen.says(stage.now(), "Owner", rest);
                stage.owner_answers(ADA, rest).await?;
            }
            ":wait" => match Span::parse(rest) {
                Ok(span) => {
                    stage.wait(span);
                    screen.note(&format!("{span} pass."));
                }
                Err(error) => screen.note(&error.to_string()),
            },
            _ => {
                let nth = command
                    .strip_prefix(':')
                    .and_then(|number| number.parse::<usize>().ok());
                match (nth, command.starts_with(':')) {
                    (Some(nth), _) => match stage.tap(ADA, nth).await? {
                        Some(title) => screen.says(stage.now(), "Ada", &format!("[{title}]")),
                        None => screen.note("There is no such button at the moment."),
                    },
                    (None, true) => screen.note("There is no such command; :help lists them."),
                    (None, false) => {
                        screen.says(stage.now(), "Ada", line);
                        stage.says(ADA, line).await?;
                    }
                }
            }
        }
        stage.settle().await?;
        screen.answers(stage);
    }
    screen.plain("The demo is over; its database is gone.");
    Ok(())
}
