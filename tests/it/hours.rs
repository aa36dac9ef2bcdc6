//! Opening hours and holidays, as rules ask for them; the contract's own example among them.

use rejoinder_engine::domain::time::Span;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::database::{Database, on_both};
use crate::house::House;
use crate::world::{ADA, BEN, World};

/// The third example of the contract, character for character.
const AWAY: &str = r#"// Outside opening hours: say so once per closed period, and hand over to a person.

fn on_message(chat, message) {
    if chat.location.is_open() || chat.state.told_for == chat.location.opens_at() { return; }
    chat.reply(`We are closed. We open ${chat.location.opens_at().format("%A %H:%M")}.`);
    chat.state.told_for = chat.location.opens_at();
    stop();
}
"#;

async fn open(world: &World) {
    let weekdays = ["09:00-13:00", "14:00-18:00"];
    let hours = json!({ "mon": weekdays, "tue": weekdays, "wed": weekdays, "thu": weekdays, "fri": weekdays });
    let holidays = json!([{ "date": "2026-01-06", "name": "Epiphany" }]);
    world
        .configure(json!({ "opening_hours": hours, "holidays": holidays }))
        .await;
}

on_both! {
    async fn who_writes_to_a_closed_business_is_told_once_per_closed_period(world: World) {
        open(&world).await;
        world.rule(AWAY).await;
        world.rule(r#"fn on_message(chat, message) { chat.reply("open"); }"#).await;
        // Monday, 11:00.
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["open"]);
        world.wait(Span::hours(2)).await;
        world.hears(ADA, "still?").await;
        world.hears(ADA, "anybody?").await;
        assert_eq!(world.heard(ADA)[1..], ["We are closed. We open Monday 14:00.", "open"], "told once, then the next rule answers");
        world.hears(BEN, "hello").await;
        assert_eq!(world.heard(BEN), ["We are closed. We open Monday 14:00."]);
        // Monday, 20:00; Tuesday is a holiday.
        world.wait(Span::hours(7)).await;
        world.hears(ADA, "and now?").await;
        world.wait(Span::days(1)).await;
        world.hears(ADA, "today?").await;
        assert_eq!(world.heard(ADA)[3..], ["We are closed. We open Wednesday 09:00.", "open"]);
    }

    async fn a_location_without_hours_is_always_open(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                log(chat.location.is_open(), chat.location.opens_at(), chat.location.closes_at(), chat.location.holiday);
            }
        "#).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.traced().await, ["true () () ()"]);
    }

    async fn a_follow_up_can_wait_until_it_opens(world: World) {
        open(&world).await;
        world.rule(r#"
            fn on_message(chat, message) { chat.at(chat.location.opens_at(), "greet"); }
            fn greet(chat) { chat.reply(`open: ${chat.location.is_open()}`); }
        "#).await;
        world.wait(Span::hours(8)).await;
        world.hears(ADA, "hello").await;
        assert_eq!(world.to_next().await, Span::hours(38), "from Monday evening to Wednesday morning");
        assert_eq!(world.states().await, ["failed"], "the window is shut by then");
    }

    async fn settings_that_cannot_be_meant_are_refused(world: World) {
        for (vars, hint) in [
            (json!({ "idle": "a month" }), "vars.idle: 'a month' is not a duration"),
            (json!({ "window_warning": 60 }), "vars.window_warning: 60 is not a duration"),
        ] {
            let mut change = rejoinder_engine::LocationChange::default();
            let settings = json!({ "vars": vars });
            change.settings = Some(serde_json::from_value(settings).expect("settings"));
            let refused = world.engine.change_location(world.location_id, change).await;
            let refused = refused.expect_err("refused").to_string();
            assert!(refused.contains(hint), "{refused}");
        }
    }
}

#[tokio::test]
async fn the_api_takes_hours_and_says_what_is_wrong_with_them() {
    let house = House::on(Database::sqlite().await).await;
    let hours = json!({ "mon": ["09:00-13:00", "14:00-18:00"] });
    let location = json!({
        "name": "Casa Lima",
        "time_zone": "Europe/Berlin",
        "settings": { "opening_hours": hours },
    });
    let path = format!("/locations/{}", house.created("/locations", location).await);
    let quiet = json!({ "from": "20:00", "to": "08:00", "days": ["sun"] });
    let holidays = json!([{ "date": "2026-12-25", "to": "2026-12-26", "name": "Christmas" }]);
    let change = json!({ "settings": { "quiet_hours": quiet, "holidays": holidays } });
    let (status, answer) = house.api(Method::PATCH, &path, Some(change)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let settings = &answer["settings"];
    assert_eq!(
        (&settings["opening_hours"], &settings["quiet_hours"]),
        (&hours, &quiet)
    );
    assert_eq!(settings["holidays"], holidays);
    let change = json!({ "settings": { "opening_hours": null } });
    let (_, answer) = house.api(Method::PATCH, &path, Some(change)).await;
    assert_eq!(answer["settings"]["opening_hours"], json!(null));
    for (settings, hint) in [
        (
            json!({ "opening_hours": { "mon": ["9-18"] } }),
            "opening_hours, mon: '9-18' is not a shift; write for example",
        ),
        (
            json!({ "opening_hours": { "monday": ["09:00-18:00"] } }),
            "'monday' is not a day; write mon, tue",
        ),
        (
            json!({ "holidays": [{ "date": "Christmas" }] }),
            "'Christmas' is not a date; write for example",
        ),
        (
            json!({ "quiet_hours": { "from": "8pm", "to": "08:00" } }),
            "'8pm' is not a time of the clock",
        ),
        (
            json!({ "quiet_hours": { "from": "20:00" } }),
            "missing field `to`",
        ),
        (
            json!({ "vars": { "idle": "soon" } }),
            "vars.idle: 'soon' is not a duration",
        ),
    ] {
        let change = json!({ "settings": settings });
        let (status, answer) = house.api(Method::PATCH, &path, Some(change)).await;
        assert!(status.is_client_error(), "{status} {answer}");
        assert!(answer.to_string().contains(hint), "{answer}");
    }
    house.close().await;
}
