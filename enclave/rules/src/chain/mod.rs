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
mod raw;
mod rejection;
mod signed;
pub mod solana;
#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

pub use facts::Facts;
pub use key::{Curve, PublicKey, RawSignature, UnknownCurve};
pub use rejection::Rejection;
pub use signed::{
    Signed, SignedAuthorization, SignedEvmMessage, SignedEvmTransaction, SignedOffchainMessage,
    SignedRawMessage, SignedSolanaTransaction,
};

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
    /// `authorization`: an object of fields (EIP-7702), as untouched JSON text.
    pub authorization: Option<&'a RawValue>,
    /// `typed_data`: an object (EIP-712), as untouched JSON text.
    pub typed_data: Option<&'a RawValue>,
    /// `message`: bytes, as `0x`-hex (EVM, raw) or base64 (Solana).
    pub message: Option<&'a str>,
    /// `text`: what is signed as UTF-8 (EIP-191).
    pub text: Option<&'a str>,
    /// `digest`: 32 bytes as `0x`-hex.
    pub digest: Option<&'a str>,
    /// Not a member: the EVM chain that the request's path names, if it names one. What can be sent on another chain is
    /// refused; a transaction without `chainId` is for this one.
    pub chain_id: Option<u64>,
}

impl SignBody<'_> {
    /// The names of the members that are there.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("transaction", self.transaction.is_some()),
            ("unsigned", self.unsigned.is_some()),
            ("authorization", self.authorization.is_some()),
            ("typed_data", self.typed_data.is_some()),
            ("message", self.message.is_some()),
            ("text", self.text.is_some()),
            ("digest", self.digest.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
    }
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

/// Parses what a request of `kind` (one of [`kinds`]) asks `signer` to sign.
pub fn parse(kind: &str, body: &SignBody<'_>, signer: &Signer) -> Result<Box<dyn Signable>, Rejection> {
    let row = row_of(kind)?;
    check_members(row, body)?;
    let account = match row.curve {
        Curve::Secp256k1 => signer.evm_address.is_some(),
        Curve::Ed25519 => signer.ed25519.is_some(),
    };
    if !account {
        let message = format!("leads to an account on another curve: {kind} is signed on {}", row.curve);
        return Err(Rejection::new("path", message));
    }
    let signable = (row.parse)(body, Some(signer))?;
    check_chain(body.chain_id, signable.facts())?;
    Ok(signable)
}

/// What `body` would have somebody sign, whoever that is: for people and tools, never for signing.
pub fn describe(kind: &str, body: &SignBody<'_>) -> Result<Facts, Rejection> {
    let row = row_of(kind)?;
    check_members(row, body)?;
    Ok((row.parse)(body, None)?.facts().clone())
}

/// The curve that `kind` is signed on, or `None` if the kind is unknown. Chooses the account when a request names none.
pub fn curve_of(kind: &str) -> Option<Curve> {
    KINDS.iter().find(|row| row.name == kind).map(|row| row.curve)
}

/// The names of all kinds.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|row| row.name)
}

/// Reads the one member that is there. Without a signer, what depends on one is left out, and nothing can be finished.
type Parser = fn(&SignBody<'_>, Option<&Signer>) -> Result<Box<dyn Signable>, Rejection>;

struct Kind {
    name: &'static str,
    curve: Curve,
    /// A request has exactly one of them.
    members: &'static [&'static str],
    parse: Parser,
}

const KINDS: &[Kind] = &[
    Kind {
        name: facts::EVM_TRANSACTION,
        curve: Curve::Secp256k1,
        members: &["transaction", "unsigned"],
        parse: evm::parse_transaction,
    },
    Kind {
        name: facts::EVM_AUTHORIZATION,
        curve: Curve::Secp256k1,
        members: &["authorization"],
        parse: evm::authorization::parse,
    },
    Kind {
        name: facts::EVM_MESSAGE,
        curve: Curve::Secp256k1,
        members: &["message", "text"],
        parse: evm::message::parse,
    },
    Kind {
        name: facts::EVM_TYPED_DATA,
        curve: Curve::Secp256k1,
        members: &["typed_data"],
        parse: evm::typed_data::parse,
    },
    Kind {
        name: facts::SOLANA_TRANSACTION,
        curve: Curve::Ed25519,
        members: &["transaction"],
        parse: solana::parse_transaction,
    },
    Kind {
        name: facts::SOLANA_OFFCHAIN_MESSAGE,
        curve: Curve::Ed25519,
        members: &["message"],
        parse: solana::offchain::parse,
    },
    Kind { name: facts::RAW_DIGEST, curve: Curve::Secp256k1, members: &["digest"], parse: raw::parse_digest },
    Kind {
        name: facts::RAW_MESSAGE,
        curve: Curve::Ed25519,
        members: &["message"],
        parse: raw::parse_message,
    },
];

fn row_of(kind: &str) -> Result<&'static Kind, Rejection> {
    KINDS.iter().find(|row| row.name == kind).ok_or_else(|| {
        let names = kinds().collect::<Vec<_>>().join(", ");
        Rejection::new("type", format!("is not supported: use one of {names}"))
    })
}

/// Exactly one member, and one that the kind has.
fn check_members(row: &Kind, body: &SignBody<'_>) -> Result<(), Rejection> {
    let send = || row.members.join(" or ");
    let mut given = body.given();
    let Some(first) = given.next() else {
        let member = row.members.first().copied().unwrap_or_default();
        return Err(Rejection::new(member, format!("is missing: {} takes {}", row.name, send())));
    };
    if !row.members.contains(&first) {
        return Err(Rejection::new(first, format!("is not for {}: send {}", row.name, send())));
    }
    match given.next() {
        None => Ok(()),
        Some(second) => Err(Rejection::new(second, format!("excludes {first}: send one of them"))),
    }
}

/// What is signed must be for the chain that the request is about. Typed data need not name one.
fn check_chain(chain_id: Option<u64>, facts: &Facts) -> Result<(), Rejection> {
    let Some(expected) = chain_id else { return Ok(()) };
    let (field, named) = match facts {
        Facts::Evm(facts) => ("transaction.chainId", facts.chain_id),
        Facts::EvmAuthorization(facts) => ("authorization.chainId", facts.chain_id),
        Facts::EvmTypedData(facts) => ("typed_data.domain.chainId", facts.chain_id.or(Some(expected))),
        _ => return Ok(()),
    };
    if named == Some(expected) {
        return Ok(());
    }
    let named = named.map_or_else(|| "every chain".to_owned(), |id| format!("chain {id}"));
    Err(Rejection::new(field, format!("says {named}, and the request is for chain {expected}")))
}

/// The rejection of a member that [`check_members`] has seen.
fn absent(member: &str) -> Rejection {
    Rejection::new(member, "is missing")
}
