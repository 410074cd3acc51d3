//! From a bundle and what is asked to a decision.
//!
//! Default deny; a rule that denies wins over all that allow; no loops, no order among rules but
//! for naming which one decided.

use std::collections::{HashMap, HashSet};

use crate::{
    bundle::{Bundle, ClientAuth, Effect, Operation, WalletId, WalletSelector},
    chain::facts::ChainScope,
    name::Name,
    timestamp::Timestamp,
};

/// A bundle made ready to decide.
#[derive(Debug)]
pub struct Policy {
    version: u64,
    not_before: Timestamp,
    expires: Timestamp,
    anonymous: Option<Name>,
    rules: Vec<CompiledRule>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// When.
    pub now: Timestamp,
    /// By whom.
    pub client: &'a Name,
    /// What.
    pub operation: Operation,
    /// On which wallet.
    pub wallet: WalletId,
    /// On which chain, where the operation is about one.
    pub chain: ChainScope,
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

#[derive(Debug)]
struct CompiledRule {
    id: Name,
    effect: Effect,
    operations: HashSet<Operation>,
    clients: Option<HashSet<Name>>,
    wallets: Option<HashSet<WalletId>>,
    chain_ids: Option<HashSet<u64>>,
}

impl Policy {
    /// Prepares a bundle; it must have come from [`Bundle::from_json`].
    pub fn new(bundle: &Bundle) -> Self {
        let groups: HashMap<&Name, &[WalletId]> =
            bundle.wallet_groups.iter().map(|group| (&group.id, group.wallets.as_slice())).collect();
        let rules = bundle
            .rules
            .iter()
            .map(|rule| CompiledRule {
                id: rule.id.clone(),
                effect: rule.effect,
                operations: rule.operations.iter().copied().collect(),
                clients: rule.clients.as_ref().map(|clients| clients.iter().cloned().collect()),
                wallets: rule.wallets.as_ref().map(|selectors| wallets_of(selectors, &groups)),
                chain_ids: rule.chain_ids.as_ref().map(|ids| ids.iter().copied().collect()),
            })
            .collect();
        let anonymous = bundle.clients.iter().find(|client| client.auth == ClientAuth::None);
        Self {
            version: bundle.version,
            not_before: bundle.not_before,
            expires: bundle.expires,
            anonymous: anonymous.map(|client| client.id.clone()),
            rules,
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

    /// The decision if no chain could get a yes, whatever is then asked to be signed: known before
    /// anything of the wallet is touched.
    pub fn refusal(&self, query: &Query<'_>) -> Option<Decision> {
        let possible = self.rules.iter().any(|rule| rule.effect == Effect::Allow && rule.concerns(query));
        match self.decide(query) {
            Decision::Allowed(_) | Decision::NotAllowed => (!possible).then_some(Decision::NotAllowed),
            // Without a chain only rules for every chain deny.
            denied => Some(denied),
        }
    }

    /// Decides.
    pub fn decide(&self, query: &Query<'_>) -> Decision {
        if query.now < self.not_before {
            return Decision::NotYetInForce;
        }
        if query.now >= self.expires {
            return Decision::Expired;
        }
        let mut allowing = None;
        for rule in self.rules.iter().filter(|rule| rule.matches(query)) {
            match rule.effect {
                Effect::Deny => return Decision::DeniedBy(rule.id.clone()),
                Effect::Allow => allowing = allowing.or(Some(&rule.id)),
            }
        }
        allowing.map_or(Decision::NotAllowed, |rule| Decision::Allowed(rule.clone()))
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

impl CompiledRule {
    /// Whether it is about this client, operation and wallet, on some chain.
    fn concerns(&self, query: &Query<'_>) -> bool {
        self.operations.contains(&query.operation)
            && self.clients.as_ref().is_none_or(|clients| clients.contains(query.client))
            && self.wallets.as_ref().is_none_or(|wallets| wallets.contains(&query.wallet))
    }

    fn matches(&self, query: &Query<'_>) -> bool {
        self.concerns(query)
            && match (query.chain, &self.chain_ids) {
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
}

fn wallets_of(selectors: &[WalletSelector], groups: &HashMap<&Name, &[WalletId]>) -> HashSet<WalletId> {
    selectors
        .iter()
        .flat_map(|selector| match selector {
            WalletSelector::Wallet(id) => std::slice::from_ref(id),
            WalletSelector::Group(name) => groups.get(name).copied().unwrap_or_default(),
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hex_bytes::HexBytes;

    fn policy(rules: &serde_json::Value) -> Policy {
        let bundle = json!({
            "format": crate::bundle::FORMAT, "authority": "00".repeat(32), "version": 1, "previous": null,
            "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
            "least_configuration_epoch": 0, "keyrings": [],
            "clients": [{"id": "backend", "auth": "none"}],
            "wallet_groups": [{"id": "hot", "wallets": [wallet(1).to_string()]}],
            "rules": rules
        });
        Policy::new(&Bundle::from_json(bundle.to_string().as_bytes()).unwrap())
    }

    fn wallet(byte: u8) -> WalletId {
        WalletId(HexBytes([byte; 16]))
    }

    fn ask(policy: &Policy, wallet: WalletId, chain: ChainScope) -> Decision {
        ask_at(policy, "2026-01-15T00:00:00Z", wallet, chain)
    }

    fn ask_at(policy: &Policy, now: &str, wallet: WalletId, chain: ChainScope) -> Decision {
        policy.decide(&Query {
            now: now.parse().unwrap(),
            client: &"backend".parse().unwrap(),
            operation: Operation::EvmTransaction,
            wallet,
            chain,
        })
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert_eq!(ask(&policy(&json!([])), wallet(1), ChainScope::Evm(1)), Decision::NotAllowed);
    }

    #[test]
    fn atoms_must_all_match() {
        let policy = policy(&json!([
            {"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "wallets": ["@hot"], "chain_ids": [1, 10]}
        ]));
        assert_eq!(ask(&policy, wallet(1), ChainScope::Evm(10)), Decision::Allowed("pay".parse().unwrap()));
        assert_eq!(ask(&policy, wallet(2), ChainScope::Evm(10)), Decision::NotAllowed);
        assert_eq!(ask(&policy, wallet(1), ChainScope::Evm(5)), Decision::NotAllowed);
        assert_eq!(ask(&policy, wallet(1), ChainScope::EveryEvm), Decision::NotAllowed);
        assert_eq!(ask(&policy, wallet(1), ChainScope::None), Decision::NotAllowed);
    }

    #[test]
    fn a_rule_that_denies_wins() {
        let policy = policy(&json!([
            {"id": "all", "effect": "allow", "operations": ["evm.transaction"]},
            {"id": "not-mainnet", "effect": "deny", "operations": ["evm.transaction"], "chain_ids": [1]}
        ]));
        assert_eq!(
            ask(&policy, wallet(1), ChainScope::Evm(1)),
            Decision::DeniedBy("not-mainnet".parse().unwrap())
        );
        assert_eq!(ask(&policy, wallet(1), ChainScope::Evm(2)), Decision::Allowed("all".parse().unwrap()));
        // Sendable on mainnet too, so the denial covers it.
        assert_eq!(
            ask(&policy, wallet(1), ChainScope::EveryEvm),
            Decision::DeniedBy("not-mainnet".parse().unwrap())
        );
    }

    #[test]
    fn what_no_chain_allows_is_refused_beforehand() {
        let policy = policy(&json!([
            {"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "wallets": ["@hot"], "chain_ids": [1]}
        ]));
        let refusal = |now: &str, byte| {
            policy.refusal(&Query {
                now: now.parse().unwrap(),
                client: &"backend".parse().unwrap(),
                operation: Operation::EvmTransaction,
                wallet: wallet(byte),
                chain: ChainScope::None,
            })
        };
        assert_eq!(refusal("2026-01-15T00:00:00Z", 1), None);
        assert_eq!(refusal("2026-01-15T00:00:00Z", 2), Some(Decision::NotAllowed));
        assert_eq!(refusal("2026-03-15T00:00:00Z", 1), Some(Decision::Expired));
        let denied = self::policy(&json!([
            {"id": "pay", "effect": "allow", "operations": ["evm.transaction"]},
            {"id": "stop", "effect": "deny", "operations": ["evm.transaction"]}
        ]));
        let query = Query {
            now: "2026-01-15T00:00:00Z".parse().unwrap(),
            client: &"backend".parse().unwrap(),
            operation: Operation::EvmTransaction,
            wallet: wallet(1),
            chain: ChainScope::None,
        };
        assert_eq!(denied.refusal(&query), Some(Decision::DeniedBy("stop".parse().unwrap())));
    }

    #[test]
    fn an_authorization_for_every_chain_is_allowed_by_name_only() {
        let decide = |rules: serde_json::Value, chain| {
            policy(&rules).decide(&Query {
                now: "2026-01-15T00:00:00Z".parse().unwrap(),
                client: &"backend".parse().unwrap(),
                operation: Operation::EvmAuthorization,
                wallet: wallet(1),
                chain,
            })
        };
        let rule = |chain_ids: Option<&[u64]>| {
            let mut rule = json!({"id": "a", "effect": "allow", "operations": ["evm.authorization"]});
            if let Some(ids) = chain_ids {
                rule["chain_ids"] = json!(ids);
            }
            json!([rule])
        };
        assert_eq!(decide(rule(None), ChainScope::EveryEvm), Decision::NotAllowed);
        assert_eq!(decide(rule(Some(&[1])), ChainScope::EveryEvm), Decision::NotAllowed);
        assert!(decide(rule(Some(&[0])), ChainScope::EveryEvm).is_allowed());
        assert!(decide(rule(None), ChainScope::Evm(1)).is_allowed());
        assert_eq!(decide(rule(Some(&[0])), ChainScope::Evm(1)), Decision::NotAllowed);
    }

    #[test]
    fn time_decides_first() {
        let policy = policy(&json!([{"id": "all", "effect": "allow", "operations": ["evm.transaction"]}]));
        let at = |now| ask_at(&policy, now, wallet(1), ChainScope::Evm(1));
        assert_eq!(at("2025-12-31T23:59:59Z"), Decision::NotYetInForce);
        assert!(at("2026-01-01T00:00:00Z").is_allowed() && at("2026-01-31T23:59:59Z").is_allowed());
        assert_eq!(at("2026-02-01T00:00:00Z"), Decision::Expired);
    }
}
