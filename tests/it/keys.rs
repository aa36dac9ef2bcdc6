//! The master keys: from an old one to a new one, beside a server at work, and killed on the way.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rejoinder_adapters::simulator::meta::{self as meta_face, Registration};
use rejoinder_engine::clock::{Clock as _, SystemClock};
use rejoinder_engine::crypto::{Secret, Vault};
use rejoinder_engine::domain::ids::{ChannelId, LocationId};
use rejoinder_engine::domain::location::LocationSettings;
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::Store;
use rejoinder_engine::{Action, Engine, NewLocation, Point, ShownCredentials};
use sea_orm::{ConnectionTrait as _, Statement};

use crate::chance::Chance;
use crate::commands;
use crate::database::{Database, on_both};
use crate::effort::{often, say};
use crate::world::{ADA, APP_SECRET, World, connect, number, signed};

/// Both keys, the new one first.
fn both(new: &Secret, old: &Secret) -> Secret {
    Secret::new(format!("{},{}", new.expose(), old.expose()))
}

async fn location(engine: &Engine, name: &str) -> LocationId {
    let new = NewLocation {
        name: name.into(),
        time_zone: chrono_tz::UTC,
        settings: LocationSettings::default(),
    };
    engine.create_location(new).await.expect("a location").id
}

/// Another location with a number; its token ends in the last digits of the number's id.
async fn shop(engine: &Engine, nth: usize) -> (LocationId, ChannelId, Registration) {
    let id = location(engine, &format!("shop {nth}")).await;
    let number = number(&format!("2{nth:014}"), &format!("49309{nth:05}"));
    let channel_id = connect(engine, id, &number).await;
    (id, channel_id, number)
}

/// What is seen of a channel's token; or why it does not open.
async fn token(engine: &Engine, id: ChannelId) -> Result<String, String> {
    let shown = engine
        .shown_credentials(id)
        .await
        .expect("the database works");
    match shown.expect("a channel") {
        ShownCredentials::Set(fields) => Ok(fields["access_token"].clone()),
        ShownCredentials::OutOfOrder(why) => Err(why),
    }
}

/// The keys that the database names.
async fn noted(store: &Store) -> Vec<String> {
    let connection = store.connection();
    let text = "SELECT kid FROM rejoinder_key_check ORDER BY kid";
    let statement = Statement::from_string(connection.get_database_backend(), text);
    let rows = connection.query_all_raw(statement).await.expect("rows");
    let kid = |row: &sea_orm::QueryResult| row.try_get("", "kid").expect("a key id");
    rows.iter().map(kid).collect()
}

