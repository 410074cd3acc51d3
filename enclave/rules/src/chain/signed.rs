//! The outcome of signing, as the API shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruint::aliases::U256;
use serde::{Serialize, Serializer};

use super::solana::SolanaAddress;

/// A signature in its place. Serialises to the members of the API's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Signed {
    /// The answer to `evm.transaction`.
    EvmTransaction(SignedEvmTransaction),
    /// The answer to `solana.transaction`.
    SolanaTransaction(SignedSolanaTransaction),
}

/// A signed EVM transaction.
///
/// JSON: `{"signature":{"r":"0x…","s":"0x…","yParity":0|1},"signing_hash","signed_transaction","transaction_hash"}`, all
/// `0x`-hex, `r` and `s` 32 bytes; for legacy transactions `signature` has also `v`, a `0x`-hex quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvmTransaction {
    /// Big-endian.
    pub r: [u8; 32],
    /// Big-endian, in the lower half of the order (EIP-2).
    pub s: [u8; 32],
    /// Parity of the nonce point's y coordinate.
    pub y_parity: bool,
    /// Legacy transactions only: 27 or 28, or 35 + 2 x chain id + parity (EIP-155).
    pub v: Option<u64>,
    /// Keccak-256 of the unsigned serialization: what was signed.
    pub signing_hash: [u8; 32],
    /// The signed serialization (EIP-2718), ready for `eth_sendRawTransaction`.
    pub signed_transaction: Vec<u8>,
    /// Keccak-256 of `signed_transaction`.
    pub transaction_hash: [u8; 32],
}

/// A Solana transaction with our signature in its slot.
///
/// JSON: `{"signature":"<base58>","signed_transaction":"<base64>","missing_signers":["<base58>"],"transaction_id":…}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedSolanaTransaction {
    /// Our signature, 64 bytes. JSON: base58.
    #[serde(serialize_with = "base58")]
    pub signature: [u8; 64],
    /// The transaction in wire format. JSON: base64.
    #[serde(serialize_with = "base64")]
    pub signed_transaction: Vec<u8>,
    /// The required signers whose slot is still all zeros. Empty: the transaction is complete.
    pub missing_signers: Vec<SolanaAddress>,
    /// The first signature, by which the chain names the transaction; `None` while the fee payer's slot is empty.
    #[serde(serialize_with = "optional_base58")]
    pub transaction_id: Option<[u8; 64]>,
}

impl Serialize for SignedEvmTransaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SignedEvmTransactionJson {
            signature: SignatureJson {
                r: prefixed(&self.r),
                s: prefixed(&self.s),
                y_parity: u8::from(self.y_parity),
                v: self.v.map(|v| format!("{v:#x}")),
            },
            signing_hash: prefixed(&self.signing_hash),
            signed_transaction: prefixed(&self.signed_transaction),
            transaction_hash: prefixed(&self.transaction_hash),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct SignedEvmTransactionJson {
    signature: SignatureJson,
    signing_hash: String,
    signed_transaction: String,
    transaction_hash: String,
}

#[derive(Serialize)]
struct SignatureJson {
    r: String,
    s: String,
    #[serde(rename = "yParity")]
    y_parity: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<String>,
}

// Serializers shared by everything this module tree shows as JSON.

pub(super) fn prefixed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(super) fn hex_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&prefixed(bytes))
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
pub(super) fn optional_hex<S: Serializer>(bytes: &Option<[u8; 4]>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.map(|bytes| prefixed(&bytes)).serialize(serializer)
}

pub(super) fn hex_words<S: Serializer>(words: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(|word| prefixed(word)))
}

pub(super) fn decimal<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn base58<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&bs58::encode(bytes).into_string())
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn optional_base58<S: Serializer>(bytes: &Option<[u8; 64]>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.map(|bytes| bs58::encode(bytes).into_string()).serialize(serializer)
}

fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}
