//! Token movements: what calls and permits of the common token standards hand to whom.
//!
//! A contract can call anything `transfer`: what is recognised here is the form of a request, and a rule adds the
//! contracts that it means. Amounts are as the request has them, in the token's smallest unit; of an ERC-721 token it is
//! the id.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use crate::abi::Function;
use crate::chain::evm::EvmAddress;
use crate::chain::facts::{EvmTransactionFacts, EvmTypedDataFacts, TypedField, TypedValue};

/// How a token is moved, or leave given to move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// `transfer(address,uint256)`: ERC-20.
    Transfer,
    /// `transferFrom(address,address,uint256)`: ERC-20 and ERC-721.
    TransferFrom,
    /// `approve(address,uint256)`: ERC-20 and ERC-721. The recipient is the spender.
    Approve,
    /// `increaseAllowance(address,uint256)`: of `OpenZeppelin`. The recipient is the spender.
    IncreaseAllowance,
    /// `safeTransferFrom`, with and without data: ERC-721.
    SafeTransferFrom,
    /// `setApprovalForAll(address,bool)`: ERC-721 and ERC-1155. The recipient is the operator; the amount is 2^256 - 1, or
    /// 0 when leave is taken back.
    SetApprovalForAll,
    /// EIP-2612, signed or submitted. The recipient is the spender.
    Permit,
    /// The permit of Dai, signed: the amount is 2^256 - 1, or 0 when leave is taken back.
    DaiPermit,
    /// Uniswap's Permit2, signed: one movement for each token. The recipient is the spender.
    Permit2,
}

/// One token that is moved, or may be moved from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// How.
    pub kind: TokenKind,
    /// The token's contract.
    pub contract: EvmAddress,
    /// Who gets it, or leave to move it.
    pub recipient: EvmAddress,
    /// How much of it, or the id of an ERC-721 token.
    pub amount: U256,
}

/// What a request does with tokens, as far as it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movements {
    /// Not of a form that is known here. It may move tokens all the same.
    None,
    /// It has the name of a known form, and other contents: what it does is not known.
    Malformed,
    /// These. Only a permit of Permit2 can have several, or none.
    Known(Vec<Movement>),
}

/// The movement that a contract is called for.
pub fn of_call(facts: &EvmTransactionFacts) -> Movements {
    let (Some(contract), Some(selector)) = (facts.to, facts.selector) else { return Movements::None };
    let Some(call) = CALLS.iter().find(|call| call.selector == selector) else { return Movements::None };
    let arguments = facts.input.get(selector.len()..).unwrap_or_default();
    let movement = || {
        let fields = call.function.decode(arguments).ok()?;
        let recipient = address(member(&fields, call.recipient)?)?;
        Some(Movement {
            kind: call.kind,
            contract,
            recipient,
            amount: amount(member(&fields, call.amount)?)?,
        })
    };
    known(movement().map(|movement| vec![movement]))
}

/// The leave that a signature over typed data gives.
///
/// By the exact definition of the message's type, which is part of what is signed. A message whose type has the name of a
/// permit and another definition, or Permit2's definition in a domain of another name, is [`Movements::Malformed`].
pub fn of_typed_data(facts: &EvmTypedDataFacts) -> Movements {
    match facts.primary_type.as_str() {
        "Permit" => known(token_permit(facts)),
        "PermitSingle" | "PermitBatch" => known(permit2(facts, "details")),
        "PermitTransferFrom"
        | "PermitBatchTransferFrom"
        | "PermitWitnessTransferFrom"
        | "PermitBatchWitnessTransferFrom" => known(permit2(facts, "permitted")),
        _ => Movements::None,
    }
}

/// EIP-2612.
const PERMIT: &str = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)";
/// Of Dai.
const DAI_PERMIT: &str = "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)";
/// Of Permit2: how the definitions begin and end. With a witness, types of the application's own are between, or after.
const PERMIT2: [(&str, &str, &str); 6] = [
    ("PermitSingle", "PermitDetails details,address spender,uint256 sigDeadline)", PERMIT_DETAILS),
    ("PermitBatch", "PermitDetails[] details,address spender,uint256 sigDeadline)", PERMIT_DETAILS),
    (
        "PermitTransferFrom",
        "TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)",
        TOKEN_PERMISSIONS,
    ),
    (
        "PermitBatchTransferFrom",
        "TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline)",
        TOKEN_PERMISSIONS,
    ),
    (
        "PermitWitnessTransferFrom",
        "TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,",
        TOKEN_PERMISSIONS,
    ),
    (
        "PermitBatchWitnessTransferFrom",
        "TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline,",
        TOKEN_PERMISSIONS,
    ),
];
const PERMIT_DETAILS: &str = "PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)";
const TOKEN_PERMISSIONS: &str = "TokenPermissions(address token,uint256 amount)";
/// The domain of Permit2.
const PERMIT2_DOMAIN: &str = "Permit2";

