//! The outcome of signing, as the API shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruint::aliases::U256;
use serde::{Serialize, Serializer};

use super::evm::EvmAddress;
use super::solana::SolanaAddress;

/// A signature in its place. Serialises to the members of the API's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Signed {
    /// The answer to `evm.transaction`.
    EvmTransaction(SignedEvmTransaction),
    /// The answer to `evm.authorization`.
    EvmAuthorization(SignedAuthorization),
    /// The answer to `evm.message`, `evm.typed_data` and `raw.digest`.
    EvmMessage(SignedEvmMessage),
    /// The answer to `solana.transaction`.
    SolanaTransaction(SignedSolanaTransaction),
    /// The answer to `solana.offchain_message`.
    OffchainMessage(SignedOffchainMessage),
    /// The answer to `raw.message`.
    RawMessage(SignedRawMessage),
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

/// A signed EIP-7702 authorization.
///
/// JSON: `{"signature":{"r","s","yParity"},"signing_hash","signed_authorization":{"chainId","address","nonce","yParity",
/// "r","s"}}`: the latter as an entry of a transaction's `authorizationList`, quantities `0x`-hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAuthorization {
    /// 0: every chain.
    pub chain_id: u64,
    /// Whose code the account gets.
    pub delegate: EvmAddress,
    /// The account's transaction count.
    pub nonce: u64,
    /// Big-endian.
    pub r: [u8; 32],
    /// Big-endian, in the lower half of the order.
    pub s: [u8; 32],
    /// Parity of the nonce point's y coordinate.
    pub y_parity: bool,
    /// Keccak-256 of 0x05 and the list of chain id, address and nonce: what was signed.
    pub signing_hash: [u8; 32],
}

/// A signature over a hash on secp256k1, outside transactions.
///
/// JSON: `{"signature":{"r","s","yParity","v"},"serialized_signature":"0x…","signing_hash":"0x…"}`; the serialized
/// signature is r, s and v (27 or 28), 65 bytes, as `personal_sign` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvmMessage {
    /// Big-endian.
    pub r: [u8; 32],
    /// Big-endian, in the lower half of the order.
    pub s: [u8; 32],
    /// Parity of the nonce point's y coordinate.
    pub y_parity: bool,
    /// What was signed.
    pub signing_hash: [u8; 32],
}

impl SignedEvmMessage {
    /// r, s and v (27 or 28).
    pub fn serialized(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let v = if self.y_parity { 28 } else { 27 };
        let parts = self.r.iter().chain(&self.s).chain(std::iter::once(&v));
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        bytes
    }
}

/// A Solana off-chain message with our signature.
///
/// JSON: `{"signature":"<base58>","signed_message":"<base64>","missing_signers":["<base58>"]}`; the signed message is the
/// envelope: the number of signatures (one byte), the signatures in the order of the signers (zeros where one is
/// missing), the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedOffchainMessage {
    /// Our signature, 64 bytes. JSON: base58.
    #[serde(serialize_with = "base58")]
    pub signature: [u8; 64],
    /// The envelope. JSON: base64.
    #[serde(serialize_with = "base64")]
    pub signed_message: Vec<u8>,
    /// The required signers other than us.
    pub missing_signers: Vec<SolanaAddress>,
}

/// An Ed25519 signature over bytes as they came. JSON: `{"signature":"0x…"}`, 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedRawMessage {
    /// The signature.
    #[serde(serialize_with = "hex_bytes")]
    pub signature: [u8; 64],
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
    /// The required signers whose slot is still all zeros; the others' signatures were verified. Empty: it is complete.
    pub missing_signers: Vec<SolanaAddress>,
    /// The first signature, by which the chain names the transaction; `None` while the fee payer's slot is empty.
    #[serde(serialize_with = "optional_base58")]
    pub transaction_id: Option<[u8; 64]>,
}

impl Serialize for SignedEvmTransaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SignedEvmTransactionJson {
            signature: SignatureJson::new(&self.r, &self.s, self.y_parity, self.v),
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

impl Serialize for SignedAuthorization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SignedAuthorizationJson {
            signature: SignatureJson::new(&self.r, &self.s, self.y_parity, None),
            signing_hash: prefixed(&self.signing_hash),
            signed_authorization: AuthorizationJson {
                chain_id: format!("{:#x}", self.chain_id),
                address: self.delegate,
                nonce: format!("{:#x}", self.nonce),
                y_parity: format!("{:#x}", u8::from(self.y_parity)),
                r: format!("{:#x}", U256::from_be_bytes(self.r)),
                s: format!("{:#x}", U256::from_be_bytes(self.s)),
            },
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct SignedAuthorizationJson {
    signature: SignatureJson,
    signing_hash: String,
    signed_authorization: AuthorizationJson,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationJson {
    chain_id: String,
    address: EvmAddress,
    nonce: String,
    y_parity: String,
    r: String,
    s: String,
}

impl Serialize for SignedEvmMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SignedEvmMessageJson {
            signature: SignatureJson::new(
                &self.r,
                &self.s,
                self.y_parity,
                Some(if self.y_parity { 28 } else { 27 }),
            ),
            serialized_signature: prefixed(&self.serialized()),
            signing_hash: prefixed(&self.signing_hash),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct SignedEvmMessageJson {
    signature: SignatureJson,
    serialized_signature: String,
    signing_hash: String,
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

impl SignatureJson {
    fn new(r: &[u8; 32], s: &[u8; 32], y_parity: bool, v: Option<u64>) -> Self {
        let v = v.map(|v| format!("{v:#x}"));
        Self { r: prefixed(r), s: prefixed(s), y_parity: u8::from(y_parity), v }
    }
}

// Serializers shared by everything this module tree shows as JSON.

pub(super) fn prefixed(bytes: &[u8]) -> String {
    format!("0x{}", crate::hex_bytes::encode(bytes))
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
