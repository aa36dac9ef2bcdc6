//! The program as its operators start it: the demo from end to end, and every mistake answered by one
//! line that says what to do.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rejoinder_adapters::simulator::Simulator;
use tempfile::TempDir;

/// The program that `tests/run` builds.
pub(crate) fn program() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("debug")
        .join("rejoinder");
    assert!(
        path.exists(),
        "{} is not built: run the tests by `tests/run`, or `cargo build` first",
        path.display()
    );
    path
}

/// A folder of its own, without any setting of whoever runs the tests.
pub(crate) fn command(folder: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .env_clear()
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .args(words);
    command
}

pub(crate) fn key(folder: &TempDir) -> String {
    let output = command(folder, &["keys", "generate"])
        .output()
        .expect("it runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// What a mistake looks like: no success, and one line on standard error.
pub(crate) fn complains(output: &Output, words: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it should have failed: {told}");
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("rejoinder: "))
        .collect();
    assert_eq!(lines.len(), 1, "one line says what is wrong: {told}");
    for word in words {
        assert!(lines[0].contains(word), "'{word}' is not in: {}", lines[0]);
    }
    assert!(
        !told.contains("panicked") && !told.contains("stack backtrace"),
        "{told}"
    );
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_demo_plays_to_its_end_and_fits_eighty_columns() {
    let output = command(&folder(), &["demo"]).output().expect("it runs");
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(
        output.status.success(),
        "{shown}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(
            !line.contains('\u{1b}'),
            "no colour where nobody looks: {line}"
        );
    }
    for told in [
        "prices start at",
        "answered once",
        "[1] ",
        "falls silent",
        "(template viewing_reminder: Ada)",
    ] {
        assert!(shown.contains(told), "'{told}' is not in:\n{shown}");
    }
}

#[test]
fn nothing_starts_without_the_right_key() {
    let folder = folder();
    complains(
        &command(&folder, &["serve"]).output().expect("it runs"),
        &["keys generate"],
    );
    let (first, second) = (key(&folder), key(&folder));
    let migrated = command(&folder, &["migrate"])
        .env("REJOINDER_KEYS", &first)
        .output()
        .expect("it runs");
    assert!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    let listed = command(&folder, &["location", "list"])
        .env("REJOINDER_KEYS", &first)
        .output()
        .expect("it runs");
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let wrong = command(&folder, &["location", "list"])
        .env("REJOINDER_KEYS", &second)
        .output()
        .expect("it runs");
    complains(
        &wrong,
        &[
            "not the one this database was sealed with",
            "put the right key back",
        ],
    );
    let half = command(&folder, &["serve"])
        .env("REJOINDER_KEYS", "k1:AAAA")
        .output()
        .expect("it runs");
    complains(&half, &["32 bytes"]);
}

#[test]
fn a_setting_that_is_none_is_told_with_the_one_meant() {
    let folder = folder();
    std::fs::write(
        folder.path().join("rejoinder.toml"),
        "listn = \"127.0.0.1:0\"\n",
    )
    .expect("written");
    let output = command(&folder, &["serve"])
        .env("REJOINDER_KEYS", key(&folder))
        .output()
        .expect("it runs");
    complains(&output, &["listn", "listen"]);
}

#[test]
fn a_port_in_use_is_told_with_what_to_do() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = command(&folder, &["serve", "--listen", &address])
        .env("REJOINDER_KEYS", key(&folder))
        .output()
        .expect("it runs");
    complains(&output, &[&address, "--listen"]);
}

#[test]
fn a_database_that_cannot_be_written_is_told_with_what_to_do() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").expect("written");
    let output = command(&folder, &["serve", "--database", "sqlite:file/inside/x.db"])
        .env("REJOINDER_KEYS", key(&folder))
        .output()
        .expect("it runs");
    complains(&output, &["file/inside"]);
}

