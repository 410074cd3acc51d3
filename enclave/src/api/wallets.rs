//! Wallets and their accounts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signer_rules::{
    bundle::{Operation, Origin, WalletId},
    chain::{Curve, facts::ChainScope},
    name::{DEFAULT_KEYRING, Name, WalletName},
    policy::Query,
    timestamp::Timestamp,
};
use signer_shared::message::Listing;

use super::{
    Answer, Call, Code, Problem, Stop,
    decision::{Deed, Repeatable, check, denial, query, record, spend, who},
    find::{self, find_keyring, not_authentic, open_listed, open_wallet},
    objects::{Stored, check_listing},
    success,
};
use crate::{
    audit::Entry,
    auth::Caller,
    boot::{Enclave, Ready},
    wallet::{
        Keyring, Path, StoredWallet, Wallet, WalletRecord,
        record::{same_index, seal_address_index, seal_id_index, wallet_object},
    },
};

/// Wallets on a page, unless the request says otherwise.
const PAGE: u32 = 50;
/// The most wallets on a page.
pub(super) const MAX_PAGE: u32 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateRequest {
    name: Name,
    kind: Kind,
    #[serde(default)]
    keyring: Option<Name>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Hd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRequest {
    path: String,
    curve: Curve,
}

#[derive(Serialize)]
struct WalletJson<'a> {
    id: WalletId,
    name: &'a Name,
    kind: &'static str,
    keyring: &'a Name,
    created_at: Timestamp,
    accounts: Vec<crate::wallet::AccountJson>,
}

/// `POST /v1/wallets`.
pub(super) fn create(enclave: &Enclave, ready: &Ready, call: &Call) -> Answer {
    call.without_query()?;
    let caller = who(enclave, ready, call)?;
    let client = &caller.client;
    let request: CreateRequest = call.json()?;
    let Kind::Hd = request.kind;
    let keyring = choose_keyring(ready, request.keyring.as_ref())?;
    let wallet = Wallet::derive(keyring.clone(), request.name).map_err(Problem::from)?;
    let object = wallet_object(&wallet.full_name());
    let existing = match call.objects.get(&object) {
        Stored::Unknown => return Err(Stop::Objects(vec![object])),
        Stored::Absent => None,
        Stored::Present(content) => Some(content),
    };
    spend(enclave, &caller, Repeatable::Yes)?;
    let query = query(enclave, &caller, Operation::WalletCreate, wallet.id())?;
    let decision = check(enclave, ready, call, &query, &Deed::default())?;
    if let Some(content) = existing {
        let stored = open_wallet(keyring, wallet.name(), content)?;
        record(enclave, ready, call, &query, &decision, &Deed::default());
        let detail = format!("wallet {} exists; nothing was changed", wallet.full_name());
        let shown = serde_json::to_value(wallet_json(&stored)?)
            .map_err(|_| Problem::new(Code::Internal, "the answer cannot be written"))?;
        return Err(Problem::new(Code::WalletExists, detail).with_wallet(shown).into());
    }
    let mut indexes = vec![seal_id_index(&wallet).map_err(Problem::from)?];
    for account in wallet.default_accounts().map_err(Problem::from)? {
        indexes.push(seal_address_index(&wallet, &account).map_err(Problem::from)?);
    }
    let mut writes = Vec::new();
    for index in indexes {
        // Left by a creation that did not reach its last write.
        match call.objects.get(&index.name) {
            Stored::Present(stored) if same_index(&wallet, &index, stored) => {}
            Stored::Present(_) => return Err(not_authentic(&index.name).into()),
            Stored::Unknown | Stored::Absent => writes.push(index),
        }
    }
    let wallet_record = WalletRecord::new(&wallet, query.now, client.clone());
    writes.push(wallet_record.seal(&wallet).map_err(Problem::from)?);
    record(enclave, ready, call, &query, &decision, &Deed::default());
    enclave.events().info("wallet_created", &[("wallet", &wallet.id()), ("client", client)]);
    let stored = StoredWallet { record: wallet_record, wallet };
    success(201, &wallet_json(&stored)?, writes)
}

