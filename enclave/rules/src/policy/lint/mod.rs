//! What is odd about a bundle though it is valid: rules that decide nothing, and rules that allow more than they seem to.

mod leaf;
mod never;
mod overlap;
#[cfg(test)]
mod tests;
mod unused;
mod wide;

use std::fmt;

use serde::Serialize;

use crate::{
    bundle::{Bundle, Client, Rule},
    name::Name,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is there for nothing.
    Note,
    /// It is allowed what people rarely mean to allow, or something has no effect.
    Warning,
    /// A rule cannot do what it says.
    Error,
}

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// How bad it is.
    pub severity: Severity,
    /// The rule that it is about; `None`: the bundle.
    pub rule: Option<Name>,
    /// What it is, and what to do.
    pub message: String,
}

/// Everything odd about a bundle, which must be valid: first what is about rules, in their order.
pub fn lint(bundle: &Bundle) -> Vec<Lint> {
    let mut lints = Lints { bundle, rule: None, found: Vec::new() };
    let mut twins = overlap::Twins::default();
    let denials = overlap::Denials::of(bundle);
    for rule in &bundle.rules {
        lints.rule = Some(&rule.id);
        never::check(rule, &mut lints);
        leaf::check(rule, &mut lints);
        wide::check(rule, &mut lints);
        denials.check(rule, &mut lints);
        twins.check(rule, &mut lints);
    }
    lints.rule = None;
    unused::check(&mut lints);
    lints.found
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}: rule {rule} {}", self.severity, self.message),
            None => write!(f, "{}: {}", self.severity, self.message),
        }
    }
}

/// What was found so far.
struct Lints<'a> {
    bundle: &'a Bundle,
    rule: Option<&'a Name>,
    found: Vec<Lint>,
}

impl Lints<'_> {
    fn error(&mut self, message: impl Into<String>) {
        self.add(Severity::Error, message.into());
    }

    fn warn(&mut self, message: impl Into<String>) {
        self.add(Severity::Warning, message.into());
    }

    fn note(&mut self, message: impl Into<String>) {
        self.add(Severity::Note, message.into());
    }

    fn add(&mut self, severity: Severity, message: String) {
        self.found.push(Lint { severity, rule: self.rule.cloned(), message });
    }
}

/// Whether a rule is about a client.
fn concerns(rule: &Rule, client: &Client) -> bool {
    rule.clients.as_ref().is_none_or(|clients| clients.contains(&client.id))
        && rule.roles.as_ref().is_none_or(|roles| client.roles.iter().any(|role| roles.contains(role)))
}
