//! What a bundle has and no rule uses.

use std::collections::HashSet;

use super::Lints;
use crate::{
    bundle::{Effect, Rule, WalletSelector, When},
    name::Name,
};

pub(super) fn check(lints: &mut Lints<'_>) {
    let bundle = lints.bundle;
    let rules = || bundle.rules.iter();
    if !rules().any(|rule| rule.effect == Effect::Allow) {
        lints.warn("no rule allows anything");
    }
    clients(lints);
    let groups = rules().flat_map(|rule| rule.wallets.iter().flatten()).filter_map(group).collect();
    report("wallet group", bundle.wallet_groups.iter().map(|group| &group.id), &groups, lints);
    let approvers = rules().flat_map(|rule| &rule.approvals).flat_map(|approvals| &approvals.of).collect();
    report("approver", bundle.approvers.iter().map(|approver| &approver.id), &approvers, lints);
    let abis = rules().flat_map(abis).collect();
    report("abi", bundle.abis.iter().map(|abi| &abi.id), &abis, lints);
}

/// Clients that no rule allows anything, and roles that no rule names.
fn clients(lints: &mut Lints<'_>) {
    let bundle = lints.bundle;
    let allowing = || bundle.rules.iter().filter(|rule| rule.effect == Effect::Allow);
    let everybody = allowing().any(|rule| rule.clients.is_none() && rule.roles.is_none());
    let named: HashSet<&Name> = allowing().flat_map(|rule| rule.clients.iter().flatten()).collect();
    let by_role = allowing().filter(|rule| rule.clients.is_none());
    let by_role: HashSet<&Name> = by_role.flat_map(|rule| rule.roles.iter().flatten()).collect();
    for client in &bundle.clients {
        let allowed =
            everybody || named.contains(&client.id) || client.roles.iter().any(|role| by_role.contains(role));
        if !allowed {
            lints.warn(format!("no rule allows client {} anything", client.id));
        }
    }
    let named = bundle.rules.iter().flat_map(|rule| rule.roles.iter().flatten()).collect();
    let mut seen = HashSet::new();
    let roles = bundle.clients.iter().flat_map(|client| &client.roles).filter(|role| seen.insert(*role));
    report("role", roles, &named, lints);
}

fn report<'a>(
    what: &str,
    names: impl Iterator<Item = &'a Name>,
    used: &HashSet<&Name>,
    lints: &mut Lints<'_>,
) {
    for name in names.filter(|name| !used.contains(name)) {
        lints.note(format!("no rule names {what} {name}"));
    }
}

fn group(selector: &WalletSelector) -> Option<&Name> {
    match selector {
        WalletSelector::Wallet(_) => None,
        WalletSelector::Group(name) => Some(name),
    }
}

fn abis(rule: &Rule) -> Vec<&Name> {
    match &rule.when {
        Some(When::EvmTransaction(when)) => when.calls.iter().flatten().map(|call| &call.abi).collect(),
        _ => Vec::new(),
    }
}