struct Call {
    selector: [u8; 4],
    kind: TokenKind,
    function: Function,
    /// The parameters that say who and how much.
    recipient: &'static str,
    amount: &'static str,
}

/// Kind, function, and the parameters that say who and how much.
const FUNCTIONS: [(TokenKind, &str, &str, &str); 8] = [
    (TokenKind::Transfer, "transfer(address to, uint256 amount)", "to", "amount"),
    (TokenKind::TransferFrom, "transferFrom(address from, address to, uint256 amount)", "to", "amount"),
    (TokenKind::Approve, "approve(address spender, uint256 amount)", "spender", "amount"),
    (TokenKind::IncreaseAllowance, "increaseAllowance(address spender, uint256 added)", "spender", "added"),
    (TokenKind::SafeTransferFrom, "safeTransferFrom(address from, address to, uint256 id)", "to", "id"),
    (
        TokenKind::SafeTransferFrom,
        "safeTransferFrom(address from, address to, uint256 id, bytes data)",
        "to",
        "id",
    ),
    (
        TokenKind::SetApprovalForAll,
        "setApprovalForAll(address operator, bool approved)",
        "operator",
        "approved",
    ),
    (
        TokenKind::Permit,
        "permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
        "spender",
        "value",
    ),
];

/// All of [`FUNCTIONS`]; a test sees to it that none is missing.
static CALLS: LazyLock<Vec<Call>> = LazyLock::new(|| {
    let call = |(kind, signature, recipient, amount)| {
        let function = Function::parse(signature).ok()?;
        Some(Call { selector: function.selector(), kind, function, recipient, amount })
    };
    FUNCTIONS.into_iter().filter_map(call).collect()
});

fn known(movements: Option<Vec<Movement>>) -> Movements {
    movements.map_or(Movements::Malformed, Movements::Known)
}

/// A permit that the token itself verifies.
fn token_permit(facts: &EvmTypedDataFacts) -> Option<Vec<Movement>> {
    let (kind, how_much) = match facts.encode_type.as_str() {
        PERMIT => (TokenKind::Permit, "value"),
        DAI_PERMIT => (TokenKind::DaiPermit, "allowed"),
        _ => return None,
    };
    let contract = facts.domain.verifying_contract?;
    let recipient = address(facts.field(&["spender"])?)?;
    Some(vec![Movement { kind, contract, recipient, amount: amount(facts.field(&[how_much])?)? }])
}

/// A permit of Permit2, where `tokens` is a token with its amount, or several.
fn permit2(facts: &EvmTypedDataFacts, tokens: &str) -> Option<Vec<Movement>> {
    let (name, start, end) = PERMIT2.iter().find(|(name, ..)| *name == facts.primary_type)?;
    let rest = facts.encode_type.strip_prefix(name)?.strip_prefix('(')?.strip_prefix(start)?;
    // Definitions follow each other by name. A witness's may come after, and hers begin where this one ends.
    let defined = if start.ends_with(')') { rest == *end } else { rest.contains(&format!("){end}")) };
    if !defined || facts.domain.name.as_deref() != Some(PERMIT2_DOMAIN) {
        return None;
    }
    let recipient = address(facts.field(&["spender"])?)?;
    let movement = |token: &TypedValue| {
        let TypedValue::Struct(fields) = token else { return None };
        let contract = address(member(fields, "token")?)?;
        let amount = amount(member(fields, "amount")?)?;
        Some(Movement { kind: TokenKind::Permit2, contract, recipient, amount })
    };
    match facts.field(&[tokens])? {
        TypedValue::Array(items) => items.iter().map(movement).collect(),
        token => Some(vec![movement(token)?]),
    }
}

fn member<'a>(fields: &'a [TypedField], name: &str) -> Option<&'a TypedValue> {
    fields.iter().find(|field| field.name == name).map(|field| &field.value)
}

const fn address(value: &TypedValue) -> Option<EvmAddress> {
    match value {
        TypedValue::Address(address) => Some(*address),
        _ => None,
    }
}

/// A number, or everything or nothing.
const fn amount(value: &TypedValue) -> Option<U256> {
    match value {
        TypedValue::Uint(amount) => Some(*amount),
        TypedValue::Bool(true) => Some(U256::MAX),
        TypedValue::Bool(false) => Some(U256::ZERO),
        _ => None,
    }
}
