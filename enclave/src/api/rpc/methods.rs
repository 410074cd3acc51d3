//! The methods: what a request asks, by which account, and its result.

use std::{borrow::Cow, sync::Arc};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use signer_rules::{
    bundle::Operation,
    chain::{Curve, SignBody, Signed, evm::EvmAddress, facts},
    policy::Decision,
};

use super::{Endpoint, Request, fault::Fault, geth};
use crate::{
    api::{
        Call, Code, Problem, Stop,
        decision::{Deed, check, denial, query, record},
        find, object,
        sign::{Order, carry_out as sign},
        wallets::{self, MAX_PAGE},
    },
    auth::Caller,
    boot::{Enclave, Ready},
    wallet::{self, DEFAULT_PATHS, Path, StoredWallet},
};

/// What every method may need.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) enclave: &'a Enclave,
    pub(super) ready: &'a Ready,
    pub(super) call: &'a Call,
    pub(super) caller: &'a Caller,
    pub(super) endpoint: Endpoint<'a>,
}

/// A request that lacks nothing: it can be carried out.
pub(super) enum Plan<'a> {
    /// The result is known.
    Known(Box<RawValue>),
    /// The addresses of the endpoint's accounts.
    Accounts(Option<Arc<StoredWallet>>),
    /// A signature.
    Sign(SignPlan<'a>),
    /// A signature that no rule could allow with this wallet.
    Refused(Arc<StoredWallet>, Operation),
    /// No request, or none that is served.
    Fault(Fault),
}

/// What to sign, with which account.
pub(super) struct SignPlan<'a> {
    wallet: Arc<StoredWallet>,
    path: Path,
    what: What<'a>,
}

enum What<'a> {
    Message(Cow<'a, str>),
    TypedData(Cow<'a, RawValue>),
    Transaction(&'a RawValue),
}

impl What<'_> {
    const fn operation(&self) -> Operation {
        match self {
            Self::Message(_) => Operation::EvmMessage,
            Self::TypedData(_) => Operation::EvmTypedData,
            Self::Transaction(_) => Operation::EvmTransaction,
        }
    }
}

/// Who signs, if anybody may.
enum Account {
    Allowed(Arc<StoredWallet>, Path),
    Refused(Arc<StoredWallet>),
}

/// Reads a request, and finds the wallet that it is about.
pub(super) fn plan<'a>(context: &Context<'a>, request: &Request<'a>) -> Result<Plan<'a>, Stop> {
    let params = request.params.as_slice();
    let what = match &*request.method {
        "eth_chainId" => return Ok(chain_id(context, |id| format!("{id:#x}"))),
        "net_version" => return Ok(chain_id(context, |id| id.to_string())),
        "web3_clientVersion" => {
            return Ok(known(concat!("nitro-signer/", env!("CARGO_PKG_VERSION"))));
        }
        "eth_accounts" => return accounts(context),
        "eth_sign" => {
            let [address, data] = parameters(params, "[address, data]")?;
            (read_address(address, 0)?, What::Message(string(data, 1)?))
        }
        "personal_sign" => {
            // The password of a key file, which web3.js sends: there is none here.
            let params = if let [data, address, _] = params { &[*data, *address] } else { params };
            let [data, address] = parameters(params, "[data, address]")?;
            (read_address(address, 1)?, What::Message(string(data, 0)?))
        }
        "eth_signTypedData_v4" | "eth_signTypedData" => {
            let [address, data] = parameters(params, "[address, typed data]")?;
            (read_address(address, 0)?, What::TypedData(typed_data(data)?))
        }
        "eth_signTransaction" => {
            let [transaction] = parameters(params, "[transaction]")?;
            (from(transaction)?, What::Transaction(transaction))
        }
        method => return Ok(Plan::Fault(unknown(method))),
    };
    let (address, what) = what;
    match signer(context, address, what.operation())? {
        Account::Allowed(wallet, path) => Ok(Plan::Sign(SignPlan { wallet, path, what })),
        Account::Refused(wallet) => Ok(Plan::Refused(wallet, what.operation())),
    }
}

/// Carries a plan out; those for the accounts of all wallets are [`all_accounts`]'.
pub(super) fn carry_out(
    context: &Context<'_>,
    plan: Plan<'_>,
    item: Option<u32>,
) -> Result<Box<RawValue>, Fault> {
    match plan {
        Plan::Known(result) => Ok(result),
        Plan::Accounts(Some(wallet)) => own_account(context, &wallet, item),
        Plan::Accounts(None) => Err(Problem::new(Code::Internal, "accounts are listed elsewhere").into()),
        Plan::Sign(plan) => plan.sign(context, item),
        Plan::Refused(wallet, operation) => Err(refuse(context, &wallet, operation, item)),
        Plan::Fault(fault) => Err(fault),
    }
}

impl SignPlan<'_> {
    fn sign(&self, context: &Context<'_>, item: Option<u32>) -> Result<Box<RawValue>, Fault> {
        let body = SignBody { chain_id: context.endpoint.chain_id, ..SignBody::default() };
        let (kind, body) = match &self.what {
            What::Message(message) => (facts::EVM_MESSAGE, SignBody { message: Some(message), ..body }),
            What::TypedData(data) => (facts::EVM_TYPED_DATA, SignBody { typed_data: Some(data), ..body }),
            What::Transaction(fields) => {
                (facts::EVM_TRANSACTION, SignBody { transaction: Some(fields), ..body })
            }
        };
        let path = self.path.to_string();
        let order = Order { kind, path: Some(&path), address: None, body, item };
        let Context { enclave, ready, call, caller, endpoint } = *context;
        let outcome = sign(enclave, ready, call, caller, &self.wallet, &order)?;
        match &outcome.signed {
            Signed::EvmTransaction(signed) if endpoint.geth => {
                result(&geth::shape(outcome.signable.facts(), signed)?)
            }
            Signed::EvmTransaction(signed) => result(&prefixed(&signed.signed_transaction)),
            Signed::EvmMessage(signed) => result(&prefixed(&signed.serialized())),
            _ => Err(Problem::new(Code::Internal, "a signature of another kind came out").into()),
        }
    }
}

