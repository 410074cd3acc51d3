//! Rules that others make useless.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use super::Lints;
use crate::{
    bundle::{Bundle, Effect, Origin, Rule, WalletId, WalletSelector},
    name::Name,
};

/// Rules as they are written, but for their names.
#[derive(Default)]
pub(super) struct Twins(HashMap<String, Name>);

impl Twins {
    /// Remembers the rule.
    pub(super) fn check(&mut self, rule: &Rule, lints: &mut Lints<'_>) {
        let mut nameless = rule.clone();
        nameless.id = lints.bundle.rules.first().map_or_else(|| rule.id.clone(), |first| first.id.clone());
        let Ok(text) = serde_json::to_string(&nameless) else { return };
        if let Some(before) = self.0.get(&text) {
            lints.warn(format!("says what rule {before} says: remove one of them"));
        } else {
            self.0.insert(text, rule.id.clone());
        }
    }
}

/// The rules that deny whatever is to be signed.
pub(super) struct Denials<'a>(Vec<Denial<'a>>);

struct Denial<'a> {
    rule: &'a Rule,
    clients: Option<HashSet<&'a Name>>,
    roles: Option<HashSet<&'a Name>>,
    wallets: Option<Wallets<'a>>,
    chain_ids: Option<HashSet<&'a u64>>,
}

struct Wallets<'a> {
    ids: HashSet<&'a WalletId>,
    groups: HashSet<&'a Name>,
}

impl<'a> Denials<'a> {
    pub(super) fn of(bundle: &'a Bundle) -> Self {
        let denies = |rule: &&Rule| rule.effect == Effect::Deny && rule.when.is_none();
        let denial = |rule: &'a Rule| Denial {
            rule,
            clients: rule.clients.as_ref().map(|names| names.iter().collect()),
            roles: rule.roles.as_ref().map(|names| names.iter().collect()),
            wallets: rule.wallets.as_ref().map(|selectors| Wallets::of(selectors, bundle)),
            chain_ids: rule.chain_ids.as_ref().map(|ids| ids.iter().collect()),
        };
        Self(bundle.rules.iter().filter(denies).map(denial).collect())
    }

    pub(super) fn check(&self, rule: &Rule, lints: &mut Lints<'_>) {
        if rule.effect == Effect::Allow
            && let Some(denial) = self.0.iter().find(|denial| denial.covers(rule))
        {
            lints.error(format!("can never be used: rule {} denies all that it allows", denial.rule.id));
        }
    }
}

impl Denial<'_> {
    /// Whether this denies all that `allowing` allows.
    fn covers(&self, allowing: &Rule) -> bool {
        allowing.operations.iter().all(|operation| self.rule.operations.contains(operation))
            && has_all(self.clients.as_ref(), allowing.clients.as_ref())
            && has_all(self.roles.as_ref(), allowing.roles.as_ref())
            && has_all(self.chain_ids.as_ref(), allowing.chain_ids.as_ref())
            && self.rule.origins.as_ref().is_none_or(|denied| {
                let both = [Origin::Hd, Origin::Imported];
                allowing.origins.as_deref().unwrap_or(&both).iter().all(|origin| denied.contains(origin))
            })
            && self.wallets.as_ref().is_none_or(|denied| {
                allowing.wallets.as_ref().is_some_and(|wallets| wallets.iter().all(|one| denied.has(one)))
            })
    }
}

impl<'a> Wallets<'a> {
    fn of(selectors: &'a [WalletSelector], bundle: &'a Bundle) -> Self {
        let mut wallets = Self { ids: HashSet::new(), groups: HashSet::new() };
        for selector in selectors {
            match selector {
                WalletSelector::Wallet(id) => drop(wallets.ids.insert(id)),
                WalletSelector::Group(name) => drop(wallets.groups.insert(name)),
            }
        }
        let groups = bundle.wallet_groups.iter().filter(|group| wallets.groups.contains(&group.id));
        wallets.ids.extend(groups.flat_map(|group| &group.wallets));
        wallets
    }

    fn has(&self, selector: &WalletSelector) -> bool {
        match selector {
            WalletSelector::Wallet(id) => self.ids.contains(id),
            WalletSelector::Group(name) => self.groups.contains(name),
        }
    }
}

/// Whether `denied`, or everything, has all of `allowed`, which may be everything.
fn has_all<T: Hash + Eq>(denied: Option<&HashSet<&T>>, allowed: Option<&Vec<T>>) -> bool {
    denied.is_none_or(|denied| allowed.is_some_and(|allowed| allowed.iter().all(|one| denied.contains(one))))
}
