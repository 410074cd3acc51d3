//! Random transactions and random bytes, judged by alloy as well.

use alloy_consensus::transaction::RlpEcdsaEncodableTx;
use alloy_consensus::{
    SignableTransaction, Transaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy, TypedTransaction,
};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256 as AlloyU256};
use k256::ecdsa::{RecoveryId, Signature as K256Signature, VerifyingKey};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::chain::facts::EvmBlobs;

fn kind() -> impl Strategy<Value = TxKind> {
    prop_oneof![1 => Just(TxKind::Create), 4 => any::<[u8; 20]>().prop_map(|to| TxKind::Call(Address::from(to)))]
}

/// Small and large numbers alike: lengths are where encodings go wrong.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

fn wei() -> impl Strategy<Value = AlloyU256> {
    (any::<[u64; 4]>(), 8_usize..256).prop_map(|(limbs, shift)| AlloyU256::from_limbs(limbs) >> shift)
}

fn input() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 1..5), vec(any::<u8>(), 50..60), vec(any::<u8>(), 1..700)]
        .prop_map(Bytes::from)
}

fn access_list() -> impl Strategy<Value = AccessList> {
    let item = (any::<[u8; 20]>(), vec(any::<[u8; 32]>(), 0..4)).prop_map(|(address, keys)| AccessListItem {
        address: Address::from(address),
        storage_keys: keys.into_iter().map(B256::from).collect(),
    });
    vec(item, 0..4).prop_map(AccessList)
}

prop_compose! {
    fn legacy()(
        chain_id in proptest::option::of(1_u64..=9_223_372_036_854_775_789), nonce in number(), gas_price in number(),
        gas_limit in number(), to in kind(), value in wei(), input in input(),
    ) -> TxLegacy {
        let nonce = nonce.min(u64::MAX - 1);
        TxLegacy { chain_id, nonce, gas_price: gas_price.into(), gas_limit, to, value, input }
    }
}

prop_compose! {
    fn eip_1559_transaction()(
        chain_id in 1_u64..=9_223_372_036_854_775_789, nonce in number(), fees in (number(), number()), gas_limit in number(),
        to in kind(), value in wei(), input in input(), access_list in access_list(),
    ) -> TxEip1559 {
        TxEip1559 {
            chain_id, nonce: nonce.min(u64::MAX - 1), gas_limit, max_fee_per_gas: fees.0.max(fees.1).into(),
            max_priority_fee_per_gas: fees.0.min(fees.1).into(), to, value, access_list, input,
        }
    }
}

prop_compose! {
    fn eip_2930_transaction()(like in eip_1559_transaction()) -> TxEip2930 {
        TxEip2930 {
            chain_id: like.chain_id, nonce: like.nonce, gas_price: like.max_fee_per_gas, gas_limit: like.gas_limit,
            to: like.to, value: like.value, access_list: like.access_list, input: like.input,
        }
    }
}

prop_compose! {
    fn eip_4844_transaction()(
        like in eip_1559_transaction(), to: [u8; 20], blob_fee in number(), hashes in vec(any::<[u8; 32]>(), 1..=6),
    ) -> TxEip4844 {
        let versioned = |mut hash: [u8; 32]| {
            hash[0] = 1;
            B256::from(hash)
        };
        TxEip4844 {
            chain_id: like.chain_id, nonce: like.nonce, gas_limit: like.gas_limit, max_fee_per_gas: like.max_fee_per_gas,
            max_priority_fee_per_gas: like.max_priority_fee_per_gas, to: Address::from(to), value: like.value,
            access_list: like.access_list, blob_versioned_hashes: hashes.into_iter().map(versioned).collect(),
            max_fee_per_blob_gas: blob_fee.into(), input: like.input,
        }
    }
}

prop_compose! {
    fn signed_authorization()(
        chain_id in prop_oneof![Just(0_u64), 1_u64..=9_223_372_036_854_775_789], address: [u8; 20], nonce in number(),
        odd: bool, r in wei(), s in wei(),
    ) -> SignedAuthorization {
        let authorization = Authorization {
            chain_id: AlloyU256::from(chain_id), address: Address::from(address), nonce: nonce.min(u64::MAX - 1),
        };
        let positive = |scalar: AlloyU256| (scalar >> 1_usize).max(AlloyU256::ONE);
        SignedAuthorization::new_unchecked(authorization, odd.into(), positive(r), positive(s))
    }
}

