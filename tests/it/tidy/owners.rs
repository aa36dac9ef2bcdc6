//! One owner per large dependency: where it may be named, and which crates may depend on it.
//! Knows no crate's own structure.

use super::arrows::manifests;
use super::code;
use super::expect_none;
use super::tree::rust;

/// A large dependency and the places that may name it; the tests may as well.
struct Owner {
    package: &'static str,
    /// Beginnings of paths.
    places: &'static [&'static str],
    instead: &'static str,
}

const OWNERS: &[Owner] = &[
    Owner {
        package: "sea-orm",
        // The migration crate hands it on under this name.
        places: &["engine/src/store/", "engine/src/store.rs", "migrations/"],
        instead: "ask the store; a host's connection is `rejoinder_engine::DatabaseConnection`",
    },
    Owner {
        package: "sea-orm-migration",
        places: &["migrations/"],
        instead: "write a migration",
    },
    Owner {
        package: "sqlx",
        places: &["engine/src/store/", "engine/src/store.rs"],
        instead: "ask the store",
    },
    Owner {
        package: "rhai",
        places: &["engine/src/script/", "engine/src/script.rs"],
        instead: "let `engine/src/script` convert it to plain data",
    },
    Owner {
        package: "warp",
        places: &["server/"],
        instead: "leave HTTP to the server",
    },
    Owner {
        package: "reqwest",
        places: &["adapters/src/http.rs", "adapters/src/http/"],
        instead: "use `crate::http`; re-export there what a signature needs",
    },
    Owner {
        package: "aes-gcm",
        places: &["engine/src/crypto.rs", "engine/src/crypto/"],
        instead: "use the vault of `engine/src/crypto.rs`",
    },
    Owner {
        package: "cron",
        places: &["engine/src/domain/occurrence.rs"],
        instead: "use `CronLine` of `engine/src/domain/occurrence.rs`",
    },
];

#[test]
fn a_large_dependency_has_one_owner() {
    let mut found = Vec::new();
    for file in rust()
        .iter()
        .filter(|file| !file.path.starts_with("tests/"))
    {
        let code = file.code();
        for owner in OWNERS {
            if owner
                .places
                .iter()
                .any(|place| file.path.starts_with(place))
            {
                continue;
            }
            for line in code::lines_using(&code, &owner.package.replace('-', "_")) {
                found.push(format!(
                    "{}:{line} names {}: {}",
                    file.path, owner.package, owner.instead
                ));
            }
        }
    }
    expect_none(
        &found,
        "Only its owner names a large dependency, so that it can be replaced in one place.",
    );
}

#[test]
fn only_the_owners_crate_depends_on_a_large_dependency() {
    let mut found = Vec::new();
    for manifest in manifests().iter().filter(|it| it.folder != "tests") {
        let folder = format!("{}/", manifest.folder);
        for dependency in &manifest.dependencies {
            let owner = OWNERS.iter().find(|owner| owner.package == dependency.name);
            if let Some(owner) = owner
                && !owner.places.iter().any(|place| place.starts_with(&folder))
            {
                found.push(format!(
                    "{folder}Cargo.toml lists {}: {}",
                    owner.package, owner.instead
                ));
            }
        }
    }
    expect_none(
        &found,
        "Only its owner's crate depends on a large dependency: take the line out.",
    );
}

#[test]
fn the_store_lets_one_name_of_the_database_out() {
    let mut found = Vec::new();
    for file in rust()
        .iter()
        .filter(|file| file.path.starts_with("engine/src/store"))
    {
        let lines = code::lines_of(&file.code(), "sea_orm", |before, _| {
            before.ends_with("pub use ")
        });
        found.extend(lines.iter().map(|line| format!("{}:{line}", file.path)));
    }
    if found.len() <= 1 {
        found.clear();
    }
    expect_none(
        &found,
        "The store re-exports `DatabaseConnection` for the host, once, and nothing else of sea-orm.",
    );
}
