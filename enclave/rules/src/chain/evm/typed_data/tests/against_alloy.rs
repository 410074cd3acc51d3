//! Random types and values, hashed by alloy as well; and random edits, which must not panic.

use alloy_dyn_abi::eip712::TypedData;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::*;

/// Choices, read from random bytes. When they run out every choice is the first, so whatever is generated ends.
struct Tape<'a>(std::slice::Iter<'a, u8>);

impl Tape<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.0.next().copied().unwrap_or(0)).collect()
    }

    fn hex(&mut self, len: usize) -> String {
        format!("0x{}", hex::encode(self.bytes(len)))
    }
}

/// They sort otherwise without regard to case, and have every kind of character.
const NAMES: [&str; 6] = ["Zebra", "_under", "$dollar", "apple", "Z9", "Apple"];
const MEMBERS: [&str; 5] = ["a", "from", "_x1", "$", "Amount"];

/// Types, each of which refers only to later ones: alloy knows no recursive types.
fn types(tape: &mut Tape<'_>) -> Vec<(String, Vec<(String, String)>)> {
    let count = 1 + tape.below(NAMES.len());
    let start = tape.below(NAMES.len());
    let name = |n: usize| NAMES[(n + start) % NAMES.len()].to_owned();
    let definition = |n: usize| {
        let later: Vec<String> = (n + 1..count).map(name).collect();
        let members = tape.below(MEMBERS.len() + 1);
        let member = |m: usize| (MEMBERS[m].to_owned(), member_type(tape, &later));
        (name(n), (0..members).map(member).collect())
    };
    (0..count).map(definition).collect()
}

fn member_type(tape: &mut Tape<'_>, structs: &[String]) -> String {
    let mut kind = match tape.below(9) {
        0 => "bool".to_owned(),
        1 => "address".to_owned(),
        2 => "string".to_owned(),
        3 => "bytes".to_owned(),
        4 => format!("bytes{}", 1 + tape.below(32)),
        5 => format!("uint{}", 8 * (1 + tape.below(32))),
        6 => format!("int{}", 8 * (1 + tape.below(32))),
        _ if structs.is_empty() => "uint256".to_owned(),
        _ => structs[tape.below(structs.len())].clone(),
    };
    for _ in 0..tape.below(6).saturating_sub(3) {
        kind += ["[]", "[1]", "[2]"][tape.below(3)];
    }
    kind
}

fn value(tape: &mut Tape<'_>, types: &[(String, Vec<(String, String)>)], kind: &str) -> Json {
    if let Some((item, length)) = kind.strip_suffix(']').and_then(|kind| kind.rsplit_once('[')) {
        let length = length.parse().unwrap_or_else(|_| tape.below(3));
        return (0..length).map(|_| value(tape, types, item)).collect();
    }
    if let Some((_, members)) = types.iter().find(|(name, _)| name == kind) {
        return Json::Object(
            members.iter().map(|(name, kind)| (name.clone(), value(tape, types, kind))).collect(),
        );
    }
    if let Some(bits) = kind.strip_prefix("uint") {
        let number = number(tape, bits.parse().unwrap());
        return [json!(number.to_string()), json!(format!("{number:#x}"))][tape.below(2)].clone();
    }
    if let Some(bits) = kind.strip_prefix("int") {
        let bits: usize = bits.parse().unwrap();
        let number = number(tape, bits - 1);
        return match tape.below(3) {
            0 => json!(format!("-{}", number + ruint::aliases::U256::ONE)),
            1 if bits <= 56 => json!(i64::try_from(number).unwrap()),
            _ => json!(number.to_string()),
        };
    }
    match kind {
        "bool" => json!(tape.below(2) == 1),
        "address" => json!(tape.hex(20)),
        "string" => {
            let len = tape.below(40);
            json!(String::from_utf8_lossy(&tape.bytes(len)))
        }
        "bytes" => {
            let len = tape.below(70);
            json!(tape.hex(len))
        }
        fixed => json!(tape.hex(fixed.strip_prefix("bytes").unwrap().parse().unwrap())),
    }
}

