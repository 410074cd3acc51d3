//! The meaning of a bundle's rules, written to be read: no index, nothing compiled, every atom of every rule looked at
//! anew, over JSON alone. What it decides is what `docs/policy.md` says; the enclave's evaluator has to agree.

mod abi;
mod amounts;
mod datum;
mod evm;
mod solana;
mod token;
mod typed_data;

use ruint::aliases::U256;
use serde_json::Value;

pub(super) use abi::{function, type_of};
pub use amounts::{Amounts, amounts};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// When, as RFC 3339 in UTC, which sorts as text.
    pub now: &'a str,
    /// The client's name.
    pub client: &'a str,
    /// The operation's name.
    pub operation: &'a str,
    /// The wallet's id.
    pub wallet: &'a str,
    /// `hd` or `imported`.
    pub origin: &'a str,
    /// The facts of what would be signed; `None` for operations that sign nothing.
    pub facts: Option<&'a Value>,
    /// The signing account's EVM address, in lower case.
    pub evm_account: Option<&'a str>,
    /// The signing account's Solana address.
    pub solana_account: Option<&'a str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bundle is not in force yet.
    NotYetInForce,
    /// The bundle is no longer in force.
    Expired,
    /// The first rule that denies.
    DeniedBy(String),
    /// No rule allows it.
    NotAllowed,
    /// The rules that allow it, in the bundle's order.
    Candidates(Vec<String>),
}

/// Kleene's three values. In this order "and" is the least, "or" the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
    /// It holds.
    True,
}

/// A rule as it was read for one question.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The rule's id.
    pub rule: String,
    /// Whether it denies.
    pub denies: bool,
    /// Each of its atoms and whether it holds.
    pub atoms: Vec<(String, Truth)>,
}

/// The decision on `ask` under `bundle`.
pub fn judge(bundle: &Value, ask: &Ask<'_>) -> Verdict {
    if ask.now < text(&bundle["not_before"]) {
        return Verdict::NotYetInForce;
    }
    if ask.now >= text(&bundle["expires"]) {
        return Verdict::Expired;
    }
    let readings = read(bundle, ask);
    if let Some(rule) = readings.iter().find(|rule| rule.denies && rule.applies()) {
        return Verdict::DeniedBy(rule.rule.clone());
    }
    let allowing = readings.iter().filter(|rule| !rule.denies && rule.applies());
    let candidates: Vec<String> = allowing.map(|rule| rule.rule.clone()).collect();
    if candidates.is_empty() { Verdict::NotAllowed } else { Verdict::Candidates(candidates) }
}

/// Every rule of `bundle`, as it reads for `ask`.
pub fn read(bundle: &Value, ask: &Ask<'_>) -> Vec<Reading> {
    list(&bundle["rules"])
        .iter()
        .map(|rule| {
            let denies = rule["effect"] == "deny";
            Reading { rule: text(&rule["id"]).to_owned(), denies, atoms: atoms(bundle, rule, ask, denies) }
        })
        .collect()
}

impl Reading {
    /// All atoms together.
    pub fn matches(&self) -> Truth {
        all(self.atoms.iter().map(|(_, truth)| *truth))
    }

    /// A rule that denies does so unless it certainly does not match.
    pub fn applies(&self) -> bool {
        if self.denies { self.matches() != Truth::False } else { self.matches() == Truth::True }
    }
}

/// The atoms that every rule can have, then those of its `when`.
fn atoms(bundle: &Value, rule: &Value, ask: &Ask<'_>, denies: bool) -> Vec<(String, Truth)> {
    let mut atoms = vec![("operations".to_owned(), truth(names(&rule["operations"], ask.operation)))];
    let mut put = |name: &str, value: Truth| atoms.push((name.to_owned(), value));
    if rule.get("clients").is_some() {
        put("clients", truth(names(&rule["clients"], ask.client)));
    }
    if rule.get("roles").is_some() {
        put("roles", truth(has_role(bundle, ask.client, &rule["roles"])));
    }
    if rule.get("wallets").is_some() {
        put("wallets", truth(has_wallet(bundle, ask.wallet, &rule["wallets"])));
    }
    if rule.get("origins").is_some() {
        put("origins", truth(names(&rule["origins"], ask.origin)));
    }
    put("chain_ids", truth(on_chain(rule, ask, denies)));
    // A rule with a `when` is about one operation. For another one nothing of what would be signed is looked at.
    let (Some(when), Some(facts)) = (rule["when"].as_object(), ask.facts) else { return atoms };
    if !names(&rule["operations"], ask.operation) {
        return atoms;
    }
    let asked = Asked { bundle, ask, facts, denies };
    for (about, condition) in when {
        for (name, value) in condition.as_object().expect("an object") {
            let truth = match about.as_str() {
                "evm_transaction" => evm::transaction(name, value, &asked),
                "evm_authorization" => evm::authorization(name, value, &asked),
                "evm_message" => evm::message(name, value, &asked),
                "evm_typed_data" => typed_data::atom(name, value, &asked),
                "solana_transaction" => solana::atom(name, value, &asked),
                other => panic!("{other} is no condition"),
            };
            atoms.push((format!("{about}.{name}"), truth));
        }
    }
    atoms
}

