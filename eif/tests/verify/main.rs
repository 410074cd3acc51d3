//! `signer-eif verify` from outside: the program as an auditor runs it, on documents made under a root of our own and, where
//! the folder with the samples is present, on AWS's.

#[path = "../support/builder.rs"]
#[expect(dead_code, reason = "the unit tests use more of it")]
mod builder;
mod documents;
mod manifest;
mod outcomes;
mod real;
mod refused;
mod scene;
mod url;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use signer_eif::verify::Root;

/// What the program said.
struct Run {
    exit: i32,
    json: Value,
    stderr: String,
}

/// Runs `signer-eif verify --json` with these arguments.
fn verify(arguments: &[String]) -> Run {
    verify_with_input(arguments, b"")
}

fn verify_with_input(arguments: &[String], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signer-eif"))
        .args(["--json", "verify"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Run { exit: output.status.code().unwrap(), json, stderr }
}

impl Run {
    /// Names of the checks with this verdict.
    fn with_verdict(&self, verdict: &str) -> Vec<&str> {
        let checks = self.json["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = checks.iter().filter(|check| check["verdict"] == verdict);
        found.map(|check| check["check"].as_str().unwrap()).collect()
    }

    /// What was found by this check.
    fn actual(&self, name: &str) -> &str {
        let checks = self.json["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name && check["verdict"] != "pass");
        check.map_or("", |check| check["actual"].as_str().unwrap())
    }
}
