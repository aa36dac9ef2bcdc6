//! Who may depend on whom: the crates by their manifests, the engine's modules by their paths.
//! Knows no dependency from outside by name, except those whose defaults we refuse.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::code;
use super::expect_none;
use super::tree::{find, rust};

/// A member of the workspace.
pub(super) struct Manifest {
    pub(super) folder: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a manifest.
pub(super) struct Dependency {
    pub(super) name: String,
    /// The table that holds it: `dependencies`, `dev-dependencies`, `build-dependencies`.
    section: &'static str,
    value: Value,
}

/// The members of the workspace.
pub(super) fn manifests() -> Vec<Manifest> {
    let root = table("Cargo.toml");
    let members = root["workspace"]["members"].as_array().expect("a list");
    let folders = members.iter().map(|it| it.as_str().expect("a folder"));
    folders
        .map(|folder| Manifest {
            folder: folder.to_owned(),
            dependencies: dependencies(&table(&format!("{folder}/Cargo.toml"))),
        })
        .collect()
}

fn table(path: &str) -> Table {
    let text = find(path).unwrap_or_else(|| panic!("{path} is missing"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Also those for one platform only.
fn dependencies(manifest: &Table) -> Vec<Dependency> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table());
    let mut all = Vec::new();
    for table in tables.chain([manifest]) {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let lines = table.get(section).and_then(Value::as_table);
            all.extend(lines.into_iter().flatten().map(|(name, value)| Dependency {
                name: name.clone(),
                section,
                value: value.clone(),
            }));
        }
    }
    all
}

/// What a crate may use of ours.
struct Arrows {
    folder: &'static str,
    uses: &'static [&'static str],
    /// More, in its own tests.
    tests_use: &'static [&'static str],
}

const ENGINE: &str = "rejoinder-engine";
const ADAPTERS: &str = "rejoinder-adapters";
const MIGRATIONS: &str = "rejoinder-migrations";
const UI: &str = "rejoinder-ui";
const SERVER: &str = "rejoinder";

const ARROWS: &[Arrows] = &[
    Arrows {
        folder: "migrations",
        uses: &[],
        tests_use: &[],
    },
    Arrows {
        folder: "engine",
        uses: &[],
        tests_use: &[MIGRATIONS],
    },
    Arrows {
        folder: "adapters",
        uses: &[ENGINE],
        tests_use: &[],
    },
    Arrows {
        folder: "server/ui",
        uses: &[],
        tests_use: &[],
    },
    Arrows {
        folder: "server",
        uses: &[ADAPTERS, ENGINE, MIGRATIONS, UI],
        tests_use: &[],
    },
    Arrows {
        folder: "tests",
        // What is fuzzed is a library, because `cargo fuzz` asks for it from outside; and the program with its
        // deliberate mistakes is one that tests start.
        uses: &[ADAPTERS, ENGINE, SERVER],
        tests_use: &[ADAPTERS, MIGRATIONS, UI],
    },
];

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let mut found = Vec::new();
    for manifest in manifests() {
        let folder = &manifest.folder;
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.folder == folder) else {
            found.push(format!("{folder} is new: draw its arrows in ARROWS"));
            continue;
        };
        for dependency in manifest.dependencies {
            let name = dependency.name.as_str();
            let ours = name == SERVER || name.starts_with("rejoinder-");
            let in_tests = dependency.section == "dev-dependencies";
            let drawn =
                arrows.uses.contains(&name) || (in_tests && arrows.tests_use.contains(&name));
            if ours && !drawn {
                found.push(format!(
                    "{folder}/Cargo.toml: {} {name}",
                    dependency.section
                ));
            }
        }
    }
    expect_none(
        &found,
        "The arrows between our crates are drawn in ARCHITECTURE.md: move the code to the crate that may see it.",
    );
}

#[test]
fn a_version_is_written_once() {
    let mut found = Vec::new();
    for manifest in manifests() {
        for dependency in manifest.dependencies {
            let value = dependency.value.as_table();
            let inherited = value
                .and_then(|value| value.get("workspace"))
                .and_then(Value::as_bool);
            // Cargo ignores or refuses the rest beside `workspace`, or it would differ between crates.
            let plain = value.is_some_and(|value| {
                let keys = ["workspace", "features", "optional"];
                value.keys().all(|key| keys.contains(&key.as_str()))
            });
            if inherited != Some(true) || !plain {
                found.push(format!(
                    "{}/Cargo.toml: {}",
                    manifest.folder, dependency.name
                ));
            }
        }
    }
    expect_none(
        &found,
        "Put version and default features into [workspace.dependencies]; a member says `name.workspace = true`.",
    );
}