/// `GET /v1/wallets?after=&limit=`.
pub(super) async fn list(enclave: &Enclave, ready: &Ready, call: &Call) -> Answer {
    #[derive(Serialize)]
    struct Page<'a> {
        wallets: Vec<WalletJson<'a>>,
        next: Option<String>,
    }
    let caller = who(enclave, ready, call)?;
    let (after, limit) = page(call.query.as_deref())?;
    listing(call, after.as_ref(), limit)?;
    spend(enclave, &caller, Repeatable::No)?;
    let visible = visible(enclave, ready, call, &caller, after.as_ref(), limit, None).await?;
    let wallets = visible.wallets.iter().map(|wallet| wallet_json(wallet)).collect::<Result<_, _>>()?;
    success(200, &Page { wallets, next: visible.next }, Vec::new())
}

/// A page of wallets that a client may see.
pub(super) struct Visible {
    /// The wallets, by name.
    pub wallets: Vec<Arc<StoredWallet>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// The wallets of one page of the store's listing that a client may see, and the record that they were shown.
pub(super) async fn visible(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    caller: &Caller,
    after: Option<&WalletName>,
    limit: u32,
    item: Option<u32>,
) -> Result<Visible, Stop> {
    let listing = listing(call, after, limit)?;
    let now = enclave.clock().now()?;
    let untimely = ready.configured.policy.untimely(now);
    if let Some(problem) = untimely.as_ref().and_then(denial) {
        record_listing(enclave, ready, call, (caller, item), (now, false));
        return Err(problem.into());
    }
    let mut wallets = Vec::new();
    for object in &listing.objects {
        // What does not open is passed over: one bad object must not hide the others. A listing
        // proves that its entries are genuine, not that none is missing.
        match open_listed(ready, object) {
            Ok(wallet) => {
                let query = Query {
                    now,
                    client: &caller.client,
                    role: caller.role.as_ref(),
                    operation: Operation::WalletRead,
                    wallet: wallet.record.id,
                    origin: Origin::Hd,
                    chain: ChainScope::None,
                    facts: None,
                    account: None,
                    solana_account: None,
                };
                if ready.configured.policy.decide(&query).is_allowed() {
                    wallets.push(wallet);
                }
            }
            Err(problem) if problem.code() == Code::KeyringMissing => {}
            Err(_) => enclave.events().warn("sealed_object_invalid", &[("object", &object.name)]),
        }
        // Opening a wallet is work; others get their turn in between.
        tokio::task::yield_now().await;
    }
    record_listing(enclave, ready, call, (caller, item), (now, true));
    // The last name that is one: a stray object at the end of a page must not end the paging.
    let names = listing.objects.iter().rev().filter_map(|object| object.name.strip_prefix(find::WALLETS));
    let last = names.filter(|_| listing.more).find(|name| name.parse::<WalletName>().is_ok());
    let next = last.map(str::to_owned);
    Ok(Visible { wallets, next })
}

/// The record of a listing as a whole.
fn record_listing(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    (caller, item): (&Caller, Option<u32>),
    (now, allowed): (Timestamp, bool),
) {
    let receipt = enclave.audit().record(
        now,
        &Entry::Decision {
            client: &caller.client,
            wallet: None,
            operation: Operation::WalletRead,
            account: None,
            chain_id: None,
            every_chain: false,
            request_digest: call.digest(),
            allowed,
            rule: None,
            rejected: None,
            obstacle: None,
            facts: None,
            item,
            policy_version: ready.configured.policy.version(),
            result_digest: None,
        },
    );
    call.keep(receipt);
}

/// The page of the store's listing, which the host may have to be asked for.
fn listing<'a>(call: &'a Call, after: Option<&WalletName>, limit: u32) -> Result<&'a Listing, Stop> {
    let after = after.map(wallet_object);
    let Some(listing) = &call.listing else {
        return Err(Stop::Listing { prefix: find::WALLETS.to_owned(), after, limit });
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    check_listing(listing, find::WALLETS, after.as_deref(), most).map_err(Problem::from)?;
    Ok(listing)
}

/// `GET /v1/wallets/{w}`.
pub(super) fn show(enclave: &Enclave, ready: &Ready, call: &Call, wallet: &str) -> Answer {
    call.without_query()?;
    let caller = who(enclave, ready, call)?;
    let stored = find::wallet(ready, call, wallet)?;
    spend(enclave, &caller, Repeatable::No)?;
    let query = query(enclave, &caller, Operation::WalletRead, stored.record.id)?;
    let decision = check(enclave, ready, call, &query, &Deed::default())?;
    record(enclave, ready, call, &query, &decision, &Deed::default());
    success(200, &wallet_json(&stored)?, Vec::new())
}

