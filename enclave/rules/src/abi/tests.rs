//! Published examples, alloy as an oracle, and whatever no encoder would produce.

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{I256, U256 as AlloyU256};
use proptest::collection::vec;
use proptest::prelude::*;
use ruint::aliases::U256;

use super::*;
use crate::chain::facts::TypedValue;

fn function(signature: &str) -> Function {
    Function::parse(signature).unwrap_or_else(|error| panic!("{signature}: {error}"))
}

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

/// Bytes from hex with spaces, `N*` before a word of hex digits for N zero bytes.
fn words(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .flat_map(|word| match word.strip_prefix('<') {
            Some(start) => hex::decode(format!("{start:0<64}")).unwrap(),
            None => hex::decode(format!("{word:0>64}")).unwrap(),
        })
        .collect()
}

fn uints(values: &[u64]) -> TypedValue {
    TypedValue::Array(values.iter().map(|value| TypedValue::Uint(U256::from(*value))).collect())
}

#[test]
fn well_known_functions_have_their_selectors() {
    for (signature, canonical, selector) in [
        ("transfer(address to, uint256 amount)", "transfer(address,uint256)", "a9059cbb"),
        ("baz(uint32 x,bool y)", "baz(uint32,bool)", "cdcd77c0"),
        ("sam(bytes a, bool b, uint256[] c)", "sam(bytes,bool,uint256[])", "a5643bf2"),
        ("pause()", "pause()", "8456cb59"),
        (
            "exactInputSingle((address tokenIn, address tokenOut, uint24 fee, address recipient, uint256 deadline, \
             uint256 amountIn, uint256 amountOutMinimum, uint160 sqrtPriceLimitX96) params)",
            "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
            "414bf389",
        ),
    ] {
        let function = function(signature);
        assert_eq!(function.canonical(), canonical);
        assert_eq!(hex::encode(function.selector()), selector, "{signature}");
        assert!(canonical.starts_with(function.name()));
    }
}

#[test]
fn signatures_have_names_and_full_types() {
    let deep = |n: usize| format!("f(uint8{} a)", "[]".repeat(n));
    let nested = |n: usize| format!("f({}uint8 a{})", "(".repeat(n), ") a".repeat(n));
    for good in [
        "f( uint8  a , bool b )",
        "$_f(bytes32 $a)",
        "f(((uint8 a)[3] b, string c)[][2] d)",
        &deep(8),
        &nested(8),
    ] {
        function(good);
    }
    for bad in [
        "",
        "f",
        "f(",
        "(uint8 a)",
        "f(uint8)",
        "f(uint8 a) view",
        "function f(uint8 a)",
        "f(uint a)",
        "f(int a)",
        "f(byte a)",
        "f(uint7 a)",
        "f(uint264 a)",
        "f(uint08 a)",
        "f(bytes0 a)",
        "f(bytes33 a)",
        "f(tuple(uint8 a) b)",
        "f(() a)",
        "f(uint8 a,)",
        "f(uint8 a uint8 b)",
        "f(uint8 a, uint16 a)",
        "f(uint8[0] a)",
        "f(uint8[01] a)",
        "f(uint8[+1] a)",
        "f(uint8[ a)",
        "f(uint8] a)",
        "f(uint8[32769] a)",
        "f(uint8[32768] a, bool b)",
        "f(uint8[32768][32768] a)",
        "f(string[20000] a)",
        "f(uint8 1a)",
        "f(uint8 \u{e4})",
        "f(\tuint8 a)",
        "1f(uint8 a)",
        &deep(9),
        &nested(9),
        &format!("f({}", "(".repeat(2000)),
        &format!("f(uint8 {})", "a".repeat(65)),
        &format!("f(uint8 z{})", ", bool another_parameter".repeat(100)),
    ] {
        assert!(matches!(Function::parse(bad), Err(AbiError::Signature(_))), "{bad}");
    }
}

/// The examples of the contract ABI specification.
#[test]
fn the_specifications_examples_are_decoded() {
    let fields =
        function("sam(bytes a, bool b, uint256[] c)").decode(&words("60 1 a0 4 <64617665 3 1 2 3")).unwrap();
    let values: Vec<&TypedValue> = fields.iter().map(|field| &field.value).collect();
    assert_eq!(values, [&TypedValue::Bytes(b"dave".into()), &TypedValue::Bool(true), &uints(&[1, 2, 3])]);
    assert_eq!((fields[2].name.as_str(), fields[2].type_name.as_str()), ("c", "uint256[]"));

    let fields = function("g(uint256[][] a, string[] b)")
        .decode(&words("40 140 2 40 a0 2 1 2 1 3 3 60 a0 e0 3 <6f6e65 3 <74776f 5 <7468726565"))
        .unwrap();
    assert_eq!(fields[0].value, TypedValue::Array(vec![uints(&[1, 2]), uints(&[3])]));
    let strings = ["one", "two", "three"].map(|text| TypedValue::String(text.into()));
    assert_eq!(fields[1].value, TypedValue::Array(strings.into()));
}

