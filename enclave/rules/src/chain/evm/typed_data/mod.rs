//! EIP-712 typed data.

use crate::chain::{Rejection, SignBody, Signable, Signer};

/// Parses `evm.typed_data`.
pub(in crate::chain) fn parse(
    _body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    Err(Rejection::new("type", "is not supported yet"))
}
