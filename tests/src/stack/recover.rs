//! Who signed, by another implementation than the enclave's.

use secp256k1::{
    Message, Secp256k1,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde_json::Value;
use sha3::{Digest, Keccak256};

/// The EVM address, in lower case, whose key made the signature in an answer to a sign request:
/// recovered by libsecp256k1 from `signature` and `signing_hash`.
pub fn recover_evm_address(signed: &Value) -> String {
    let bytes = |value: &Value| {
        let text = value.as_str().unwrap_or_else(|| panic!("a signature: {signed}"));
        hex::decode(text.trim_start_matches("0x")).expect("hexadecimal")
    };
    let signature = &signed["signature"];
    let compact = [bytes(&signature["r"]), bytes(&signature["s"])].concat();
    let parity = i32::from(signature["yParity"] == 1);
    let recovery = RecoveryId::try_from(parity).expect("zero or one");
    let signature = RecoverableSignature::from_compact(&compact, recovery).expect("r and s in range");
    let hash: [u8; 32] = bytes(&signed["signing_hash"]).try_into().expect("32 bytes");
    let key = Secp256k1::new().recover_ecdsa(Message::from_digest(hash), &signature).expect("a public key");
    let uncompressed = key.serialize_uncompressed();
    let digest = Keccak256::digest(uncompressed.split_at(1).1);
    format!("0x{}", hex::encode(digest.split_at(12).1))
}