#[test]
fn only_the_canonical_encoding_is_understood() {
    let sam = function("sam(bytes a, bool b, uint256[] c)");
    let scalars = function("f(uint8 a, int8 b, address c, bytes4 d)");
    let pairs = function("f((bytes a, bytes b)[] p)");
    assert!(sam.decode(&words("60 1 a0 4 <64617665 1 1")).is_ok());
    assert!(scalars.decode(&words("ff 7f ffffffffffffffffffffffffffffffffffffffff <ffffffff")).is_ok());
    assert!(pairs.decode(&words("20 1 20 40 60 0 0")).is_ok());
    let minus_129 = "f".repeat(62) + "7f";
    for (function, data, why) in [
        (&sam, "", "nothing"),
        (&sam, "60 1 a0 4 <64617665 1", "the last word is missing"),
        (&sam, "60 1 a0 4 <64617665 1 1 0", "a word is left over"),
        (&sam, "60 1 60 4 <64617665", "two offsets to the same place"),
        (&sam, "a0 1 60 1 1 4 <64617665", "tails in another order"),
        (&sam, "80 1 c0 0 4 <64617665 1 1", "a gap"),
        (&sam, "0 1 a0 4 <64617665 1 1", "an offset into the head"),
        (&sam, "60 1 a0 4 <6461766500000001 1 1", "dirty padding"),
        (&sam, "60 2 a0 4 <64617665 1 1", "no bool"),
        (&sam, "60 1 a0 4 <64617665 ffffffffffffffff 1", "a huge length"),
        (&sam, "60 1 10000000000000000 4 <64617665 1 1", "a huge offset"),
        (&sam, "60 1 a0 ffffffffffffffff <64617665 1 1", "huge bytes"),
        (&scalars, "100 7f 1 <ffffffff", "too large for uint8"),
        (&scalars, "ff 80 1 <ffffffff", "too large for int8"),
        (&scalars, &format!("ff {minus_129} 1 <ffffffff"), "too small for int8"),
        (&scalars, "ff 7f 010000000000000000000000000000000000000000 <ffffffff", "more than an address"),
        (&scalars, "ff 7f 1 <ffffffff01", "more than bytes4"),
        (&pairs, "20 2 40 40 40 60 0 0", "elements that overlap"),
        (&pairs, "20 1 20 40 40 0", "members that overlap"),
    ] {
        assert!(matches!(function.decode(&words(data)), Err(AbiError::Arguments(_))), "{why}");
    }
    let text = function("f(string s)");
    assert!(text.decode(&words("20 2 <c3a4")).is_ok());
    assert!(text.decode(&words("20 1 <c3")).is_err(), "not UTF-8");
    assert!(text.decode(&[&words("20 1 <61")[..], &[0]].concat()).is_err(), "half a word");
    assert!(function("f()").decode(&[]).is_ok());
    assert!(function("f()").decode(&[0]).is_err());
}

#[test]
fn work_is_bounded_by_the_data() {
    let nested = function("f(uint256[][][][][][][][] a)");
    // Each level says it has as many elements as there could be.
    let data = words(&"20 ".repeat(MAX_ARGUMENTS / 32));
    assert!(nested.decode(&data).is_err());
    let flat = function("f(uint256[] a)");
    let mut data = words("20 7ff0");
    data.resize((0x7ff0 + 2) * 32, 0);
    assert!(flat.decode(&data).is_ok());
    data.resize(MAX_ARGUMENTS + 32, 0);
    assert!(flat.decode(&data).is_err());
    // Many values in few bytes: an element of 8 values is one word.
    let boxes = function("f((((((((uint256 a) a) a) a) a) a) a)[] a)");
    let mut data = words("20 2000");
    data.resize((0x2000 + 2) * 32, 0);
    assert_eq!(boxes.decode(&data), Err(AbiError::Arguments("it has more values than are decoded at once")));
}

