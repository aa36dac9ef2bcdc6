//! What people type wrong at the command line: each is told in one line, with what to do, and nothing was done.

use std::io::Write;
use std::process::Stdio;

use crate::commands::{command, complains, folder, key};

#[test]
fn an_unknown_location_and_a_bad_script_are_told() {
    let folder = folder();
    let key = key(&folder);
    let run = |words: &[&str]| {
        command(&folder, words)
            .env("REJOINDER_KEYS", &key)
            .output()
            .expect("it runs")
    };
    complains(&run(&["location", "list"]), &["rejoinder migrate"]);
    assert!(run(&["migrate"]).status.success());
    assert!(
        run(&["location", "create", "--name", "A", "--time-zone", "UTC"])
            .status
            .success()
    );
    complains(
        &run(&["rule", "list", "--location", "Nowhere"]),
        &["Nowhere"],
    );
    complains(
        &run(&[
            "location",
            "create",
            "--name",
            "B",
            "--time-zone",
            "Mars/Base",
        ]),
        &["Mars/Base"],
    );
    std::fs::write(
        folder.path().join("bad.rhai"),
        "fn on_message(chat, message) { chat.reply(greeting); }",
    )
    .expect("written");
    let output = run(&["rule", "create", "--name", "bad", "--publish", "bad.rhai"]);
    complains(&output, &["bad.rhai"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("bad.rhai:1:") && told.contains("greeting"),
        "{told}"
    );
}

#[test]
fn ids_that_are_none_and_secrets_that_swallow_each_other_are_told() {
    let folder = folder();
    let key = key(&folder);
    let run = |words: &str, typed: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let mut command = command(&folder, &words);
        command.env("REJOINDER_KEYS", &key).env("TOKEN", "a-token");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut stdin = child.stdin.take().expect("an input");
        // Who refuses before it reads hears nothing of it.
        let _ = stdin.write_all(typed.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("it ends")
    };
    assert!(run("migrate", "").status.success());
    let odd = run("location create --time-zone UTC --name A\u{1b}]0;x", "");
    complains(&odd, &["without control characters"]);
    assert!(
        run("location create --name A --time-zone UTC", "")
            .status
            .success()
    );
    let create = "channel create --phone +4930901820 --name A";
    for (words, told) in [
        (
            "--provider twilio --account AC123 --credential auth_token=env:TOKEN",
            "'AC123' is no Account SID",
        ),
        (
            "--provider meta --account Loja --key 1 --credential access_token=env:TOKEN",
            "'Loja' is not the id of a WhatsApp business account",
        ),
        (
            "--provider meta --account 2 --key +4930901820 --credential access_token=env:TOKEN",
            "'+4930901820' is not Meta's id of a phone number",
        ),
        (
            "--provider meta --account 2 --key 1 --credential access_token=- --credential app_secret=-",
            "give 'app_secret' as @file or env:VAR",
        ),
    ] {
        complains(&run(&format!("{create} {words}"), "typed"), &[told]);
    }
    let listed = run("channel list", "").stdout;
    assert_eq!(String::from_utf8_lossy(&listed).trim(), "no channels");
}
