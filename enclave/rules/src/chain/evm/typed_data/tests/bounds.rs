//! Bounds of number, size, depth and work.

use super::*;

fn field_of(json: &str) -> String {
    read(json).unwrap_err().field
}

/// `count` types of which each has the next as a member, `members` times.
fn chain_of_types(count: usize, members: usize) -> String {
    let definition = |n: usize| {
        let next = if n + 1 == count { "bool".to_owned() } else { format!("S{}[]", n + 1) };
        let members: Vec<String> =
            (0..members).map(|m| format!(r#"{{"name":"m{m}","type":"{next}"}}"#)).collect();
        format!(r#""S{n}":[{}]"#, members.join(","))
    };
    (0..count).map(definition).collect::<Vec<_>>().join(",")
}

fn with_types(types: &str, message: &str) -> String {
    format!(
        r#"{{"types":{{"EIP712Domain":[],{types}}},"primaryType":"S0","domain":{{}},"message":{message}}}"#
    )
}

#[test]
fn the_text_is_bounded() {
    let text = |len: usize| one_value("string", &format!("\"{}\"", "x".repeat(len)));
    let fits = MAX_LEN - text(0).len();
    assert!(read(&text(fits)).is_ok());
    assert_eq!(field_of(&text(fits + 1)), "typed_data");
    // Definitions have a smaller bound of their own, names and types of members as well.
    assert_eq!(field_of(&with_types(&chain_of_types(20, 60), "{}")), "typed_data.types");
    assert_eq!(
        field_of(&one_value(&format!("bool{}", "[1000000]".repeat(22)), "[]")),
        "typed_data.types.T[0].type"
    );
}

#[test]
fn types_and_members_are_counted() {
    let message = r#"{"m0":[]}"#;
    assert!(read(&with_types(&chain_of_types(31, 1), message)).is_ok());
    assert_eq!(field_of(&with_types(&chain_of_types(32, 1), message)), "typed_data.types");
    let members = |count: usize| {
        let message: Vec<String> = (0..count).map(|n| format!("\"m{n}\":true")).collect();
        with_types(&chain_of_types(1, count), &format!("{{{}}}", message.join(",")))
    };
    assert!(read(&members(64)).is_ok());
    assert_eq!(field_of(&members(65)), "typed_data.types.S0");
}

#[test]
fn values_are_counted() {
    let items = |count: usize| one_value("bool[]", &format!("[{}]", vec!["true"; count].join(",")));
    assert!(read(&items(4095)).is_ok());
    assert_eq!(field_of(&items(4096)), "typed_data.message.v[4095]");
    // Empty arrays are values too.
    let empty = one_value("bool[][]", &format!("[{}]", vec!["[]"; 20_000].join(",")));
    assert_eq!(field_of(&empty), "typed_data.message.v[4095]");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        one_value(
            &format!("bool{}", "[]".repeat(depth)),
            &format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        )
    };
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(field_of(&nested(MAX_DEPTH + 1)), "typed_data.types.T[0].type");
    let recursive = |depth: usize| {
        let value = format!("{}[]{}", "[{\"v\":".repeat(depth), "}]".repeat(depth));
        one_value("T[]", &value)
    };
    assert!(read(&recursive(15)).is_ok());
    assert!(field_of(&recursive(16)).starts_with("typed_data.message.v[0].v[0]"));
    assert!(field_of(&recursive(5_000)).starts_with("typed_data.message.v[0].v[0]"));
}

/// Paths through these definitions are without number; types are not.
#[test]
fn branching_types_are_hashed_once() {
    let (_, facts) =
        read(&with_types(&chain_of_types(16, 20), &format!("{{{}}}", vec_of_empty(20)))).unwrap();
    assert!(facts.encode_type.len() < 16 * 1024);
    assert_eq!(facts.encode_type.matches("S9(").count(), 1);
    // Two types that refer to each other.
    let cyclic =
        r#""S0":[{"name":"a","type":"S1[]"}],"S1":[{"name":"b","type":"S0[]"},{"name":"c","type":"S1[]"}]"#;
    let (_, facts) = read(&with_types(cyclic, r#"{"a":[{"b":[{"a":[]}],"c":[]}]}"#)).unwrap();
    assert_eq!(facts.encode_type, "S0(S1[] a)S1(S0[] b,S1[] c)");
}

fn vec_of_empty(count: usize) -> String {
    (0..count).map(|n| format!("\"m{n}\":[]")).collect::<Vec<_>>().join(",")
}
