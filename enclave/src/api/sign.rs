//! `POST /v1/wallets/{w}/sign`, and what batches and JSON-RPC share with it: what, may it, sign, record. In this order.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use signer_rules::{
    bundle::{Operation, WalletId},
    chain::{self, Curve, Rejection, SignBody, Signable, Signed, SigningInput, solana::SolanaAddress},
    hex_bytes::HexBytes,
    name::Name,
    policy::Decision,
};

use super::{
    Answer, Call, Code, Problem,
    admit::admit,
    decision::{Deed, Repeatable, denial, judge, query, record, spend, who},
    find, success,
};
use crate::{
    auth::Caller,
    boot::{Enclave, Ready},
    guards::Intent,
    wallet::{Account, DEFAULT_PATHS, Path, StoredWallet},
};

/// The body of a sign request, and an item of a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignRequest<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    /// In batches only: elsewhere the path names it.
    #[serde(default, borrow)]
    pub wallet: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    path: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    transaction: Option<&'a RawValue>,
    #[serde(default, borrow)]
    unsigned: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    authorization: Option<&'a RawValue>,
    #[serde(default, borrow)]
    typed_data: Option<&'a RawValue>,
    #[serde(default, borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    digest: Option<Cow<'a, str>>,
}

/// What is to be signed by which account of a wallet.
pub(super) struct Order<'a> {
    /// The kind, by its name.
    pub kind: &'a str,
    /// The account's path, if it is not the default one.
    pub path: Option<&'a str>,
    /// What the account's address must be.
    pub address: Option<&'a str>,
    /// What to sign.
    pub body: SignBody<'a>,
    /// Which part of the request it is, if it has several.
    pub item: Option<u32>,
}

/// What was signed, by which account.
pub(super) struct Outcome {
    wallet: WalletId,
    name: Name,
    path: Path,
    address: String,
    /// What was signed.
    pub signable: Box<dyn Signable>,
    /// The signature in its place.
    pub signed: Signed,
}

/// An outcome as the API shows it.
#[derive(Serialize)]
pub(super) struct SignAnswer<'a> {
    r#type: &'static str,
    wallet: WalletId,
    name: &'a Name,
    path: String,
    address: &'a str,
    #[serde(flatten)]
    signed: &'a Signed,
}

/// Signs what the body names, if the policy allows what it turns out to be.
pub(super) fn sign(enclave: &Enclave, ready: &Ready, call: &Call, wallet: &str) -> Answer {
    call.without_query()?;
    let caller = who(enclave, ready, call)?;
    let request: SignRequest<'_> = call.json()?;
    if request.wallet.is_some() {
        return Err(Problem::malformed("the path names the wallet: leave it out of the body")
            .of_field("wallet")
            .into());
    }
    let stored = find::wallet(ready, call, wallet)?;
    spend(enclave, &caller, Repeatable::No)?;
    let outcome = carry_out(enclave, ready, call, &caller, &stored, &request.order(None))?;
    success(200, &outcome.answer(), Vec::new())
}

