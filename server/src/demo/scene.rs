//! What happens in the demo, in order. Each part checks that it happened.

use anyhow::ensure;
use rejoinder_engine::domain::time::Span;

use super::screen::Screen;
use super::stage::{ADA, BEN, CLEO, Stage};

pub(super) async fn play(stage: &mut Stage, screen: &mut Screen) -> anyhow::Result<()> {
    screen.plain(&format!(
        "Rejoinder · {} · rules: {}\nServer on {}, SQLite in a temporary folder,\n\
         Meta and Twilio simulated on this machine. → is what the customer receives.",
        stage.location_name,
        stage.rules.join(", "),
        stage.address()
    ));

    screen.heading("A price question is answered");
    let question = "What is the price of the flat?";
    screen.says(stage.now(), "Ada", question);
    let webhook = stage.says(ADA, question).await?;
    expect(stage, screen, 1).await?;

    screen.heading("The same webhook comes again, as it does in life");
    stage.again(&webhook).await?;
    expect(stage, screen, 0).await?;
    screen.note("Stored once, answered once.");

    screen.heading("Buttons, and the same rules over Twilio");
    screen.says(stage.now(), "Cleo", "Could I have a viewing?");
    stage.says(CLEO, "Could I have a viewing?").await?;
    expect(stage, screen, 1).await?;
    if let Some(title) = stage.tap(CLEO, 1).await? {
        screen.says(stage.now(), "Cleo", &format!("[{title}]"));
    }
    expect(stage, screen, 1).await?;

    screen.heading("The owner answers from the phone: the bot falls silent");
    screen.says(stage.now(), "Ben", "Is the price negotiable?");
    stage.says(BEN, "Is the price negotiable?").await?;
    expect(stage, screen, 1).await?;
    screen.says(stage.now(), "Owner", "Hi Ben, let me call you about that.");
    stage
        .owner_answers(BEN, "Hi Ben, let me call you about that.")
        .await?;
    stage.settle().await?;
    screen.says(stage.now(), "Ben", "Great. And the price of the garage?");
    stage
        .says(BEN, "Great. And the price of the garage?")
        .await?;
    expect(stage, screen, 0).await?;
    screen.note("Nothing automatic goes to Ben for twelve hours, and his follow-up is off.");

    screen.heading("The next morning: a reminder, two hours before the viewing");
    stage.wait(Span::hours(22) + Span::minutes(1));
    expect(stage, screen, 1).await?;

    screen.heading("Ada has been silent for two days: her 24-hour window is shut");
    stage.wait(Span::hours(26));
    expect(stage, screen, 1).await?;
    screen.note("The rule replies with text and names a template; outside the window the template goes out instead.");

    let (events, deliveries, read) = stage.tally().await?;
    screen.heading("So far");
    screen.plain(&format!(
        "{events} events stored, {deliveries} messages sent, {read} of them read."
    ));
    Ok(())
}

/// Waits until nothing more happens, and shows the answers, which must be as many as told.
async fn expect(stage: &mut Stage, screen: &mut Screen, answers: usize) -> anyhow::Result<()> {
    stage.settle().await?;
    let news = stage.news();
    for message in &news {
        screen.reads(message);
    }
    ensure!(
        news.len() == answers,
        "{} answers came where {answers} were expected",
        news.len()
    );
    Ok(())
}
