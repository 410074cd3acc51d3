//! One line of the table, and the verdict over all of them.

use serde_json::{Value, json};
use signer_terminal::{Style, clean};

/// What was expected, what was found, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The rule.
    pub name: &'static str,
    /// What it asks for.
    pub expected: String,
    /// What was found. Harmless to print.
    pub actual: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It matters, and there was nothing to compare with.
    NotChecked,
    /// Shown, not judged.
    Shown,
}

/// What came of all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that matters was checked and holds.
    Match,
    /// Something does not hold.
    Mismatch,
    /// Nothing is wrong, and something was not checked.
    Incomplete,
}

impl Check {
    /// Compares two values.
    pub fn equal(name: &'static str, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        let (expected, actual) = (expected.into(), actual.into());
        let verdict = if expected == actual { Verdict::Pass } else { Verdict::Fail };
        Self::new(name, expected, actual, verdict)
    }

    /// A rule that holds.
    pub fn pass(name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self::equal(name, value.clone(), value)
    }

    /// A rule that does not hold.
    pub fn fail(name: &'static str, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::new(name, expected, actual, Verdict::Fail)
    }

    /// A rule that nothing was there to judge by.
    pub fn not_checked(name: &'static str, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::new(name, expected, actual, Verdict::NotChecked)
    }

    /// A value that is only shown.
    pub fn shown(name: &'static str, actual: impl Into<String>) -> Self {
        Self::new(name, "-", actual, Verdict::Shown)
    }

    /// With a verdict that was found elsewhere.
    pub fn new(
        name: &'static str,
        expected: impl Into<String>,
        actual: impl Into<String>,
        verdict: Verdict,
    ) -> Self {
        Self { name, expected: clean(&expected.into()), actual: clean(&actual.into()), verdict }
    }

    /// Whether the rule does not hold.
    pub fn fails(&self) -> bool {
        self.verdict == Verdict::Fail
    }

    pub(super) fn lines(&self, style: Style) -> String {
        let name = format!("{:16}", self.name);
        match self.verdict {
            Verdict::Pass if self.expected == self.actual => {
                format!("{}    {name}  {}", style.good("ok"), self.actual)
            }
            Verdict::Pass => format!("{}    {name}  {} ({})", style.good("ok"), self.actual, self.expected),
            Verdict::Fail => format!(
                "{}  {}  expected {}\n      {:16}  actual   {}",
                style.bad("FAIL"),
                style.bad(&name),
                self.expected,
                "",
                self.actual
            ),
            Verdict::NotChecked => {
                format!("{}     {name}  {} (expected: {})", style.caution("?"), self.actual, self.expected)
            }
            Verdict::Shown => format!("-     {name}  {}", self.actual),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "check": self.name,
            "expected": self.expected,
            "actual": self.actual,
            "verdict": match self.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                Verdict::NotChecked => "not_checked",
                Verdict::Shown => "shown",
            },
        })
    }
}

impl Outcome {
    /// One deviation is a mismatch; one gap leaves the rest undecided.
    pub fn of(checks: &[Check]) -> Self {
        let any = |verdict| checks.iter().any(|check| check.verdict == verdict);
        match (any(Verdict::Fail), any(Verdict::NotChecked)) {
            (true, _) => Self::Mismatch,
            (false, true) => Self::Incomplete,
            (false, false) => Self::Match,
        }
    }

    /// The name that programs see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::Incomplete => "incomplete",
        }
    }
}