#[test]
fn the_address_that_a_provider_is_given_is_whole() {
    let folder = folder();
    let key = key(&folder);
    let run = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let output = command(&folder, &words)
            .env("REJOINDER_KEYS", &key)
            .env("REJOINDER_PUBLIC_URL", "https://rejoinder.example")
            .env("TOKEN", "a-token")
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).expect("text")
    };
    run("migrate");
    run("location create --name A --time-zone UTC");
    for (words, head, end) in [
        (
            "--provider twilio --account AC0a1b2c3d4e5f60718293a4b5c6d7e8f9 --credential auth_token=env:TOKEN",
            "https://rejoinder.example/api/webhooks/twilio/chn_",
            "#rc=3&rp=all&ct=3000&rt=5000\"",
        ),
        (
            "--provider meta --account 215589313241560883 --key 1068 --credential access_token=env:TOKEN",
            "https://rejoinder.example/api/webhooks/whatsapp/chn_",
            "\"",
        ),
    ] {
        let created = run(&format!(
            "--json channel create {words} --phone +4930901820 --name A"
        ));
        let address = created
            .split_once("\"webhook_url\": \"")
            .or_else(|| created.split_once("\"webhook_url\":\""));
        let (_, address) = address.unwrap_or_else(|| panic!("no address in {created}"));
        let id = address
            .strip_prefix(head)
            .unwrap_or_else(|| panic!("{address}"));
        let after = id.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        assert!(after.starts_with(end), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_synced_told_listed_and_forgotten() {
    let simulator = Simulator::start().await.expect("a free port");
    let number = crate::world::number("106853218861309", "4930901820");
    let _ = simulator.meta_number(number.clone());
    let offer = crate::templates::listed("offer", "pt_BR", "PAUSED", "{{1}} {{2}}");
    simulator.meta_template(&number.waba_id, offer);
    let folder = folder();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write(
        "rejoinder.toml",
        &format!("[meta]\nbase_url = \"{}\"\n", simulator.base_url()),
    );
    write("token", number.access_token.as_deref().expect("a token"));
    let key = key(&folder);
    let run = |words: &[&str]| {
        command(&folder, words)
            .env("REJOINDER_KEYS", &key)
            .output()
            .expect("it runs")
    };
    let shows = |words: &[&str]| {
        let output = run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).expect("text")
    };
    shows(&["migrate"]);
    shows(&["location", "create", "--name", "A", "--time-zone", "UTC"]);
    let list = ["template", "list"];
    assert!(shows(&list).contains("rejoinder template sync"));
    complains(&run(&["template", "sync"]), &["no enabled channel"]);
    let channel = [
        "channel",
        "create",
        "--provider",
        "meta",
        "--account",
        &number.waba_id,
        "--key",
        &number.phone_number_id,
        "--phone",
        "+4930901820",
        "--name",
        "shop",
        "--credential",
        "access_token=@token",
    ];
    shows(&channel);
    let synced = shows(&["template", "sync"]);
    assert!(synced.contains(&number.waba_id), "{synced}");
    let listed = shows(&list);
    assert!(
        listed.contains("offer") && listed.contains("paused"),
        "{listed}"
    );

    write(
        "more.json",
        r#"[{"name": "hello", "language": "en"},
            {"name": "hello", "language": "de", "parameters": ["name"], "header": "image"}]"#,
    );
    shows(&["template", "add", "more.json"]);
    let listed = shows(&list);
    assert_eq!(listed.matches("hello").count(), 2, "{listed}");
    shows(&["template", "remove", "hello", "--language", "de"]);
    assert_eq!(shows(&list).matches("hello").count(), 1);
    complains(
        &run(&["template", "remove", "hello", "--language", "de"]),
        &["hello", "template list"],
    );
    write(
        "odd.json",
        r#"[{"name": "a", "language": "en", "params": 2}]"#,
    );
    complains(
        &run(&["template", "add", "odd.json"]),
        &["odd.json", "template 1", "params"],
    );
    simulator.revoke_meta(number.access_token.as_deref().expect("a token"));
    complains(&run(&["template", "sync"]), &[&number.waba_id, "stays"]);
    assert!(shows(&list).contains("hello"), "what was known is left");
    simulator.shutdown().await;
}

