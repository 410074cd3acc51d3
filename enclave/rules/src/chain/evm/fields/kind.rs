//! Which type of transaction the fields make.

use crate::chain::Rejection;
use crate::chain::evm::payload::kind_of;
use crate::chain::facts::EvmTransactionKind::{self, Eip1559, Eip2930, Eip4844, Eip7702, Legacy};
use crate::chain::json::Members;

/// Fields that not every type has.
const SPECIFIC: [(&str, &[EvmTransactionKind]); 7] = [
    ("authorizationList", &[Eip7702]),
    ("blobVersionedHashes", &[Eip4844]),
    ("maxFeePerBlobGas", &[Eip4844]),
    ("gasPrice", &[Legacy, Eip2930]),
    ("maxFeePerGas", &[Eip1559, Eip4844, Eip7702]),
    ("maxPriorityFeePerGas", &[Eip1559, Eip4844, Eip7702]),
    ("accessList", &[Eip2930, Eip1559, Eip4844, Eip7702]),
];

/// What travels beside a transaction with blobs. Nothing of it is signed but the hashes.
const SIDECAR: [&str; 9] = [
    "blobs",
    "commitments",
    "proofs",
    "cellProofs",
    "sidecar",
    "sidecars",
    "kzg",
    "blobWrapperVersion",
    "wrapperVersion",
];

/// Members of signed transactions. Libraries list them as `null` while there is no signature.
const SIGNATURE: [&str; 7] = ["sig", "signature", "yParity", "v", "r", "s", "hash"];

/// Takes `type`, if it is there, or infers it, and refuses the fields that this type does not have.
pub(super) fn choose(members: &mut Members<'_>) -> Result<EvmTransactionKind, Rejection> {
    for name in SIDECAR {
        if let Some(value) = members.take(name) {
            return Err(value.reject(
                "is not signed: send blobVersionedHashes alone, the sidecar is added after signing",
            ));
        }
    }
    for name in SIGNATURE {
        if let Some(value) = members.take(name) {
            return Err(value.reject("is of a signed transaction: remove it"));
        }
    }
    let named = members.take("type").map(|value| {
        let kind = match value.quantity_u64()? {
            0 => Some(Legacy),
            byte => u8::try_from(byte).ok().and_then(kind_of),
        };
        kind.ok_or_else(|| value.reject("is unknown: use 0x0 (legacy), 0x1, 0x2, 0x3 or 0x4"))
    });
    let inferred = infer(members);
    let kind = named.transpose()?.unwrap_or(inferred);
    for (name, kinds) in SPECIFIC {
        if kinds.contains(&kind) {
            continue;
        }
        if let Some(value) = members.take(name) {
            return Err(value.reject(format!("is not a field of {}: remove it", name_of(kind))));
        }
    }
    Ok(kind)
}

fn infer(members: &Members<'_>) -> EvmTransactionKind {
    if members.has("authorizationList") {
        Eip7702
    } else if members.has("blobVersionedHashes") || members.has("maxFeePerBlobGas") {
        Eip4844
    } else if members.has("maxFeePerGas") || members.has("maxPriorityFeePerGas") || !members.has("gasPrice") {
        Eip1559
    } else if members.has("accessList") {
        Eip2930
    } else {
        Legacy
    }
}

const fn name_of(kind: EvmTransactionKind) -> &'static str {
    match kind {
        Legacy => "type 0x0 (legacy)",
        Eip2930 => "type 0x1 (EIP-2930)",
        Eip1559 => "type 0x2 (EIP-1559)",
        Eip4844 => "type 0x3 (EIP-4844)",
        Eip7702 => "type 0x4 (EIP-7702)",
    }
}
