//! A deletion knows every table that has rows of locations, also those that will be added.

use super::search::{Everything, columns_of_tables, execute, value};
use super::{cleared, location};
use crate::database::Database;
use crate::world::World;

#[tokio::test]
async fn no_table_of_locations_is_forgotten() {
    let world = World::on(Database::sqlite().await).await;
    let connection = world.engine.store().connection();
    let id = location(&world.engine, "Full").await;
    let mut filled = 0;
    for (table, columns) in columns_of_tables(connection).await {
        let is_theirs = columns.iter().any(|(name, _)| name == "location_id");
        if !is_theirs || table.starts_with("rejoinder_tombstone") {
            continue;
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<String> = columns
            .iter()
            .map(|(name, kind)| match (name.as_str(), kind.as_str()) {
                ("location_id", _) => format!("X'{}'", id.uuid().simple()),
                (_, kind) if kind.contains("uuid") => "randomblob(16)".to_owned(),
                (_, kind) if kind.contains("text") => "'a-canary'".to_owned(),
                _ => "1".to_owned(),
            })
            .collect();
        let text = format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        );
        execute(connection, &text).await;
        filled += 1;
    }
    assert!(filled >= 20, "{filled} tables");
    world.engine.delete_location(id).await.expect("it is there");
    let all = Everything::of(connection).await;
    assert_eq!(all.rows_of("rejoinder_channel", id), 0);
    cleared(&world).await;
    let left = Everything::of(connection).await.rows(id);
    let left: Vec<&str> = left.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(
        left,
        ["rejoinder_tombstone", "rejoinder_tombstone_channel"],
        "add what is left to TABLES of engine/src/store/erase.rs"
    );
}

#[tokio::test]
async fn a_destroyed_key_is_not_in_the_file_either() {
    let world = World::on(Database::sqlite().await).await;
    let connection = world.engine.store().connection();
    let sealed = value(connection, "SELECT data_key FROM rejoinder_location").await;
    let path = world.database.url.trim_start_matches("sqlite:").to_owned();
    let is_in_the_file = async || {
        execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        let bytes = std::fs::read(&path).expect("the file");
        let mut places = bytes.windows(sealed.len());
        places.any(|place| place == sealed.as_bytes())
    };
    assert!(is_in_the_file().await, "it proves nothing");
    let deleted = world.engine.delete_location(world.location_id).await;
    deleted.expect("it is there");
    assert!(!is_in_the_file().await);
}
