//! What a rule that allows demands beyond its conditions, and how much of it this request is.

use ruint::aliases::U256;
use serde_json::{Value, json};
use signer_rules::{
    bundle::{Approvals, Limit, LimitPer, Most, NonceUse, Operation},
    name::Name,
    policy::{Amounts, CompiledRule},
};
use signer_terminal::Style;

use super::request::Asked;

/// A rule that allows the request.
pub(super) struct Candidate {
    /// Its id.
    pub(super) rule: Name,
    /// Why it cannot hold, whatever was signed before.
    pub(super) obstacle: Option<String>,
    limits: Vec<Measured>,
    approvals: Option<Approvals>,
    /// For transactions with nonces.
    nonce: Option<NonceUse>,
}

struct Measured {
    limit: Limit,
    /// How much the request is; none: that cannot be known.
    amount: Option<U256>,
}

impl Candidate {
    /// What a candidate demands of this request.
    pub(super) fn new(rule: &CompiledRule, asked: &Asked, amounts: Option<&Amounts>) -> Self {
        let limits: Vec<Measured> = rule
            .limits()
            .iter()
            .map(|limit| Measured { limit: limit.clone(), amount: amount(limit, amounts) })
            .collect();
        Self {
            rule: rule.id().clone(),
            obstacle: limits.iter().find_map(Measured::obstacle),
            limits,
            approvals: rule.approvals().cloned(),
            nonce: (asked.operation == Operation::EvmTransaction).then(|| rule.nonce()),
        }
    }

    /// Whether anything but the request itself decides.
    pub(super) fn demands_something(&self) -> bool {
        !self.limits.is_empty()
            || self.approvals.is_some()
            || self.nonce.is_some_and(|nonce| nonce != NonceUse::Unguarded)
    }

    /// Lines for a person.
    pub(super) fn text(&self, number: usize, style: Style) -> String {
        let mut lines = vec![format!("  {number}. {}", style.bold(self.rule.as_str()))];
        lines.extend(self.limits.iter().map(|measured| format!("     limit: {}", measured.text(style))));
        if let Some(approvals) = &self.approvals {
            let of: Vec<&str> = approvals.of.iter().map(Name::as_str).collect();
            lines.push(format!(
                "     approvals: {} of {}, for up to {} s",
                approvals.threshold,
                of.join(", "),
                approvals.longest_s
            ));
        }
        if let Some(nonce) = self.nonce {
            lines.push(format!("     nonce: {}", nonce_text(nonce)));
        }
        if !self.demands_something() {
            lines.push("     demands nothing further".to_owned());
        }
        lines.join("\n")
    }

    /// The same for programs.
    pub(super) fn to_json(&self) -> Value {
        let limits: Vec<Value> = self
            .limits
            .iter()
            .map(|measured| {
                json!({
                    "limit": measured.limit, "request": measured.amount.map(|amount| amount.to_string()),
                    "obstacle": measured.obstacle(),
                })
            })
            .collect();
        json!({
            "rule": self.rule, "obstacle": self.obstacle, "limits": limits, "approvals": self.approvals,
            "nonce": self.nonce,
        })
    }
}

impl Measured {
    /// Why the request alone breaks it.
    fn obstacle(&self) -> Option<String> {
        match self.amount {
            None => Some("how much the request is of what is limited cannot be known".to_owned()),
            Some(amount) if amount > most(&self.limit) => {
                Some(format!("the request is {amount}, and the limit {}", most(&self.limit)))
            }
            Some(_) => None,
        }
    }

    fn text(&self, style: Style) -> String {
        let limit = &self.limit;
        let of = match &limit.most {
            Most::Count(_) => "signatures".to_owned(),
            Most::Native(_) => "of the chain's currency".to_owned(),
            Most::Fee(_) => "in fees".to_owned(),
            Most::Token(token) => format!("of token {}", token.id),
        };
        let per = match limit.per {
            LimitPer::Rule => "all together",
            LimitPer::Client => "for each client",
            LimitPer::Wallet => "for each wallet",
            LimitPer::Account => "for each account",
        };
        let amount = self.amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
        let text =
            format!("at most {} {of} within {} s, {per}; this is {amount}", most(limit), limit.window_s);
        match self.obstacle() {
            Some(_) => format!("{text} {}", style.bad("(never holds)")),
            None => text,
        }
    }
}

fn amount(limit: &Limit, amounts: Option<&Amounts>) -> Option<U256> {
    match &limit.most {
        Most::Count(_) => Some(U256::from(1)),
        Most::Native(_) => amounts?.native,
        Most::Fee(_) => amounts?.fee,
        Most::Token(token) => amounts?.of_token(&token.id),
    }
}

fn most(limit: &Limit) -> U256 {
    match &limit.most {
        Most::Count(count) => U256::from(*count),
        Most::Native(most) | Most::Fee(most) => most.0,
        Most::Token(token) => token.amount.0,
    }
}

const fn nonce_text(nonce: NonceUse) -> &'static str {
    match nonce {
        NonceUse::Guarded => "guarded: no other transaction of this account, chain and nonce was signed",
        NonceUse::Replaceable => "replaceable: what was signed with this nonce differs in its fees only",
        NonceUse::Unguarded => "unguarded: other transactions with this nonce do not matter",
    }
}
