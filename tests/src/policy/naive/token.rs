//! Recognised movements of tokens, in call data and in typed data.

use ruint::aliases::U256;
use serde_json::Value;

use super::{
    Asked, Truth,
    abi::{self, Words},
    all, amount, in_range, list, names, text, truth,
};

/// Who may have how much of what.
#[derive(Clone, Debug)]
struct Movement {
    kind: &'static str,
    /// The token's address.
    contract: String,
    recipient: String,
    amount: U256,
}

/// What there is to say about the tokens of a request.
enum Movements {
    /// It moves none that we recognise.
    None,
    /// It looks like a movement, and is none that we understand.
    Unknown,
    Known(Vec<Movement>),
}

/// A `token` atom of a transaction.
pub(super) fn of_call(wanted: &Value, asked: &Asked<'_>) -> Truth {
    judge(wanted, in_call(asked.facts), asked)
}

/// A `token` atom of typed data.
pub(super) fn of_typed_data(wanted: &Value, asked: &Asked<'_>) -> Truth {
    judge(wanted, in_typed_data(asked.facts), asked)
}

/// Token and amount of each movement that EVM facts show; `None` if that cannot be known. No movement is an empty list.
pub(super) fn amounts(facts: &Value) -> Option<Vec<(String, U256)>> {
    let movements = if facts["type"] == "evm.transaction" { in_call(facts) } else { in_typed_data(facts) };
    match movements {
        Movements::None => Some(Vec::new()),
        Movements::Unknown => None,
        Movements::Known(all) => Some(all.into_iter().map(|one| (one.contract, one.amount)).collect()),
    }
}

fn judge(wanted: &Value, movements: Movements, asked: &Asked<'_>) -> Truth {
    match movements {
        Movements::None => Truth::False,
        Movements::Unknown => Truth::Unknown,
        Movements::Known(movements) => {
            asked.each(movements.iter().map(|movement| is_wanted(wanted, movement, asked)))
        }
    }
}

fn is_wanted(wanted: &Value, movement: &Movement, asked: &Asked<'_>) -> Truth {
    let members = wanted.as_object().expect("an object");
    all(members.iter().map(|(name, wanted)| match name.as_str() {
        "kinds" => truth(names(wanted, movement.kind)),
        "contracts" => asked.lists_evm(wanted, &movement.contract),
        "recipients" => asked.lists_evm(wanted, &movement.recipient),
        "amount" => in_range(wanted, movement.amount),
        other => panic!("{other} is no member of a token atom"),
    }))
}

/// Kind, signature, place of who gets it, place of how much.
const CALLS: [(&str, &str, usize, usize); 8] = [
    ("transfer", "transfer(address to, uint256 amount)", 0, 1),
    ("transfer_from", "transferFrom(address from, address to, uint256 amount)", 1, 2),
    ("approve", "approve(address spender, uint256 amount)", 0, 1),
    ("increase_allowance", "increaseAllowance(address spender, uint256 amount)", 0, 1),
    ("safe_transfer_from", "safeTransferFrom(address from, address to, uint256 id)", 1, 2),
    ("safe_transfer_from", "safeTransferFrom(address from, address to, uint256 id, bytes data)", 1, 2),
    ("set_approval_for_all", "setApprovalForAll(address operator, bool approved)", 0, 1),
    (
        "permit",
        "permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
        1,
        2,
    ),
];

fn in_call(facts: &Value) -> Movements {
    for (kind, signature, recipient, size) in CALLS {
        let values = match abi::words(facts, signature) {
            Words::Other => continue,
            Words::Malformed => return Movements::Unknown,
            Words::Known(values) => values,
        };
        let amount = match values[size].as_bool() {
            Some(approved) => all_or_nothing(approved),
            None => abi::uint(&values, size),
        };
        return Movements::Known(vec![Movement {
            kind,
            contract: text(&facts["to"]).to_lowercase(),
            recipient: abi::address(&values, recipient),
            amount,
        }]);
    }
    Movements::None
}

fn all_or_nothing(all: bool) -> U256 {
    if all { U256::MAX } else { U256::ZERO }
}

const EIP_2612: &str = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)";
const DAI: &str = "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)";
const DETAILS: &str = "PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)";
const PERMISSIONS: &str = "TokenPermissions(address token,uint256 amount)";

fn in_typed_data(facts: &Value) -> Movements {
    let message = &facts["message"];
    let spender = || text(member(message, "spender")).to_lowercase();
    let encoded = text(&facts["encode_type"]);
    match text(&facts["primary_type"]) {
        "Permit" => {
            let (kind, amount) = match encoded {
                EIP_2612 => ("permit", amount(member(message, "value"))),
                DAI => ("dai_permit", all_or_nothing(*member(message, "allowed") == true)),
                _ => return Movements::Unknown,
            };
            // Nothing says which token it is about.
            let Some(contract) = facts["domain"]["verifying_contract"].as_str() else {
                return Movements::Unknown;
            };
            let contract = contract.to_lowercase();
            Movements::Known(vec![Movement { kind, contract, recipient: spender(), amount }])
        }
        name if PERMIT2.iter().any(|(known, _)| *known == name) => {
            if facts["domain"]["name"] != "Permit2" || !is_permit2(name, encoded) {
                return Movements::Unknown;
            }
            let single = name == "PermitSingle" || name == "PermitBatch";
            let permitted = member(message, if single { "details" } else { "permitted" });
            // A struct is the list of its members, a list of structs a list of such lists.
            let one = permitted.get(0).is_some_and(Value::is_object);
            let entries = if one { std::slice::from_ref(permitted) } else { list(permitted) };
            Movements::Known(entries.iter().map(|entry| permit2(entry, spender())).collect())
        }
        _ => Movements::None,
    }
}

/// The types of Permit2, and how each begins.
const PERMIT2: [(&str, &str); 6] = [
    ("PermitSingle", "PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)"),
    ("PermitBatch", "PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline)"),
    (
        "PermitTransferFrom",
        "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)",
    ),
    (
        "PermitBatchTransferFrom",
        "PermitBatchTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline)",
    ),
    (
        "PermitWitnessTransferFrom",
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,",
    ),
    (
        "PermitBatchWitnessTransferFrom",
        "PermitBatchWitnessTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline,",
    ),
];

/// Whether the definitions are Permit2's. After a witness come the witness's own, in the order of their names.
fn is_permit2(name: &str, encoded: &str) -> bool {
    let (_, start) = PERMIT2.iter().find(|(known, _)| *known == name).expect("a type of Permit2");
    let part = if name == "PermitSingle" || name == "PermitBatch" { DETAILS } else { PERMISSIONS };
    if name.contains("Witness") {
        encoded.starts_with(start) && encoded.split_inclusive(')').any(|definition| definition == part)
    } else {
        encoded == format!("{start}{part}")
    }
}

fn permit2(entry: &Value, recipient: String) -> Movement {
    Movement {
        kind: "permit2",
        contract: text(member(entry, "token")).to_lowercase(),
        recipient,
        amount: amount(member(entry, "amount")),
    }
}

fn member<'a>(members: &'a Value, name: &str) -> &'a Value {
    let found = list(members).iter().find(|member| member["name"] == name);
    &found.unwrap_or_else(|| panic!("no {name} in {members}"))["value"]
}
