//! ECDSA signatures as EVM chains take them.

use ruint::aliases::U256;

use crate::chain::signed::SignedEvmMessage;
use crate::chain::{RawSignature, Rejection, Signed};

/// Half the order of secp256k1, big-endian: a larger `s` is refused by the chain (EIP-2).
pub(super) const HALF_ORDER: U256 =
    U256::from_limbs([0xdfe9_2f46_681b_20a0, 0x5d57_6e73_57a4_501d, u64::MAX, 0x7fff_ffff_ffff_ffff]);
/// The order of secp256k1.
pub(super) const ORDER: U256 =
    U256::from_limbs([0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, u64::MAX]);

/// The parts of a signature that a chain would take.
pub(super) struct Scalars {
    pub(super) r: [u8; 32],
    pub(super) s: [u8; 32],
    pub(super) y_parity: bool,
}

/// Both scalars, if a chain would take them. The wallet makes no others: this is a second look.
pub(super) fn scalars(signature: &RawSignature) -> Result<Scalars, Rejection> {
    let RawSignature::Secp256k1 { r, s, y_parity } = *signature else {
        return Err(Rejection::new("signature", "must be made with a secp256k1 key"));
    };
    if !in_range(U256::from_be_bytes(r), U256::from_be_bytes(s)) {
        return Err(Rejection::new(
            "signature",
            "is out of range: r below the order, s at most half of it, neither 0",
        ));
    }
    Ok(Scalars { r, s, y_parity })
}

/// Whether a chain takes a signature with these scalars (EIP-2).
pub(super) fn in_range(r: U256, s: U256) -> bool {
    !r.is_zero() && r < ORDER && !s.is_zero() && s <= HALF_ORDER
}

/// The answer where a hash was signed outside a transaction.
pub(in crate::chain) fn signed_hash(
    signing_hash: [u8; 32],
    signature: &RawSignature,
) -> Result<Signed, Rejection> {
    let Scalars { r, s, y_parity } = scalars(signature)?;
    Ok(Signed::EvmMessage(SignedEvmMessage { r, s, y_parity, signing_hash }))
}
