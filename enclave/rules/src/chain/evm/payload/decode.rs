//! Strict decoding of the unsigned serializations (EIP-155, 2930, 1559, 4844, 7702).

use super::{FieldError, Payload, in_field, kind_of};
use crate::chain::evm::rlp::{Reader, RlpError};
use crate::chain::evm::{EvmAddress, authorization};
use crate::chain::facts::{AccessListItem, EvmBlobs, EvmFees, EvmTransactionKind};

const SIDECAR: &str = "has the form in which nodes pass blobs on: send the 11 fields of EIP-4844 alone, the sidecar is \
                       added after signing";

impl Payload {
    /// Decodes the unsigned serialization of any type; whether its values make sense is for [`Self::facts`] to say.
    pub(in crate::chain::evm) fn decode(unsigned: &[u8]) -> Result<Self, FieldError> {
        let (kind, list) = split_type(unsigned)?;
        let mut fields = in_field("", Reader::document(list))?;
        let replay_protected = check_count(kind, fields)?;

        let legacy = kind == EvmTransactionKind::Legacy;
        let typed_chain_id = if legacy { None } else { Some(in_field("chainId", fields.u64())?) };
        let nonce = in_field("nonce", fields.u64())?;
        let fees = read_fees(kind, &mut fields)?;
        let gas = in_field("gas", fields.u64())?;
        let to = in_field("to", read_to(&mut fields))?;
        let value = in_field("value", fields.u256())?;
        let input = in_field("input", fields.bytes())?.to_vec();
        let chain_id = if replay_protected { Some(read_eip_155(&mut fields)?) } else { typed_chain_id };
        let access_list =
            if legacy { Vec::new() } else { in_field("accessList", read_access_list(&mut fields))? };
        let blobs = match kind {
            EvmTransactionKind::Eip4844 => Some(read_blobs(&mut fields)?),
            _ => None,
        };
        let authorization_list = match kind {
            EvmTransactionKind::Eip7702 => authorization::read_list(&mut fields)?,
            _ => Vec::new(),
        };
        in_field("", fields.finish())?;
        Ok(Self {
            kind,
            chain_id,
            nonce,
            fees,
            gas,
            to,
            value,
            input,
            access_list,
            blobs,
            authorization_list,
        })
    }
}

/// The type, and the list of fields that follows.
fn split_type(unsigned: &[u8]) -> Result<(EvmTransactionKind, &[u8]), FieldError> {
    let unknown = || {
        FieldError::new(
            "type",
            "is not that of an unsigned transaction: expected 0x01 to 0x04, or an RLP list",
        )
    };
    match unsigned {
        [0xc0..=0xff, ..] => Ok((EvmTransactionKind::Legacy, unsigned)),
        [byte, list @ ..] => Ok((kind_of(*byte).ok_or_else(unknown)?, list)),
        [] => Err(unknown()),
    }
}

/// The number of fields tells unsigned transactions from signed ones, and whether a legacy one names its chain.
fn check_count(kind: EvmTransactionKind, fields: Reader<'_>) -> Result<bool, FieldError> {
    let (expected, eip) = match kind {
        EvmTransactionKind::Legacy => (6, "155"),
        EvmTransactionKind::Eip2930 => (8, "2930"),
        EvmTransactionKind::Eip1559 => (9, "1559"),
        EvmTransactionKind::Eip4844 => (11, "4844"),
        EvmTransactionKind::Eip7702 => (10, "7702"),
    };
    let count = in_field("", fields.count())?;
    if count == expected {
        return Ok(false);
    }
    let signed = count.checked_sub(expected) == Some(3);
    Err(FieldError::new(
        "",
        match kind {
            EvmTransactionKind::Legacy if signed => return Ok(true),
            EvmTransactionKind::Legacy => "must be a list of 6 fields, or of 9 with EIP-155".to_owned(),
            EvmTransactionKind::Eip4844 if is_network_form(count, fields) => SIDECAR.to_owned(),
            _ if signed => "must be unsigned: leave out yParity, r and s".to_owned(),
            _ => format!("must be a list of the {expected} fields of EIP-{eip}"),
        },
    ))
}

/// EIP-4844's (transaction, blobs, commitments, proofs), or EIP-7594's with a version after the transaction.
fn is_network_form(count: usize, mut fields: Reader<'_>) -> bool {
    matches!(count, 4 | 5) && fields.list().is_ok()
}

fn read_fees(kind: EvmTransactionKind, fields: &mut Reader<'_>) -> Result<EvmFees, FieldError> {
    match kind {
        EvmTransactionKind::Legacy | EvmTransactionKind::Eip2930 => {
            Ok(EvmFees::GasPrice { gas_price: in_field("gasPrice", fields.u256())? })
        }
        EvmTransactionKind::Eip1559 | EvmTransactionKind::Eip4844 | EvmTransactionKind::Eip7702 => {
            let max_priority_fee_per_gas = in_field("maxPriorityFeePerGas", fields.u256())?;
            let max_fee_per_gas = in_field("maxFeePerGas", fields.u256())?;
            Ok(EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas })
        }
    }
}

/// The last three of the nine fields: the chain id where a signature would have its v, and zeros for r and s.
fn read_eip_155(fields: &mut Reader<'_>) -> Result<u64, FieldError> {
    let chain_id = in_field("chainId", fields.u64())?;
    let (r, s) = (in_field("r", fields.u256())?, in_field("s", fields.u256())?);
    if !r.is_zero() || !s.is_zero() {
        return Err(FieldError::new(
            "",
            "must be unsigned: its last three fields must be the chain id, 0 and 0",
        ));
    }
    Ok(chain_id)
}

fn read_to(fields: &mut Reader<'_>) -> Result<Option<EvmAddress>, RlpError> {
    match fields.bytes()? {
        [] => Ok(None),
        bytes => {
            bytes.try_into().map(|bytes| Some(EvmAddress::new(bytes))).map_err(|_| RlpError::WrongLength)
        }
    }
}

fn read_access_list(fields: &mut Reader<'_>) -> Result<Vec<AccessListItem>, RlpError> {
    let mut items = fields.list()?;
    let mut access_list = Vec::new();
    while !items.is_empty() {
        let mut item = items.list()?;
        let address = EvmAddress::new(item.array()?);
        let storage_keys = read_words(&mut item)?;
        item.finish()?;
        access_list.push(AccessListItem { address, storage_keys });
    }
    Ok(access_list)
}

fn read_blobs(fields: &mut Reader<'_>) -> Result<EvmBlobs, FieldError> {
    Ok(EvmBlobs {
        max_fee_per_blob_gas: in_field("maxFeePerBlobGas", fields.u256())?,
        blob_versioned_hashes: in_field("blobVersionedHashes", read_words(fields))?,
    })
}

fn read_words(fields: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, RlpError> {
    let mut items = fields.list()?;
    let mut words = Vec::new();
    while !items.is_empty() {
        words.push(items.array()?);
    }
    Ok(words)
}