#[test]
fn paths_lead_to_values_and_everything_else_is_told() {
    let order =
        function("fill((address to, uint8[] parts, (bytes4 tag)[2] tags)[] orders, string note, int8 n)");
    for (text, leaf) in [
        ("note", Leaf::String),
        ("n", Leaf::Int(8)),
        ("orders[].to", Leaf::Address),
        ("orders[].parts[]", Leaf::Uint(8)),
        ("orders[].tags[].tag", Leaf::FixedBytes(4)),
    ] {
        assert_eq!(order.check_path(&path(text)), Ok(leaf), "{text}");
        assert_eq!(path(text).to_string(), text);
    }
    for text in [
        "orders",
        "orders[]",
        "orders[].parts",
        "orders.to",
        "orders[].from",
        "note[]",
        "note.a",
        "orders[][].to",
        "to",
        "orders[].to.a",
    ] {
        assert!(matches!(order.check_path(&path(text)), Err(AbiError::Path(_))), "{text}");
    }
    let long = format!("a{}", "[]".repeat(64));
    for text in ["", ".", "a.", ".a", "a..b", "a[0]", "a[", "a]", "[]", "a[].[]", "a b", "1a", "a[]b", &long]
    {
        assert!(matches!(FieldPath::parse(text), Err(AbiError::Path(_))), "{text}");
    }
}

#[test]
fn a_path_visits_every_element_and_says_what_is_not_there() {
    let matrix = function("f((uint8[][] m, bool b) p)");
    let fields = matrix.decode(&words("20 40 1 3 60 c0 e0 2 1 2 0 1 3")).unwrap();
    let select = |text: &str| {
        let mut found = Vec::new();
        path(text).select(&fields, &mut |value| {
            found.push(value.map(|value| match value {
                TypedValue::Uint(number) => number.to_string(),
                TypedValue::Bool(flag) => flag.to_string(),
                _ => "parts".into(),
            }));
        });
        found.into_iter().map(|text| text.unwrap_or("-".into())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(select("p.m[][]"), "1 2 3");
    assert_eq!(select("p.b"), "true");
    assert_eq!(select("p.m[]"), "parts parts parts");
    assert_eq!(select("q"), "-");
    assert_eq!(select("p.m.a"), "-");
    assert_eq!(select("p.m[].a"), "- - -");
    assert_eq!(select("p.b[]"), "-");
    assert_eq!(select("p[]"), "-");
}

/// Choices, read from random bytes. When they run out every choice is the first, so whatever is generated ends.
struct Tape<'a>(std::slice::Iter<'a, u8>);

impl Tape<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.0.next().copied().unwrap_or(0)).collect()
    }
}

/// A type in alloy's spelling and in ours.
fn random_type(tape: &mut Tape<'_>, depth: usize) -> (String, String) {
    let bits = |tape: &mut Tape<'_>| 8 * (1 + tape.below(32));
    let both = |name: String| (name.clone(), name);
    match tape.below(if depth == 0 { 7 } else { 10 }) {
        0 => both("bool".into()),
        1 => both("address".into()),
        2 => both("string".into()),
        3 => both("bytes".into()),
        4 => both(format!("bytes{}", 1 + tape.below(32))),
        5 => both(format!("uint{}", bits(tape))),
        6 => both(format!("int{}", bits(tape))),
        7 => random_tuple(tape, 1 + usize::from(tape.0.len() > 3) * 2, depth - 1),
        _ => {
            let (theirs, ours) = random_type(tape, depth - 1);
            let dimension = ["[]", "[1]", "[3]"][tape.below(3)];
            (theirs + dimension, ours + dimension)
        }
    }
}

fn random_tuple(tape: &mut Tape<'_>, members: usize, depth: usize) -> (String, String) {
    let members: Vec<(String, String)> = (0..members).map(|_| random_type(tape, depth)).collect();
    let theirs: Vec<&str> = members.iter().map(|(theirs, _)| theirs.as_str()).collect();
    let ours: Vec<String> = members.iter().enumerate().map(|(n, (_, ours))| format!("{ours} m{n}")).collect();
    (format!("({})", theirs.join(",")), format!("({})", ours.join(", ")))
}

fn random_value(tape: &mut Tape<'_>, of: &DynSolType) -> DynSolValue {
    let many = |tape: &mut Tape<'_>, item: &DynSolType, count: usize| -> Vec<DynSolValue> {
        (0..count).map(|_| random_value(tape, item)).collect()
    };
    match of {
        DynSolType::Bool => DynSolValue::Bool(tape.below(2) == 1),
        DynSolType::Address => DynSolValue::Address(alloy_primitives::Address::from_slice(&tape.bytes(20))),
        DynSolType::String => {
            let len = tape.below(70);
            DynSolValue::String(String::from_utf8_lossy(&tape.bytes(len)).into_owned())
        }
        DynSolType::Bytes => {
            let len = tape.below(70);
            DynSolValue::Bytes(tape.bytes(len))
        }
        DynSolType::FixedBytes(size) => {
            let mut bytes = tape.bytes(*size);
            bytes.resize(32, 0);
            DynSolValue::FixedBytes(alloy_primitives::B256::from_slice(&bytes), *size)
        }
        DynSolType::Uint(bits) => DynSolValue::Uint(number(tape) >> (256 - bits), *bits),
        DynSolType::Int(bits) => DynSolValue::Int(I256::from_raw(number(tape)).asr(256 - bits), *bits),
        DynSolType::Tuple(members) => {
            DynSolValue::Tuple(members.iter().map(|member| random_value(tape, member)).collect())
        }
        DynSolType::FixedArray(item, count) => DynSolValue::FixedArray(many(tape, item, *count)),
        DynSolType::Array(item) => {
            let count = tape.below(4);
            DynSolValue::Array(many(tape, item, count))
        }
        other => panic!("{other:?}"),
    }
}