on_both! {
    async fn after_a_rotation_the_old_key_is_needed_no_more(world: World) {
        world.rule("fn on_message(chat, message) { chat.reply(message.text); }").await;
        let new = Vault::generate_ring("new");
        let refused = world.beside(&new).await.expect_err("the old key is missing").to_string();
        assert!(refused.contains("'test'") && refused.contains("add it: behind"), "{refused}");

        let rotating = world.beside(&both(&new, &world.vault)).await.expect("it has both");
        let (_, other, _) = shop(&rotating, 1).await;
        let rotation = rotating.rotate_keys().await.expect("the database works");
        assert_eq!((rotation.rewrapped, rotation.already), (1, 1), "one was made under the new key");
        assert_eq!(rotation.kid, "new");
        assert_eq!(rotation.others, [("test".to_owned(), 0)]);
        assert_eq!(rotation.unopened, []);
        assert_eq!(noted(rotating.store()).await, ["new"]);
        let again = rotating.rotate_keys().await.expect("the database works");
        assert_eq!((again.rewrapped, again.already), (0, 2));
        // The old key that is still in the ring is not noted anew, nor does it seal anything.
        let both_again = world.beside(&both(&new, &world.vault)).await.expect("it has both");
        assert_eq!(noted(both_again.store()).await, ["new"]);

        let old = world.beside(&world.vault).await.expect_err("the new key is missing").to_string();
        assert!(old.contains("'new'"), "{old}");
        let wrong = world.beside(&Vault::generate_ring("new")).await.expect_err("another key of that id");
        assert!(wrong.to_string().contains("not the one"), "{wrong}");
        let mut world = world;
        world.vault = new;
        world.restart().await;
        assert_eq!(token(&world.engine, world.channel_id).await.as_deref(), Ok("…1309"));
        assert_eq!(token(&world.engine, other).await.as_deref(), Ok("…0001"));
        world.hears(ADA, "hello").await;
        assert_eq!(world.heard(ADA), ["hello"]);
    }

    async fn a_key_that_is_named_is_not_forgotten(world: World) {
        let new = Vault::generate_ring("new");
        let rotating = world.beside(&both(&new, &world.vault)).await.expect("it has both");
        let damaged = location(&world.engine, "Damaged").await;
        let statement = "UPDATE rejoinder_location \
             SET data_key = (SELECT data_key FROM rejoinder_location WHERE name = 'Casa Lima') WHERE name = 'Damaged'";
        rotating.store().connection().execute_unprepared(statement).await.expect("it runs");
        let rotation = rotating.rotate_keys().await.expect("the database works");
        assert_eq!((rotation.rewrapped, rotation.already), (1, 0), "the others go on");
        let unopened = &rotation.unopened[0];
        assert_eq!((unopened.location_id, unopened.name.as_str()), (damaged, "Damaged"));
        assert!(unopened.why.to_string().contains("does not belong here"), "{}", unopened.why);
        assert_eq!(rotation.others, [("test".to_owned(), 1)]);
        assert_eq!(noted(rotating.store()).await, ["new", "test"]);
    }

    async fn what_a_server_with_the_old_ring_makes_meanwhile_is_found_by_the_next_run(world: World) {
        let new = Vault::generate_ring("new");
        let rotating = world.beside(&both(&new, &world.vault)).await.expect("it has both");
        rotating.rotate_keys().await.expect("the database works");
        // It has the old key only, and knows nothing of the new one.
        let (_, channel_id, _) = shop(&world.engine, 1).await;
        assert_eq!(noted(rotating.store()).await, ["new", "test"], "it is needed again");
        let without = world.beside(&new).await.expect_err("the old key is missing").to_string();
        assert!(without.contains("'test'"), "{without}");
        let rotation = rotating.rotate_keys().await.expect("the database works");
        assert_eq!((rotation.rewrapped, rotation.already), (1, 1));
        let after = world.beside(&new).await.expect("the new key will do");
        assert_eq!(token(&after, channel_id).await.as_deref(), Ok("…0001"));
    }

    async fn a_server_without_the_new_key_goes_on_with_what_it_has_opened(world: World) {
        world.rule("fn on_message(chat, message) { chat.reply(message.text); }").await;
        world.hears(ADA, "before").await;
        let new = Vault::generate_ring("new");
        let rotating = world.beside(&both(&new, &world.vault)).await.expect("it has both");
        rotating.rotate_keys().await.expect("the database works");
        world.hears(ADA, "after").await;
        assert_eq!(world.heard(ADA), ["before", "after"]);
        assert_eq!(token(&world.engine, world.channel_id).await.as_deref(), Ok("…1309"));

        // What is made under the new key it cannot open, and says so.
        let (other, channel_id, number) = shop(&rotating, 1).await;
        world.settle().await;
        let why = token(&world.engine, channel_id).await.expect_err("it lacks the key");
        assert!(why.contains("'new'") && why.contains("add that key"), "{why}");
        // Webhooks for it come again; those of others are stored, also beside them.
        let body = world.arrival_at(&number, ADA, |number, arrival| {
            meta_face::text_message(number, arrival, "to the other")
        });
        let put_off = world.accept(&body).await.expect_err("it is out of order");
        assert!(matches!(put_off, rejoinder_engine::AcceptError::NotStored(_)), "{put_off}");
        world.hears(ADA, "still").await;
        assert_eq!(world.heard(ADA), ["before", "after", "still"]);
        let unrouted = world.engine.store().unrouted(None, 10).await.expect("rows");
        assert_eq!(unrouted.len(), 0);
        // With both keys it is all there.
        let mut world = world;
        world.vault = both(&new, &world.vault);
        world.restart().await;
        world.accept(&body).await.expect("it comes again");
        world.settle().await;
        let events = world.engine.store().of(other).events(None, 10).await.expect("events");
        assert_eq!(events.len(), 1);
    }

    async fn what_is_to_be_sent_waits_for_a_channel_that_is_out_of_order(world: World) {
        world.rule("fn on_message(chat, message) { chat.after(\"5m\", \"later\"); } fn later(chat) { chat.reply(\"Now\"); }").await;
        world.hears(ADA, "hello").await;
        let connection = world.engine.store().connection();
        let execute = async |text: &str| {
            connection.execute_unprepared(text).await.expect("it runs");
            let raise = "UPDATE rejoinder_revision SET value = value + 1";
            connection.execute_unprepared(raise).await.expect("it runs");
        };
        // It falls due while the channel is whole, and leaves while it is not.
        world.engine.change_channel(world.location_id, world.channel_id, rejoinder_engine::ChannelChange {
            enabled: Some(false),
            ..Default::default()
        }).await.expect("it is there");
        world.wait(Span::minutes(5)).await;
        assert_eq!(world.states().await, ["ready"]);
        execute("UPDATE rejoinder_channel SET credentials_version = 7, enabled = TRUE").await;
        world.wait(Span::minutes(2)).await;
        assert_eq!(world.states().await, ["ready"]);
        // On the channel's own address as well: who sent it cannot be known.
        let body = world.message(ADA, "again");
        let mut own = signed(APP_SECRET, &body);
        own.channel_id = Some(world.channel_id);
        let put_off = world.engine.accept("meta", &own).await.expect_err("it is out of order");
        assert!(matches!(put_off, rejoinder_engine::AcceptError::NotStored(_)), "{put_off}");
        execute("UPDATE rejoinder_channel SET credentials_version = 1").await;
        world.wait(Span::minutes(2)).await;
        assert_eq!(world.heard(ADA), ["Now"]);
    }
}

