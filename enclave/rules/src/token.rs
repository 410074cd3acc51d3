//! Movements of tokens that are recognised.

use serde::{Deserialize, Serialize};

/// What moves tokens, or lets somebody move them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// ERC-20 `transfer`.
    Transfer,
    /// `transferFrom` of ERC-20 and ERC-721.
    TransferFrom,
    /// `approve` of ERC-20 and ERC-721.
    Approve,
    /// `increaseAllowance`.
    IncreaseAllowance,
    /// ERC-721 `safeTransferFrom`.
    SafeTransferFrom,
    /// `setApprovalForAll` of ERC-721 and ERC-1155.
    SetApprovalForAll,
    /// EIP-2612.
    Permit,
    /// The permit of DAI.
    DaiPermit,
    /// Permit2.
    Permit2,
}
