//! From the rules of a bundle to rules that judge quickly.

use std::collections::HashMap;

use super::{
    Query,
    evm::{AuthorizationAtom, MessageAtom, TransactionAtom},
    index::{Asker, Numbers},
    scene::{FunctionNumber, Scene},
    solana::SolanaAtom,
    truth::{Truth, all},
    typed_data::TypedDataAtom,
    value::Set,
};
use crate::{
    abi::Function,
    bundle::{
        Abi, Approvals, Effect, Limit, NonceUse, Operation, Origin, Rule, WalletId, WalletSelector, When,
    },
    chain::{Facts, facts::ChainScope},
    name::Name,
};

/// A rule made ready to judge.
#[derive(Debug)]
pub struct CompiledRule {
    id: Name,
    effect: Effect,
    operations: Vec<Operation>,
    clients: Option<Set<u32>>,
    roles: Option<Set<u32>>,
    wallets: Option<Wallets>,
    origins: Option<Vec<Origin>>,
    chain_ids: Option<Set<u64>>,
    when: Option<Condition>,
    limits: Vec<Limit>,
    approvals: Option<Approvals>,
    nonce: NonceUse,
}

/// The functions of a bundle, as rules name them.
pub(super) struct Functions<'a> {
    by_name: HashMap<(&'a Name, String), Option<FunctionNumber>>,
    selectors: Vec<[u8; 4]>,
}

#[derive(Debug)]
struct Wallets {
    ids: Set<WalletId>,
    groups: Set<u32>,
}

#[derive(Debug)]
enum Condition {
    EvmTransaction(Vec<TransactionAtom>),
    EvmAuthorization(AuthorizationAtom),
    EvmTypedData(Vec<TypedDataAtom>),
    EvmMessage(MessageAtom),
    SolanaTransaction(Vec<SolanaAtom>),
}

impl CompiledRule {
    /// Its name.
    pub fn id(&self) -> &Name {
        &self.id
    }

    /// How much it allows, if it allows; all of them must hold.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whose approval it demands.
    pub fn approvals(&self) -> Option<&Approvals> {
        self.approvals.as_ref()
    }

    /// How it treats nonces.
    pub fn nonce(&self) -> NonceUse {
        self.nonce
    }

    pub(super) fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether it has conditions on what is to be signed.
    pub(super) fn is_conditional(&self) -> bool {
        self.when.is_some()
    }

    pub(super) fn new(rule: &Rule, numbers: &Numbers<'_>, functions: &Functions<'_>) -> Self {
        let clients = |names: &Vec<Name>| names.iter().filter_map(|name| numbers.client(name)).collect();
        let roles = |names: &Vec<Name>| names.iter().filter_map(|name| numbers.role(name)).collect();
        Self {
            id: rule.id.clone(),
            effect: rule.effect,
            operations: rule.operations.clone(),
            clients: rule.clients.as_ref().map(clients),
            roles: rule.roles.as_ref().map(roles),
            wallets: rule.wallets.as_ref().map(|selectors| Wallets::new(selectors, numbers)),
            origins: rule.origins.clone(),
            chain_ids: rule.chain_ids.as_ref().map(|ids| ids.iter().copied().collect()),
            when: rule.when.as_ref().map(|when| Condition::new(when, functions)),
            limits: rule.limits.clone(),
            approvals: rule.approvals.clone(),
            nonce: rule.nonce_use(),
        }
    }

    /// Whether it is about this client, operation and wallet, on some chain and whatever is signed.
    pub(super) fn concerns(&self, query: &Query<'_>, asker: &Asker<'_>) -> bool {
        let held = match self.effect {
            Effect::Allow => asker.used_roles,
            Effect::Deny => asker.roles,
        };
        self.operations.contains(&query.operation)
            && self.origins.as_ref().is_none_or(|origins| origins.contains(&query.origin))
            && self
                .clients
                .as_ref()
                .is_none_or(|clients| asker.client.is_some_and(|own| clients.contains(&own)))
            && self.roles.as_ref().is_none_or(|roles| held.iter().any(|role| roles.contains(role)))
            && self.wallets.as_ref().is_none_or(|wallets| {
                wallets.ids.contains(&query.wallet)
                    || asker.groups.iter().any(|group| wallets.groups.contains(group))
            })
    }

