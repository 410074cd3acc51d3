//! The JSON of a key policy, in the order in which people read it.

use std::collections::BTreeMap;

use serde::Serialize;

/// A key policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policy<'a> {
    version: &'static str,
    id: &'static str,
    statement: Vec<&'a Statement>,
}

/// A statement, with what it is for.
pub(super) struct Explained {
    pub(super) statement: Statement,
    pub(super) meaning: &'static str,
}

/// One statement of a key policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) effect: Effect,
    pub(super) principal: Principal,
    pub(super) action: Vec<&'static str>,
    pub(super) resource: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) condition: Conditions,
}

/// Operator, then condition key, then values.
pub(super) type Conditions = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

#[derive(Serialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Serialize)]
pub(super) enum Principal {
    #[serde(rename = "AWS")]
    Aws(Vec<String>),
}

impl<'a> Policy<'a> {
    /// A policy of these statements.
    pub(super) fn new(explained: &'a [Explained]) -> Self {
        Self {
            version: "2012-10-17",
            id: "nitro-signer",
            statement: explained.iter().map(|one| &one.statement).collect(),
        }
    }
}

impl Statement {
    /// Allows these principals these actions on the key that the policy is on.
    pub(super) fn allow(sid: impl Into<String>, principals: &[String], action: &[&'static str]) -> Self {
        Self::new(sid.into(), Effect::Allow, principals.to_vec(), action)
    }

    /// Denies everyone these actions.
    pub(super) fn deny(sid: &str, action: &[&'static str]) -> Self {
        Self::new(sid.to_owned(), Effect::Deny, vec!["*".to_owned()], action)
    }

    /// Adds a condition; all of them must hold.
    pub(super) fn when(mut self, operator: &'static str, key: &str, values: Vec<String>) -> Self {
        self.condition.entry(operator).or_default().insert(key.to_owned(), values);
        self
    }

    /// Narrows a statement to these principals.
    pub(super) fn only_for(mut self, principals: &[String]) -> Self {
        self.principal = Principal::Aws(principals.to_vec());
        self
    }

    /// Adds the meaning.
    pub(super) fn meaning(self, meaning: &'static str) -> Explained {
        Explained { statement: self, meaning }
    }

    fn new(sid: String, effect: Effect, principals: Vec<String>, action: &[&'static str]) -> Self {
        let (principal, action) = (Principal::Aws(principals), action.to_vec());
        Self { sid, effect, principal, action, resource: "*", condition: Conditions::new() }
    }
}