/// `POST /v1/wallets/{w}/accounts`. Accounts follow from their path, so nothing has to be created;
/// what is stored is how to find the account by its address.
pub(super) fn derive_account(enclave: &Enclave, ready: &Ready, call: &Call, wallet: &str) -> Answer {
    call.without_query()?;
    let caller = who(enclave, ready, call)?;
    let request: AccountRequest = call.json()?;
    let path: Path = request.path.parse().map_err(Problem::from)?;
    let stored = find::wallet(ready, call, wallet)?;
    let query = query(enclave, &caller, Operation::WalletAccount, stored.record.id)?;
    if !ready.configured.policy.decide(&query).is_allowed() {
        // Before an account is derived. The nonce holds for the check below as well.
        spend(enclave, &caller, Repeatable::Yes)?;
        check(enclave, ready, call, &query, &Deed::default())?;
    }
    let account = stored.wallet.account(request.curve, &path).map_err(Problem::from)?;
    let index = seal_address_index(&stored.wallet, &account).map_err(Problem::from)?;
    let writes = match call.objects.get(&index.name) {
        Stored::Unknown => return Err(Stop::Objects(vec![index.name])),
        Stored::Absent => vec![index],
        Stored::Present(object) if same_index(&stored.wallet, &index, object) => Vec::new(),
        Stored::Present(_) => return Err(not_authentic(&index.name).into()),
    };
    spend(enclave, &caller, Repeatable::Yes)?;
    let decision = check(enclave, ready, call, &query, &Deed::default())?;
    let address = account.address();
    record(enclave, ready, call, &query, &decision, &Deed { account: Some(&address), ..Deed::default() });
    success(if writes.is_empty() { 200 } else { 201 }, &account.to_json(), writes)
}

/// The keyring that a request names, or the one called `default`: never one that the store or the
/// order of a bundle chooses.
fn choose_keyring<'a>(ready: &'a Ready, named: Option<&Name>) -> Result<&'a Arc<Keyring>, Problem> {
    let found = match named {
        Some(name) => ready.configured.keyrings.get(name),
        None => find_keyring(ready, DEFAULT_KEYRING),
    };
    found.ok_or_else(|| {
        let name = named.map_or(DEFAULT_KEYRING, Name::as_str);
        Problem::malformed(format!("the policy bundle has no keyring {name}; name one that it has"))
            .of_field("keyring")
    })
}

fn wallet_json(stored: &StoredWallet) -> Result<WalletJson<'_>, Problem> {
    let accounts = stored.wallet.default_accounts()?;
    Ok(WalletJson {
        id: stored.record.id,
        name: &stored.record.name,
        kind: "hd",
        keyring: &stored.record.keyring,
        created_at: stored.record.created_at,
        accounts: accounts.iter().map(crate::wallet::Account::to_json).collect(),
    })
}

/// `after` and `limit`, each at most once.
fn page(query: Option<&str>) -> Result<(Option<WalletName>, u32), Problem> {
    let (mut after, mut limit) = (None, None);
    for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("after", name)) if after.is_none() => {
                after = Some(
                    name.parse()
                        .map_err(|error| Problem::malformed(format!("after: {error}")).of_field("after"))?,
                );
            }
            Some(("limit", number)) if limit.is_none() => {
                let number = number.parse::<u32>().ok().filter(|number| (1..=MAX_PAGE).contains(number));
                limit = Some(number.ok_or_else(|| {
                    Problem::malformed(format!("limit is a number from 1 to {MAX_PAGE}")).of_field("limit")
                })?);
            }
            _ => return Err(Problem::malformed("the query takes after and limit, each once")),
        }
    }
    Ok((after, limit.unwrap_or(PAGE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_in_one_way() {
        assert_eq!(page(None).unwrap(), (None, PAGE));
        let (after, limit) = page(Some("after=treasury&limit=10")).unwrap();
        assert_eq!((after.unwrap().to_string().as_str(), limit), ("default.treasury", 10));
        for bad in ["limit=0", "limit=201", "limit=x", "limit=1&limit=2", "after=A", "other=1", "after"] {
            assert!(page(Some(bad)).is_err(), "{bad}");
        }
    }
}
