//! Solana messages of every version: decoded, checked as the runtime checks them, described.
//!
//! The checks are those of Agave's `sanitize` and account locking that need no chain state, and two stricter ones: a
//! lookup table may be named once, and an entry of it once. The versions differ in how they are written and in where
//! the compute budget is, so each has a reader and the rest is shared.

mod legacy;
mod v1;

use super::wire::WireError;
use super::{SolanaAddress, fees, instructions};
use crate::chain::Rejection;
use crate::chain::facts::{
    SolanaAccount, SolanaAccountKey, SolanaFees, SolanaInstruction, SolanaMessageVersion, SolanaTableLookup,
    SolanaTransactionFacts,
};

pub(super) use v1::{MAX_WIRE_LEN as MAX_V1_WIRE_LEN, PREFIX as V1_PREFIX};

/// Accounts are referred to by one byte.
const MAX_ACCOUNTS: usize = 256;

const MESSAGE: &str = "transaction.message";

/// Decodes a legacy or version 0 message, which must be all of `bytes`.
pub(super) fn parse_message(bytes: &[u8]) -> Result<SolanaTransactionFacts, Rejection> {
    describe(legacy::read(bytes)?)
}

/// Decodes the version 1 message that `bytes` start with, and returns what follows it.
pub(super) fn parse_v1_message(bytes: &[u8]) -> Result<(SolanaTransactionFacts, &[u8]), Rejection> {
    let (message, rest) = v1::read(bytes)?;
    Ok((describe(message)?, rest))
}

/// A message as it is on the wire.
struct RawMessage<'a> {
    version: SolanaMessageVersion,
    header: Header,
    /// Version 1 only: the others have instructions for it.
    fees: Option<SolanaFees>,
    account_keys: Vec<SolanaAddress>,
    recent_blockhash: [u8; 32],
    instructions: Vec<RawInstruction<'a>>,
    lookups: Vec<SolanaTableLookup>,
}

struct Header {
    required_signatures: usize,
    readonly_signed: usize,
    readonly_unsigned: usize,
}

impl Header {
    fn new(bytes: [u8; 3]) -> Self {
        let [required_signatures, readonly_signed, readonly_unsigned] = bytes.map(usize::from);
        Self { required_signatures, readonly_signed, readonly_unsigned }
    }
}

struct RawInstruction<'a> {
    program: u8,
    accounts: &'a [u8],
    data: &'a [u8],
}

fn describe(message: RawMessage<'_>) -> Result<SolanaTransactionFacts, Rejection> {
    let account_keys = account_keys(&message)?;
    let accounts = all_accounts(&account_keys, &message.lookups)?;
    let instructions = message.instructions.iter().enumerate();
    let instructions = instructions.map(|(index, raw)| instruction(index, raw, &account_keys, &accounts));
    let instructions = instructions.collect::<Result<Vec<_>, _>>()?;
    let signers: Vec<_> = account_keys.iter().filter(|key| key.signer).map(|key| key.address).collect();
    Ok(SolanaTransactionFacts {
        version: message.version,
        fee_payer: *signers.first().ok_or_else(|| reject("header", "must require at least one signature"))?,
        signers,
        recent_blockhash: message.recent_blockhash,
        fees: match message.fees {
            Some(fees) => fees,
            None => fees::of_instructions(&instructions)?,
        },
        instructions,
        account_keys,
        address_table_lookups: message.lookups,
    })
}

/// The accounts in the message: signers first, and of both groups the writable ones first.
fn account_keys(message: &RawMessage<'_>) -> Result<Vec<SolanaAccountKey>, Rejection> {
    let Header { required_signatures, readonly_signed, readonly_unsigned } = message.header;
    if required_signatures == 0 {
        return Err(reject("header", "must require at least one signature"));
    }
    let others = message.account_keys.len().checked_sub(required_signatures);
    let others =
        others.ok_or_else(|| reject("header", "requires more signatures than there are accounts"))?;
    let writable_signers = required_signatures.saturating_sub(readonly_signed);
    if writable_signers == 0 {
        return Err(reject("header", "must leave the fee payer writable: too many read-only signers"));
    }
    let writable_others = others.checked_sub(readonly_unsigned);
    let writable_others =
        writable_others.ok_or_else(|| reject("header", "has more read-only accounts than there are"))?;
    let first_readonly = required_signatures.saturating_add(writable_others);

    let mut keys: Vec<SolanaAccountKey> = Vec::new();
    for (index, address) in message.account_keys.iter().copied().enumerate() {
        if keys.iter().any(|key| key.address == address) {
            return Err(reject(&format!("accountKeys[{index}]"), "is there twice"));
        }
        let signer = index < required_signatures;
        let writable = if signer { index < writable_signers } else { index < first_readonly };
        keys.push(SolanaAccountKey { address, signer, writable });
    }
    Ok(keys)
}

/// What instructions index into: the message's own accounts, then all writable lookups, then all read-only ones.
fn all_accounts(
    keys: &[SolanaAccountKey],
    lookups: &[SolanaTableLookup],
) -> Result<Vec<SolanaAccount>, Rejection> {
    let mut accounts: Vec<_> = keys.iter().copied().map(SolanaAccount::Static).collect();
    for writable in [true, false] {
        for lookup in lookups {
            let indexes = if writable { &lookup.writable_indexes } else { &lookup.readonly_indexes };
            let entry = |index: &u8| SolanaAccount::Lookup { table: lookup.table, index: *index, writable };
            accounts.extend(indexes.iter().map(entry));
        }
    }
    if accounts.len() > MAX_ACCOUNTS {
        return Err(reject("accountKeys", "and lookups must be at most 256 accounts together"));
    }
    Ok(accounts)
}

fn instruction(
    index: usize,
    raw: &RawInstruction<'_>,
    keys: &[SolanaAccountKey],
    accounts: &[SolanaAccount],
) -> Result<SolanaInstruction, Rejection> {
    let program_field = || format!("instructions[{index}].programIdIndex");
    if raw.program == 0 {
        return Err(reject(&program_field(), "must not be the fee payer"));
    }
    let program = keys.get(usize::from(raw.program));
    let program = program
        .ok_or_else(|| reject(&program_field(), "must be an account that the message itself names"))?;
    let account = |(position, account): (usize, &u8)| {
        let found = accounts.get(usize::from(*account)).copied();
        found.ok_or_else(|| {
            reject(&format!("instructions[{index}].accounts[{position}]"), "refers to no account")
        })
    };
    let accounts: Vec<_> = raw.accounts.iter().enumerate().map(account).collect::<Result<_, _>>()?;
    Ok(SolanaInstruction {
        program_id: program.address,
        decoded: instructions::decode(&program.address, &accounts, raw.data),
        accounts,
        data: raw.data.to_vec(),
    })
}

fn reject(field: &str, message: impl Into<String>) -> Rejection {
    Rejection::new(format!("{MESSAGE}.{field}"), message)
}

/// The rejection of the message as a whole.
fn whole(cause: WireError) -> Rejection {
    Rejection::new(MESSAGE, cause.to_string())
}

fn at(field: &str) -> impl Fn(WireError) -> Rejection {
    move |cause| reject(field, cause.to_string())
}
