//! Solana transactions with instructions that are decoded, that are not, and that use accounts from lookup tables; and
//! off-chain messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Random;
use super::world::{PROGRAMS, SOLANA_ACCOUNTS, solana_key};

/// An account of an instruction: named, or the entry of the lookup table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Key([u8; 32]),
    Lookup(u8),
}

struct Instruction {
    program: [u8; 32],
    accounts: Vec<Account>,
    data: Vec<u8>,
}

const TABLE: [u8; 32] = [0x7a; 32];

pub(super) fn transaction(random: &mut Random) -> Value {
    let version = *random.pick(&["legacy", "v0", "v0", "v1"]);
    let lookups = version == "v0" && random.percent(70);
    let mut instructions = Vec::new();
    if version != "v1" && random.percent(30) {
        // The chain refuses a kind that comes twice.
        instructions.push(budget(&[2, 0x40, 0x0d, 3, 0]));
        if random.percent(60) {
            instructions.push(budget(&[3, 0x10, 0x27, 0, 0, 0, 0, 0, 0]));
        }
    }
    // Mostly what is decoded, or little could be said of any transaction.
    let plain = random.percent(50);
    for _ in 0..random.below(4) {
        instructions.push(if plain { movement(random, lookups) } else { instruction(random, lookups) });
    }
    let signers = match random.below(4) {
        0 => vec![solana_key(1), solana_key(0)],
        1 => vec![solana_key(0), solana_key(1)],
        _ => vec![solana_key(0)],
    };
    let wire = match version {
        "v1" => v1(random, &signers, &instructions),
        _ => before_v1(version, &signers, &instructions, lookups),
    };
    json!({"transaction": STANDARD.encode(wire)})
}

pub(super) fn offchain_message(random: &mut Random) -> Value {
    let text = *random.pick(&["hello", "Login: 5"]);
    let mut message = b"\xffsolana offchain\x01\x01".to_vec();
    message.extend(solana_key(0));
    message.extend(text.as_bytes());
    json!({"message": STANDARD.encode(message)})
}

fn address(text: &str) -> [u8; 32] {
    bs58::decode(text).into_vec().expect("base58").try_into().expect("32 bytes")
}

fn budget(data: &[u8]) -> Instruction {
    Instruction { program: address(PROGRAMS[1]), accounts: Vec::new(), data: data.to_vec() }
}

fn amount(random: &mut Random) -> [u8; 8] {
    random.pick(&[0, 1, 5, 1000, 5_000_000_000_u64]).to_le_bytes()
}

fn instruction(random: &mut Random, lookups: bool) -> Instruction {
    let program = address(random.pick::<&str>(&PROGRAMS));
    let data = match PROGRAMS.iter().position(|name| address(name) == program) {
        Some(0) => system(random),
        Some(2 | 3) => token(random),
        Some(4) => random.pick(&[vec![], vec![0], vec![1], vec![2], vec![3]]).clone(),
        Some(1 | 5 | 6) => return memo(random),
        Some(9..) => random.pick(&[vec![], vec![0], vec![2, 9], vec![255]]).clone(),
        _ => vec![1, 2, 3],
    };
    let mut data = data;
    // What is not decoded to the last byte is not decoded.
    if random.percent(8) {
        data.push(0);
    }
    let exact = if program == [0; 32] { accounts_of_system(&data) } else { 7 };
    let count = if random.percent(5) { 1 } else { exact };
    let accounts = (0..count).map(|_| account(random, lookups)).collect();
    Instruction { program, accounts, data }
}

/// A transfer of lamports or tokens, sometimes a token account for them.
fn movement(random: &mut Random, lookups: bool) -> Instruction {
    let program = *random.pick(&[0, 2, 2, 3, 0, 2, 2, 3, 4]);
    let size = amount(random);
    let data = match (program, random.below(5)) {
        (0, _) => [&[2, 0, 0, 0][..], &size].concat(),
        (4, _) => vec![1],
        (_, 0) => [&[3][..], &size].concat(),
        _ => [&[12][..], &size, &[6]].concat(),
    };
    let count = if program == 4 { 6 } else { 4 };
    let accounts = (0..count).map(|_| account(random, lookups)).collect();
    Instruction { program: address(PROGRAMS[program]), accounts, data }
}

fn memo(random: &mut Random) -> Instruction {
    let data = random.pick(&[b"hello".to_vec(), vec![0xff, 0xfe]]).clone();
    Instruction { program: address(PROGRAMS[5]), accounts: Vec::new(), data }
}

fn account(random: &mut Random, lookups: bool) -> Account {
    if lookups && random.percent(20) {
        Account::Lookup(u8::try_from(random.below(3)).expect("small"))
    } else {
        Account::Key(solana_key(random.below(SOLANA_ACCOUNTS)))
    }
}