prop_compose! {
    fn eip_7702_transaction()(
        like in eip_1559_transaction(), to: [u8; 20], list in vec(signed_authorization(), 1..5),
    ) -> TxEip7702 {
        TxEip7702 {
            chain_id: like.chain_id, nonce: like.nonce, gas_limit: like.gas_limit, max_fee_per_gas: like.max_fee_per_gas,
            max_priority_fee_per_gas: like.max_priority_fee_per_gas, to: Address::from(to), value: like.value,
            access_list: like.access_list, authorization_list: list, input: like.input,
        }
    }
}

fn any_transaction() -> impl Strategy<Value = TypedTransaction> {
    prop_oneof![
        legacy().prop_map(TypedTransaction::from),
        eip_2930_transaction().prop_map(TypedTransaction::from),
        eip_1559_transaction().prop_map(TypedTransaction::from),
        eip_4844_transaction().prop_map(TypedTransaction::from),
        eip_7702_transaction().prop_map(TypedTransaction::from),
    ]
}

/// Everything that alloy knows about a transaction must be what we read, hash and encode.
fn agrees<T: SignableTransaction<Signature> + RlpEcdsaEncodableTx>(theirs: &T, fields: &serde_json::Value) {
    let unsigned = theirs.encoded_for_signing();
    let ours = parse_unsigned(&format!("0x{}", hex::encode(&unsigned)))
        .unwrap_or_else(|rejection| panic!("{rejection}"));
    let from_fields = parse_fields(fields).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(ours.facts(), from_fields.facts());
    let hash = hash_of(&*ours);
    assert_eq!(hash, theirs.signature_hash().0);
    assert_eq!(hash, hash_of(&*from_fields));

    let facts = facts_of(&*ours);
    assert_eq!(facts.chain_id, theirs.chain_id());
    assert_eq!(facts.nonce, theirs.nonce());
    assert_eq!(facts.gas, theirs.gas_limit());
    assert_eq!(facts.fees.cap(), U256::from(theirs.max_fee_per_gas()));
    assert_eq!(facts.to.map(|to| Address::from(to.as_bytes())), theirs.to());
    assert_eq!(facts.creates_contract, theirs.is_create());
    assert_eq!(facts.value, theirs.value());
    assert_eq!(facts.input, theirs.input().to_vec());
    assert_eq!(facts.selector.map(Into::into), theirs.function_selector().copied());
    let entries = facts.access_list.iter().map(|item| AccessListItem {
        address: Address::from(item.address.as_bytes()),
        storage_keys: item.storage_keys.iter().map(B256::from).collect(),
    });
    assert_eq!(AccessList(entries.collect()), theirs.access_list().cloned().unwrap_or_default());
    let blobs = facts.blobs.as_ref();
    assert_eq!(blobs.map(|blobs| blobs.max_fee_per_blob_gas), theirs.max_fee_per_blob_gas().map(U256::from));
    let hashes = blobs.map(|blobs| blobs.blob_versioned_hashes.iter().map(B256::from).collect::<Vec<_>>());
    assert_eq!(hashes.as_deref(), theirs.blob_versioned_hashes());
    assert_eq!(blobs.map(EvmBlobs::gas), theirs.blob_gas_used());
    let authorizations = facts.authorization_list.iter().map(|entry| {
        let authorization = Authorization {
            chain_id: AlloyU256::from(entry.authorization.chain_id.unwrap_or(0)),
            address: Address::from(entry.authorization.delegate.as_bytes()),
            nonce: entry.authorization.nonce,
        };
        SignedAuthorization::new_unchecked(authorization, entry.y_parity.into(), entry.r, entry.s)
    });
    let authorizations = authorizations.collect::<Vec<_>>();
    assert_eq!(authorizations, theirs.authorization_list().unwrap_or_default());

    let signature = sign(&hash);
    let RawSignature::Secp256k1 { r, s, y_parity } = signature else { panic!("wrong curve") };
    let Signed::EvmTransaction(signed) = ours.finish(&signature).unwrap() else { panic!("not EVM") };
    let theirs_signature = Signature::from_scalars_and_parity(r.into(), s.into(), y_parity);
    let mut encoded = Vec::new();
    theirs.eip2718_encode(&theirs_signature, &mut encoded);
    assert_eq!(signed.signed_transaction, encoded);
    assert_eq!(signed.transaction_hash, theirs.tx_hash(&theirs_signature).0);

    let recovery = RecoveryId::new(y_parity, false);
    let signature = K256Signature::from_scalars(r, s).unwrap();
    let recovered = VerifyingKey::recover_from_prehash(&hash, &signature, recovery).unwrap();
    let point: [u8; 65] = recovered.to_sec1_point(false).as_bytes().try_into().unwrap();
    assert_eq!(address_from_uncompressed(&point).ok(), SIGNER.evm_address);
}

