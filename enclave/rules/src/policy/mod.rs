//! From a bundle and what is asked to a decision.
//!
//! Default deny; a rule that denies wins over all that allow; no loops, no order among rules but
//! for naming which one decided. What cannot be seen in what is signed is unknown: no rule allows on
//! it, and a rule that denies does so then.

mod amounts;
mod compile;
mod describe;
mod evm;
mod index;
mod lint;
mod moves;
mod scene;
mod solana;
#[cfg(test)]
mod tests;
mod truth;
mod typed_data;
mod value;

use std::collections::HashMap;

pub use amounts::{Amounts, TokenAmounts, amounts};
pub use compile::CompiledRule;
pub use describe::describe;
pub use lint::{Lint, Severity, lint};

use crate::{
    abi::Function,
    bundle::{Approver, Bundle, Client, ClientAuth, ClientKey, Effect, Operation, Origin, WalletId},
    chain::{Facts, evm::EvmAddress, facts::ChainScope, solana::SolanaAddress},
    name::Name,
    timestamp::Timestamp,
};
use compile::Functions;
use index::{Asker, Index, Numbers};
use scene::Scene;

/// A bundle made ready to decide.
#[derive(Debug)]
pub struct Policy {
    version: u64,
    not_before: Timestamp,
    expires: Timestamp,
    clients: Vec<Client>,
    /// Places of a client, and of a key among its keys.
    keys: HashMap<String, (usize, usize)>,
    approvers: HashMap<Name, Approver>,
    anonymous: Option<Name>,
    functions: Vec<Function>,
    rules: Vec<CompiledRule>,
    index: Index,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// When.
    pub now: Timestamp,
    /// By whom.
    pub client: &'a Name,
    /// The one role that its session has, if it has one: rules that allow by role see no other. Rules that deny see all
    /// roles of the client, so that a session gets nothing which the client would not.
    pub role: Option<&'a Name>,
    /// What.
    pub operation: Operation,
    /// On which wallet.
    pub wallet: WalletId,
    /// Where the wallet's keys come from.
    pub origin: Origin,
    /// On which chain, where the operation is about one.
    pub chain: ChainScope,
    /// What is to be signed; `None` if that is nothing. Rules with conditions on what is signed
    /// cannot see them hold without it: none allows, and all that deny do.
    pub facts: Option<&'a Facts>,
    /// The signing account's EVM address, which rules call `self`, if it has one.
    pub account: Option<EvmAddress>,
    /// The signing account's Solana address, which rules call `self`, if it has one.
    pub solana_account: Option<SolanaAddress>,
}

/// The answer, with the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed by this rule.
    Allowed(Name),
    /// Denied by this rule.
    DeniedBy(Name),
    /// Denied because no rule allows it.
    NotAllowed,
    /// Denied because the bundle is not in force yet.
    NotYetInForce,
    /// Denied because the bundle is no longer in force.
    Expired,
}

/// The answer as far as the bundle gives it. Whether limits, approvals and nonces hold is for who
/// remembers them.
#[derive(Debug)]
pub enum Judgement<'a> {
    /// No; never [`Decision::Allowed`].
    Denied(Decision),
    /// These allow it, at least one, in the bundle's order: the first whose demands are met decides.
    Candidates(Vec<&'a CompiledRule>),
}

impl Policy {
    /// Prepares a bundle; it must have come from [`Bundle::from_json`].
    pub fn new(bundle: &Bundle) -> Self {
        let numbers = Numbers::of(bundle);
        let (names, functions) = Functions::new(&bundle.abis);
        let anonymous = bundle.clients.iter().find(|client| client.auth == ClientAuth::None);
        let keys = bundle.clients.iter().enumerate().flat_map(|(place, client)| {
            let keys = client.keys().iter().enumerate();
            keys.map(move |(among, key)| (key.id.as_str().to_owned(), (place, among)))
        });
        let approvers = bundle.approvers.iter().map(|approver| (approver.id.clone(), approver.clone()));
        Self {
            version: bundle.version,
            not_before: bundle.not_before,
            expires: bundle.expires,
            clients: bundle.clients.clone(),
            keys: keys.collect(),
            approvers: approvers.collect(),
            anonymous: anonymous.map(|client| client.id.clone()),
            functions,
            rules: bundle.rules.iter().map(|rule| CompiledRule::new(rule, &numbers, &names)).collect(),
            index: Index::new(bundle, &numbers),
        }
    }

