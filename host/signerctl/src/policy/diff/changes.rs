//! The differences, each as one line.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
};

use signer_rules::{
    bundle::{Abi, AfterRestart, Approver, Bundle, Client, ClientAuth, Keyring, Limit, Rule, WalletGroup},
    name::Name,
};
use signer_terminal::keys;

use super::{super::BundleFile, super::client_text, super::english, order};

/// One difference.
pub(super) struct Change {
    /// What kind.
    pub(super) mark: Mark,
    /// What it is about, if that has a name.
    pub(super) id: Option<String>,
    /// In words; further lines are of the same difference.
    pub(super) text: String,
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Only the new bundle has it.
    Added,
    /// Only the old one has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
    /// A consequence that is easily overlooked.
    Care,
}

impl Mark {
    /// The name for programs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Care => "care",
        }
    }
}

/// All differences, by what they are about.
pub(super) fn between(old: &BundleFile, new: &BundleFile) -> Vec<(&'static str, Vec<Change>)> {
    let (from, to) = (&old.bundle, &new.bundle);
    vec![
        ("bundle", bundle(old, new)),
        (
            "keyrings",
            each(&from.keyrings, &to.keyrings, |keyring: &Keyring| &keyring.id, keyring_text, retold),
        ),
        ("clients", each(&from.clients, &to.clients, |client: &Client| &client.id, client_text, client)),
        (
            "approvers",
            each(&from.approvers, &to.approvers, |approver: &Approver| &approver.id, approver_text, retold),
        ),
        ("ABIs", each(&from.abis, &to.abis, |abi: &Abi| &abi.id, abi_text, abi)),
        (
            "wallet groups",
            each(&from.wallet_groups, &to.wallet_groups, |group: &WalletGroup| &group.id, group_text, group),
        ),
        ("rules", rules(from, to)),
        ("limits", limits(from, to)),
    ]
}

fn bundle(old: &BundleFile, new: &BundleFile) -> Vec<Change> {
    let (from, to) = (&old.bundle, &new.bundle);
    let mut changes = Vec::new();
    let mut compare = |label: &str, before: String, after: String| {
        if before != after {
            changes.push(Change {
                mark: Mark::Changed,
                id: None,
                text: format!("{label}: {before} -> {after}"),
            });
        }
    };
    compare("version", from.version.to_string(), to.version.to_string());
    compare("in force from", from.not_before.to_string(), to.not_before.to_string());
    compare("in force until", from.expires.to_string(), to.expires.to_string());
    compare(
        "least configuration epoch",
        from.least_configuration_epoch.to_string(),
        to.least_configuration_epoch.to_string(),
    );
    let mut care = |text: String| changes.push(Change { mark: Mark::Care, id: None, text });
    if from.authority != to.authority {
        care(format!("another authority: {} -> {}", from.authority, to.authority));
    }
    if to.version <= from.version && from != to {
        care(format!("version {} does not follow {}: enclaves refuse it", to.version, from.version));
    } else if to.previous != Some(old.digest) && from != to {
        care("it does not name the old bundle as the one before".to_owned());
    }
    changes
}

