//! Wallets and their accounts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signer_rules::{
    bundle::{Operation, WalletId},
    chain::{Curve, facts::ChainScope},
    hex_bytes::HexBytes,
    name::{DEFAULT_KEYRING, Name, WalletName},
    policy::{Decision, Query},
    timestamp::Timestamp,
};
use signer_shared::message::Object;

use super::{
    Answer, Call, Code, Problem, Stop,
    objects::{Stored, check_listing},
    success,
};
use crate::{
    audit::Entry,
    auth::{Unauthenticated, authenticate},
    boot::{Enclave, Ready},
    wallet::{
        DerivationError, Keyring, Path, RecordError, StoredWallet, Wallet, WalletError, WalletRecord,
        record::{
            id_object, keyring_of, open_id_index, same_index, seal_address_index, seal_id_index,
            wallet_object,
        },
    },
};

/// Wallets on a page, unless the request says otherwise.
const PAGE: u32 = 50;
/// The most wallets on a page.
const MAX_PAGE: u32 = 200;
/// The prefix of wallets' objects.
const PREFIX: &str = "wallet/";

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
    let client = who(ready, call)?;
    let request: CreateRequest = call.json()?;
    let Kind::Hd = request.kind;
    let keyring = choose_keyring(ready, request.keyring.as_ref())?;
    let wallet = Wallet::derive(keyring.clone(), request.name).map_err(Problem::from)?;
    let query = query(enclave, client, Operation::WalletCreate, wallet.id())?;
    let decision = check(enclave, ready, call, &query)?;
    let object = wallet_object(&wallet.full_name());
    match call.objects.get(&object) {
        Stored::Unknown => return Err(Stop::Objects(vec![object])),
        Stored::Present(content) => {
            let stored = open_wallet(keyring, wallet.name(), content)?;
            record(enclave, ready, call, &query, &decision, &Deed::default());
            let detail = format!("wallet {} exists; nothing was changed", wallet.full_name());
            let shown = serde_json::to_value(wallet_json(&stored)?)
                .map_err(|_| Problem::new(Code::Internal, "the answer cannot be written"))?;
            return Err(Problem::new(Code::WalletExists, detail).with_wallet(shown).into());
        }
        Stored::Absent => {}
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
    let client = who(ready, call)?;
    let (after, limit) = page(call.query.as_deref())?;
    let after = after.map(|name| wallet_object(&name));
    let Some(listing) = &call.listing else {
        return Err(Stop::Listing { prefix: PREFIX.to_owned(), after, limit });
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    check_listing(listing, PREFIX, after.as_deref(), most).map_err(Problem::from)?;
    let now = enclave.clock().now()?;
    let mut visible = Vec::new();
    for object in &listing.objects {
        // What does not open is passed over: one bad object must not hide the others. A listing
        // proves that its entries are genuine, not that none is missing.
        match open_listed(ready, object) {
            Ok(wallet) => {
                let query = Query {
                    now,
                    client,
                    operation: Operation::WalletRead,
                    wallet: wallet.record.id,
                    chain: ChainScope::None,
                };
                if ready.configured.policy.decide(&query).is_allowed() {
                    visible.push(wallet);
                }
            }
            Err(problem) if problem.code() == Code::KeyringMissing => {}
            Err(_) => enclave.events().warn("sealed_object_invalid", &[("object", &object.name)]),
        }
        // Opening a wallet is work; others get their turn in between.
        tokio::task::yield_now().await;
    }
    enclave.audit().record(
        now,
        &Entry::Decision {
            client,
            wallet: None,
            operation: Operation::WalletRead,
            account: None,
            chain_id: None,
            request_digest: call.digest(),
            allowed: true,
            rule: None,
            rejected: None,
            policy_version: ready.configured.policy.version(),
            result_digest: None,
        },
    );
    // The last name that is one: a stray object at the end of a page must not end the paging.
    let names = listing.objects.iter().rev().filter_map(|object| object.name.strip_prefix(PREFIX));
    let last = names.filter(|_| listing.more).find(|name| name.parse::<WalletName>().is_ok());
    let next = last.map(str::to_owned);
    let wallets = visible.iter().map(|wallet| wallet_json(wallet)).collect::<Result<_, _>>()?;
    success(200, &Page { wallets, next }, Vec::new())
}

/// `GET /v1/wallets/{w}`.
pub(super) fn show(enclave: &Enclave, ready: &Ready, call: &Call, wallet: &str) -> Answer {
    call.without_query()?;
    let client = who(ready, call)?;
    let stored = resolve(ready, call, wallet)?;
    let query = query(enclave, client, Operation::WalletRead, stored.record.id)?;
    let decision = check(enclave, ready, call, &query)?;
    record(enclave, ready, call, &query, &decision, &Deed::default());
    success(200, &wallet_json(&stored)?, Vec::new())
}

/// `POST /v1/wallets/{w}/accounts`. Accounts follow from their path, so nothing has to be created;
/// what is stored is how to find the account by its address.
pub(super) fn derive_account(enclave: &Enclave, ready: &Ready, call: &Call, wallet: &str) -> Answer {
    call.without_query()?;
    let client = who(ready, call)?;
    let request: AccountRequest = call.json()?;
    let path: Path = request.path.parse().map_err(Problem::from)?;
    let stored = resolve(ready, call, wallet)?;
    let query = query(enclave, client, Operation::WalletAccount, stored.record.id)?;
    let decision = check(enclave, ready, call, &query)?;
    let account = stored.wallet.account(request.curve, &path).map_err(Problem::from)?;
    let index = seal_address_index(&stored.wallet, &account).map_err(Problem::from)?;
    let writes = match call.objects.get(&index.name) {
        Stored::Unknown => return Err(Stop::Objects(vec![index.name])),
        Stored::Absent => vec![index],
        Stored::Present(object) if same_index(&stored.wallet, &index, object) => Vec::new(),
        Stored::Present(_) => return Err(not_authentic(&index.name).into()),
    };
    let address = account.address();
    record(enclave, ready, call, &query, &decision, &Deed { account: Some(&address), ..Deed::default() });
    success(if writes.is_empty() { 200 } else { 201 }, &account.to_json(), writes)
}

/// Who asks.
pub(super) fn who<'a>(ready: &'a Ready, call: &Call) -> Result<&'a Name, Problem> {
    authenticate(&ready.configured.policy, &call.headers).map_err(Problem::from)
}

