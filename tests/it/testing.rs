//! The language of tests: its reference's examples run, what fails is told well, and nothing hurts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rejoinder_engine::script::catalog::Entry;
use rejoinder_engine::script::reference::Language;
use rejoinder_engine::simulate::{Business, Mistake, Source, Suite};
use rejoinder_server::workshop;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("failing")
}

async fn suite(rule: &str, tests: &str) -> Result<Suite, Vec<Mistake>> {
    let workshop = workshop::workshop();
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    let beside = Arc::new(|name: &str| fs::read_to_string(folder().join(name)).ok());
    let (rule, tests) = (source("price.rhai", rule), source("price.test.rhai", tests));
    Suite::new(&workshop, Business::default(), rule, tests, beside)
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_default()
}

#[tokio::test]
async fn whoever_reads_a_failure_learns_what_and_why() {
    let suite = suite(&read("price.rhai"), &read("price.test.rhai")).await;
    let suite = suite.expect("no mistakes");
    let mut told = String::new();
    for test in suite.tests() {
        let report = suite.run(test);
        let failure = report.failure.unwrap_or_else(|| panic!("{test} passes"));
        told.push_str(&format!("{test}\n"));
        for line in report.printed {
            told.push_str(&format!("· {line}\n"));
        }
        told.push_str(&format!("{failure}\n\n"));
    }
    #[expect(clippy::disallowed_methods, reason = "the test's own switch")]
    if std::env::var("UPDATE").is_ok() {
        fs::write(folder().join("price.out"), &told).expect("written");
    }
    let expected = read("price.out");
    assert_eq!(told, expected, "if that is right, run with UPDATE=1");
}

