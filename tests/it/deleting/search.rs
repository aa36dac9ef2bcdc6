//! A database searched through: every column of every table of ours. Knows no table by name.

use rejoinder_engine::DatabaseConnection;
use rejoinder_engine::domain::ids::LocationId;
use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement};

async fn query(on: &DatabaseConnection, text: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(on.get_database_backend(), text);
    let rows = on.query_all_raw(statement).await;
    rows.unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The first value of the only row.
pub(super) async fn value(on: &DatabaseConnection, text: &str) -> String {
    let rows = query(on, text).await;
    assert_eq!(rows.len(), 1, "{text}");
    rows[0].try_get_by_index(0).expect("a text")
}

pub(super) async fn execute(on: &DatabaseConnection, text: &str) {
    let executed = on.execute_unprepared(text).await;
    executed.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Our tables, with names and types of their columns.
pub(super) async fn columns_of_tables(
    on: &DatabaseConnection,
) -> Vec<(String, Vec<(String, String)>)> {
    let text = match on.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_name LIKE 'rejoinder_%' ORDER BY table_name, ordinal_position"
        }
        _ => {
            "SELECT m.name, c.name, lower(c.type) FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name LIKE 'rejoinder_%' ORDER BY m.name, c.cid"
        }
    };
    let mut tables: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for row in query(on, text).await {
        let text = |nth| row.try_get_by_index::<String>(nth).expect("a text");
        let (table, column) = (text(0), (text(1), text(2)));
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => tables.push((table, vec![column])),
        }
    }
    tables
}

/// Every row of every table of ours, as text; ids in hexadecimal digits.
pub(super) struct Everything(Vec<(String, Vec<String>)>);

impl Everything {
    pub(super) async fn of(on: &DatabaseConnection) -> Self {
        let mut everything = Vec::new();
        for (table, columns) in columns_of_tables(on).await {
            let columns: Vec<String> = columns
                .iter()
                .map(|(name, _)| match on.get_database_backend() {
                    DbBackend::Postgres => format!("coalesce({name}::text, '')"),
                    // Columns are called as words of the language are.
                    _ => format!(
                        "CASE typeof(\"{name}\") WHEN 'blob' THEN lower(hex(\"{name}\")) \
                         ELSE coalesce(CAST(\"{name}\" AS TEXT), '') END"
                    ),
                })
                .collect();
            let text = format!("SELECT {} FROM {table}", columns.join(" || '|' || "));
            let rows = query(on, &text).await;
            let rows = rows
                .iter()
                .map(|row| row.try_get_by_index::<String>(0).expect("a text"));
            everything.push((table, rows.collect()));
        }
        Self(everything)
    }

    /// Whether a text stands anywhere.
    pub(super) fn names(&self, text: &str) -> bool {
        !self.tables_that_name(text).is_empty()
    }

    pub(super) fn tables_that_name(&self, text: &str) -> Vec<&str> {
        let named = self.0.iter();
        let named = named.filter(|(_, rows)| rows.iter().any(|row| row.contains(text)));
        named.map(|(table, _)| table.as_str()).collect()
    }

    /// How many rows of each table name a location, where any do.
    pub(super) fn rows(&self, id: LocationId) -> Vec<(String, usize)> {
        let tables = self.0.iter().map(|(table, _)| table.clone());
        let rows = tables.map(|table| {
            let rows = self.rows_of(&table, id);
            (table, rows)
        });
        rows.filter(|(_, rows)| *rows > 0).collect()
    }

    pub(super) fn rows_of(&self, table: &str, id: LocationId) -> usize {
        let (simple, hyphenated) = (id.uuid().simple().to_string(), id.uuid().to_string());
        let names = |row: &&String| row.contains(&simple) || row.contains(&hyphenated);
        let rows = self.0.iter().find(|(name, _)| name == table);
        rows.map_or(0, |(_, rows)| rows.iter().filter(names).count())
    }
}
