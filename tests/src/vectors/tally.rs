//! How the cases of a suite came out, against how they are expected to.

use std::{collections::BTreeMap, fmt::Display};

use serde_json::{Value, json};

/// The most surprises that are shown of a suite.
const MAX_SHOWN: usize = 10;

/// A kind of refusal: a property of cases, and how many have it.
#[derive(Debug)]
pub struct Refusal {
    /// Its name.
    pub kind: &'static str,
    /// How many cases of the suite are refused for it.
    pub count: usize,
    /// What the rejection must say.
    pub says: &'static str,
    /// Why refusing is right.
    pub why: &'static str,
}

/// The outcome of a suite.
#[derive(Debug)]
pub struct Tally {
    name: &'static str,
    table: &'static [Refusal],
    cases: usize,
    accepted: usize,
    refused: BTreeMap<&'static str, usize>,
    surprises: Vec<String>,
}

impl Tally {
    pub(super) fn new(name: &'static str, table: &'static [Refusal]) -> Self {
        Self { name, table, cases: 0, accepted: 0, refused: BTreeMap::new(), surprises: Vec::new() }
    }

    /// Counts a case. `expected` is the kind of refusal that the case itself calls for; `outcome` is what was made of
    /// it, or why it was refused; `published` is what must be made of it.
    pub(super) fn judge<T: PartialEq>(
        &mut self,
        case: impl Display,
        expected: Option<&'static str>,
        outcome: Result<T, String>,
        published: &T,
    ) {
        self.cases += 1;
        let row = expected.and_then(|kind| self.table.iter().find(|row| row.kind == kind));
        match (outcome, expected, row) {
            (Ok(made), None, _) if made == *published => self.accepted += 1,
            (Ok(made), Some(kind), _) if made == *published => {
                self.surprises.push(format!("{case}: accepted, in spite of: {kind}"));
            }
            (Ok(_), ..) => self.surprises.push(format!("{case}: not what was published")),
            (Err(said), Some(kind), Some(row)) if said.contains(row.says) => {
                *self.refused.entry(kind).or_default() += 1;
            }
            (Err(said), None, _) => {
                self.surprises.push(format!("{case}: refused, and nothing explains it: {said}"));
            }
            (Err(said), Some(kind), _) => {
                self.surprises.push(format!("{case}: refused, but not for {kind}: {said}"));
            }
        }
    }

    /// Whether every case came out as expected, and every count is the table's.
    pub fn passed(&self) -> bool {
        self.surprises.is_empty() && self.miscounts().is_empty()
    }

    /// How many cases were signed as published.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// How many cases there are.
    pub fn cases(&self) -> usize {
        self.cases
    }

    /// The suite's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A paragraph for people.
    pub fn text(&self) -> String {
        let mark = if self.passed() { "ok    " } else { "FAILED" };
        let refused: usize = self.refused.values().sum();
        let mut lines = vec![format!(
            "{mark} {}: {} cases, {} as published, {refused} refused",
            self.name, self.cases, self.accepted
        )];
        lines.extend(
            self.table.iter().map(|row| format!("         {:>4} {}: {}", self.count(row), row.kind, row.why)),
        );
        lines.extend(self.miscounts().into_iter().map(|line| format!("       ! {line}")));
        lines.extend(self.surprises.iter().take(MAX_SHOWN).map(|line| format!("       ! {line}")));
        if let Some(more) = self.surprises.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
            lines.push(format!("       ! and {more} more"));
        }
        lines.join("\n")
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let refused: Vec<Value> = self
            .table
            .iter()
            .map(|row| json!({"kind": row.kind, "count": self.count(row), "expected": row.count, "why": row.why}))
            .collect();
        json!({
            "suite": self.name, "ok": self.passed(), "cases": self.cases, "accepted": self.accepted,
            "refused": refused, "surprises": self.surprises,
        })
    }

    fn count(&self, row: &Refusal) -> usize {
        self.refused.get(row.kind).copied().unwrap_or_default()
    }

    fn miscounts(&self) -> Vec<String> {
        self.table
            .iter()
            .filter(|row| self.count(row) != row.count)
            .map(|row| {
                format!("{}: {} refusals, and the table says {}", row.kind, self.count(row), row.count)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Refusal] = &[Refusal { kind: "odd", count: 1, says: "must be even", why: "a test" }];

    fn tally(expected: Option<&'static str>, outcome: Result<u8, &str>) -> bool {
        let mut tally = Tally::new("test", TABLE);
        tally.judge("the odd one", Some("odd"), Err("n: must be even".to_owned()), &0);
        tally.judge("case", expected, outcome.map_err(str::to_owned), &2);
        tally.passed()
    }

    #[test]
    fn only_what_is_explained_passes() {
        assert!(tally(None, Ok(2)));
        assert!(!tally(None, Ok(3)), "other bytes");
        assert!(!tally(None, Err("must be even")), "an unexplained refusal");
        assert!(!tally(Some("odd"), Ok(2)), "accepted in spite of the table");
        assert!(!tally(Some("odd"), Err("must be green")), "refused for something else");
        assert!(!tally(Some("odd"), Err("must be even")), "one more than the table says");
        assert!(!tally(Some("new"), Err("must be even")), "a kind that is not in the table");
    }
}
