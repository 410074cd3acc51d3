//! Deciding: an explicit deny wins, an allow is needed.

use std::collections::BTreeMap;

use super::document::{Negatable, Policy, PrincipalPattern, Statement};
use crate::kms::principal::Caller;

/// What is asked of a policy.
#[derive(Debug)]
pub(in crate::kms) struct Question<'a> {
    pub(in crate::kms) caller: &'a Caller,
    /// Such as `kms:Decrypt`.
    pub(in crate::kms) action: &'a str,
    /// The key's ARN.
    pub(in crate::kms) resource: &'a str,
    pub(in crate::kms) context: &'a Context,
}

/// What a policy says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kms) enum Decision {
    /// Some statement allows, none denies.
    Allow,
    /// Some statement denies.
    ExplicitDeny,
    /// No statement applies.
    ImplicitDeny,
}

/// The request's condition keys, lower case, with their values. A key that is absent is not in the map.
#[derive(Clone, Debug, Default)]
pub(in crate::kms) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub(in crate::kms) fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_lowercase()).or_default().push(value.into());
    }

    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
    }
}

impl Policy {
    pub(in crate::kms) fn decide(&self, question: &Question<'_>) -> Decision {
        let mut decision = Decision::ImplicitDeny;
        for statement in self.statements.iter().filter(|statement| statement.applies(question)) {
            if !statement.allows {
                return Decision::ExplicitDeny;
            }
            decision = Decision::Allow;
        }
        decision
    }
}

impl Statement {
    fn applies(&self, question: &Question<'_>) -> bool {
        let is_caller = |pattern: &PrincipalPattern| match pattern {
            PrincipalPattern::Everyone => true,
            PrincipalPattern::Aws(name) => question.caller.is(name),
            PrincipalPattern::Service => false,
        };
        let is_action =
            |pattern: &String| matches_pattern(&pattern.to_lowercase(), &question.action.to_lowercase());
        self.principals.matches(is_caller)
            && self.actions.matches(is_action)
            && self.resources.iter().any(|pattern| matches_pattern(pattern, question.resource))
            && self.conditions.iter().all(|condition| condition.holds(question.context))
    }
}

impl<T> Negatable<T> {
    fn matches(&self, test: impl Fn(&T) -> bool) -> bool {
        self.listed.iter().any(test) != self.negated
    }
}

/// `*` stands for any characters, `?` for one.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
    // Greedy, with one way back: to the last `*`, letting it take one character more.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}
