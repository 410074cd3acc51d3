//! Rules in plain English, for whoever signs them.

mod condition;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use crate::bundle::{
    AfterRestart, Approvals, Effect, Limit, LimitPer, Most, NonceUse, Operation, Range, Rule,
};

/// How many entries of a list are shown.
const SHOWN: usize = 4;

/// A rule on one line. Long lists are cut: this is to read, and the bundle is what is signed.
pub fn describe(rule: &Rule) -> String {
    let verb = if rule.effect == Effect::Allow { "allows" } else { "denies" };
    let operations = either(rule.operations.iter().map(|operation| operation.as_str()));
    let mut line = format!("{}: {verb} {operations}{}{}", rule.id, who(rule), place(rule));
    if let Some(when) = &rule.when {
        let conditions = condition::of(when, rule.effect);
        if !conditions.is_empty() {
            line += ", if ";
            line += &conditions.join(", and ");
            if rule.effect == Effect::Deny {
                line += ", or if that cannot be known";
            }
        }
    }
    for demand in demands(rule) {
        line += "; ";
        line += &demand;
    }
    line
}

fn who(rule: &Rule) -> String {
    match (&rule.clients, &rule.roles) {
        (None, None) => " to every client".to_owned(),
        (Some(clients), None) => format!(" to {}", either(clients)),
        (None, Some(roles)) => format!(" to clients with role {}", either(roles)),
        (Some(clients), Some(roles)) => format!(" to {} with role {}", either(clients), either(roles)),
    }
}

fn place(rule: &Rule) -> String {
    let wallets = match &rule.wallets {
        Some(wallets) => format!(" with wallet {}", either(wallets)),
        None => " with every wallet".to_owned(),
    };
    let origins = match &rule.origins {
        Some(origins) => format!(" of origin {}", either(origins.iter().map(|origin| origin.as_str()))),
        None => String::new(),
    };
    let chains = match &rule.chain_ids {
        Some(ids) => format!(" on chain {}", either(ids)),
        None if rule.operations.iter().any(|operation| operation.has_chain_id()) => {
            " on every EVM chain".to_owned()
        }
        None => String::new(),
    };
    wallets + &origins + &chains
}

/// What an allowing rule demands beyond its conditions.
fn demands(rule: &Rule) -> Vec<String> {
    if rule.effect == Effect::Deny {
        return Vec::new();
    }
    let mut demands: Vec<String> = rule.limits.iter().map(limit).collect();
    demands.extend(rule.approvals.as_ref().map(approvals));
    let nonces = match rule.nonce {
        Some(NonceUse::Guarded) => Some("one transaction for each nonce"),
        Some(NonceUse::Replaceable) => Some("a transaction can be replaced by one that pays other fees"),
        Some(NonceUse::Unguarded) => Some("nonces are not guarded"),
        None => None,
    };
    demands.extend(nonces.map(str::to_owned));
    demands
}

fn limit(limit: &Limit) -> String {
    let most = match &limit.most {
        Most::Count(1) => "1 signature".to_owned(),
        Most::Count(count) => format!("{count} signatures"),
        Most::Native(amount) => format!("{amount} wei or lamports"),
        Most::Fee(amount) => format!("{amount} wei or lamports of fees"),
        Most::Token(most) => format!("{} of token {}", most.amount, most.id),
    };
    let per = match limit.per {
        LimitPer::Rule => "",
        LimitPer::Client => " for each client",
        LimitPer::Wallet => " for each wallet",
        LimitPer::Account => " for each account",
    };
    let restart = match limit.after_restart {
        AfterRestart::Closed => "",
        AfterRestart::Open => " (anew after a restart)",
    };
    format!("at most {most} in {}{per}{restart}", duration(limit.window_s))
}

fn approvals(approvals: &Approvals) -> String {
    let (threshold, of, longest) = (approvals.threshold, list(&approvals.of, "and"), approvals.longest_s);
    format!("approved by {threshold} of {of}, for {} at most", duration(longest))
}

fn duration(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let unit = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    let (count, name) = unit.map_or((seconds, "second"), |(length, name)| {
        (seconds.checked_div(length).unwrap_or_default(), name)
    });
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

/// `at most 5`
fn range(range: Range) -> String {
    match (range.min, range.max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min}"),
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any amount".to_owned(),
    }
}

/// `a, b or c`
fn either<T: Display>(entries: impl IntoIterator<Item = T>) -> String {
    list(entries, "or")
}

fn list<T: Display>(entries: impl IntoIterator<Item = T>, joint: &str) -> String {
    let mut all = entries.into_iter();
    let shown: Vec<String> = all.by_ref().take(SHOWN).map(|entry| entry.to_string()).collect();
    let more = all.count();
    match shown.split_last() {
        _ if more > 0 => format!("{} {joint} {more} more", shown.join(", ")),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {joint} {last}", before.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// What the operations are called together, where a text has no room for their list.
pub(super) fn operations(operations: &[Operation]) -> String {
    list(operations.iter().map(|operation| operation.as_str()), "and")
}