#[test]
fn the_reference_is_at_hand_without_settings_or_database() {
    let folder = folder();
    let shown = |words: &[&str]| {
        let output = command(&folder, words).output().expect("it runs");
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let everything = shown(&["docs"]);
    assert!(everything.contains("chat.reply(") && everything.contains("Following up\n===="));
    let reply = shown(&["docs", "chat.reply"]);
    assert!(reply.starts_with("chat.reply(") && !reply.contains("chat.send("));
    let customer = shown(&["docs", "contact", "--format", "markdown"]);
    assert!(customer.contains("### `chat.contact.tag(tag: text)`"));
    let json: serde_json::Value =
        serde_json::from_str(&shown(&["docs", "on_message", "--json"])).expect("JSON");
    assert_eq!(json["entries"][0]["parameters"][1]["type"], "message");
    assert!(shown(&["docs", "--format", "rhai"]).starts_with("// What rules"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("it").count(), 0);

    let unknown = command(&folder, &["docs", "replay"]).output();
    complains(&unknown.expect("it runs"), &["did you mean reply?"]);
}

#[test]
fn scripts_in_files_are_checked_without_settings_or_database() {
    let folder = folder();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a place to write");
    };
    let check = |words: &[&str]| {
        let words = [&["check"], words].concat();
        command(&folder, &words).output().expect("it runs")
    };
    complains(&check(&[]), &["no scripts here"]);
    complains(&check(&["nowhere.rhai"]), &["nowhere.rhai"]);

    write(
        "price.rhai",
        "fn on_message(chat, message) {\n\tchat.if_silent(\"2d\", \"nugde\");\n\tchat.reply(chat.location.vars.phnoe);\n}\n\nfn nudge(chat) {}\n",
    );
    write(
        "price.test.rhai",
        "fn test_something() { customer(\"Ada\"); }",
    );
    let output = check(&["price.rhai"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        shown,
        "price.rhai:2:23: error: there is no function nugde; did you mean \"nudge\"?\n     \
         chat.if_silent(\"2d\", \"nugde\");\n                          ^^^^^^^\n"
    );
    complains(&output, &["1 script: 1 error"]);

    // With a business beside them, its names count.
    write("location.toml", "[vars]\nphone = '+49 30 1'");
    let json: serde_json::Value = serde_json::from_slice(&check(&["--json"]).stdout).expect("JSON");
    assert_eq!(json["errors"], 2, "{json}");
    let files = json["files"].as_array().expect("files");
    assert_eq!(files.len(), 2, "the tests read as well: {json}");
    assert_eq!(files[0]["diagnostics"][1]["end_column"], 37, "{json}");

    write(
        "price.rhai",
        "fn on_message(chat, message) { chat.after(\"2d\", \"nudge\"); }\nfn nudge(chat) { chat.reply(\"Hi\"); }\n",
    );
    write("price.test.rhai", "fn test_something( {");
    complains(&check(&[]), &["2 scripts: 1 error, 1 warning"]);
    std::fs::remove_file(folder.path().join("price.test.rhai")).expect("it is there");
    let output = check(&[]);
    assert!(output.status.success(), "a warning is no error: {output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("price.rhai:2:23: warning: 2d later"));
    complains(&check(&["--strict"]), &["1 script: 1 warning"]);
    write("location.toml", "phnoe = 1");
    complains(&check(&[]), &["location.toml", "phnoe"]);
}

#[test]
fn our_own_scripts_pass_the_strict_check() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts");
    let output = command(&folder(), &["check", "--strict", scripts]).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{output:?}");
}
