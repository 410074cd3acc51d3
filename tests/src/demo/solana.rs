//! A Solana transfer, written by hand, and its signature.
//!
//! <https://solana.com/docs/core/transactions>

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::Error;

/// The system program's address.
const SYSTEM_PROGRAM: [u8; 32] = [0; 32];
/// The system program's instruction to transfer.
const TRANSFER: u32 = 2;

/// A legacy message that transfers lamports. All lengths are short enough to be one byte.
pub(crate) fn transfer_message(
    from: &[u8; 32],
    to: &[u8; 32],
    blockhash: &[u8; 32],
    lamports: u64,
) -> Vec<u8> {
    // Signers, of which read-only, and others that are read-only: the program.
    let header = [1, 0, 1];
    let keys = [from.as_slice(), to, &SYSTEM_PROGRAM].concat();
    let data = [TRANSFER.to_le_bytes().as_slice(), &lamports.to_le_bytes()].concat();
    // One instruction: the program is key 2, its accounts are keys 0 and 1, then 12 bytes of data.
    let instruction = [1, 2, 2, 0, 1, 12];
    [header.as_slice(), &[3], &keys, blockhash, &instruction, &data].concat()
}

/// The wire format: one signature, or zeros in its place, and the message.
pub(crate) fn with_signature(signature: &[u8; 64], message: &[u8]) -> Vec<u8> {
    [&[1], signature.as_slice(), message].concat()
}

/// An address's public key.
pub(crate) fn key(address: &str) -> Result<[u8; 32], Error> {
    base58(address)
}

/// A signature as the API writes it.
pub(crate) fn signature(text: &str) -> Result<[u8; 64], Error> {
    base58(text)
}

/// Verifies a signature over a message.
pub(crate) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Error> {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(message, signature)
        .map_err(|_| "the signature does not verify".into())
}

fn base58<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let bytes = bs58::decode(text).into_vec().map_err(|error| format!("{text}: {error}"))?;
    bytes.try_into().map_err(|_| format!("{text} has not {N} bytes").into())
}
