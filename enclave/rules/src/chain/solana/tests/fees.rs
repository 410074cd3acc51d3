//! What a transaction offers for compute units.

use super::*;
use crate::chain::facts::SolanaFees;

const PROGRAM: &str = "ComputeBudget111111111111111111111111111111";

/// A transfer and compute budget instructions with these data.
fn fees(budget: &[&[u8]]) -> Result<SolanaFees, Rejection> {
    let mut draft = Draft::legacy();
    draft.keys.push(*PROGRAM.parse::<SolanaAddress>().unwrap().as_bytes());
    draft.header[2] += 1;
    draft.instructions.extend(budget.iter().map(|data| (4, vec![], data.to_vec())));
    parse_wire(&draft.wire()).map(|signable| facts_of(&*signable).fees)
}

fn tagged(tag: u8, number: &[u8]) -> Vec<u8> {
    [&[tag], number].concat()
}

fn limit(units: u32) -> Vec<u8> {
    tagged(2, &units.to_le_bytes())
}

fn price(micro_lamports: u64) -> Vec<u8> {
    tagged(3, &micro_lamports.to_le_bytes())
}

#[test]
fn the_priority_fee_is_rounded_up_and_bounded() {
    let cases = [
        (Some(200_000), Some(5), 1),
        (Some(200_001), Some(5), 2),
        (Some(200_000), Some(50_000), 10_000),
        (Some(0), Some(u64::MAX), 0),
        (Some(200_000), None, 0),
        // The runtime takes the largest limit for a larger one; without one it may come to as much.
        (Some(u32::MAX), Some(1_000_000), 1_400_000),
        (None, Some(1_000_000), 1_400_000),
        (Some(1_400_000), Some(u64::MAX), u64::MAX),
    ];
    for (units, micro_lamports, expected) in cases {
        let data: Vec<_> = units.map(limit).into_iter().chain(micro_lamports.map(price)).collect();
        let data: Vec<_> = data.iter().map(Vec::as_slice).collect();
        let fees = fees(&data).unwrap();
        assert_eq!(fees.compute_unit_limit, units);
        assert_eq!(fees.compute_unit_price, micro_lamports);
        assert_eq!(fees.max_priority_fee, expected, "{units:?} x {micro_lamports:?}");
    }
}

#[test]
fn sizes_are_reported() {
    let heap = tagged(1, &65_536_u32.to_le_bytes());
    let loaded = tagged(4, &1_u32.to_le_bytes());
    let fees = fees(&[&loaded, &heap]).unwrap();
    assert_eq!((fees.heap_size, fees.loaded_accounts_data_size_limit), (Some(65_536), Some(1)));
    assert_eq!((fees.compute_unit_limit, fees.compute_unit_price, fees.max_priority_fee), (None, None, 0));
}

#[test]
fn what_the_runtime_refuses_is_refused() {
    let heap = |bytes: u32| tagged(1, &bytes.to_le_bytes());
    let loaded = |bytes: u32| tagged(4, &bytes.to_le_bytes());
    let cases: [(&[Vec<u8>], usize); 14] = [
        (&[limit(1), limit(1)], 2),
        (&[price(1), limit(1), price(1)], 3),
        (&[heap(32_768), heap(32_768)], 2),
        (&[loaded(9), limit(4), price(4), loaded(9)], 4),
        (&[heap(32_767)], 1),
        (&[heap(31_744)], 1),
        (&[heap(33_000)], 1),
        (&[heap(263_168)], 1),
        (&[loaded(0)], 1),
        (&[vec![]], 1),
        (&[tagged(0, &[0; 8])], 1),
        (&[tagged(2, &[0; 3])], 1),
        (&[limit(7), tagged(9, &[0; 4])], 2),
        // The runtime would grant this one, and overlook the last byte.
        (&[[limit(7), vec![0]].concat()], 1),
    ];
    for (number, (budget, index)) in cases.into_iter().enumerate() {
        let budget: Vec<_> = budget.iter().map(Vec::as_slice).collect();
        let rejection = fees(&budget).unwrap_err();
        assert_eq!(rejection.field, format!("transaction.message.instructions[{index}]"), "case {number}");
    }
    assert!(fees(&[&heap(32_768)]).is_ok() && fees(&[&heap(262_144)]).is_ok());
}
