//! What a chain would refuse, and the description of what is left.

use ruint::aliases::U256;

use super::{FieldError, MAX_CHAIN_ID, Payload};
use crate::chain::evm::authorization;
use crate::chain::facts::{EvmBlobs, EvmFees, EvmTransactionFacts, EvmTransactionKind};

/// The most blobs in a transaction (EIP-7594).
const MAX_BLOBS: usize = 6;
/// `VERSIONED_HASH_VERSION_KZG` of EIP-4844.
const KZG_VERSION: u8 = 1;

impl Payload {
    /// Checks what holds for every transaction, and describes it.
    pub(in crate::chain::evm) fn facts(&self) -> Result<EvmTransactionFacts, FieldError> {
        self.check()?;
        Ok(EvmTransactionFacts {
            kind: self.kind,
            chain_id: self.chain_id,
            nonce: self.nonce,
            to: self.to,
            value: self.value,
            gas: self.gas,
            fees: self.fees,
            input: self.input.clone(),
            selector: self.to.and_then(|_| self.input.first_chunk().copied()),
            access_list: self.access_list.clone(),
            blobs: self.blobs.clone(),
            authorization_list: self.authorization_list.clone(),
            creates_contract: self.to.is_none(),
            max_cost: self.max_cost()?,
        })
    }

    fn check(&self) -> Result<(), FieldError> {
        if self.nonce == u64::MAX {
            return Err(FieldError::new("nonce", "must be below 2^64 - 1 (EIP-2681)"));
        }
        self.check_chain_id()?;
        match self.fees {
            EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas }
                if max_priority_fee_per_gas > max_fee_per_gas =>
            {
                return Err(FieldError::new("maxPriorityFeePerGas", "must be at most maxFeePerGas"));
            }
            _ => {}
        }
        self.check_recipient()?;
        self.blobs.as_ref().map_or(Ok(()), check_blobs)?;
        match self.kind {
            EvmTransactionKind::Eip7702 => authorization::check_list(&self.authorization_list),
            _ => Ok(()),
        }
    }

    fn check_chain_id(&self) -> Result<(), FieldError> {
        match (self.chain_id, self.kind) {
            (None, EvmTransactionKind::Legacy) => Ok(()),
            (None, _) => Err(FieldError::new("chainId", "is missing")),
            // In types 1 and 2 it is a number that no chain has. Elsewhere it has been read as "every chain".
            (
                Some(0),
                EvmTransactionKind::Legacy | EvmTransactionKind::Eip4844 | EvmTransactionKind::Eip7702,
            ) => Err(FieldError::new("chainId", "must not be 0")),
            (Some(id), _) if id > MAX_CHAIN_ID => {
                Err(FieldError::new("chainId", "must be at most 2^63 - 19"))
            }
            (Some(_), _) => Ok(()),
        }
    }

    fn check_recipient(&self) -> Result<(), FieldError> {
        if self.to.is_some() {
            return Ok(());
        }
        match self.kind {
            EvmTransactionKind::Eip4844 => {
                Err(FieldError::new("to", "is missing: a transaction with blobs cannot create a contract"))
            }
            EvmTransactionKind::Eip7702 => Err(FieldError::new(
                "to",
                "is missing: a transaction with authorizations cannot create a contract",
            )),
            _ => Ok(()),
        }
    }

    /// Overflow is refused, so that nobody needs to think about it later: no account holds 2^256 wei.
    fn max_cost(&self) -> Result<U256, FieldError> {
        let too_large = |field| {
            FieldError::new(field, "is too large: all gas at its highest fee, and value, must be below 2^256")
        };
        let fee = self.fees.cap().checked_mul(U256::from(self.gas)).ok_or_else(|| too_large("gas"))?;
        let blob_fee = match &self.blobs {
            None => U256::ZERO,
            Some(blobs) => blobs
                .max_fee_per_blob_gas
                .checked_mul(U256::from(blobs.gas()))
                .ok_or_else(|| too_large("maxFeePerBlobGas"))?,
        };
        fee.checked_add(blob_fee)
            .ok_or_else(|| too_large("maxFeePerBlobGas"))?
            .checked_add(self.value)
            .ok_or_else(|| too_large("value"))
    }
}

fn check_blobs(blobs: &EvmBlobs) -> Result<(), FieldError> {
    let hashes = &blobs.blob_versioned_hashes;
    if hashes.is_empty() || hashes.len() > MAX_BLOBS {
        let message = format!("must be 1 to {MAX_BLOBS} hashes (EIP-4844, EIP-7594)");
        return Err(FieldError::new("blobVersionedHashes", message));
    }
    match hashes.iter().position(|hash| hash.first() != Some(&KZG_VERSION)) {
        None => Ok(()),
        Some(index) => Err(FieldError::new(
            format!("blobVersionedHashes[{index}]"),
            "must start with 0x01, the version of KZG commitments",
        )),
    }
}