/// Locations of a database whose keys are rotated by a process that is killed again and again.
const SHOPS: usize = 120;

/// The command, built so that tests can end it.
fn rotate(world: &World, ring: &Secret, failpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoinder-mistaken"));
    command
        .env_clear()
        .stdin(Stdio::null())
        .args(["keys", "rotate", "--json"])
        .env("REJOINDER_KEYS", ring.expose())
        .env("REJOINDER_DATABASE_URL", &world.database.url)
        .env("TEST_FAILPOINTS", failpoint);
    command
}

async fn killed_again_and_again(database: Database) {
    const SIGABRT: i32 = 6;
    let kills = often("REJOINDER_KILLS", 100);
    let world = World::on(database).await;
    // A seed nobody used before; who repeats a run writes it here.
    let seed = u64::try_from(SystemClock.now().ms()).expect("after 1970");
    say(&format!("seed {seed}"));
    let mut chance = Chance::from_seed(seed);
    let mut channels = Vec::new();
    for nth in 0..SHOPS {
        channels.push(shop(&world.engine, nth).await.1);
    }
    let new = Vault::generate_ring("new");
    let ring = both(&new, &world.vault);
    let opens_all = async |ring: &Secret| {
        let engine = world.beside(ring).await.expect("it starts");
        for (nth, channel_id) in channels.iter().enumerate() {
            assert_eq!(token(&engine, *channel_id).await, Ok(format!("…{nth:04}")));
        }
    };
    let points = [
        Point::WriterBegins,
        Point::WriterApplied,
        Point::WriterCommitted,
    ];
    let mut killed = 0;
    while killed < kills {
        let point = chance.pick(&points);
        let failpoint = format!(
            "{}:{}:{}",
            point.name(),
            Action::Abort.name(),
            chance.between(1, 3)
        );
        let output = rotate(&world, &ring, &failpoint).output().expect("it runs");
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
        killed += 1;
        opens_all(&ring).await;
    }
    let output = rotate(&world, &ring, "").output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("\"locations\": 0"), "{told}");
    opens_all(&new).await;
    say(&format!("{killed} kills"));
}

#[test]
fn the_command_says_what_must_be_so_first_and_which_keys_may_go() {
    let folder = commands::folder();
    let (old, new) = (commands::key(&folder), Vault::generate_ring("k2"));
    let run = |ring: &str, words: &[&str]| {
        let mut command = commands::command(&folder, words);
        command
            .env("REJOINDER_KEYS", ring)
            .output()
            .expect("it runs")
    };
    assert!(run(&old, &["migrate"]).status.success());
    let create = ["location", "create", "--name", "A", "--time-zone", "UTC"];
    assert!(run(&old, &create).status.success());
    commands::complains(
        &run(new.expose(), &["keys", "rotate"]),
        &["'k1'", "add it: behind"],
    );
    let ring = both(&new, &Secret::new(old.clone()));
    let output = run(ring.expose(), &["keys", "rotate"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("1 location(s) sealed anew under 'k2'"),
        "{told}"
    );
    assert!(
        told.contains("'k1'") && told.contains("may be taken out"),
        "{told}"
    );
    let before = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        before.contains("must have been started with the new key"),
        "{before}"
    );
    assert!(run(new.expose(), &["location", "list"]).status.success());
    commands::complains(&run(&old, &["location", "list"]), &["'k2'"]);
    let help = run("", &["keys", "rotate", "--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("which must have both keys"), "{help}");
}

mod heavy {
    use super::*;

    #[tokio::test]
    async fn a_rotation_that_is_killed_anywhere_loses_nothing_and_is_finished_on_sqlite() {
        killed_again_and_again(Database::sqlite().await).await;
    }

    #[tokio::test]
    async fn a_rotation_that_is_killed_anywhere_loses_nothing_and_is_finished_on_postgres() {
        killed_again_and_again(Database::postgres().await).await;
    }
}
