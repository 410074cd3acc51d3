//! Which rules were near: each condition is put to the enclave's judge alone.

use serde_json::{Value, json};
use signer_rules::{
    bundle::{Bundle, Effect, Rule, When},
    policy::{Judgement, Policy, Query},
};
use signer_terminal::Style;

use super::super::english;

/// The most rules that are shown one by one.
const MAX_SHOWN: usize = 100;

/// All rules about the operation that is asked for.
pub(super) struct Trace {
    rows: Vec<Row>,
    /// Rules about other operations.
    others: usize,
}

/// One rule, and what of it holds.
struct Row {
    id: String,
    effect: Effect,
    line: String,
    applies: bool,
    /// The conditions that stand in the way of a rule that allows, or let a rule that denies pass by.
    missing: Vec<(String, Holds)>,
}

/// What is known of one condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Certainly, and for every part.
    Yes,
    /// For some part only, or nobody can tell.
    Unclear,
    /// Certainly not.
    No,
}

impl Trace {
    /// Judges every rule alone.
    pub(super) fn of(bundle: &Bundle, query: &Query<'_>) -> Self {
        // Whether the bundle is in force is another question, and other clients are not asked about.
        let query = Query { now: bundle.not_before, ..*query };
        let mut frame = Bundle { rules: Vec::new(), ..bundle.clone() };
        frame.clients.retain(|client| client.id == *query.client);
        let about = |rule: &&Rule| rule.operations.contains(&query.operation);
        let rows: Vec<Row> =
            bundle.rules.iter().filter(about).map(|rule| Row::of(rule, &mut frame, &query)).collect();
        Self { others: bundle.rules.len().saturating_sub(rows.len()), rows }
    }

    /// Lines for a person.
    pub(super) fn text(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return format!("No rule is about this operation; {} are about others.", self.others);
        }
        let title = format!("The rules about this operation ({} are about others):", self.others);
        let mut lines = vec![title];
        lines.extend(self.rows.iter().take(MAX_SHOWN).map(|row| row.text(style)));
        if let Some(more) = self.rows.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
            lines.push(format!("  and {more} more (--json shows all)"));
        }
        lines.join("\n")
    }

    /// The same for programs.
    pub(super) fn to_json(&self) -> Value {
        let row = |row: &Row| {
            let missing: Vec<Value> = row
                .missing
                .iter()
                .map(|(condition, holds)| {
                    json!({ "condition": condition, "holds": if *holds == Holds::No { "no" } else { "unclear" } })
                })
                .collect();
            json!({ "rule": row.id, "effect": row.effect, "applies": row.applies, "missing": missing })
        };
        self.rows.iter().map(row).collect()
    }
}

impl Row {
    fn of(rule: &Rule, frame: &mut Bundle, query: &Query<'_>) -> Self {
        let applies = applies(rule.clone(), frame, query);
        let missing = if applies {
            Vec::new()
        } else {
            alone(rule)
                .into_iter()
                .map(|(name, part)| (name, holds(part, frame, query)))
                .filter(|(_, holds)| match rule.effect {
                    Effect::Allow => *holds != Holds::Yes,
                    Effect::Deny => *holds == Holds::No,
                })
                .collect()
        };
        Self { id: rule.id.to_string(), effect: rule.effect, line: english::line(rule), applies, missing }
    }

    fn text(&self, style: Style) -> String {
        let verdict = match (self.applies, self.effect) {
            (true, Effect::Allow) => style.good("allows"),
            (true, Effect::Deny) => style.bad("denies"),
            (false, _) => "passed".to_owned(),
        };
        let mut text = format!("  {verdict}  {}", self.line);
        for (condition, holds) in &self.missing {
            let why = match holds {
                Holds::No => "does not hold",
                _ => "does not hold for every part, or cannot be told",
            };
            text = format!("{text}\n          {condition} {why}");
        }
        text
    }
}

/// Whether a rule decides if it is the only one.
fn applies(rule: Rule, frame: &mut Bundle, query: &Query<'_>) -> bool {
    let effect = rule.effect;
    frame.rules = vec![rule];
    match (Policy::new(frame).judge(query), effect) {
        (Judgement::Candidates(_), Effect::Allow) => true,
        (Judgement::Denied(decision), Effect::Deny) => decision.rule().is_some(),
        _ => false,
    }
}

/// A rule that allows applies only if it certainly matches, one that denies unless it certainly does not.
fn holds(part: Rule, frame: &mut Bundle, query: &Query<'_>) -> Holds {
    if applies(Rule { effect: Effect::Allow, ..part.clone() }, frame, query) {
        Holds::Yes
    } else if applies(Rule { effect: Effect::Deny, ..part }, frame, query) {
        Holds::Unclear
    } else {
        Holds::No
    }
}

/// The rule's conditions, each as a rule of its own under the name of its member.
fn alone(rule: &Rule) -> Vec<(String, Rule)> {
    let bare = Rule {
        clients: None,
        roles: None,
        wallets: None,
        origins: None,
        chain_ids: None,
        when: None,
        limits: Vec::new(),
        approvals: None,
        nonce: None,
        ..rule.clone()
    };
    let mut parts = vec![
        ("clients", rule.clients.is_some(), Rule { clients: rule.clients.clone(), ..bare.clone() }),
        ("roles", rule.roles.is_some(), Rule { roles: rule.roles.clone(), ..bare.clone() }),
        ("wallets", rule.wallets.is_some(), Rule { wallets: rule.wallets.clone(), ..bare.clone() }),
        ("origins", rule.origins.is_some(), Rule { origins: rule.origins.clone(), ..bare.clone() }),
        // Without the member, too: what is good on every chain is a matter of its own.
        ("chain_ids", true, Rule { chain_ids: rule.chain_ids.clone(), ..bare.clone() }),
    ]
    .into_iter()
    .filter(|(_, there, _)| *there)
    .map(|(name, _, part)| (name.to_owned(), part))
    .collect::<Vec<_>>();
    let conditions = rule.when.iter().flat_map(conditions);
    parts.extend(conditions.map(|(name, when)| (name, Rule { when: Some(when), ..bare.clone() })));
    parts
}

/// The conditions on what is signed, one by one.
fn conditions(when: &When) -> Vec<(String, When)> {
    let Ok(Value::Object(outer)) = serde_json::to_value(when) else { return Vec::new() };
    let mut found = Vec::new();
    for (kind, members) in outer {
        let Value::Object(members) = members else { continue };
        for (name, value) in members {
            if let Ok(one) = serde_json::from_value(json!({ &kind: { &name: value } })) {
                found.push((format!("when.{kind}.{name}"), one));
            }
        }
    }
    found
}
