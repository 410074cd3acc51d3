//! Solana messages, legacy and version 0: decoded, checked as the runtime checks them, described.
//!
//! The checks are those of Agave's `sanitize` and account locking that need no chain state, and two stricter ones: a
//! lookup table may be named once, and an entry of it once.

use super::SolanaAddress;
use super::wire::{Reader, WireError};
use crate::chain::Rejection;
use crate::chain::facts::{
    SolanaAccount, SolanaAccountKey, SolanaInstruction, SolanaMessageVersion, SolanaTableLookup,
    SolanaTransactionFacts,
};

/// The first bit of a versioned message; the other seven are the version.
const VERSION_PREFIX: u8 = 0x80;
/// Accounts are referred to by one byte.
const MAX_ACCOUNTS: usize = 256;

const MESSAGE: &str = "transaction.message";

/// Decodes a message, which must be all of `bytes`.
pub(super) fn parse_message(bytes: &[u8]) -> Result<SolanaTransactionFacts, Rejection> {
    let message = RawMessage::read(bytes)?;
    let account_keys = account_keys(&message)?;
    check_lookups(&message)?;
    let accounts = all_accounts(&account_keys, &message.lookups)?;
    let instructions = message.instructions.iter().enumerate();
    let instructions = instructions.map(|(index, raw)| instruction(index, raw, &account_keys, &accounts));
    let signers: Vec<_> = account_keys.iter().filter(|key| key.signer).map(|key| key.address).collect();
    Ok(SolanaTransactionFacts {
        version: message.version,
        fee_payer: *signers.first().ok_or_else(|| reject("header", "must require at least one signature"))?,
        signers,
        recent_blockhash: message.recent_blockhash,
        instructions: instructions.collect::<Result<_, _>>()?,
        account_keys,
        address_table_lookups: message.lookups,
    })
}

/// A message as it is on the wire.
struct RawMessage<'a> {
    version: SolanaMessageVersion,
    header: Header,
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

struct RawInstruction<'a> {
    program: u8,
    accounts: &'a [u8],
    data: &'a [u8],
}

impl<'a> RawMessage<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let mut reader = Reader::new(bytes);
        let version = read_version(&mut reader)?;
        let header = reader.array::<3>().map_err(at("header"))?.map(usize::from);
        let [required_signatures, readonly_signed, readonly_unsigned] = header;
        let account_keys =
            reader.items(|reader, _| reader.array().map(SolanaAddress::new)).map_err(at("accountKeys"))?;
        let recent_blockhash = reader.array().map_err(at("recentBlockhash"))?;
        let instructions = reader.items(|reader, _| read_instruction(reader)).map_err(at("instructions"))?;
        let lookups = match version {
            SolanaMessageVersion::Legacy => Vec::new(),
            SolanaMessageVersion::V0 => {
                reader.items(|reader, _| read_lookup(reader)).map_err(at("addressTableLookups"))?
            }
        };
        reader.finish().map_err(|cause| Rejection::new(MESSAGE, cause.to_string()))?;
        let header = Header { required_signatures, readonly_signed, readonly_unsigned };
        Ok(Self { version, header, account_keys, recent_blockhash, instructions, lookups })
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<SolanaMessageVersion, Rejection> {
    match reader.rest().first() {
        Some(&VERSION_PREFIX) => {
            reader.byte().map_err(at("version"))?;
            Ok(SolanaMessageVersion::V0)
        }
        Some(prefix) if prefix & VERSION_PREFIX != 0 => {
            let version = prefix & !VERSION_PREFIX;
            Err(reject(
                "version",
                format!("is {version}, which is not supported yet: use version 0 or legacy"),
            ))
        }
        _ => Ok(SolanaMessageVersion::Legacy),
    }
}

fn read_instruction<'a>(reader: &mut Reader<'a>) -> Result<RawInstruction<'a>, WireError> {
    Ok(RawInstruction { program: reader.byte()?, accounts: reader.bytes()?, data: reader.bytes()? })
}

fn read_lookup(reader: &mut Reader<'_>) -> Result<SolanaTableLookup, WireError> {
    Ok(SolanaTableLookup {
        table: SolanaAddress::new(reader.array()?),
        writable_indexes: reader.bytes()?.to_vec(),
        readonly_indexes: reader.bytes()?.to_vec(),
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

fn check_lookups(message: &RawMessage<'_>) -> Result<(), Rejection> {
    let mut tables = Vec::new();
    for (index, lookup) in message.lookups.iter().enumerate() {
        let wrong = |message| Err(reject(&format!("addressTableLookups[{index}]"), message));
        if tables.contains(&lookup.table) {
            return wrong("names a table twice: put all its entries into one lookup");
        }
        tables.push(lookup.table);
        let mut entries: Vec<u8> = Vec::new();
        for entry in lookup.writable_indexes.iter().chain(&lookup.readonly_indexes) {
            if entries.contains(entry) {
                return wrong("names an entry of the table twice");
            }
            entries.push(*entry);
        }
        if entries.is_empty() {
            return wrong("looks up no account: leave it out");
        }
    }
    Ok(())
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
    Ok(SolanaInstruction {
        program_id: program.address,
        accounts: raw.accounts.iter().enumerate().map(account).collect::<Result<_, _>>()?,
        data: raw.data.to_vec(),
    })
}

fn reject(field: &str, message: impl Into<String>) -> Rejection {
    Rejection::new(format!("{MESSAGE}.{field}"), message)
}

fn at(field: &str) -> impl Fn(WireError) -> Rejection {
    move |cause| reject(field, cause.to_string())
}