/// A rule that does whatever the examples speak of.
const RULE: &str = r#"
fn on_message(chat, message) {
    let text = message.text;
    if text.contains("price") || text.contains("PRICE") {
        log("a question about prices");
        chat.contact.tag("lead");
        chat.contact.attributes.budget = 200000;
        chat.reply(`Hi, prices start at €120,000.`);
        chat.if_silent("2d", "nudge");
    }
    if text == "ask" { chat.reply(buttons("When would you like to come?", ["Monday", "Tuesday"])); }
    if text == "yes or no" { chat.reply(buttons("Shall I?", ["Yes", "No"])); }
    if text == "menu" { chat.reply(list("Which day?", "Choose", ["Monday", "Tuesday"])); }
    if text == "form" { chat.reply(form("Tell us", "Open", "123", #{})); }
    if text == "picture" { chat.reply(image("https://example.com/flat.jpg")); }
    if text == "remind" { chat.send(template("viewing_reminder", ["Ada"])); }
    if text == "human" { chat.hold("12h"); }
    if text == "no more" { chat.contact.opt_out(); }
    if text == "thanks" { message.react("👍"); }
    if text == "boom" { chat.state.n += 1; }
    if text == "later" { chat.after("2d", "blunt"); }
}
fn nudge(chat) { chat.reply("Still interested?", template("viewing_reminder", ["Ada"])); }
fn blunt(chat) { chat.reply("Hello?"); }
"#;

/// What must have happened before an example, and after it.
fn staged(entry: &Entry) -> String {
    let before = match entry.name {
        "taps" | "buttons" | "kind" => "customer.says(\"yes or no\");",
        "picks" => "customer.says(\"menu\");",
        "fills" => "customer.says(\"form\");",
        "url" => "customer.says(\"picture\");",
        "template" | "values" => "customer.says(\"remind\");",
        "text" | "at" | "message_fails" | "reads" | "reacts" | "edits" | "revokes" => {
            "customer.says(\"price\"); customer.says(\"price\");"
        }
        "receives" => {
            "customer.says(\"price\"); customer.says(\"ask\"); customer.says(\"remind\");"
        }
        "misses" => "customer.says(\"later\"); wait(\"2d\");",
        "tags" | "attributes" | "logged" | "logs" => "customer.says(\"price\");",
        "opted_out" => "customer.says(\"no more\");",
        "held" | "held_by" | "assert_eq" => "customer.says(\"human\");",
        "assert" => "customer.says(\"price\"); customer.says(\"human\");",
        "reaction" => "customer.says(\"thanks\");",
        "expects_error" => "customer.says(\"boom\");",
        _ => "",
    };
    let example = entry.example.replace("viewing.rhai", "loud.rhai");
    let example = example.replace("weekly.rhai", "loud.rhai");
    // Where the example makes a customer or begins the world, none is there before it.
    if matches!(
        entry.name,
        "customer" | "start_at" | "rule" | "rule_before" | "location"
    ) {
        return format!("fn test_example() {{\n{example}\n}}");
    }
    format!("fn test_example() {{\nlet customer = customer(\"Ada\");\n{before}\n{example}\n}}")
}

#[tokio::test]
async fn every_example_of_the_reference_passes() {
    let mut failed = Vec::new();
    for entry in Language::Tests.entries() {
        let script = staged(entry);
        let problem = match suite(RULE, &script).await {
            Err(mistakes) => Some(format!("{mistakes:?}")),
            Ok(suite) => suite
                .run("test_example")
                .failure
                .map(|failure| failure.to_string()),
        };
        failed.extend(problem.map(|problem| format!("{}: {problem}\n{script}", entry.signature)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[tokio::test]
async fn tests_with_mistakes_are_not_run() {
    for (tests, part) in [
        ("", "there is no test here"),
        ("fn helper() {}", "there is no test here"),
        (
            "fn test_a(customer) {}",
            "1:4: a test is given nothing: write fn test_a()",
        ),
        ("fn test_a() {} fn test_a() {}", "two functions test_a"),
        (
            "let x = 1; fn test_a() {}",
            "1:1: let cannot stand at the top",
        ),
        (
            "fn test_a() { custoner.says(\"x\"); }",
            "there is no custoner here",
        ),
        ("fn test_a() { customer(\"Ada\" }", "price.test.rhai:1:"),
    ] {
        let mistakes = suite(RULE, tests).await.err().unwrap_or_default();
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|line| line.contains(part)),
            "{tests}: {told:?}"
        );
    }
    let mistakes = suite("fn on_mesage(chat, message) {}", "fn test_a() {}").await;
    let mistakes = mistakes.err().expect("a mistake in the rule");
    assert!(
        mistakes[0]
            .to_string()
            .starts_with("price.rhai:1:4: nothing calls on_mesage")
    );
    // What could not be published is not tested either, though the test never comes there.
    let rule = "fn on_message(chat, message) { if message.text == \"x\" { nudje(chat); } }";
    let mistakes = suite(rule, "fn test_a() { customer(\"Ada\").says(\"y\"); }").await;
    let mistakes = mistakes.err().expect("a mistake in the rule");
    let told = mistakes[0].to_string();
    assert!(told.contains("there is no function nudje"), "{told}");
}

#[tokio::test]
async fn what_arrived_and_was_lost_later_counts_as_missed() {
    let rule = r#"fn on_message(chat, message) { chat.reply("A"); log(chat.state, message.media.url); }
        fn on_status(chat, status) { log(status.kind); }"#;
    let tests = r##"fn test_a() {
        let ada = customer("Ada");
        ada.sends(image("https://example.com/x.jpg"));
        logged("#{} https://example.com/x.jpg");
        ada.receives("A");
        ada.message_fails("unreachable");
        ada.misses("unreachable");
        logged("failed");
        print("a text");
        print(true);
        print(logs().len());
    }"##;
    let report = suite(rule, tests).await.expect("no mistakes").run("test_a");
    assert_eq!(report.failure, None);
    assert_eq!(report.printed, ["a text", "true", "4"]);
}

#[tokio::test]
async fn a_test_that_lasts_too_long_ends() {
    let rule = "every(\"* * * * *\", \"tick\"); fn tick(location) {}";
    let suite = suite(rule, "fn test_years() { wait(\"100w\"); }")
        .await
        .expect("no mistakes");
    let began_at = Instant::now();
    let failure = suite.run("test_years").failure.expect("it is stopped");
    assert!(failure.message.contains("due on the way"), "{failure}");
    assert!(began_at.elapsed() < Duration::from_secs(60));
}
