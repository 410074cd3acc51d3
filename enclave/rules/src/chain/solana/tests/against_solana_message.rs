//! Random messages and random bytes, judged by Solana's own crate as well.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::v0::{self, MessageAddressTableLookup};
use solana_message::v1::{self, TransactionConfig};
use solana_message::{Address, Hash, Message, MessageHeader, VersionedMessage};

use super::*;
use crate::chain::facts::SolanaFees;

/// What random messages are made of; indexes are taken modulo what is there.
#[derive(Clone, Debug)]
struct Parts {
    keys: Vec<[u8; 32]>,
    header: [u8; 3],
    our_index: usize,
    blockhash: [u8; 32],
    instructions: Vec<(usize, Vec<usize>, Vec<u8>)>,
    lookups: Vec<([u8; 32], Vec<u8>, Vec<u8>)>,
    version: SolanaMessageVersion,
    /// Version 1 only.
    config: TransactionConfig,
}

fn config() -> impl Strategy<Value = TransactionConfig> {
    let heap = (32_u32..=256).prop_map(|kib| kib * 1024);
    let values = (any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u32>>(), prop::option::of(heap));
    values.prop_map(|(priority_fee, compute_unit_limit, loaded_accounts_data_size_limit, heap_size)| {
        TransactionConfig { priority_fee, compute_unit_limit, loaded_accounts_data_size_limit, heap_size }
    })
}

prop_compose! {
    fn parts()(
        keys in btree_set(any::<[u8; 32]>(), 2..12), header: [u8; 3], our_index: usize, blockhash: [u8; 32],
        instructions in vec((any::<usize>(), vec(any::<usize>(), 0..6), vec(any::<u8>(), 0..40)), 0..5),
        lookups in vec((any::<[u8; 32]>(), btree_set(any::<u8>(), 1..6), any::<prop::sample::Index>()), 0..3),
        version in prop::sample::select(vec![SolanaMessageVersion::Legacy, SolanaMessageVersion::V0, SolanaMessageVersion::V1]),
        config in config(),
    ) -> Parts {
        let split = |(table, indexes, at): ([u8; 32], std::collections::BTreeSet<u8>, prop::sample::Index)| {
            let mut writable: Vec<u8> = indexes.into_iter().collect();
            let readonly = writable.split_off(at.index(writable.len()));
            (table, writable, readonly)
        };
        let lookups = lookups.into_iter().map(split).collect();
        Parts { keys: keys.into_iter().collect(), header, our_index, blockhash, instructions, lookups, version, config }
    }
}

fn byte(value: usize) -> u8 {
    value.try_into().unwrap()
}

/// A message that Solana accepts and that we must sign.
fn message(mut parts: Parts) -> VersionedMessage {
    let count = parts.keys.len();
    let required = 1 + usize::from(parts.header[0]) % count.min(8);
    parts.keys[parts.our_index % required] = ours();
    let header = MessageHeader {
        num_required_signatures: byte(required),
        num_readonly_signed_accounts: parts.header[1] % byte(required),
        num_readonly_unsigned_accounts: parts.header[2] % byte(count - required + 1),
    };
    let looked_up: usize =
        parts.lookups.iter().map(|(_, writable, readonly)| writable.len() + readonly.len()).sum();
    let accounts = if parts.version == SolanaMessageVersion::V0 { count + looked_up } else { count };
    let instruction = |(program, indexes, data): &(usize, Vec<usize>, Vec<u8>)| CompiledInstruction {
        program_id_index: byte(1 + program % (count - 1)),
        accounts: indexes.iter().map(|index| byte(index % accounts)).collect(),
        data: data.clone(),
    };
    let instructions = parts.instructions.iter().map(instruction).collect();
    let account_keys = parts.keys.iter().copied().map(Address::from).collect();
    let recent_blockhash = Hash::from(parts.blockhash);
    match parts.version {
        SolanaMessageVersion::V0 => {}
        SolanaMessageVersion::V1 => {
            let config = parts.config;
            return VersionedMessage::V1(v1::Message::new(
                header,
                config,
                recent_blockhash,
                account_keys,
                instructions,
            ));
        }
        SolanaMessageVersion::Legacy => {
            return VersionedMessage::Legacy(Message {
                header,
                account_keys,
                recent_blockhash,
                instructions,
            });
        }
    }
    let lookup = |(table, writable_indexes, readonly_indexes): ([u8; 32], Vec<u8>, Vec<u8>)| {
        MessageAddressTableLookup { account_key: Address::from(table), writable_indexes, readonly_indexes }
    };
    let address_table_lookups = parts.lookups.into_iter().map(lookup).collect();
    VersionedMessage::V0(v0::Message {
        header,
        account_keys,
        recent_blockhash,
        instructions,
        address_table_lookups,
    })
}