/// What is new, gone and changed among things with names, in the order of the new list and then the old one's.
fn each<T: PartialEq>(
    old: &[T],
    new: &[T],
    id: fn(&T) -> &Name,
    text: impl Fn(&T) -> String,
    differences: impl Fn(&T, &T) -> Vec<String>,
) -> Vec<Change> {
    let change = |mark, of: &T, text| Change { mark, id: Some(id(of).to_string()), text };
    let before: HashMap<&Name, &T> = old.iter().map(|item| (id(item), item)).collect();
    let after: HashMap<&Name, &T> = new.iter().map(|item| (id(item), item)).collect();
    let mut changes = Vec::new();
    for item in new {
        match before.get(id(item)) {
            None => changes.push(change(Mark::Added, item, text(item))),
            Some(before) if *before != item => {
                let lines = differences(before, item);
                let lines = if lines.is_empty() { vec![format!("is now: {}", text(item))] } else { lines };
                changes.push(change(Mark::Changed, item, format!("{}: {}", id(item), lines.join("\n"))));
            }
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|item| !after.contains_key(id(item)));
    changes.extend(gone.map(|item| change(Mark::Removed, item, text(item))));
    changes
}

/// Nothing more to say than the new text.
fn retold<T>(_: &T, _: &T) -> Vec<String> {
    Vec::new()
}

fn keyring_text(keyring: &Keyring) -> String {
    format!("{}={}", keyring.id, keyring.fingerprint)
}

fn approver_text(approver: &Approver) -> String {
    format!("{}, {}", approver.id, keys::public_hex(&approver.public_key))
}

fn abi_text(abi: &Abi) -> String {
    format!("{}: {}", abi.id, abi.functions.join("; "))
}

fn group_text(group: &WalletGroup) -> String {
    format!("@{}: {} wallets", group.id, group.wallets.len())
}

fn client(old: &Client, new: &Client) -> Vec<String> {
    let mut lines = Vec::new();
    let proof = |client: &Client| match client.auth {
        ClientAuth::None => "nothing",
        ClientAuth::Keys(_) => "keys",
    };
    if proof(old) != proof(new) {
        lines.push(format!("proves who it is with {}, and did with {}", proof(new), proof(old)));
    }
    let key = |client: &Client| -> Vec<String> {
        let text = |key: &signer_rules::bundle::ClientKey| {
            format!("{} ({} {})", key.id, key.algorithm.as_str(), key.public_key)
        };
        client.keys().iter().map(text).collect()
    };
    members(&mut lines, "key", key(old), key(new));
    members(&mut lines, "role", old.roles.clone(), new.roles.clone());
    if old.sessions != new.sessions {
        let text = |client: &Client| {
            client
                .sessions
                .map_or_else(|| "none".to_owned(), |sessions| format!("up to {} s", sessions.longest_s))
        };
        lines.push(format!("sessions: {} -> {}", text(old), text(new)));
    }
    lines
}

fn abi(old: &Abi, new: &Abi) -> Vec<String> {
    let mut lines = Vec::new();
    members(&mut lines, "function", old.functions.clone(), new.functions.clone());
    lines
}

fn group(old: &WalletGroup, new: &WalletGroup) -> Vec<String> {
    let mut lines = Vec::new();
    members(&mut lines, "wallet", old.wallets.clone(), new.wallets.clone());
    lines
}

/// What a set gains and loses.
fn members<T: Display + Ord>(lines: &mut Vec<String>, what: &str, old: Vec<T>, new: Vec<T>) {
    let (old, new) = (BTreeSet::from_iter(old), BTreeSet::from_iter(new));
    lines.extend(new.difference(&old).map(|member| format!("gains {what} {member}")));
    lines.extend(old.difference(&new).map(|member| format!("loses {what} {member}")));
}

fn rules(old: &Bundle, new: &Bundle) -> Vec<Change> {
    let versions = |old: &Rule, new: &Rule| {
        vec![format!("was: {}", english::line(old)), format!("is:  {}", english::line(new))]
    };
    let mut changes = each(&old.rules, &new.rules, |rule: &Rule| &rule.id, english::line, versions);
    let ids =
        |bundle: &'_ Bundle| -> Vec<String> { bundle.rules.iter().map(|rule| rule.id.to_string()).collect() };
    let (before, after) = (ids(old), ids(new));
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
    for id in order::moved(&before, &after) {
        let place = after.iter().position(|rule| *rule == id).unwrap_or_default();
        let text = match place.checked_sub(1).and_then(|place| after.get(place)) {
            Some(neighbour) => format!(
                "{id} now stands behind {neighbour}: of rules that allow, the first that holds decides"
            ),
            None => format!("{id} now stands first: of rules that allow, the first that holds decides"),
        };
        changes.push(Change { mark: Mark::Care, id: Some(id.to_owned()), text });
    }
    changes
}

/// Limits whose history does not go on under the new bundle: the enclave knows a limit by its rule, its place in the rule
/// and all it says.
fn limits(old: &Bundle, new: &Bundle) -> Vec<Change> {
    let (before, after) = (limits_by_rule(old), limits_by_rule(new));
    let mut changes = Vec::new();
    for rule in &new.rules {
        let earlier = before.get(&rule.id).copied().unwrap_or_default();
        for (index, limit) in rule.limits.iter().enumerate() {
            if earlier.get(index) == Some(limit) {
                continue;
            }
            let start = match limit.after_restart {
                AfterRestart::Closed => format!("it allows nothing for {} s", limit.window_s),
                AfterRestart::Open => "it starts with a full budget".to_owned(),
            };
            let text = format!(
                "{}, limits[{index}]: counted from when the bundle comes into force; {start}",
                rule.id
            );
            changes.push(Change { mark: Mark::Care, id: Some(rule.id.to_string()), text });
        }
    }
    for rule in &old.rules {
        let later = after.get(&rule.id).copied().unwrap_or_default();
        for index in later.len()..rule.limits.len() {
            let text = format!("{}, limits[{index}]: gone, and what it counted is forgotten", rule.id);
            changes.push(Change { mark: Mark::Care, id: Some(rule.id.to_string()), text });
        }
    }
    changes
}

fn limits_by_rule(bundle: &Bundle) -> HashMap<&Name, &[Limit]> {
    bundle.rules.iter().map(|rule| (&rule.id, rule.limits.as_slice())).collect()
}