fn number(tape: &mut Tape<'_>) -> AlloyU256 {
    AlloyU256::from_be_slice(&tape.bytes(32))
}

/// Our value as alloy's, for its encoder.
fn to_alloy(value: &TypedValue, of: &DynSolType) -> DynSolValue {
    let all =
        |items: &[TypedValue], item: &DynSolType| items.iter().map(|value| to_alloy(value, item)).collect();
    match (value, of) {
        (TypedValue::Bool(flag), DynSolType::Bool) => DynSolValue::Bool(*flag),
        (TypedValue::Address(address), DynSolType::Address) => {
            DynSolValue::Address(alloy_primitives::Address::new(*address.as_bytes()))
        }
        (TypedValue::String(text), DynSolType::String) => DynSolValue::String(text.clone()),
        (TypedValue::Bytes(bytes), DynSolType::Bytes) => DynSolValue::Bytes(bytes.clone()),
        (TypedValue::FixedBytes(bytes), DynSolType::FixedBytes(size)) => {
            assert_eq!(bytes.len(), *size);
            let mut word = bytes.clone();
            word.resize(32, 0);
            DynSolValue::FixedBytes(alloy_primitives::B256::from_slice(&word), *size)
        }
        (TypedValue::Uint(number), DynSolType::Uint(bits)) => {
            DynSolValue::Uint(AlloyU256::from_be_bytes(number.to_be_bytes::<32>()), *bits)
        }
        (TypedValue::Int(number), DynSolType::Int(bits)) => {
            DynSolValue::Int(number.to_string().parse().unwrap(), *bits)
        }
        (TypedValue::Struct(fields), DynSolType::Tuple(members)) => DynSolValue::Tuple(
            fields.iter().zip(members).map(|(field, member)| to_alloy(&field.value, member)).collect(),
        ),
        (TypedValue::Array(items), DynSolType::Array(item)) => DynSolValue::Array(all(items, item)),
        (TypedValue::Array(items), DynSolType::FixedArray(item, _)) => {
            DynSolValue::FixedArray(all(items, item))
        }
        (value, of) => panic!("{value:?} is no {of:?}"),
    }
}

/// A function's parameters and their canonical encoding.
fn random_call(tape: &mut Tape<'_>) -> (Function, DynSolType, DynSolValue) {
    let count = 1 + tape.below(3);
    let (theirs, ours) = random_tuple(tape, count, 3);
    let of = DynSolType::parse(&theirs).unwrap();
    let value = random_value(tape, &of);
    let function = function(&format!("f{ours}"));
    assert_eq!(function.canonical(), format!("f{theirs}"));
    (function, of, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_alloy_encodes_is_decoded(bytes in vec(any::<u8>(), 0..600)) {
        let (function, of, value) = random_call(&mut Tape(bytes.iter()));
        let fields = function.decode(&value.abi_encode_params()).unwrap();
        prop_assert_eq!(to_alloy(&TypedValue::Struct(fields), &of), value);
    }

    #[test]
    fn what_is_decoded_encodes_to_the_same_bytes(
        bytes in vec(any::<u8>(), 0..300),
        edits in vec((any::<prop::sample::Index>(), prop::sample::select(vec![0u8, 1, 2, 3, 0x20, 0x40, 0x60, 0x80, 0xff])), 1..4),
        cut in 0usize..3,
    ) {
        let (function, of, value) = random_call(&mut Tape(bytes.iter()));
        let mut data = value.abi_encode_params();
        for (place, byte) in edits {
            // Mostly ends of words: that is where offsets, lengths and flags are.
            let place = place.index(data.len()) | 31;
            data[place] = byte;
        }
        match cut { 0 => data.truncate(data.len() - 32), 1 => data.extend([0; 32]), _ => {} }
        if let Ok(fields) = function.decode(&data) {
            prop_assert_eq!(to_alloy(&TypedValue::Struct(fields), &of).abi_encode_params(), data);
        }
    }

    #[test]
    fn any_text_and_any_bytes_are_answered(text in "[a-z0-9(), \\[\\]]{0,60}", data in vec(any::<u8>(), 0..200)) {
        let _ = FieldPath::parse(&text);
        if let Ok(function) = Function::parse(&format!("f({text})")) {
            let _ = function.decode(&data);
        }
    }
}