/// Compares every fact with the crate's view of the message.
fn assert_same(facts: &SolanaTransactionFacts, theirs: &VersionedMessage) {
    let keys = theirs.static_account_keys();
    let required = usize::from(theirs.header().num_required_signatures);
    let address = |key: &Address| SolanaAddress::new(key.to_bytes());
    let version = match theirs {
        VersionedMessage::Legacy(_) => SolanaMessageVersion::Legacy,
        VersionedMessage::V0(_) => SolanaMessageVersion::V0,
        VersionedMessage::V1(message) => {
            let TransactionConfig {
                priority_fee,
                compute_unit_limit,
                loaded_accounts_data_size_limit,
                heap_size,
            } = message.config;
            let max_priority_fee = priority_fee.unwrap_or(0);
            let compute_unit_price = None;
            let expected = SolanaFees {
                compute_unit_limit,
                compute_unit_price,
                max_priority_fee,
                loaded_accounts_data_size_limit,
                heap_size,
            };
            assert_eq!(facts.fees, expected);
            SolanaMessageVersion::V1
        }
    };
    assert_eq!(facts.version, version);
    assert_eq!(facts.fee_payer, address(&keys[0]));
    assert_eq!(facts.signers, keys[..required].iter().map(address).collect::<Vec<_>>());
    assert_eq!(facts.recent_blockhash, theirs.recent_blockhash().to_bytes());
    assert_eq!(facts.account_keys.len(), keys.len());
    for (index, (ours, theirs_key)) in facts.account_keys.iter().zip(keys).enumerate() {
        assert_eq!(ours.address, address(theirs_key));
        assert_eq!(ours.signer, theirs.is_signer(index));
        // The crate demotes accounts that are called as programs; we report what the header says.
        let demoted = theirs.is_invoked(index);
        let reserved: Option<&std::collections::HashSet<Address>> = None;
        assert!(
            demoted || ours.writable == theirs.is_maybe_writable_with_reserved_addresses(index, reserved)
        );
    }
    let lookups = theirs.address_table_lookups().unwrap_or_default();
    assert_eq!(facts.address_table_lookups.len(), lookups.len());
    for (ours, theirs) in facts.address_table_lookups.iter().zip(lookups) {
        assert_eq!(ours.table, address(&theirs.account_key));
        assert_eq!(ours.writable_indexes, theirs.writable_indexes);
        assert_eq!(ours.readonly_indexes, theirs.readonly_indexes);
    }
    let entries = |writable: bool| {
        lookups.iter().flat_map(move |lookup| {
            let indexes = if writable { &lookup.writable_indexes } else { &lookup.readonly_indexes };
            indexes.iter().map(move |index| SolanaAccount::Lookup {
                table: address(&lookup.account_key),
                index: *index,
                writable,
            })
        })
    };
    let accounts: Vec<_> = facts
        .account_keys
        .iter()
        .copied()
        .map(SolanaAccount::Static)
        .chain(entries(true))
        .chain(entries(false))
        .collect();
    assert_eq!(facts.instructions.len(), theirs.instructions().len());
    for (ours, theirs) in facts.instructions.iter().zip(theirs.instructions()) {
        assert_eq!(ours.program_id, address(&keys[usize::from(theirs.program_id_index)]));
        assert_eq!(
            ours.accounts,
            theirs.accounts.iter().map(|index| accounts[usize::from(*index)]).collect::<Vec<_>>()
        );
        assert_eq!(ours.data, theirs.data);
    }
}

/// Whatever we accept, the crate reads to the last byte, finds sane, and understands the same.
fn assert_no_laxer(message: &[u8]) {
    let Ok(ours) = parse_wire(&with_slots(message)) else {
        return;
    };
    let theirs: VersionedMessage = wincode::deserialize(message).expect("we accepted it");
    theirs.sanitize().expect("we accepted it");
    assert_eq!(theirs.serialize(), message);
    assert_same(facts_of(&*ours), &theirs);
}

/// With an empty slot for every signature, where the version has them.
fn with_slots(message: &[u8]) -> Vec<u8> {
    let slots = vec![EMPTY_SLOT; required_signatures(message)];
    if message.first() == Some(&V1_PREFIX) {
        return [message, slots.as_flattened()].concat();
    }
    wire(&slots, message)
}

fn required_signatures(message: &[u8]) -> usize {
    let at = usize::from(message.first().is_some_and(|first| *first >= 0x80));
    message.get(at).map_or(0, |count| usize::from(*count))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn sane_messages_are_understood_alike(parts in parts()) {
        let theirs = message(parts);
        prop_assert_eq!(theirs.sanitize(), Ok(()));
        let bytes = theirs.serialize();
        let required = required_signatures(&bytes);
        let whole = with_slots(&bytes);
        prop_assume!(whole.len() <= if bytes[0] == V1_PREFIX { MAX_V1_WIRE_LEN } else { MAX_WIRE_LEN });
        let ours = parse_wire(&whole).unwrap_or_else(|rejection| panic!("{rejection}"));
        assert_same(facts_of(&*ours), &theirs);

        let signature = sign(&*ours);
        let Signed::SolanaTransaction(signed) = ours.finish(&RawSignature::Ed25519(signature)).unwrap() else {
            panic!("not Solana")
        };
        prop_assert_eq!(signed.missing_signers.len(), required - 1);
        prop_assert_eq!(signed.signed_transaction.len(), whole.len());
        if bytes[0] == V1_PREFIX {
            prop_assert!(signed.signed_transaction.starts_with(&bytes));
        } else {
            prop_assert!(signed.signed_transaction.ends_with(&bytes));
        }
    }

    #[test]
    fn mutated_messages_are_not_judged_laxer(parts in parts(), edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3)) {
        let mut bytes = message(parts).serialize();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        assert_no_laxer(&bytes);
    }

    /// Structure bytes are few among keys: bend only them.
    #[test]
    fn bent_structure_is_not_judged_laxer(parts in parts(), at in 0_usize..44, tail in 0_usize..60, byte in 0_u8..14, end: bool) {
        let mut bytes = message(parts).serialize();
        let at = if end { bytes.len() - 1 - tail.min(bytes.len() - 1) } else { at };
        bytes[at] = byte;
        assert_no_laxer(&bytes);
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes in vec(any::<u8>(), 0..400), slots in 0_usize..3) {
        let _ = parse_wire(&bytes);
        let _ = parse_wire(&[&[V1_PREFIX][..], &bytes].concat());
        let _ = parse_wire(&wire(&vec![EMPTY_SLOT; slots], &bytes));
    }
}