/// The wallet that a path names: by id, or by name.
pub(super) fn resolve(ready: &Ready, call: &Call, wallet: &str) -> Result<Arc<StoredWallet>, Stop> {
    match wallet.parse::<WalletId>() {
        Ok(id) => {
            let name = resolve_id(ready, call, id)?;
            let stored = resolve_name(ready, call, &name)?;
            if stored.record.id == id { Ok(stored) } else { Err(not_authentic(&id_object(id)).into()) }
        }
        Err(_) => match wallet.parse::<WalletName>() {
            Ok(name) => resolve_name(ready, call, &name),
            Err(error) => Err(Problem::new(Code::WalletNotFound, error.to_string()).into()),
        },
    }
}

/// What a client asks of a wallet, now.
pub(super) fn query<'a>(
    enclave: &Enclave,
    client: &'a Name,
    operation: Operation,
    wallet: WalletId,
) -> Result<Query<'a>, Problem> {
    Ok(Query { now: enclave.clock().now()?, client, operation, wallet, chain: ChainScope::None })
}

/// What came of a request, for its record.
#[derive(Default)]
pub(super) struct Deed<'a> {
    /// The account's address.
    pub account: Option<&'a str>,
    /// The member that was not understood.
    pub rejected: Option<&'a str>,
    /// SHA-256 of what was signed.
    pub result_digest: Option<HexBytes<32>>,
}

/// Decides. A no is recorded here; a yes is recorded by the caller, once it is known what came of it.
pub(super) fn check(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    query: &Query<'_>,
) -> Result<Decision, Problem> {
    let decision = ready.configured.policy.decide(query);
    match denial(&decision) {
        None => Ok(decision),
        Some(problem) => {
            record(enclave, ready, call, query, &decision, &Deed::default());
            Err(problem)
        }
    }
}

/// Appends a decision to the audit chain.
pub(super) fn record(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    query: &Query<'_>,
    decision: &Decision,
    deed: &Deed<'_>,
) {
    enclave.audit().record(
        query.now,
        &Entry::Decision {
            client: query.client,
            wallet: Some(query.wallet),
            operation: query.operation,
            account: deed.account.map(str::to_owned),
            chain_id: match query.chain {
                ChainScope::Evm(id) => Some(id),
                ChainScope::None | ChainScope::EveryEvm => None,
            },
            request_digest: call.digest(),
            allowed: decision.is_allowed(),
            rule: decision.rule(),
            rejected: deed.rejected,
            policy_version: ready.configured.policy.version(),
            result_digest: deed.result_digest,
        },
    );
}