    /// Whether it is about the chain.
    pub(super) fn is_about_chain(&self, query: &Query<'_>) -> bool {
        match (query.chain, &self.chain_ids) {
            (ChainScope::EveryEvm, _) if self.effect == Effect::Deny => true,
            // An account handed over on every chain: nobody means that by leaving chains out.
            (ChainScope::EveryEvm, ids) if query.operation == Operation::EvmAuthorization => {
                ids.as_ref().is_some_and(|ids| ids.contains(&0))
            }
            (_, None) => true,
            (ChainScope::Evm(id), Some(ids)) => ids.contains(&id),
            (ChainScope::EveryEvm | ChainScope::None, Some(_)) => false,
        }
    }

    /// Whether it decides on what it concerns: one that denies does so even if that is unknown.
    pub(super) fn applies(&self, query: &Query<'_>, scene: &Scene<'_>) -> bool {
        if !self.is_about_chain(query) {
            return false;
        }
        let Some(when) = &self.when else { return true };
        match (when.judge(self.effect, scene), self.effect) {
            (Truth::True, _) | (Truth::Unknown, Effect::Deny) => true,
            (Truth::False, _) | (Truth::Unknown, Effect::Allow) => false,
        }
    }
}

impl Wallets {
    fn new(selectors: &[WalletSelector], numbers: &Numbers<'_>) -> Self {
        let id = |selector: &WalletSelector| match selector {
            WalletSelector::Wallet(id) => Some(*id),
            WalletSelector::Group(_) => None,
        };
        let group = |selector: &WalletSelector| match selector {
            WalletSelector::Wallet(_) => None,
            WalletSelector::Group(name) => numbers.group(name),
        };
        Self {
            ids: selectors.iter().filter_map(id).collect(),
            groups: selectors.iter().filter_map(group).collect(),
        }
    }
}

impl Condition {
    fn new(when: &When, functions: &Functions<'_>) -> Self {
        match when {
            When::EvmTransaction(when) => Self::EvmTransaction(TransactionAtom::compile(when, functions)),
            When::EvmAuthorization(when) => Self::EvmAuthorization(AuthorizationAtom::new(when)),
            When::EvmTypedData(when) => Self::EvmTypedData(TypedDataAtom::compile(when)),
            When::EvmMessage(when) => Self::EvmMessage(MessageAtom::new(when)),
            When::SolanaTransaction(when) => Self::SolanaTransaction(SolanaAtom::compile(when)),
        }
    }

    fn judge(&self, effect: Effect, scene: &Scene<'_>) -> Truth {
        match (self, scene.facts) {
            (Self::EvmTransaction(atoms), Some(Facts::Evm(facts))) => {
                all(atoms.iter().map(|atom| atom.judge(facts, effect, scene)))
            }
            (Self::EvmAuthorization(atom), Some(Facts::EvmAuthorization(facts))) => atom.judge(facts),
            (Self::EvmTypedData(atoms), Some(Facts::EvmTypedData(facts))) => {
                all(atoms.iter().map(|atom| atom.judge(facts, effect, scene)))
            }
            (Self::EvmMessage(atom), Some(Facts::EvmMessage(facts))) => atom.judge(facts),
            (Self::SolanaTransaction(atoms), Some(Facts::Solana(facts))) => {
                all(atoms.iter().map(|atom| atom.judge(facts, effect, scene)))
            }
            // Nothing was parsed yet, or something else than what is asked.
            _ => Truth::Unknown,
        }
    }
}

impl<'a> Functions<'a> {
    /// Those of the ABIs, and the table that their numbers are of.
    pub(super) fn new(abis: &'a [Abi]) -> (Self, Vec<Function>) {
        let (mut by_name, mut table) = (HashMap::new(), Vec::new());
        for abi in abis {
            for function in abi.functions.iter().filter_map(|text| Function::parse(text).ok()) {
                let number = table.len();
                by_name.insert((&abi.id, function.canonical()), Some(number));
                by_name
                    .entry((&abi.id, function.name().to_owned()))
                    // Overloaded, so the name alone is nobody's.
                    .and_modify(|known| *known = None)
                    .or_insert(Some(number));
                table.push(function);
            }
        }
        let selectors = table.iter().map(Function::selector).collect();
        (Self { by_name, selectors }, table)
    }

    /// The function of this name or canonical signature, and its selector.
    pub(super) fn find(&self, abi: &Name, function: &str) -> Option<(FunctionNumber, [u8; 4])> {
        let number = self.by_name.get(&(abi, function.to_owned())).copied().flatten()?;
        self.selectors.get(number).map(|selector| (number, *selector))
    }
}
