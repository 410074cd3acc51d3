//! Solana off-chain messages.

use crate::chain::{Rejection, SignBody, Signable, Signer};

/// Parses `solana.offchain_message`.
pub(in crate::chain) fn parse(
    _body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    Err(Rejection::new("type", "is not supported yet"))
}
