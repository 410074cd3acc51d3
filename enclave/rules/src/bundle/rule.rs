//! Rules: who may ask for what, under which conditions.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{
    Bundle, MAX_APPROVERS, MAX_CLIENTS, MAX_LIMITS, MAX_ROLES,
    abi::Abis,
    check::{Check, Problem, bounded, listed, present},
    limit::{Approvals, Limit, NonceUse},
    operation::Operation,
    wallet::{Origin, WalletSelector},
    when::When,
};
use crate::name::Name;

/// The most wallets and groups that a rule names.
pub const MAX_WALLETS: usize = 10_000;
/// The most wallets of a group.
pub const MAX_GROUP_WALLETS: usize = 100_000;
/// The most chains that a rule names.
pub const MAX_CHAINS: usize = 1_000;

/// One rule. Each atom that is there must match; an atom that is absent matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, which answers and records give.
    pub id: Name,
    /// What it does when it matches. A rule that denies wins over all that allow.
    pub effect: Effect,
    /// The operations it is about.
    pub operations: Vec<Operation>,
    /// The clients it is about.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub clients: Option<Vec<Name>>,
    /// The roles it is about: clients that have one of them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub roles: Option<Vec<Name>>,
    /// The wallets it is about: ids, or `@group`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub wallets: Option<Vec<WalletSelector>>,
    /// The origins of wallets it is about.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub origins: Option<Vec<Origin>>,
    /// The EVM chains it is about. A transaction that names no chain (before EIP-155) can be sent
    /// on every chain: rules that allow by chain never match it, rules that deny always do.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub chain_ids: Option<Vec<u64>>,
    /// What is to be signed. The rule is about that one operation then.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub when: Option<When>,
    /// How much it allows; only of a rule that allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Whose approval it demands; only of a rule that allows.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub approvals: Option<Approvals>,
    /// How it treats nonces, without this member [`NonceUse::Guarded`]; only of a rule that allows.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub nonce: Option<NonceUse>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Allows, unless another rule denies.
    Allow,
    /// Denies, whatever other rules say.
    Deny,
}

/// What the names in rules can be.
pub(super) struct Names<'a> {
    clients: HashSet<&'a Name>,
    roles: HashSet<&'a Name>,
    groups: HashSet<&'a Name>,
    approvers: HashSet<&'a Name>,
    abis: Abis<'a>,
}

impl<'a> Names<'a> {
    /// Those of a bundle whose ABIs are read.
    pub(super) fn of(bundle: &'a Bundle, abis: Abis<'a>) -> Self {
        Self {
            clients: bundle.clients.iter().map(|client| &client.id).collect(),
            roles: bundle.clients.iter().flat_map(|client| &client.roles).collect(),
            groups: bundle.wallet_groups.iter().map(|group| &group.id).collect(),
            approvers: bundle.approvers.iter().map(|approver| &approver.id).collect(),
            abis,
        }
    }
}

impl Rule {
    /// A list that is there and empty could never match; a name that nothing bears is a mistake.
    pub(super) fn validate(&self, names: &Names<'_>) -> Check {
        if self.operations.is_empty() {
            return Err(Problem::at("operations", "must name at least one operation"));
        }
        bounded("operations", self.operations.len(), Operation::ALL.len())?;
        listed("clients", self.clients.as_ref(), MAX_CLIENTS)?;
        known("clients", "client", self.clients.as_deref(), &names.clients)?;
        listed("roles", self.roles.as_ref(), MAX_ROLES)?;
        known("roles", "role of a client", self.roles.as_deref(), &names.roles)?;
        listed("origins", self.origins.as_ref(), 2)?;
        self.validate_wallets(names)?;
        self.validate_chains()?;
        if let Some(when) = &self.when {
            if self.operations != [when.operation()] {
                let only = when.operation().as_str();
                return Err(Problem::at(
                    "when",
                    format!("is for a rule whose operations are [\"{only}\"] alone"),
                ));
            }
            when.validate(&names.abis).map_err(|problem| problem.within("when"))?;
        }
        self.validate_demands(names)
    }

    fn validate_wallets(&self, names: &Names<'_>) -> Check {
        listed("wallets", self.wallets.as_ref(), MAX_WALLETS)?;
        for selector in self.wallets.iter().flatten() {
            if let WalletSelector::Group(name) = selector
                && !names.groups.contains(name)
            {
                return Err(Problem::at("wallets", format!("no wallet group is named {name}")));
            }
        }
        Ok(())
    }

    fn validate_chains(&self) -> Check {
        listed("chain_ids", self.chain_ids.as_ref(), MAX_CHAINS)?;
        let other = self.operations.iter().find(|operation| !operation.has_chain_id());
        if let (Some(_), Some(other)) = (&self.chain_ids, other) {
            let problem = format!("{} has no chain id, so the rule could never match it", other.as_str());
            return Err(Problem::at("chain_ids", problem));
        }
        Ok(())
    }

    fn validate_demands(&self, names: &Names<'_>) -> Check {
        if self.effect == Effect::Deny {
            let demands = [
                ("limits", !self.limits.is_empty()),
                ("approvals", self.approvals.is_some()),
                ("nonce", self.nonce.is_some()),
            ];
            return match demands.iter().find(|(_, there)| *there) {
                Some((name, _)) => Err(Problem::at(*name, "is for rules that allow; this one denies")),
                None => Ok(()),
            };
        }
        bounded("limits", self.limits.len(), MAX_LIMITS)?;
        for (index, limit) in self.limits.iter().enumerate() {
            limit
                .validate(&self.operations)
                .map_err(|problem| problem.within(format_args!("limits[{index}]")))?;
        }
        let Some(approvals) = &self.approvals else { return Ok(()) };
        if let Some(silent) = self.operations.iter().find(|operation| !operation.signs()) {
            let problem = format!("is for what is signed, and {} signs nothing", silent.as_str());
            return Err(Problem::at("approvals", problem));
        }
        approvals.validate(MAX_APPROVERS).map_err(|problem| problem.within("approvals"))?;
        known("approvals.of", "approver", Some(&approvals.of), &names.approvers)
    }

    /// How it treats nonces.
    pub fn nonce_use(&self) -> NonceUse {
        self.nonce.unwrap_or_default()
    }
}

/// Every name is one of `known`.
fn known(member: &str, what: &str, named: Option<&[Name]>, known: &HashSet<&Name>) -> Check {
    let named = named.unwrap_or_default();
    match named.iter().find(|name| !known.contains(name)) {
        Some(unknown) => Err(Problem::at(member, format!("no {what} is named {unknown}"))),
        None => Ok(()),
    }
}
