//! Someone with `signerctl` and a folder of keys.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;
use tokio::process::Command;

use super::{Error, report};
use crate::stack::binary;

/// Runs `signerctl` in a folder, and shows the commands if asked to.
#[derive(Debug)]
pub(super) struct Operator {
    who: &'static str,
    folder: PathBuf,
    verbose: bool,
}

impl Operator {
    pub(super) fn new(who: &'static str, folder: PathBuf, verbose: bool) -> Self {
        Self { who, folder, verbose }
    }

    /// A file of this folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<(), Error> {
        Ok(fs::write(self.path(name), content)?)
    }

    /// Runs a command that must succeed; its words are separated by spaces.
    pub(super) async fn run(&self, command: &str) -> Result<Value, Error> {
        let words: Vec<&str> = command.split_whitespace().collect();
        self.run_words(&words).await
    }

    /// Runs a command that may find something wrong. Returns its exit status and what it says.
    pub(super) async fn attempt(&self, command: &str) -> Result<(Option<i32>, Value), Error> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = self.output(&words).await?;
        Ok((output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default()))
    }

    /// Runs a command that must succeed.
    async fn run_words(&self, words: &[&str]) -> Result<Value, Error> {
        outcome(words, &self.output(words).await?)
    }

    async fn output(&self, words: &[&str]) -> Result<Output, Error> {
        if self.verbose {
            report::show_command(self.who, words);
        }
        let output = Command::new(binary("signerctl"))
            .arg("--json")
            .args(words)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .output()
            .await?;
        Ok(output)
    }
}

fn outcome(words: &[&str], output: &Output) -> Result<Value, Error> {
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let answer = String::from_utf8_lossy(&output.stdout);
        let said = format!("{}{}", said, answer.trim_end());
        return Err(format!("signerctl {}: {}\n{said}", words.join(" "), output.status).into());
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("signerctl {}: {error}\n{said}", words.join(" ")).into())
}

/// A text member of a JSON answer.
pub(super) fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, Error> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("no {pointer} in {answer}").into())
}

/// A JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value, Error> {
    let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&content)?)
}