/// What the caller is told about a decision that is not a yes.
pub(super) fn denial(decision: &Decision) -> Option<Problem> {
    let detail = match decision {
        Decision::Allowed(_) => return None,
        Decision::DeniedBy(rule) => format!("rule {rule} denies it"),
        Decision::NotAllowed => "no rule allows it".to_owned(),
        Decision::NotYetInForce => "the policy bundle is not in force yet".to_owned(),
        Decision::Expired => "the policy bundle has expired; the admins must sign a new one".to_owned(),
    };
    Some(Problem::new(Code::PolicyDenied, detail).by_rule(decision.rule()))
}

fn resolve_id(ready: &Ready, call: &Call, id: WalletId) -> Result<WalletName, Stop> {
    let cached = ready.configured.keyrings.iter().find_map(|(keyring, open)| {
        open.cached_name(id).map(|name| WalletName { keyring: keyring.clone(), name })
    });
    if let Some(name) = cached {
        return Ok(name);
    }
    let object = id_object(id);
    match call.objects.get(&object) {
        Stored::Unknown => Err(Stop::Objects(vec![object])),
        Stored::Absent => Err(wallet_not_found().into()),
        Stored::Present(content) => {
            // Whichever keyring the host's object names, the wallet found must have this very id.
            let keyring = keyring_of(content, |name| find_keyring(ready, name)).map_err(Problem::from)?;
            let name = open_id_index(keyring, id, content).map_err(Problem::from)?;
            Ok(WalletName { keyring: keyring.id().clone(), name })
        }
    }
}

fn resolve_name(ready: &Ready, call: &Call, name: &WalletName) -> Result<Arc<StoredWallet>, Stop> {
    let keyring = ready.configured.keyrings.get(&name.keyring).ok_or_else(wallet_not_found)?;
    if let Some(wallet) = keyring.cached_wallet(&name.name) {
        return Ok(wallet);
    }
    let object = wallet_object(name);
    match call.objects.get(&object) {
        Stored::Unknown => Err(Stop::Objects(vec![object])),
        Stored::Absent => Err(wallet_not_found().into()),
        Stored::Present(content) => Ok(open_wallet(keyring, &name.name, content)?),
    }
}

fn open_listed(ready: &Ready, object: &Object) -> Result<Arc<StoredWallet>, Problem> {
    let name = object.name.strip_prefix(PREFIX).unwrap_or_default();
    let name = name.parse::<WalletName>().map_err(|_| not_authentic(&object.name))?;
    let content = object.content.as_ref().ok_or_else(|| not_authentic(&object.name))?;
    let keyring = ready
        .configured
        .keyrings
        .get(&name.keyring)
        .ok_or_else(|| Problem::new(Code::KeyringMissing, "its keyring is not in the bundle"))?;
    if object.name != wallet_object(&name) {
        return Err(not_authentic(&object.name));
    }
    open_wallet(keyring, &name.name, content)
}

fn open_wallet(keyring: &Arc<Keyring>, name: &Name, object: &[u8]) -> Result<Arc<StoredWallet>, Problem> {
    if let Some(wallet) = keyring.cached_wallet(name) {
        return Ok(wallet);
    }
    let wallet = Arc::new(WalletRecord::open(keyring, name, object)?);
    keyring.cache_wallet(wallet.clone());
    Ok(wallet)
}

fn find_keyring<'a>(ready: &'a Ready, id: &str) -> Option<&'a Arc<Keyring>> {
    ready.configured.keyrings.get(&id.parse::<Name>().ok()?)
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

fn wallet_not_found() -> Problem {
    Problem::new(Code::WalletNotFound, "create it with POST /v1/wallets")
}

fn not_authentic(object: &str) -> Problem {
    Problem::new(Code::SealedObjectInvalid, format!("the store's object {object} is not authentic"))
}

impl From<Unauthenticated> for Problem {
    fn from(_: Unauthenticated) -> Self {
        Self::new(Code::Unauthenticated, "sign the request as a client of the policy bundle")
    }
}

impl From<WalletError> for Problem {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Derivation(error) => error.into(),
            other => Self::new(Code::Internal, other.to_string()),
        }
    }
}

impl From<DerivationError> for Problem {
    fn from(error: DerivationError) -> Self {
        Self::malformed(error.to_string()).of_field("path")
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Wallet(error) => error.into(),
            other => Self::new(Code::SealedObjectInvalid, other.to_string()),
        }
    }
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
