//! What the documents say to type works, and answers as they show.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use signer_tests::stack::{Stack, binary};

fn read(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The fenced blocks of a document in a language, each with the block of JSON that follows it, if
/// that comes next.
fn blocks(document: &str, language: &str) -> Vec<(String, Option<String>)> {
    let mut parts = document.split("```").skip(1).step_by(2).peekable();
    let mut found = Vec::new();
    while let Some(block) = parts.next() {
        let Some(body) = block.strip_prefix(&format!("{language}\n")) else { continue };
        let answer = parts.peek().and_then(|next| next.strip_prefix("json\n")).map(str::to_owned);
        found.push((body.to_owned(), answer));
    }
    found
}

fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_commands_answer_as_shown() {
    let stack = Stack::start_ready().await;
    assert_eq!(stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await.status, 201);
    let mut ran = 0;
    let documents = read("README.md") + &read("docs/json-rpc.md");
    for (block, answer) in blocks(&documents, "sh") {
        for line in block.lines().filter(|line| !line.is_empty()) {
            let Some(script) = line.strip_prefix("scripts/") else {
                assert!(line.starts_with("curl "), "{line}");
                let command = line.replace("127.0.0.1:8080", &stack.address());
                let output = Command::new("sh").arg("-c").arg(&command).output().expect("a shell");
                if output.status.code() == Some(127) {
                    println!("skipped: curl is not here");
                    return;
                }
                let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                let shown: Value = serde_json::from_str(answer.as_deref().expect("an answer")).expect("JSON");
                assert_eq!(members(&found), members(&shown), "{line}: {found}");
                ran += 1;
                continue;
            };
            let script = format!("../scripts/{}", script.split_whitespace().next().unwrap_or_default());
            assert!(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script).is_file(), "{line}");
        }
    }
    assert_eq!(ran, 4);
}

#[test]
fn the_operators_commands_exist_with_their_flags() {
    let mut checked = 0;
    for (block, _) in blocks(&read("docs/operations.md"), "sh") {
        for line in block.lines().filter_map(|line| line.strip_prefix("signerctl ")) {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            let command: Vec<&&str> =
                words.iter().take_while(|word| !word.starts_with('-') && !word.contains('.')).collect();
            let help = Command::new(binary("signerctl")).args(&command).arg("--help").output().expect("runs");
            assert!(help.status.success(), "{line}");
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(*flag), "{line}: {flag} is not in its help");
            }
            checked += 1;
        }
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn every_test_and_mutation_that_security_names_exists() {
    let security = read("SECURITY.md");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hostile_host");
    let tests: String = fs::read_dir(folder)
        .expect("the hostile host")
        .flatten()
        .map(|entry| fs::read_to_string(entry.path()).unwrap_or_default())
        .collect();
    let rows: Vec<Vec<&str>> = security
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && line.matches('|').count() == 5)
        .filter(|line| !line.contains("test (`hostile_…`)"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 20, "{}", rows.len());
    for row in rows {
        for test in row[3].split('`').skip(1).step_by(2) {
            assert!(tests.contains(&format!("fn hostile_{}", test.trim_end_matches('…'))), "{test}");
        }
        for mutation in row[4].split(", ").filter(|name| !name.is_empty()) {
            let patch = format!("mutations/{mutation}.patch");
            assert!(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&patch).is_file(), "{patch}");
        }
    }
}
