//! EIP-7702 authorizations.

use crate::chain::{Rejection, SignBody, Signable, Signer};

/// Parses `evm.authorization`.
pub(in crate::chain) fn parse(
    _body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    Err(Rejection::new("type", "is not supported yet"))
}