/// Data of an instruction of the system program: 4 bytes of number, then what it takes.
fn system(random: &mut Random) -> Vec<u8> {
    let number = *random.pick(&[0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99_u32]);
    let mut data = number.to_le_bytes().to_vec();
    // The system program is an owner like others, but for what it does with its accounts.
    let key =
        if random.percent(25) { address(PROGRAMS[0]) } else { solana_key(random.below(SOLANA_ACCOUNTS)) };
    let base = solana_key(1);
    let seed = [&4_u64.to_le_bytes()[..], b"seed"].concat();
    let (lamports, space) = (amount(random), 165_u64.to_le_bytes());
    match number {
        0 | 13 => data.extend([&lamports[..], &space, &key].concat()),
        1 | 6 | 7 => data.extend(key),
        2 | 5 => data.extend(lamports),
        3 => data.extend([&base[..], &seed, &lamports, &space, &key].concat()),
        8 => data.extend(space),
        9 => data.extend([&base[..], &seed, &space, &key].concat()),
        10 => data.extend([&base[..], &seed, &key].concat()),
        11 => data.extend([&lamports[..], &seed, &key].concat()),
        _ => {}
    }
    data
}

/// Those about nonces take exactly their accounts.
fn accounts_of_system(data: &[u8]) -> usize {
    match data[0] {
        5 => 5,
        7 => 2,
        12 => 1,
        _ => 3,
    }
}

/// Data of an instruction of the token programs: a byte of number, then what it takes.
fn token(random: &mut Random) -> Vec<u8> {
    let number = *random.pick(&[
        3, 3, 12, 12, 12, 12, 26, 4, 13, 5, 6, 7, 14, 8, 15, 9, 10, 11, 17, 22, 38, 45, 0, 18, 99_u8,
    ]);
    let (size, key) = (amount(random), solana_key(random.below(SOLANA_ACCOUNTS)));
    let mut data = vec![number];
    match number {
        3 | 4 | 7 | 8 => data.extend(size),
        12..=15 => data.extend([&size[..], &[6]].concat()),
        26 => data.extend([&[1], &size[..], &[6], &1_u64.to_le_bytes()].concat()),
        6 => data.extend([&[2, 1], &key[..]].concat()),
        45 if random.percent(50) => data.push(0),
        45 => data.extend([&[1], &size[..]].concat()),
        0 => data.extend([&[6], &key[..], &[0]].concat()),
        18 => data.extend(key),
        _ => {}
    }
    data
}

/// The keys of a message: signers, then the others in the order of their use.
fn keys(signers: &[[u8; 32]], instructions: &[Instruction]) -> Vec<[u8; 32]> {
    let mut keys = signers.to_vec();
    for instruction in instructions {
        let named = instruction.accounts.iter().filter_map(|account| match account {
            Account::Key(key) => Some(*key),
            Account::Lookup(_) => None,
        });
        for key in named.chain([instruction.program]) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// The indexes of an instruction's program and accounts. What is looked up comes after what is named.
fn indexes(instruction: &Instruction, keys: &[[u8; 32]]) -> (u8, Vec<u8>) {
    let of = |key: &[u8; 32]| byte(keys.iter().position(|known| known == key).expect("a key"));
    let accounts = instruction.accounts.iter().map(|account| match account {
        Account::Key(key) => of(key),
        Account::Lookup(entry) => byte(keys.len()) + entry,
    });
    (of(&instruction.program), accounts.collect())
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("small")
}

/// A length below 2^14.
fn compact(length: usize) -> Vec<u8> {
    if length < 0x80 { vec![byte(length)] } else { vec![byte(length & 0x7f) | 0x80, byte(length >> 7)] }
}

fn before_v1(version: &str, signers: &[[u8; 32]], instructions: &[Instruction], lookups: bool) -> Vec<u8> {
    let keys = keys(signers, instructions);
    let mut wire = compact(signers.len());
    wire.extend(vec![0; 64 * signers.len()]);
    if version == "v0" {
        wire.push(0x80);
    }
    wire.extend([byte(signers.len()), 0, 0]);
    wire.extend(compact(keys.len()));
    wire.extend(keys.as_flattened());
    wire.extend([7; 32]);
    wire.extend(compact(instructions.len()));
    for instruction in instructions {
        let (program, accounts) = indexes(instruction, &keys);
        wire.push(program);
        wire.extend(compact(accounts.len()));
        wire.extend(accounts);
        wire.extend(compact(instruction.data.len()));
        wire.extend(&instruction.data);
    }
    if version == "v0" {
        wire.push(u8::from(lookups));
        if lookups {
            // Two entries writable, one not.
            wire.extend(TABLE);
            wire.extend([2, 3, 4, 1, 9]);
        }
    }
    wire
}

fn v1(random: &mut Random, signers: &[[u8; 32]], instructions: &[Instruction]) -> Vec<u8> {
    let keys = keys(signers, instructions);
    let fee = random.percent(50);
    let mut wire = vec![0x81, byte(signers.len()), 0, 0];
    wire.extend(if fee { 0b11_u32 } else { 0 }.to_le_bytes());
    wire.extend([7; 32]);
    wire.extend([byte(instructions.len()), byte(keys.len())]);
    wire.extend(keys.as_flattened());
    if fee {
        wire.extend(2_000_u64.to_le_bytes());
    }
    for instruction in instructions {
        let (program, accounts) = indexes(instruction, &keys);
        wire.extend([program, byte(accounts.len())]);
        wire.extend(u16::try_from(instruction.data.len()).expect("short").to_le_bytes());
    }
    for instruction in instructions {
        wire.extend(indexes(instruction, &keys).1);
        wire.extend(&instruction.data);
    }
    wire.extend(vec![0; 64 * signers.len()]);
    wire
}