/// The account that is to sign: of the endpoint's wallet, or the one that has the address. Whoever may not sign such a thing
/// with the wallet learns nothing of its addresses.
fn signer(context: &Context<'_>, address: Option<EvmAddress>, operation: Operation) -> Result<Account, Stop> {
    let Context { ready, call, endpoint, .. } = *context;
    let Some(name) = endpoint.wallet else {
        let missing = || Problem::malformed("is missing: name the account that signs").of_field("from");
        let (wallet, path) = find::account(ready, call, address.ok_or_else(missing)?)?;
        let refused = refusal(context, &wallet, operation)?.is_some();
        return Ok(if refused { Account::Refused(wallet) } else { Account::Allowed(wallet, path) });
    };
    let wallet = find::wallet(ready, call, name)?;
    if refusal(context, &wallet, operation)?.is_some() {
        return Ok(Account::Refused(wallet));
    }
    let default = default_account(&wallet)?;
    let Some(address) = address.filter(|address| Some(*address) != default.evm_address()) else {
        return Ok(Account::Allowed(wallet, default.path().clone()));
    };
    let foreign = || {
        let detail =
            "is not the address of an account of this wallet: derive it with POST /v1/wallets/{w}/accounts";
        Problem::malformed(detail).of_field("from")
    };
    match find::account(ready, call, address) {
        Ok((found, path)) if found.record.id == wallet.record.id => Ok(Account::Allowed(wallet, path)),
        Ok(_) => Err(foreign().into()),
        Err(Stop::Problem(problem)) if problem.code() == Code::WalletNotFound => Err(foreign().into()),
        Err(stop) => Err(stop),
    }
}

/// The decision, if nothing could make it a yes.
fn refusal(
    context: &Context<'_>,
    wallet: &StoredWallet,
    operation: Operation,
) -> Result<Option<Decision>, Problem> {
    let query = query(context.enclave, context.caller, operation, wallet.record.id)?;
    Ok(context.ready.configured.policy.refusal(&query))
}

/// Records the refusal that was found in planning.
fn refuse(context: &Context<'_>, wallet: &StoredWallet, operation: Operation, item: Option<u32>) -> Fault {
    let Context { enclave, ready, call, caller, .. } = *context;
    let refused = query(enclave, caller, operation, wallet.record.id).map(|query| {
        // Only the bundle's beginning may have passed since: it is still not signed.
        let decision = ready.configured.policy.refusal(&query).unwrap_or(Decision::NotYetInForce);
        record(enclave, ready, call, &query, &decision, &Deed { item, ..Deed::default() });
        denial(&decision).unwrap_or_else(|| Problem::new(Code::Internal, "the decision is unclear"))
    });
    refused.unwrap_or_else(|problem| problem).into()
}

fn default_account(wallet: &StoredWallet) -> Result<wallet::Account, Problem> {
    let path = DEFAULT_PATHS.iter().find(|(curve, _)| *curve == Curve::Secp256k1).map(|(_, path)| *path);
    let path = path.unwrap_or_default().parse().map_err(Problem::from)?;
    Ok(wallet.wallet.account(Curve::Secp256k1, &path)?)
}