/// Below two to the `bits`, short and long ones alike.
fn number(tape: &mut Tape<'_>, bits: usize) -> ruint::aliases::U256 {
    let shift = 256 - bits + tape.below(bits);
    let bytes: [u8; 32] = tape.bytes(32).try_into().unwrap();
    ruint::aliases::U256::from_be_bytes(bytes) >> shift
}

fn document(tape: &mut Tape<'_>) -> Json {
    let members = [
        ("name", "string", json!("Ünïcode \u{0}")),
        ("version", "string", json!("")),
        ("chainId", "uint256", json!(1 + tape.below(200))),
        ("verifyingContract", "address", json!(tape.hex(20))),
        ("salt", "bytes32", json!(tape.hex(32))),
    ];
    let chosen = tape.below(32);
    let (mut domain, mut definition) = (Map::new(), Vec::new());
    for (n, (name, kind, value)) in members.into_iter().enumerate() {
        if chosen >> n & 1 == 1 {
            domain.insert(name.to_owned(), value);
            definition.push(json!({"name": name, "type": kind}));
        }
    }
    let types = types(tape);
    let message = value(tape, &types, &types[0].0);
    let member = |(name, kind): &(String, String)| json!({"name": name, "type": kind});
    let mut definitions: Map<String, Json> =
        types.iter().map(|(name, members)| (name.clone(), members.iter().map(member).collect())).collect();
    definitions.insert("EIP712Domain".to_owned(), definition.into());
    json!({"types": definitions, "primaryType": types[0].0, "domain": domain, "message": message})
}

fn alloy(json: &str) -> Option<[u8; 32]> {
    let typed: TypedData = serde_json::from_str(json).ok()?;
    typed.eip712_signing_hash().ok().map(|hash| hash.0)
}

/// Every value of a document, by its JSON pointer.
fn places(value: &Json, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Json::Object(members) => {
            members.iter().for_each(|(name, value)| places(value, &format!("{pointer}/{name}"), found));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| places(value, &format!("{pointer}/{n}"), found));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn well_formed_documents_are_hashed_alike(bytes in vec(any::<u8>(), 0..1500)) {
        let json = document(&mut Tape(bytes.iter())).to_string();
        let ours = read(&json);
        prop_assert!(ours.is_ok(), "{json}: {}", ours.unwrap_err());
        let (hash, facts) = ours.unwrap();
        prop_assert_eq!(Some(hash), alloy(&json), "{}", json);
        // The facts can be shown.
        prop_assert!(serde_json::to_string(&facts).is_ok());
    }

    /// Whatever we still accept after a part was replaced by another part, alloy reads in the same way, or not at all.
    #[test]
    fn edited_documents_are_hashed_alike_or_refused(
        bytes in vec(any::<u8>(), 0..600), at: prop::sample::Index, from: prop::sample::Index, odd in 0_usize..12,
    ) {
        let mut document = document(&mut Tape(bytes.iter()));
        let mut found = Vec::new();
        places(&document, "", &mut found);
        let odd_values = [json!(null), json!(true), json!(-1), json!("0x"), json!(""), json!([]), json!({}), json!("1")];
        let replacement = odd_values.get(odd).cloned()
            .unwrap_or_else(|| document.pointer(&found[from.index(found.len())]).unwrap().clone());
        *document.pointer_mut(&found[at.index(found.len())]).unwrap() = replacement;
        let json = document.to_string();
        if let (Ok((hash, _)), Some(theirs)) = (read(&json), alloy(&json)) {
            prop_assert_eq!(hash, theirs, "{}", json);
        }
    }

    #[test]
    fn mangled_text_does_not_panic(bytes in vec(any::<u8>(), 0..300), at: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let mut text = document(&mut Tape(bytes.iter())).to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(Ok(raw)) = String::from_utf8(text).map(RawValue::from_string) {
            let _ = parse(&SignBody { typed_data: Some(&raw), ..SignBody::default() }, None);
        }
    }
}
