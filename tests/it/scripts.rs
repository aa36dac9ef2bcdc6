//! The rules of `scripts/`: each has tests beside it, and they pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rejoinder_engine::simulate::{Source, Suite, Workshop};
use rejoinder_server::{surroundings, workshop};

/// The folder of the rules.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts")
}

/// The rules, in alphabetical order.
fn rules() -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).expect("the folder");
    let mut rules: Vec<PathBuf> = files
        .map(|entry| entry.expect("a file").path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".rhai") && !name.ends_with(".test.rhai") && !name.ends_with(".d.rhai")
        })
        .collect();
    rules.sort();
    rules
}

/// The tests of a rule.
fn suite(workshop: &Workshop, rule: &Path) -> Suite {
    let tests = rule.with_extension("test.rhai");
    let source = |path: &Path| Source {
        name: path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned(),
        text: fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    let business = surroundings::of_folder(&folder()).expect("the business reads");
    let beside = Arc::new(|name: &str| fs::read_to_string(folder().join(name)).ok());
    Suite::new(workshop, business, source(rule), source(&tests), beside).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[tokio::test]
async fn every_rule_has_tests_and_they_pass() {
    let workshop = workshop::workshop();
    let rules = rules();
    assert!(!rules.is_empty(), "no rules");
    let mut failures = Vec::new();
    for rule in rules {
        let suite = suite(&workshop, &rule);
        for test in suite.tests() {
            let report = suite.run(test);
            failures.extend(report.failure.map(|failure| format!("{test}: {failure}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test]
async fn the_test_of_the_price_rule_is_that_of_the_contract() {
    let text = fs::read_to_string(folder().join("price.test.rhai")).expect("the test");
    let contract = r#"fn test_a_price_question_is_answered_and_nudged() {
    let customer = customer("Ada");
    customer.says("What is the PRICE?");
    customer.receives("prices start at");
    wait("2d");
    customer.receives(template("viewing_reminder"));
}
"#;
    assert!(text.starts_with(contract), "{text}");
}

#[tokio::test]
async fn a_test_repeats_byte_for_byte() {
    let workshop = workshop::workshop();
    let rule = Source {
        name: "dice.rhai".into(),
        text: r#"fn on_message(chat, message) {
                chat.reply(`${random(1, 1000000)} for ${message.id}`);
                chat.after(`${random(1, 48)}h`, "later");
            }
            fn later(chat) { chat.reply(`${random()}`, template("later", [`${random()}`])); }"#
            .into(),
    };
    let tests = Source {
        name: "dice.test.rhai".into(),
        text: r#"fn test_dice() {
                for name in ["Ada", "Ben", "Cleo"] { customer(name).says("roll"); }
                fail_next_send("temporary");
                wait("3d");
                assert(false, "so that the story is told");
            }"#
        .into(),
    };
    let suite = Suite::new(
        &workshop,
        Default::default(),
        rule,
        tests,
        Arc::new(|_| None),
    );
    let suite = suite.expect("no mistakes");
    let story = || suite.run("test_dice").failure.expect("it fails").story;
    let first = story();
    assert!(first.contains("template later"), "{first}");
    for _ in 0..3 {
        assert_eq!(story(), first);
    }
}