/// Decides, signs and records: everything of one signature but finding its wallet.
pub(super) fn carry_out(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    caller: &Caller,
    stored: &StoredWallet,
    order: &Order<'_>,
) -> Result<Outcome, Problem> {
    // May this client sign such a thing with this wallet at all? Before an account is derived or
    // anything told.
    let operation = operation_of(order.kind)?;
    let mut query = query(enclave, caller, operation, stored.record.id)?;
    let mut deed = Deed { item: order.item, ..Deed::default() };
    if let Some(decision) = ready.configured.policy.refusal(&query) {
        record(enclave, ready, call, &query, &decision, &deed);
        return Err(denial(&decision).unwrap_or_else(|| unknown_type(order.kind)));
    }

    let curve = chain::curve_of(order.kind).ok_or_else(|| unknown_type(order.kind))?;
    let account = path_of(order, curve).and_then(|path| Ok((stored.wallet.account(curve, &path)?, path)));
    let (account, path) = account.inspect_err(|_| {
        let deed = Deed { rejected: Some("path"), ..deed };
        record(enclave, ready, call, &query, &Decision::NotAllowed, &deed);
    })?;
    let address = account.address();
    deed.account = Some(&address);
    let parsed = check_address(order, &account)
        .and_then(|()| chain::parse(order.kind, &order.body, &account.signer()));
    let signable = parsed.map_err(|rejection| {
        let deed = Deed { rejected: Some(&rejection.field), ..deed };
        record(enclave, ready, call, &query, &Decision::NotAllowed, &deed);
        Problem::from(rejection)
    })?;

    let own = account.signer();
    query.chain = signable.facts().chain();
    query.facts = Some(signable.facts());
    query.account = own.evm_address;
    query.solana_account = own.ed25519.map(SolanaAddress::new);
    deed.facts = Some(signable.facts());
    let candidates = judge(enclave, ready, call, &query, &deed)?;
    let input = signable.signing_input();
    let intent = Intent {
        now_ms: enclave.clock().now_ms()?,
        client: query.client,
        wallet: query.wallet,
        account: &address,
        evm_account: query.account,
        facts: signable.facts(),
        input,
        limits: &ready.configured.limits,
    };
    let rule = match admit(enclave, ready, call, &query, &candidates, &intent) {
        Ok(rule) => rule,
        Err((rule, obstacle)) => {
            let decision = rule.map_or(Decision::NotAllowed, |rule| Decision::DeniedBy(rule.clone()));
            deed.obstacle = Some(obstacle);
            record(enclave, ready, call, &query, &decision, &deed);
            return Err(obstacle.problem(rule));
        }
    };
    deed.result_digest = Some(digest_of(&input));
    let signature = stored.wallet.sign(curve, &path, input)?;
    record(enclave, ready, call, &query, &Decision::Allowed(rule.clone()), &deed);
    enclave.count_signature();
    let signed = signable.finish(&signature)?;
    let (wallet, name) = (stored.record.id, stored.record.name.clone());
    Ok(Outcome { wallet, name, path, address, signable, signed })
}

impl SignRequest<'_> {
    /// What it asks for.
    pub(super) fn order(&self, item: Option<u32>) -> Order<'_> {
        Order {
            kind: &self.r#type,
            path: self.path.as_deref(),
            address: self.address.as_deref(),
            body: SignBody {
                transaction: self.transaction,
                unsigned: self.unsigned.as_deref(),
                authorization: self.authorization,
                typed_data: self.typed_data,
                message: self.message.as_deref(),
                text: self.text.as_deref(),
                digest: self.digest.as_deref(),
                chain_id: None,
            },
            item,
        }
    }
}

impl Outcome {
    /// As the API shows it.
    pub(super) fn answer(&self) -> SignAnswer<'_> {
        SignAnswer {
            r#type: self.signable.facts().operation(),
            wallet: self.wallet,
            name: &self.name,
            path: self.path.to_string(),
            address: &self.address,
            signed: &self.signed,
        }
    }
}

fn unknown_type(found: &str) -> Problem {
    let found: String = found.chars().take(40).collect();
    Problem::new(
        Code::TransactionRejected,
        format!("type {found:?} is unknown; use one of {}", chain::kinds().collect::<Vec<_>>().join(", ")),
    )
    .of_field("type")
}

fn path_of(order: &Order<'_>, curve: Curve) -> Result<Path, Problem> {
    let default = DEFAULT_PATHS.iter().find(|(of, _)| *of == curve).map(|(_, path)| *path);
    let text = order.path.or(default).unwrap_or_default();
    text.parse().map_err(Problem::from)
}

/// An address, if given, must be the account's: in its own spelling, or for EVM in lower case.
fn check_address(order: &Order<'_>, account: &Account) -> Result<(), Rejection> {
    let Some(given) = order.address else { return Ok(()) };
    let own = account.address();
    let lower = account.curve() == Curve::Secp256k1 && given == own.to_ascii_lowercase();
    if given == own || lower {
        return Ok(());
    }
    let message = format!("the account at {} is {own}; leave address out, or give its path", account.path());
    Err(Rejection { field: "address".to_owned(), message })
}

fn operation_of(kind: &str) -> Result<Operation, Problem> {
    Operation::from_name(kind)
        .filter(|operation| chain::curve_of(operation.as_str()).is_some())
        .ok_or_else(|| unknown_type(kind))
}

/// What the record says was signed: the very bytes, by their digest.
fn digest_of(input: &SigningInput<'_>) -> HexBytes<32> {
    match input {
        SigningInput::Prehash(hash) => HexBytes(*hash),
        SigningInput::Message(message) => HexBytes(Sha256::digest(message).into()),
    }
}