/// What an atom of a `when` looks at.
struct Asked<'a> {
    bundle: &'a Value,
    ask: &'a Ask<'a>,
    facts: &'a Value,
    denies: bool,
}

impl Asked<'_> {
    /// An atom about many values. For a rule that allows each of them must do, and there must be one; for a rule that
    /// denies one that does is enough.
    fn each(&self, elements: impl IntoIterator<Item = Truth>) -> Truth {
        let elements: Vec<Truth> = elements.into_iter().collect();
        match (self.denies, elements.is_empty()) {
            (_, true) => Truth::False,
            (true, false) => any(elements),
            (false, false) => all(elements),
        }
    }

    /// Whether an EVM address is in a list of addresses and `"self"`.
    fn lists_evm(&self, wanted: &Value, address: &str) -> Truth {
        let address = address.to_lowercase();
        truth(list(wanted).iter().any(|entry| match text(entry) {
            "self" => self.ask.evm_account == Some(address.as_str()),
            entry => entry.to_lowercase() == address,
        }))
    }

    /// Whether a Solana address is in a list of addresses and `"self"`.
    fn lists_solana(&self, wanted: &Value, address: &str) -> Truth {
        truth(list(wanted).iter().any(|entry| match text(entry) {
            "self" => self.ask.solana_account == Some(address),
            entry => entry == address,
        }))
    }
}

fn has_role(bundle: &Value, client: &str, roles: &Value) -> bool {
    let found = list(&bundle["clients"]).iter().find(|one| one["id"] == client);
    found.is_some_and(|client| list(&client["roles"]).iter().any(|role| names(roles, text(role))))
}

fn has_wallet(bundle: &Value, wallet: &str, selectors: &Value) -> bool {
    list(selectors).iter().any(|selector| match text(selector).strip_prefix('@') {
        None => text(selector) == wallet,
        Some(name) => {
            let groups = list(&bundle["wallet_groups"]).iter();
            groups.filter(|group| group["id"] == name).any(|group| names(&group["wallets"], wallet))
        }
    })
}

/// What names no chain is good on every one: whoever denies on one chain denies it, and nobody allows it by a chain. An
/// authorization of that kind is allowed by the number 0 alone.
fn on_chain(rule: &Value, ask: &Ask<'_>, denies: bool) -> bool {
    let about_chains = ["evm.transaction", "evm.authorization", "evm.typed_data"].contains(&ask.operation);
    let wanted = rule["chain_ids"].as_array();
    let Some(facts) = ask.facts.filter(|_| about_chains) else { return wanted.is_none() };
    match (facts["chain_id"].as_u64(), wanted) {
        (Some(_), None) => true,
        (Some(id), Some(wanted)) => wanted.contains(&id.into()),
        (None, _) if denies => true,
        (None, Some(wanted)) => ask.operation == "evm.authorization" && wanted.contains(&0.into()),
        (None, None) => ask.operation != "evm.authorization",
    }
}

fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
    truths.into_iter().min().unwrap_or(Truth::True)
}

fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
    truths.into_iter().max().unwrap_or(Truth::False)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The entries of a list; none, if it is absent.
fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn names(value: &Value, name: &str) -> bool {
    list(value).iter().any(|entry| entry == name)
}

/// A number in decimal, or in hexadecimal behind `0x`.
fn number(text: &str) -> Option<U256> {
    match text.strip_prefix("0x") {
        Some(digits) => U256::from_str_radix(digits, 16).ok(),
        None => U256::from_str_radix(text, 10).ok(),
    }
}

/// A number of the facts: decimal text, or a JSON number.
fn amount(value: &Value) -> U256 {
    match value.as_u64() {
        Some(small) => U256::from(small),
        None => number(text(value)).unwrap_or_else(|| panic!("{value} is no number")),
    }
}

/// Whether a number is in `{"min"?, "max"?}`, the ends included.
fn in_range(range: &Value, found: U256) -> Truth {
    let end = |name: &str| range.get(name).map(amount);
    truth(end("min").is_none_or(|min| found >= min) && end("max").is_none_or(|max| found <= max))
}
