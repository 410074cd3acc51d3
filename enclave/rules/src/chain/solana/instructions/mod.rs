//! Instructions of well-known programs, decoded exactly or not at all.
//!
//! An instruction with unknown or surplus data, or without an account for each role, stays undecoded even where the
//! program would overlook that: rules allow what is decoded, so nothing half understood gets through them.

mod associated_token;
mod compute_budget;
mod memo;
mod system;
#[cfg(test)]
mod tests;
mod token;

use super::SolanaAddress;
use crate::chain::facts::{MemoVersion, SolanaAccount, SolanaDecodedInstruction};

pub(crate) const SYSTEM: SolanaAddress = program(b"11111111111111111111111111111111");
pub(super) const COMPUTE_BUDGET: SolanaAddress = program(b"ComputeBudget111111111111111111111111111111");
const TOKEN: SolanaAddress = program(b"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
const TOKEN_2022: SolanaAddress = program(b"TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
const ASSOCIATED_TOKEN: SolanaAddress = program(b"ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
const MEMO_V1: SolanaAddress = program(b"Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");
const MEMO_V2: SolanaAddress = program(b"MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

/// The programs that only the runtime runs, to verify signatures, which it charges like a transaction's own.
pub(crate) const VERIFIERS: [SolanaAddress; 3] = [
    program(b"Ed25519SigVerify111111111111111111111111111"),
    program(b"KeccakSecp256k11111111111111111111111111111"),
    program(b"Secp256r1SigVerify1111111111111111111111111"),
];

/// What `program` will understand, or `None` if that is not known to the last byte.
pub(super) fn decode(
    program: &SolanaAddress,
    accounts: &[SolanaAccount],
    data: &[u8],
) -> Option<SolanaDecodedInstruction> {
    use SolanaDecodedInstruction as Decoded;
    match *program {
        SYSTEM => system::decode(accounts, data).map(Decoded::System),
        COMPUTE_BUDGET => compute_budget::decode(data).map(Decoded::ComputeBudget),
        TOKEN => token::decode(accounts, data).map(Decoded::Token),
        TOKEN_2022 => token::decode_2022(accounts, data).map(Decoded::Token2022),
        ASSOCIATED_TOKEN => associated_token::decode(accounts, data).map(Decoded::AssociatedTokenAccount),
        MEMO_V1 => memo::decode(MemoVersion::V1, data).map(Decoded::Memo),
        MEMO_V2 => memo::decode(MemoVersion::V2, data).map(Decoded::Memo),
        _ => None,
    }
}

const fn program(base58: &[u8]) -> SolanaAddress {
    SolanaAddress::new(bs58::decode(base58).into_array_const_unwrap())
}

/// The accounts of an instruction by role. There may be more of them than roles.
struct Roles<'a>(&'a [SolanaAccount]);

impl Roles<'_> {
    /// The account at `index`.
    fn at(&self, index: usize) -> Option<SolanaAccount> {
        self.0.get(index).copied()
    }
}