    /// The bundle's version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The client whose requests carry no proof, if the quorum wrote one.
    pub fn anonymous_client(&self) -> Option<&Name> {
        self.anonymous.as_ref()
    }

    /// The client of this name.
    pub fn client(&self, name: &Name) -> Option<&Client> {
        self.clients.get(self.index.client(name)?)
    }

    /// The key that signatures call `keyid`, and whose it is.
    pub fn key(&self, keyid: &str) -> Option<(&Client, &ClientKey)> {
        let (place, among) = self.keys.get(keyid)?;
        let client = self.clients.get(*place)?;
        Some((client, client.keys().get(*among)?))
    }

    /// The approver of this name.
    pub fn approver(&self, name: &Name) -> Option<&Approver> {
        self.approvers.get(name)
    }

    /// The decision if no chain and nothing to sign could get a yes: known before anything of the
    /// wallet is touched. Does not look at the query's facts.
    pub fn refusal(&self, query: &Query<'_>) -> Option<Decision> {
        if let Some(untimely) = self.untimely(query.now) {
            return Some(untimely);
        }
        let asker = self.index.asker(query);
        let mut possible = false;
        for rule in self.concerning(query, &asker) {
            match rule.effect() {
                Effect::Allow => possible = true,
                // Without a chain only rules for every chain deny.
                Effect::Deny if !rule.is_conditional() && rule.is_about_chain(query) => {
                    return Some(Decision::DeniedBy(rule.id().clone()));
                }
                Effect::Deny => {}
            }
        }
        (!possible).then_some(Decision::NotAllowed)
    }

    /// Decides as if all demands of rules were met.
    pub fn decide(&self, query: &Query<'_>) -> Decision {
        match self.judge(query) {
            Judgement::Denied(decision) => decision,
            Judgement::Candidates(rules) => {
                rules.first().map_or(Decision::NotAllowed, |rule| Decision::Allowed(rule.id().clone()))
            }
        }
    }

    /// Judges, up to what rules demand beyond their conditions.
    pub fn judge(&self, query: &Query<'_>) -> Judgement<'_> {
        if let Some(untimely) = self.untimely(query.now) {
            return Judgement::Denied(untimely);
        }
        let asker = self.index.asker(query);
        let scene = Scene::new(query, &self.functions);
        let mut allowing = Vec::new();
        for rule in self.concerning(query, &asker).filter(|rule| rule.applies(query, &scene)) {
            match rule.effect() {
                Effect::Deny => return Judgement::Denied(Decision::DeniedBy(rule.id().clone())),
                Effect::Allow => allowing.push(rule),
            }
        }
        if allowing.is_empty() {
            Judgement::Denied(Decision::NotAllowed)
        } else {
            Judgement::Candidates(allowing)
        }
    }

    /// The decision of a bundle that is not in force, whatever is asked.
    pub fn untimely(&self, now: Timestamp) -> Option<Decision> {
        if now < self.not_before {
            Some(Decision::NotYetInForce)
        } else if now >= self.expires {
            Some(Decision::Expired)
        } else {
            None
        }
    }

    /// The rules about the client, operation and wallet, in the bundle's order.
    fn concerning<'a>(
        &'a self,
        query: &Query<'_>,
        asker: &Asker<'_>,
    ) -> impl Iterator<Item = &'a CompiledRule> {
        let candidates = self.index.candidates(query, asker).into_iter();
        let rules = candidates.filter_map(|number| self.rules.get(usize::try_from(number).ok()?));
        rules.filter(move |rule| rule.concerns(query, asker))
    }
}

impl Decision {
    /// Whether the answer is yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The rule that decided, if one did.
    pub fn rule(&self) -> Option<&Name> {
        match self {
            Self::Allowed(rule) | Self::DeniedBy(rule) => Some(rule),
            Self::NotAllowed | Self::NotYetInForce | Self::Expired => None,
        }
    }
}
