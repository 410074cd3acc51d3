//! Call data: right, wrong, and nearly right.

use std::sync::LazyLock;

use alloy_dyn_abi::{DynSolType, DynSolValue, JsonAbiExt};
use alloy_json_abi::{Function, Param};
use alloy_primitives::{Address, B256, I256, U256};

use super::Random;
use super::world::{ABIS, ADDRESSES, AMOUNTS, TEXTS};
use crate::policy::naive::{function, type_of};

/// The functions of the world with the ABIs that they are of.
pub(super) fn functions() -> &'static [(&'static str, Function)] {
    static FUNCTIONS: LazyLock<Vec<(&'static str, Function)>> = LazyLock::new(|| {
        let of = |(id, all): &(&'static str, &[&str])| {
            let id = *id;
            all.iter().map(|signature| (id, function(signature))).collect::<Vec<_>>()
        };
        ABIS.iter().flat_map(of).collect()
    });
    &FUNCTIONS
}

/// Call data of one of [`functions`], in three of ten cases with something wrong.
pub(super) fn call_data(random: &mut Random) -> Vec<u8> {
    let (_, function) = random.pick(functions());
    let values: Vec<DynSolValue> =
        function.inputs.iter().map(|param| value(random, &type_of(param))).collect();
    let mut data = function.abi_encode_input(&values).expect("the values are of its types");
    if random.percent(30) {
        spoil(random, &mut data);
    }
    data
}

/// Changes the arguments; sometimes they are canonical still, and others.
fn spoil(random: &mut Random, data: &mut Vec<u8>) {
    let arguments = data.len() - 4;
    match random.below(7) {
        0 => data.truncate(4 + arguments.saturating_sub(1)),
        1 => data.truncate(4 + arguments.saturating_sub(32)),
        2 => data.push(0),
        3 => data.extend([0; 32]),
        // The high bytes of a word: dirt beside an address or number, an offset far away.
        4 | 5 if arguments > 0 => data[4 + 32 * random.below(arguments / 32)] ^= 1 << random.below(8),
        // Any byte: a value, an offset, a length, padding.
        _ if arguments > 0 => data[4 + random.below(arguments)] ^= 1 << random.below(8),
        _ => data.push(1),
    }
}

fn value(random: &mut Random, kind: &DynSolType) -> DynSolValue {
    match kind {
        DynSolType::Bool => DynSolValue::Bool(random.percent(50)),
        DynSolType::Uint(bits) => {
            let amount: U256 = random.pick(&AMOUNTS).parse().expect("a number");
            DynSolValue::Uint(amount & (U256::MAX >> (256 - bits)), *bits)
        }
        DynSolType::Int(bits) => {
            let least = I256::from_raw(U256::ONE << (bits - 1)).wrapping_neg();
            let all = [
                I256::ZERO,
                I256::ONE,
                I256::MINUS_ONE,
                I256::unchecked_from(5),
                I256::unchecked_from(-5),
                least,
            ];
            DynSolValue::Int(*random.pick(&all), *bits)
        }
        DynSolType::FixedBytes(size) => {
            let mut word = B256::ZERO;
            word[..*size].fill(*random.pick(&[0, 1, 0xff]));
            DynSolValue::FixedBytes(word, *size)
        }
        DynSolType::Address => DynSolValue::Address(address(random)),
        DynSolType::Bytes => DynSolValue::Bytes(random.pick(&[vec![], vec![1, 2, 3], vec![7; 33]]).clone()),
        DynSolType::String => DynSolValue::String((*random.pick(&TEXTS)).to_owned()),
        DynSolType::Array(item) => {
            DynSolValue::Array((0..random.below(4)).map(|_| value(random, item)).collect())
        }
        DynSolType::FixedArray(item, length) => {
            DynSolValue::FixedArray((0..*length).map(|_| value(random, item)).collect())
        }
        DynSolType::Tuple(members) => {
            DynSolValue::Tuple(members.iter().map(|member| value(random, member)).collect())
        }
        other => panic!("{other} is no type of the world"),
    }
}

fn address(random: &mut Random) -> Address {
    random.pick(&ADDRESSES).parse().expect("an address")
}

/// The paths to values without parts, and their types.
pub(super) fn leaves(params: &[Param]) -> Vec<(String, DynSolType)> {
    let mut found = Vec::new();
    for param in params {
        leaves_of(param, &type_of(param), &param.name, &mut found);
    }
    found
}

fn leaves_of(param: &Param, kind: &DynSolType, path: &str, found: &mut Vec<(String, DynSolType)>) {
    match kind {
        DynSolType::Array(item) | DynSolType::FixedArray(item, _) => {
            leaves_of(param, item, &format!("{path}[]"), found);
        }
        DynSolType::Tuple(members) => {
            for (member, kind) in param.components.iter().zip(members) {
                leaves_of(member, kind, &format!("{path}.{}", member.name), found);
            }
        }
        _ => found.push((path.to_owned(), kind.clone())),
    }
}
