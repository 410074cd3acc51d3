//! Paths to values: through members of structs by name, and through arrays to every element.

use std::fmt;
use std::str::FromStr;

use super::AbiError;
use super::kind::{MAX_NAME, is_name_character};
use crate::chain::facts::{TypedField, TypedValue};

/// The longest path, in bytes.
pub const MAX_PATH: usize = 512;
/// The most steps of a path.
const MAX_STEPS: usize = 64;

/// Where to find values in arguments or in a message: `amount`, `order.recipient`, `path[].token`, `matrix[][]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To the member of this name.
    Member(String),
    /// To each element.
    Each,
}

impl FieldPath {
    /// Reads names separated by `.`, with `[]` after an array for each of its elements.
    pub fn parse(text: &str) -> Result<Self, AbiError> {
        if text.len() > MAX_PATH {
            return Err(AbiError::Path("it is longer than 512 bytes"));
        }
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, arrays) = part.split_at(part.find('[').unwrap_or(part.len()));
            let plain =
                name.chars().all(is_name_character) && !name.starts_with(|c: char| c.is_ascii_digit());
            if !plain || name.is_empty() || name.len() > MAX_NAME {
                return Err(AbiError::Path(
                    "names have 1 to 64 letters, digits, _ and $, and start with no digit",
                ));
            }
            steps.push(Step::Member(name.to_owned()));
            let mut rest = arrays;
            while !rest.is_empty() {
                rest = rest
                    .strip_prefix("[]")
                    .ok_or(AbiError::Path("after an array's name is `[]`, for every element"))?;
                steps.push(Step::Each);
            }
        }
        if steps.len() > MAX_STEPS {
            return Err(AbiError::Path("it has more than 64 steps"));
        }
        Ok(Self(steps))
    }

    /// Calls `found` with every value that the path leads to: none if it leads through an empty array, and `None` for
    /// each place where the path is not there or leads into something that is no struct or array.
    pub fn select<'a>(&self, fields: &'a [TypedField], found: &mut dyn FnMut(Option<&'a TypedValue>)) {
        if let Some((Step::Member(name), rest)) = self.0.split_first() {
            into_member(fields, name, rest, found);
        }
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }
}

fn into_member<'a>(
    fields: &'a [TypedField],
    name: &str,
    rest: &[Step],
    found: &mut dyn FnMut(Option<&'a TypedValue>),
) {
    match fields.iter().find(|field| field.name == name) {
        Some(field) => follow(&field.value, rest, found),
        None => found(None),
    }
}

fn follow<'a>(value: &'a TypedValue, steps: &[Step], found: &mut dyn FnMut(Option<&'a TypedValue>)) {
    match (steps.split_first(), value) {
        (None, value) => found(Some(value)),
        (Some((Step::Member(name), rest)), TypedValue::Struct(fields)) => {
            into_member(fields, name, rest, found);
        }
        (Some((Step::Each, rest)), TypedValue::Array(items)) => {
            for item in items {
                follow(item, rest, found);
            }
        }
        (Some(_), _) => found(None),
    }
}

impl FromStr for FieldPath {
    type Err = AbiError;

    fn from_str(text: &str) -> Result<Self, AbiError> {
        Self::parse(text)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if index == 0 => f.write_str(name)?,
                Step::Member(name) => write!(f, ".{name}")?,
                Step::Each => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}
