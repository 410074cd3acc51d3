//! Version 1 (SIMD-0385): one-byte counts up front, the compute budget as values of the message, no lookups.

use super::{Header, RawInstruction, RawMessage, at, reject};
use crate::chain::Rejection;
use crate::chain::facts::{SolanaFees, SolanaMessageVersion};
use crate::chain::solana::fees::is_heap_size;
use crate::chain::solana::wire::{Reader, WireError};

/// The first byte.
pub(in crate::chain::solana) const PREFIX: u8 = 0x81;
/// The largest transaction, in bytes.
pub(in crate::chain::solana) const MAX_WIRE_LEN: usize = 4096;

const MAX_SIGNATURES: usize = 12;
const MAX_ADDRESSES: u8 = 64;
const MAX_INSTRUCTIONS: u8 = 64;

// What each bit of the mask announces. The priority fee is twice as long as the others, so it has two bits.
const PRIORITY_FEE: u32 = 0b11;
const COMPUTE_UNIT_LIMIT: u32 = 0b100;
const LOADED_ACCOUNTS_DATA_SIZE_LIMIT: u32 = 0b1000;
const HEAP_SIZE: u32 = 0b1_0000;
const KNOWN: u32 = PRIORITY_FEE | COMPUTE_UNIT_LIMIT | LOADED_ACCOUNTS_DATA_SIZE_LIMIT | HEAP_SIZE;

/// Reads the message that `bytes` start with, and returns what follows it.
pub(super) fn read(bytes: &[u8]) -> Result<(RawMessage<'_>, &[u8]), Rejection> {
    let mut reader = Reader::new(bytes);
    if reader.byte() != Ok(PREFIX) {
        return Err(reject("version", "must be 1 here"));
    }
    let header = Header::new(reader.array().map_err(at("header"))?);
    if header.required_signatures > MAX_SIGNATURES {
        return Err(reject("header", "must require at most 12 signatures"));
    }
    let mask = read_mask(&mut reader)?;
    let recent_blockhash = reader.array().map_err(at("recentBlockhash"))?;
    let instruction_count = read_count(&mut reader, "instructions", MAX_INSTRUCTIONS)?;
    let address_count = read_count(&mut reader, "accountKeys", MAX_ADDRESSES)?;
    let addresses: Result<_, WireError> = (0..address_count).map(|_| reader.address()).collect();
    let message = RawMessage {
        version: SolanaMessageVersion::V1,
        header,
        account_keys: addresses.map_err(at("accountKeys"))?,
        fees: Some(read_config(&mut reader, mask)?),
        recent_blockhash,
        instructions: read_instructions(&mut reader, instruction_count).map_err(at("instructions"))?,
        lookups: Vec::new(),
    };
    Ok((message, reader.rest()))
}

fn read_mask(reader: &mut Reader<'_>) -> Result<u32, Rejection> {
    let mask = reader.u32().map_err(at("config"))?;
    if mask & !KNOWN != 0 {
        return Err(reject("config", "has a value that is not known here"));
    }
    if mask & PRIORITY_FEE != 0 && mask & PRIORITY_FEE != PRIORITY_FEE {
        return Err(reject("config.priorityFee", "must have both of its bits set, or none"));
    }
    Ok(mask)
}

fn read_count(reader: &mut Reader<'_>, field: &str, max: u8) -> Result<u8, Rejection> {
    let count = reader.byte().map_err(at(field))?;
    if count > max {
        return Err(reject(field, format!("must be at most {max}")));
    }
    Ok(count)
}

fn read_config(reader: &mut Reader<'_>, mask: u32) -> Result<SolanaFees, Rejection> {
    let mut value = |bit, field| (mask & bit != 0).then(|| reader.u32().map_err(at(field))).transpose();
    // The two halves of a little-endian number, in the order of their bits.
    let low = value(PRIORITY_FEE, "config.priorityFee")?;
    let high = value(PRIORITY_FEE, "config.priorityFee")?;
    let fees = SolanaFees {
        max_priority_fee: (u64::from(high.unwrap_or(0)) << 32) | u64::from(low.unwrap_or(0)),
        compute_unit_limit: value(COMPUTE_UNIT_LIMIT, "config.computeUnitLimit")?,
        compute_unit_price: None,
        loaded_accounts_data_size_limit: value(
            LOADED_ACCOUNTS_DATA_SIZE_LIMIT,
            "config.loadedAccountsDataSizeLimit",
        )?,
        heap_size: value(HEAP_SIZE, "config.heapSize")?,
    };
    if fees.heap_size.is_some_and(|bytes| !is_heap_size(bytes)) {
        return Err(reject("config.heapSize", "must be 32 to 256 KiB, in whole KiB"));
    }
    Ok(fees)
}

/// All headers come first, then accounts and data of each instruction.
fn read_instructions<'a>(reader: &mut Reader<'a>, count: u8) -> Result<Vec<RawInstruction<'a>>, WireError> {
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((reader.byte()?, reader.byte()?, reader.u16()?));
    }
    let read = |(program, accounts, data): (u8, u8, u16)| {
        Ok(RawInstruction {
            program,
            accounts: reader.take(accounts.into())?,
            data: reader.take(data.into())?,
        })
    };
    headers.into_iter().map(read).collect()
}