/// The endpoint's wallet has one default account; without a wallet, it is one of each that the client may see.
fn accounts<'a>(context: &Context<'a>) -> Result<Plan<'a>, Stop> {
    let Context { ready, call, endpoint, .. } = *context;
    if let Some(name) = endpoint.wallet {
        return Ok(Plan::Accounts(Some(find::wallet(ready, call, name)?)));
    }
    if call.listing.is_none() {
        return Err(Stop::Listing { prefix: find::WALLETS.to_owned(), after: None, limit: MAX_PAGE });
    }
    Ok(Plan::Accounts(None))
}

fn own_account(
    context: &Context<'_>,
    wallet: &StoredWallet,
    item: Option<u32>,
) -> Result<Box<RawValue>, Fault> {
    let Context { enclave, ready, call, caller, .. } = *context;
    let query = query(enclave, caller, Operation::WalletRead, wallet.record.id)?;
    let deed = Deed { item, ..Deed::default() };
    let decision = check(enclave, ready, call, &query, &deed)?;
    record(enclave, ready, call, &query, &decision, &deed);
    result(&[default_account(wallet)?.address()])
}

/// Of the first page of wallets: whoever has more names the account, or the wallet in the path.
pub(super) async fn all_accounts(context: &Context<'_>, item: Option<u32>) -> Result<Box<RawValue>, Fault> {
    let Context { enclave, ready, call, caller, .. } = *context;
    let visible = wallets::visible(enclave, ready, call, caller, None, MAX_PAGE, item).await.map_err(
        |stop| match stop {
            Stop::Problem(problem) => Fault::Problem(problem),
            stop => Fault::Stop(stop),
        },
    )?;
    let mut addresses = Vec::with_capacity(visible.wallets.len());
    for wallet in &visible.wallets {
        addresses.push(default_account(wallet)?.address());
    }
    result(&addresses)
}

fn chain_id<'a>(context: &Context<'a>, show: impl Fn(u64) -> String) -> Plan<'a> {
    match context.endpoint.chain_id {
        Some(id) => known(&show(id)),
        None => Plan::Fault(
            Problem::malformed("this path names no chain: use /rpc/{chain_id}").of_field("chain_id").into(),
        ),
    }
}

fn unknown(method: &str) -> Fault {
    let shown: String = method.chars().filter(char::is_ascii_graphic).collect();
    Fault::Method(format!("{shown} is not served here: this signs, and has no chain to ask or send to"))
}

// Parameters.

/// As many parameters as a method takes.
fn parameters<'a, const N: usize>(
    params: &[&'a RawValue],
    expected: &str,
) -> Result<[&'a RawValue; N], Problem> {
    params
        .try_into()
        .map_err(|_| Problem::malformed(format!("the parameters are {expected}")).of_field("params"))
}

fn string(param: &RawValue, index: usize) -> Result<Cow<'_, str>, Problem> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    match serde_json::from_str::<Text<'_>>(param.get()) {
        Ok(Text(text)) => Ok(text),
        Err(_) => Err(Problem::malformed("must be a string").of_field(&format!("params[{index}]"))),
    }
}

fn read_address(param: &RawValue, index: usize) -> Result<Option<EvmAddress>, Problem> {
    let parsed = string(param, index)?.parse::<EvmAddress>();
    let wrong = |error| Problem::malformed(format!("{error}")).of_field(&format!("params[{index}]"));
    parsed.map(Some).map_err(wrong)
}

/// The account that a transaction names. Everything else of it is read by its parser, strictly.
fn from(transaction: &RawValue) -> Result<Option<EvmAddress>, Problem> {
    #[derive(Deserialize)]
    struct From<'a> {
        #[serde(default, borrow)]
        from: Option<Cow<'a, str>>,
    }
    let wrong = |what: String| Problem::malformed(what).of_field("from");
    let From { from } =
        object(transaction.get()).map_err(|_| wrong("must be an address, once, in an object".to_owned()))?;
    from.map(|text| text.parse::<EvmAddress>().map_err(|error| wrong(error.to_string()))).transpose()
}

/// An object, or its text in a string, as clients send it.
fn typed_data(param: &RawValue) -> Result<Cow<'_, RawValue>, Problem> {
    if !param.get().starts_with('"') {
        return Ok(Cow::Borrowed(param));
    }
    let text = string(param, 1)?.into_owned();
    let raw = RawValue::from_string(text);
    raw.map(Cow::Owned).map_err(|_| Problem::malformed("must be typed data in JSON").of_field("params[1]"))
}

// Results.

fn known<'a>(value: &str) -> Plan<'a> {
    result(&value).map_or_else(Plan::Fault, Plan::Known)
}

fn result(value: &impl serde::Serialize) -> Result<Box<RawValue>, Fault> {
    to_raw_value(value).map_err(|_| Problem::new(Code::Internal, "the answer cannot be written").into())
}

fn prefixed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
