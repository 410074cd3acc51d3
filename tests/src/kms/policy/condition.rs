//! Conditions: an operator, a key of the request's context, values to compare with.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use serde_json::{Map, Value};

use super::document::{malformed, object, strings};
use super::evaluate::{Context, matches_pattern};
use crate::kms::error::KmsError;

/// One key of one operator's block.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    operator: Operator,
    /// Lower case: condition keys have none.
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Operator {
    quantifier: Option<Quantifier>,
    test: Test,
    if_exists: bool,
}

/// How a key with many values is tested.
#[derive(Clone, Copy, Debug)]
enum Quantifier {
    ForAllValues,
    ForAnyValue,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Test {
    String { comparison: Comparison, negated: bool },
    Null,
    Bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Like,
}

impl Condition {
    /// Parses a `Condition` element. All of its conditions must hold.
    pub(super) fn parse_all(blocks: &Map<String, Value>) -> Result<Vec<Self>, KmsError> {
        let mut conditions = Vec::new();
        for (name, block) in blocks {
            let operator = Operator::parse(name)?;
            for (key, values) in object(block, name)? {
                let key = key.to_lowercase();
                if !is_known_key(&key) {
                    return malformed(format!("{key} is not a condition key known here."));
                }
                let values = strings(values, &key)?;
                let truth = |value: &String| {
                    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
                };
                if matches!(operator.test, Test::Null | Test::Bool) && !values.iter().all(truth) {
                    return malformed(format!("{name} takes true or false."));
                }
                conditions.push(Self { operator, key, values });
            }
        }
        Ok(conditions)
    }

    /// Whether the condition holds for a request.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let present = context.get(&self.key);
        if self.operator.test == Test::Null {
            let absent = present.is_none().to_string();
            return self.values.iter().any(|value| value.eq_ignore_ascii_case(&absent));
        }
        match (self.operator.quantifier, present) {
            (_, None) if self.operator.if_exists => true,
            (Some(Quantifier::ForAllValues), None) => true,
            (Some(Quantifier::ForAnyValue), None) => false,
            // A negated operator asks that the value is not there, and it is not.
            (None, None) => self.operator.is_negated(),
            (Some(Quantifier::ForAllValues), Some(present)) => {
                present.iter().all(|value| self.accepts(value))
            }
            (Some(Quantifier::ForAnyValue), Some(present)) => present.iter().any(|value| self.accepts(value)),
            (None, Some(present)) if self.operator.is_negated() => {
                present.iter().all(|value| self.accepts(value))
            }
            (None, Some(present)) => present.iter().any(|value| self.accepts(value)),
        }
    }

    /// Whether one value of the request passes: listed, or for a negated operator not listed.
    fn accepts(&self, present: &str) -> bool {
        let (comparison, negated) = match self.operator.test {
            Test::String { comparison, negated } => (comparison, negated),
            Test::Bool | Test::Null => (Comparison::EqualsIgnoreCase, false),
        };
        negated
            != self.values.iter().any(|value| match comparison {
                Comparison::Equals => value == present,
                Comparison::EqualsIgnoreCase => value.to_lowercase() == present.to_lowercase(),
                Comparison::Like => matches_pattern(value, present),
            })
    }
}

impl Operator {
    fn parse(name: &str) -> Result<Self, KmsError> {
        let (quantifier, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            _ => (None, name),
        };
        let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let string = |comparison, negated| Test::String { comparison, negated };
        let test = match rest {
            "StringEquals" => string(Comparison::Equals, false),
            "StringNotEquals" => string(Comparison::Equals, true),
            "StringEqualsIgnoreCase" => string(Comparison::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => string(Comparison::EqualsIgnoreCase, true),
            "StringLike" => string(Comparison::Like, false),
            "StringNotLike" => string(Comparison::Like, true),
            "Bool" => Test::Bool,
            // The two ask whether the key exists: neither may be asked "if it exists", or for each value.
            "Null" if !if_exists && quantifier.is_none() => Test::Null,
            _ => return malformed(format!("{name} is not a condition operator known here.")),
        };
        Ok(Self { quantifier, test, if_exists })
    }

    fn is_negated(self) -> bool {
        matches!(self.test, Test::String { negated: true, .. })
    }
}

fn is_known_key(key: &str) -> bool {
    const KEYS: [&str; 5] = [
        "aws:principalaccount",
        "aws:principalarn",
        "kms:calleraccount",
        "kms:encryptioncontextkeys",
        "kms:recipientattestation:imagesha384",
    ];
    let is_pcr = |text: &str| text.parse::<u8>().is_ok_and(|index| index < 32 && text == index.to_string());
    KEYS.contains(&key)
        || key.strip_prefix("kms:recipientattestation:pcr").is_some_and(is_pcr)
        || key.strip_prefix("kms:encryptioncontext:").is_some_and(|name| !name.is_empty())
}
