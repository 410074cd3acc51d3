//! Why a command did not do what it was asked, and what to do about it.

use serde_json::{Value, json};

/// The operation failed, or a check did not hold.
pub const EXIT_FAILED: u8 = 1;
/// Wrong usage; for `attest` also: could not be checked.
pub const EXIT_USAGE: u8 = 2;

/// An error for a person: what happened, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    hint: Option<String>,
    /// Problem details of the server, for programs.
    problem: Option<Value>,
    exit: u8,
}

impl Failure {
    /// The operation failed.
    #[expect(clippy::needless_pass_by_value, reason = "so that it can stand in map_err")]
    pub fn new(message: impl ToString) -> Self {
        Self { message: message.to_string(), hint: None, problem: None, exit: EXIT_FAILED }
    }

    /// The command line cannot be followed.
    pub fn usage(message: impl ToString) -> Self {
        Self::new(message).with_exit(EXIT_USAGE)
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the server's problem details.
    pub fn with_problem(mut self, problem: Value) -> Self {
        self.problem = Some(problem);
        self
    }

    /// Changes the exit status.
    pub fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// The exit status.
    pub fn exit(&self) -> u8 {
        self.exit
    }

    /// What to do.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        json!({ "error": { "message": self.message, "hint": self.hint, "problem": self.problem } })
    }
}
