//! What is wrong with a member, and where.

use std::{collections::HashSet, fmt::Display, hash::Hash};

use serde::{Deserialize, Deserializer};

use super::BundleError;

/// What a list that is there must not be.
const EMPTY: &str = "is empty, so the rule could never match; leave it out to match everything";

/// A member whose value cannot be.
#[derive(Debug)]
pub(super) struct Problem {
    path: String,
    problem: String,
}

/// Whether a member can be what it is.
pub(super) type Check = Result<(), Problem>;

impl Problem {
    /// About the member `path` of what is being checked.
    pub(super) fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }

    /// As seen from what has it under `member`.
    pub(super) fn within(self, member: impl Display) -> Self {
        let path = if self.path.is_empty() { member.to_string() } else { format!("{member}.{}", self.path) };
        Self { path, ..self }
    }
}

impl From<Problem> for BundleError {
    fn from(problem: Problem) -> Self {
        Self::Field { field: problem.path, problem: problem.problem }
    }
}

/// At most `most` entries.
pub(super) fn bounded(name: &str, length: usize, most: usize) -> Check {
    if length > most {
        Err(Problem::at(name, format!("has {length} entries, more than {most}")))
    } else {
        Ok(())
    }
}

/// A list that may be absent, but is neither empty nor longer than `most`.
pub(super) fn listed<T>(name: &str, list: Option<&Vec<T>>, most: usize) -> Check {
    match list {
        Some(list) if list.is_empty() => Err(Problem::at(name, EMPTY)),
        Some(list) => bounded(name, list.len(), most),
        None => Ok(()),
    }
}

/// No entry twice.
pub(super) fn distinct<T: Hash + Eq + Display>(name: &str, entries: impl Iterator<Item = T>) -> Check {
    let mut seen = HashSet::new();
    for entry in entries {
        if let Some(entry) = seen.replace(entry) {
            return Err(Problem::at(name, format!("{entry} appears twice")));
        }
    }
    Ok(())
}

/// A text of at most `most` bytes.
pub(super) fn short(name: &str, text: &str, most: usize) -> Check {
    if text.len() > most { Err(Problem::at(name, format!("is longer than {most} bytes"))) } else { Ok(()) }
}

/// Reads a member that is absent or has a value: `null` is neither.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