fn common_fields(transaction: &impl Transaction) -> serde_json::Value {
    json!({
        "nonce": transaction.nonce().to_string(),
        "gas": format!("{:#x}", transaction.gas_limit()),
        "to": transaction.to().map(|to| to.to_string()),
        "value": transaction.value().to_string(),
        "input": transaction.input().to_string(),
        "chainId": transaction.chain_id().map(|id| format!("{id:#x}")),
    })
}

fn with_access_list(mut fields: serde_json::Value, access_list: &AccessList) -> serde_json::Value {
    let item = |item: &AccessListItem| {
        json!({
            "address": item.address.to_string(),
            "storageKeys": item.storage_keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    fields["accessList"] = access_list.0.iter().map(item).collect();
    fields
}

fn dynamic_fields(transaction: &impl Transaction) -> serde_json::Value {
    let mut fields = common_fields(transaction);
    fields["maxFeePerGas"] = json!(format!("{:#x}", transaction.max_fee_per_gas()));
    fields["maxPriorityFeePerGas"] = json!(transaction.max_priority_fee_per_gas().unwrap().to_string());
    with_access_list(fields, transaction.access_list().unwrap())
}

fn authorization_fields(entry: &SignedAuthorization) -> serde_json::Value {
    json!({
        "chainId": format!("{:#x}", entry.chain_id), "address": entry.address.to_string(), "nonce": entry.nonce.to_string(),
        "yParity": entry.y_parity(), "r": format!("{:#x}", entry.r()), "s": entry.s().to_string(),
    })
}

proptest! {
    #[test]
    fn legacy_transactions(transaction in legacy()) {
        let mut fields = common_fields(&transaction);
        fields["gasPrice"] = json!(transaction.gas_price.to_string());
        agrees(&transaction, &fields);
    }

    #[test]
    fn eip_2930_transactions(transaction in eip_2930_transaction()) {
        let mut fields = with_access_list(common_fields(&transaction), &transaction.access_list);
        fields["gasPrice"] = json!(transaction.gas_price.to_string());
        agrees(&transaction, &fields);
    }

    #[test]
    fn eip_1559_transactions(transaction in eip_1559_transaction()) {
        agrees(&transaction, &dynamic_fields(&transaction));
    }

    #[test]
    fn eip_4844_transactions(transaction in eip_4844_transaction()) {
        let mut fields = dynamic_fields(&transaction);
        fields["maxFeePerBlobGas"] = json!(transaction.max_fee_per_blob_gas.to_string());
        fields["blobVersionedHashes"] =
            transaction.blob_versioned_hashes.iter().map(ToString::to_string).collect();
        agrees(&transaction, &fields);
    }

    #[test]
    fn eip_7702_transactions(transaction in eip_7702_transaction()) {
        let mut fields = dynamic_fields(&transaction);
        fields["authorizationList"] = transaction.authorization_list.iter().map(authorization_fields).collect();
        agrees(&transaction, &fields);
    }

    /// Whatever we accept after a byte changed, alloy reads as a transaction with exactly this serialization.
    #[test]
    fn mutated_serializations(transaction in any_transaction(), at: prop::sample::Index, byte: u8) {
        let mut unsigned = transaction.encoded_for_signing();
        let at = at.index(unsigned.len().min(300));
        unsigned[at] = byte;
        if let Ok(ours) = parse_unsigned(&format!("0x{}", hex::encode(&unsigned))) {
            prop_assert_eq!(hash_of(&*ours), keccak256(&unsigned));
            // alloy holds fees in 128 bits.
            let facts = facts_of(&*ours);
            let blob_fee = facts.blobs.as_ref().map_or(U256::ZERO, |blobs| blobs.max_fee_per_blob_gas);
            prop_assume!(facts.fees.cap().max(blob_fee) <= U256::from(u128::MAX));
            let theirs = TypedTransaction::decode_unsigned(&mut unsigned.as_slice()).unwrap();
            prop_assert_eq!(theirs.encoded_for_signing(), unsigned);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes in vec(any::<u8>(), 0..300), prefix in 0_usize..6) {
        let start: &[u8] = [&[][..], &[2], &[0xc9], &[2, 0xf8], &[3, 0xf8], &[4, 0xf8]][prefix];
        let _ = parse_unsigned(&format!("0x{}", hex::encode([start, &bytes].concat())));
    }
}