/// Their defaults bring a second TLS, a second runtime, a command line or features that scripts must not have.
const WITHOUT_DEFAULTS: &[&str] = &[
    "reqwest",
    "rhai",
    "rustls",
    "sea-orm",
    "sea-orm-migration",
    "sqlx",
    "tokio",
];

#[test]
fn defaults_that_surprise_are_off() {
    let root = table("Cargo.toml");
    let listed = root["workspace"]["dependencies"]
        .as_table()
        .expect("a table");
    let found: Vec<String> = WITHOUT_DEFAULTS
        .iter()
        .filter_map(|name| Some((name, listed.get(*name)?)))
        .filter(|(_, value)| value.get("default-features") != Some(&Value::Boolean(false)))
        .map(|(name, _)| format!("Cargo.toml: {name}"))
        .collect();
    expect_none(
        &found,
        "Write `default-features = false` and name the features that we need.",
    );
}

/// The engine's modules from the ground up. One may use its own storey and those below.
const STOREYS: &[&[&str]] = &[
    &["domain", "failpoint", "mutant"],
    &["clock", "crypto"],
    &["adapter", "caller", "script", "store"],
    &[
        "breaker", "decide", "gate", "guard", "halt", "lanes", "pace", "refusals", "retry", "rota",
        "unsent",
    ],
    &["setup"],
    &["core"],
    &["accept", "deliver", "request", "schedule"],
    &["sweep", "work"],
    &["engine"],
    &["provision"],
    &["simulate"],
    // Publishing tries a rule in a simulated world, which is set up as any other.
    &["publish"],
    &["lib"],
];

fn storey(module: &str) -> Option<usize> {
    STOREYS.iter().position(|storey| storey.contains(&module))
}

/// The engine's files with the module that each belongs to and the modules that it names.
fn engine_paths() -> Vec<(String, String, Vec<String>)> {
    let mut paths = Vec::new();
    for file in rust() {
        let Some(inner) = file.path.strip_prefix("engine/src/") else {
            continue;
        };
        // Unit tests may look further up than the code.
        if inner.ends_with("/tests.rs") {
            continue;
        }
        let module = inner.split('/').next().unwrap_or(inner);
        let module = module.trim_end_matches(".rs").to_owned();
        let code = file.code();
        let mut named = code::names_after_crate(code::without_tests(&code));
        named.retain(|name| storey(name).is_some() && *name != module);
        paths.push((file.path, module, named));
    }
    paths
}

#[test]
fn the_engine_is_built_from_the_ground_up() {
    let mut found = Vec::new();
    for (path, module, named) in engine_paths() {
        let Some(own) = storey(&module) else {
            found.push(format!("{path}: `{module}` is new, give it a storey"));
            continue;
        };
        let above = named.iter().filter(|name| storey(name) > Some(own));
        found.extend(above.map(|name| format!("{path}: `{module}` is below `{name}`")));
    }
    expect_none(
        &found,
        "A module uses only what is below it (STOREYS): pass the thing in, or move it down.",
    );
}

#[test]
fn no_two_modules_of_the_engine_need_each_other() {
    let mut edges = BTreeSet::new();
    for (_, module, named) in engine_paths() {
        edges.extend(named.into_iter().map(|name| (module.clone(), name)));
    }
    // Whoever uses nothing that is left is in no circle; what stays leads into one.
    loop {
        let users: BTreeSet<String> = edges.iter().map(|(user, _)| user.clone()).collect();
        let before = edges.len();
        edges.retain(|(_, used)| users.contains(used));
        if edges.len() == before {
            break;
        }
    }
    let found: Vec<String> = edges
        .iter()
        .map(|(user, used)| format!("`{user}` uses `{used}`"))
        .collect();
    expect_none(
        &found,
        "These modules form a circle: move what they share below both.",
    );
}
