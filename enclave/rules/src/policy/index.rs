//! Which rules can be about whom and which wallet.
//!
//! Each rule is under those it names, in one index by who asks and in another by wallet. A rule that
//! concerns a request is in both, so the shorter of the two lists has all of them.

use std::collections::HashMap;

use super::Query;
use crate::{
    bundle::{Bundle, Operation, Rule, WalletId, WalletSelector},
    name::Name,
};

/// Finds rules by their number, which is their place in the bundle.
#[derive(Debug)]
pub(super) struct Index {
    clients: HashMap<Name, u32>,
    role_names: HashMap<Name, u32>,
    /// Of each client by its number.
    roles: Vec<Box<[u32]>>,
    groups: HashMap<WalletId, Vec<u32>>,
    by_asker: HashMap<(Operation, AskerKey), Vec<u32>>,
    by_wallet: HashMap<(Operation, WalletKey), Vec<u32>>,
}

/// Numbers for the names of a bundle.
pub(super) struct Numbers<'a> {
    clients: HashMap<&'a Name, u32>,
    roles: HashMap<&'a Name, u32>,
    groups: HashMap<&'a Name, u32>,
}

/// Who asks, on which wallet, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    /// `None` if the bundle has no such client.
    pub(super) client: Option<u32>,
    pub(super) roles: &'a [u32],
    /// The roles that rules which allow see.
    pub(super) used_roles: &'a [u32],
    /// The groups that have the wallet.
    pub(super) groups: &'a [u32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum AskerKey {
    Anybody,
    Client(u32),
    Role(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum WalletKey {
    Any,
    Wallet(WalletId),
    Group(u32),
}

impl<'a> Numbers<'a> {
    pub(super) fn of(bundle: &'a Bundle) -> Self {
        let clients = bundle.clients.iter();
        Self {
            clients: numbered(clients.clone().map(|client| &client.id)),
            roles: numbered(clients.flat_map(|client| &client.roles)),
            groups: numbered(bundle.wallet_groups.iter().map(|group| &group.id)),
        }
    }

    pub(super) fn client(&self, name: &Name) -> Option<u32> {
        self.clients.get(name).copied()
    }

    pub(super) fn role(&self, name: &Name) -> Option<u32> {
        self.roles.get(name).copied()
    }

    pub(super) fn group(&self, name: &Name) -> Option<u32> {
        self.groups.get(name).copied()
    }

    fn asker_keys(&self, rule: &Rule) -> Vec<AskerKey> {
        match (&rule.clients, &rule.roles) {
            (Some(clients), _) => {
                clients.iter().filter_map(|name| self.client(name)).map(AskerKey::Client).collect()
            }
            (None, Some(roles)) => {
                roles.iter().filter_map(|name| self.role(name)).map(AskerKey::Role).collect()
            }
            (None, None) => vec![AskerKey::Anybody],
        }
    }

    fn wallet_keys(&self, rule: &Rule) -> Vec<WalletKey> {
        let Some(selectors) = &rule.wallets else { return vec![WalletKey::Any] };
        let key = |selector: &WalletSelector| match selector {
            WalletSelector::Wallet(id) => Some(WalletKey::Wallet(*id)),
            WalletSelector::Group(name) => self.group(name).map(WalletKey::Group),
        };
        selectors.iter().filter_map(key).collect()
    }
}

impl Index {
    pub(super) fn new(bundle: &Bundle, numbers: &Numbers<'_>) -> Self {
        let roles_of = |roles: &[Name]| roles.iter().filter_map(|name| numbers.role(name)).collect();
        let mut groups: HashMap<WalletId, Vec<u32>> = HashMap::new();
        for (number, group) in (0..).zip(&bundle.wallet_groups) {
            for wallet in &group.wallets {
                groups.entry(*wallet).or_default().push(number);
            }
        }
        let (mut by_asker, mut by_wallet): (HashMap<_, Vec<u32>>, HashMap<_, Vec<u32>>) = Default::default();
        for (number, rule) in (0..).zip(&bundle.rules) {
            let (askers, wallets) = (numbers.asker_keys(rule), numbers.wallet_keys(rule));
            for operation in &rule.operations {
                for key in &askers {
                    by_asker.entry((*operation, *key)).or_default().push(number);
                }
                for key in &wallets {
                    by_wallet.entry((*operation, *key)).or_default().push(number);
                }
            }
        }
        let owned = |names: &HashMap<&Name, u32>| {
            names.iter().map(|(name, number)| ((*name).clone(), *number)).collect()
        };
        Self {
            clients: owned(&numbers.clients),
            role_names: owned(&numbers.roles),
            roles: bundle.clients.iter().map(|client| roles_of(&client.roles)).collect(),
            groups,
            by_asker,
            by_wallet,
        }
    }

    /// The number of a client, which is its place in the bundle.
    pub(super) fn client(&self, name: &Name) -> Option<usize> {
        self.clients.get(name).and_then(|number| usize::try_from(*number).ok())
    }

    pub(super) fn asker(&self, query: &Query<'_>) -> Asker<'_> {
        let place = self.client(query.client);
        let roles: &[u32] = place.and_then(|place| self.roles.get(place)).map_or(&[], |roles| roles);
        let used_roles = match query.role {
            None => roles,
            // A role that the client does not have is none.
            Some(role) => {
                let number = self.role_names.get(role);
                let own = number.and_then(|number| roles.iter().position(|role| role == number));
                own.and_then(|place| roles.get(place..=place)).unwrap_or_default()
            }
        };
        Asker {
            client: self.clients.get(query.client).copied(),
            roles,
            used_roles,
            groups: self.groups.get(&query.wallet).map_or(&[], Vec::as_slice),
        }
    }

    /// The numbers of the rules that can concern a request, ascending, each once: all that do, and
    /// few others.
    pub(super) fn candidates(&self, query: &Query<'_>, asker: &Asker<'_>) -> Vec<u32> {
        let under = |key| self.by_asker.get(&(query.operation, key)).map_or(&[][..], Vec::as_slice);
        let askers = || {
            let roles = asker.roles.iter().copied().map(AskerKey::Role);
            let keys = roles.chain(asker.client.map(AskerKey::Client)).chain([AskerKey::Anybody]);
            keys.map(under)
        };
        let on = |key| self.by_wallet.get(&(query.operation, key)).map_or(&[][..], Vec::as_slice);
        let wallets = || {
            let groups = asker.groups.iter().copied().map(WalletKey::Group);
            groups.chain([WalletKey::Wallet(query.wallet), WalletKey::Any]).map(on)
        };
        let by_asker: usize = askers().map(<[u32]>::len).sum();
        let by_wallet: usize = wallets().map(<[u32]>::len).sum();
        let mut numbers: Vec<u32> = if by_asker <= by_wallet {
            askers().flatten().copied().collect()
        } else {
            wallets().flatten().copied().collect()
        };
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// Each name with its number: its place, for names that are there once.
fn numbered<'a>(names: impl Iterator<Item = &'a Name>) -> HashMap<&'a Name, u32> {
    let mut numbers = HashMap::new();
    for (number, name) in (0..).zip(names) {
        numbers.entry(name).or_insert(number);
    }
    numbers
}
