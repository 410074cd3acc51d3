//! What would be signed: strict parsing of attacker-controlled bytes into [`Facts`], and back into wire format.
//!
//! [`parse`] is the only way in. Whatever form a request used, the result is a [`Signable`]: the complete facts that
//! policy judges, the exact bytes that the key will sign, and how to put the signature in its place. The facts are read
//! from the very bytes that are signed, never from a parallel description of them.
//!
//! Each kind of operation is a row of the table `KINDS`. To add one: a parser, a variant of [`Facts`], a row.

pub mod evm;
pub mod facts;
mod json;
mod key;
mod rejection;
mod signed;
pub mod solana;
#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

pub use facts::Facts;
pub use key::{Curve, PublicKey, RawSignature, UnknownCurve};
pub use rejection::Rejection;
pub use signed::{Signed, SignedEvmTransaction, SignedSolanaTransaction};

/// Who will sign: what a parser has to know about the chosen account.
///
/// An account has one curve, so usually one member is set. A kind whose member is `None` is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// The account's EVM address, if its curve is secp256k1.
    pub evm_address: Option<evm::EvmAddress>,
    /// The account's public key (32 bytes, RFC 8032), if its curve is Ed25519.
    pub ed25519: Option<[u8; 32]>,
}

/// The members of a sign request that say what to sign, as the request carried them.
///
/// A kind takes exactly one of its own members; a foreign member, two, or none is a [`Rejection`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SignBody<'a> {
    /// `transaction`: an object of fields (EVM) or a base64 string (Solana), as untouched JSON text.
    pub transaction: Option<&'a RawValue>,
    /// `unsigned`: the unsigned serialization as `0x`-hex (EVM).
    pub unsigned: Option<&'a str>,
}

/// What the key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningInput<'a> {
    /// A 32-byte hash, signed as it is (ECDSA).
    Prehash([u8; 32]),
    /// A message that the signature algorithm hashes by itself (Ed25519).
    Message(&'a [u8]),
}

/// Something to be signed, completely understood.
pub trait Signable: Send + Sync {
    /// What it is, in full.
    fn facts(&self) -> &Facts;

    /// The curve of the key that can sign it.
    fn curve(&self) -> Curve;

    /// The bytes to be signed.
    fn signing_input(&self) -> SigningInput<'_>;

    /// Puts `signature`, made over [`Self::signing_input`], in its place.
    ///
    /// Fails on a signature of the wrong curve or one that the chain would refuse (EVM: r or s out of range, high s);
    /// it does not verify the signature against the key.
    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection>;
}

/// Parses what a request of `kind` (`"evm.transaction"`, `"solana.transaction"`) asks `signer` to sign.
pub fn parse(kind: &str, body: &SignBody<'_>, signer: &Signer) -> Result<Box<dyn Signable>, Rejection> {
    match KINDS.iter().find(|row| row.name == kind) {
        Some(row) => (row.parse)(body, signer),
        None => Err(Rejection::new("type", format!("is not supported: use one of {}", names()))),
    }
}

/// The curve that `kind` is signed on, or `None` if the kind is unknown. Chooses the account when a request names none.
pub fn curve_of(kind: &str) -> Option<Curve> {
    KINDS.iter().find(|row| row.name == kind).map(|row| row.curve)
}

type Parser = fn(&SignBody<'_>, &Signer) -> Result<Box<dyn Signable>, Rejection>;

struct Kind {
    name: &'static str,
    curve: Curve,
    parse: Parser,
}

const KINDS: &[Kind] = &[
    Kind { name: facts::EVM_TRANSACTION, curve: Curve::Secp256k1, parse: evm::parse_transaction },
    Kind { name: facts::SOLANA_TRANSACTION, curve: Curve::Ed25519, parse: solana::parse_transaction },
];

fn names() -> String {
    KINDS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}
