//! Policy documents: JSON in, statements out, everything unknown refused.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::condition::Condition;
use crate::kms::error::KmsError;

/// Longest policy that KMS stores.
const LIMIT: usize = 32 * 1024;

/// A policy in force.
#[derive(Clone, Debug)]
pub(in crate::kms) struct Policy {
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) allows: bool,
    pub(super) principals: Negatable<PrincipalPattern>,
    pub(super) actions: Negatable<String>,
    pub(super) resources: Vec<String>,
    pub(super) conditions: Vec<Condition>,
}

/// A list, or everything but a list (`NotPrincipal`, `NotAction`).
#[derive(Clone, Debug)]
pub(super) struct Negatable<T> {
    pub(super) negated: bool,
    pub(super) listed: Vec<T>,
}

#[derive(Clone, Debug)]
pub(super) enum PrincipalPattern {
    Everyone,
    /// An ARN or an account number.
    Aws(String),
    /// An AWS service: never a caller here.
    Service,
}

impl Policy {
    /// Parses a policy's text.
    pub(in crate::kms) fn parse(text: &str) -> Result<Self, KmsError> {
        if text.len() > LIMIT {
            return Err(KmsError::validation(format!("The policy is longer than {LIMIT} bytes.")));
        }
        let value =
            serde_json::from_str(text).map_err(|_| KmsError::malformed_policy("The policy is not JSON."))?;
        let policy = object(&value, "the policy")?;
        known(policy, &["Version", "Id", "Statement"], "the policy")?;
        match policy.get("Version").and_then(Value::as_str) {
            Some("2012-10-17" | "2008-10-17") => {}
            _ => return malformed("Version must be 2012-10-17."),
        }
        let statements = match policy.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement) => vec![statement],
            None => return malformed("Statement is missing."),
        };
        let mut ids = BTreeSet::new();
        for id in statements.iter().filter_map(|statement| statement.get("Sid")?.as_str()) {
            if !ids.insert(id) {
                return malformed(format!("Sid {id} is not unique."));
            }
        }
        Ok(Self { statements: statements.into_iter().map(Statement::parse).collect::<Result<_, _>>()? })
    }
}

impl Statement {
    fn parse(value: &Value) -> Result<Self, KmsError> {
        let statement = object(value, "a statement")?;
        let elements =
            ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "Condition"];
        known(statement, &elements, "a statement")?;
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return malformed("Effect must be Allow or Deny."),
        };
        let (negated, principals) = one_of(statement, "Principal", "NotPrincipal")?;
        if negated && allows {
            return malformed("NotPrincipal is for Deny only.");
        }
        let principals = Negatable { negated, listed: parse_principals(principals)? };
        let (negated, actions) = one_of(statement, "Action", "NotAction")?;
        let actions = Negatable { negated, listed: strings(actions, "Action")? };
        if let Some(action) = actions.listed.iter().find(|action| *action != "*" && !is_kms_action(action)) {
            return malformed(format!("{action} is not an action of KMS."));
        }
        let resources = strings(statement.get("Resource").unwrap_or(&Value::Null), "Resource")?;
        let conditions = match statement.get("Condition") {
            Some(conditions) => Condition::parse_all(object(conditions, "Condition")?)?,
            None => Vec::new(),
        };
        Ok(Self { allows, principals, actions, resources, conditions })
    }
}

/// `"*"`, or an object from a kind of principal to one or more of them.
fn parse_principals(value: &Value) -> Result<Vec<PrincipalPattern>, KmsError> {
    if value.as_str() == Some("*") {
        return Ok(vec![PrincipalPattern::Everyone]);
    }
    let mut principals = Vec::new();
    for (kind, names) in object(value, "Principal")? {
        for name in strings(names, "Principal")? {
            principals.push(match kind.as_str() {
                "AWS" if name == "*" => PrincipalPattern::Everyone,
                "AWS" if is_principal(&name) => PrincipalPattern::Aws(name),
                "Service" => PrincipalPattern::Service,
                _ => return malformed(format!("{name} is not a principal.")),
            });
        }
    }
    if principals.is_empty() { malformed("Principal is empty.") } else { Ok(principals) }
}

/// An account number, or an ARN of IAM or STS without wildcards.
fn is_principal(name: &str) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_arn = || {
        let parts: Vec<_> = name.splitn(6, ':').collect();
        matches!(parts[..], ["arn", "aws", "iam" | "sts", "", account, resource]
            if is_account(account) && !resource.is_empty() && !resource.contains(['*', '?']))
    };
    is_account(name) || is_arn()
}

fn is_kms_action(action: &str) -> bool {
    action.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("kms:"))
}

/// Exactly one of an element and its negation, and whether it was the negation.
fn one_of<'a>(
    statement: &'a Map<String, Value>,
    name: &str,
    negation: &str,
) -> Result<(bool, &'a Value), KmsError> {
    match (statement.get(name), statement.get(negation)) {
        (Some(value), None) => Ok((false, value)),
        (None, Some(value)) => Ok((true, value)),
        _ => malformed(format!("A statement has either {name} or {negation}.")),
    }
}

/// A string, or a list of them that is not empty.
pub(super) fn strings(value: &Value, what: &str) -> Result<Vec<String>, KmsError> {
    let list = match value {
        Value::Array(list) if !list.is_empty() => list.as_slice(),
        Value::String(_) | Value::Bool(_) => std::slice::from_ref(value),
        _ => return malformed(format!("{what} must be a string or a list of strings.")),
    };
    list.iter()
        .map(|value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => malformed(format!("{what} must be a string or a list of strings.")),
        })
        .collect()
}

pub(super) fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, KmsError> {
    value.as_object().ok_or_else(|| KmsError::malformed_policy(format!("{what} must be an object.")))
}

fn known(object: &Map<String, Value>, names: &[&str], what: &str) -> Result<(), KmsError> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => malformed(format!("{key} is unknown in {what}.")),
        None => Ok(()),
    }
}

pub(super) fn malformed<T>(message: impl Into<String>) -> Result<T, KmsError> {
    Err(KmsError::malformed_policy(message))
}
