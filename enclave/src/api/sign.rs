//! `POST /v1/wallets/{w}/sign`: who, what, may it, sign, record. In this order.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use signer_rules::{
    bundle::{Operation, WalletId},
    chain::{self, Curve, Rejection, SignBody, Signed, SigningInput},
    hex_bytes::HexBytes,
    name::Name,
    policy::Decision,
};

use super::{
    Answer, Call, Code, Problem, success,
    wallets::{Deed, check, denial, query, record, resolve, who},
};
use crate::{
    boot::{Enclave, Ready},
    wallet::{Account, DEFAULT_PATHS, Path},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignRequest<'a> {
    r#type: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default, borrow)]
    transaction: Option<&'a RawValue>,
    #[serde(default)]
    unsigned: Option<String>,
    #[serde(default, borrow)]
    authorization: Option<&'a RawValue>,
    #[serde(default, borrow)]
    typed_data: Option<&'a RawValue>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    digest: Option<String>,
}

impl SignRequest<'_> {
    fn body(&self) -> SignBody<'_> {
        SignBody {
            transaction: self.transaction,
            unsigned: self.unsigned.as_deref(),
            authorization: self.authorization,
            typed_data: self.typed_data,
            message: self.message.as_deref(),
            text: self.text.as_deref(),
            digest: self.digest.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct SignAnswer<'a> {
    r#type: &'a str,
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
    let client = who(ready, call)?;
    let request: SignRequest<'_> = serde_json::from_slice(&call.body)
        .map_err(|error| Problem::malformed(format!("the body is not the expected JSON: {error}")))?;
    let stored = resolve(ready, call, wallet)?;

    // May this client sign such a thing with this wallet at all? Before an account is derived or
    // anything told.
    let operation = operation_of(&request.r#type)?;
    let mut query = query(enclave, client, operation, stored.record.id)?;
    if let Some(decision) = ready.configured.policy.refusal(&query) {
        record(enclave, ready, call, &query, &decision, &Deed::default());
        return Err(denial(&decision).unwrap_or_else(|| unknown_type(&request.r#type)).into());
    }

    let curve = chain::curve_of(&request.r#type).ok_or_else(|| unknown_type(&request.r#type))?;
    let path = path_of(&request, curve)?;
    let account = stored.wallet.account(curve, &path).map_err(Problem::from)?;
    let address = account.address();
    let body = request.body();
    let parsed = check_address(&request, &account)
        .and_then(|()| chain::parse(&request.r#type, &body, &account.signer()));
    let signable = parsed.map_err(|rejection| {
        let deed = Deed { account: Some(&address), rejected: Some(&rejection.field), ..Deed::default() };
        record(enclave, ready, call, &query, &Decision::NotAllowed, &deed);
        Problem::from(rejection)
    })?;

    query.chain = signable.facts().chain();
    let decision = check(enclave, ready, call, &query)?;
    let input = signable.signing_input();
    let result_digest = Some(digest_of(&input));
    let signature = stored.wallet.sign(curve, &path, input).map_err(Problem::from)?;
    let deed = Deed { account: Some(&address), rejected: None, result_digest };
    record(enclave, ready, call, &query, &decision, &deed);
    enclave.count_signature();
    let signed = signable.finish(&signature).map_err(Problem::from)?;
    let answer = SignAnswer {
        r#type: &request.r#type,
        wallet: stored.record.id,
        name: &stored.record.name,
        path: path.to_string(),
        address: &address,
        signed: &signed,
    };
    success(200, &answer, Vec::new())
}

fn unknown_type(found: &str) -> Problem {
    let found: String = found.chars().take(40).collect();
    Problem::new(
        Code::TransactionRejected,
        format!("type {found:?} is unknown; use one of {}", chain::kinds().collect::<Vec<_>>().join(", ")),
    )
    .of_field("type")
}

fn path_of(request: &SignRequest<'_>, curve: Curve) -> Result<Path, Problem> {
    let default = DEFAULT_PATHS.iter().find(|(of, _)| *of == curve).map(|(_, path)| *path);
    let text = request.path.as_deref().or(default).unwrap_or_default();
    text.parse().map_err(Problem::from)
}

/// An address, if given, must be the account's: in its own spelling, or for EVM in lower case.
fn check_address(request: &SignRequest<'_>, account: &Account) -> Result<(), Rejection> {
    let Some(given) = &request.address else { return Ok(()) };
    let own = account.address();
    let lower = account.curve() == Curve::Secp256k1 && *given == own.to_ascii_lowercase();
    if *given == own || lower {
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
