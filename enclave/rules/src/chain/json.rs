//! Strict reading of small JSON objects, keeping the path of every value for error messages.
//!
//! Objects refuse duplicate and unknown members. Quantities and bytes have one spelling each, up to the case of hex
//! digits: see [`Value::quantity`] and [`Value::bytes`].

use std::fmt;

use ruint::aliases::U256;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Rejection;

/// More members than any object has whose names we know; keeps the search for duplicates short.
const MAX_MEMBERS: usize = 32;
/// The largest integer that every JSON implementation keeps exactly: 2^53 - 1.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The members of an object that were not taken yet.
pub(super) struct Members<'a> {
    path: String,
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> Members<'a> {
    /// The top-level object `raw`, of at most `max_len` bytes of JSON text.
    pub(super) fn parse(path: &str, raw: &'a RawValue, max_len: usize) -> Result<Self, Rejection> {
        if raw.get().len() > max_len {
            return Err(Rejection::new(path, format!("is longer than {max_len} bytes of JSON")));
        }
        Value { path: path.to_owned(), raw }.object()
    }

    /// Takes the member `name`; `null` counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        self.take_nullable(name).filter(|value| !value.is_null())
    }

    /// Takes the member `name`, even if it is `null`.
    pub(super) fn take_nullable(&mut self, name: &str) -> Option<Value<'a>> {
        let position = self.members.iter().position(|(key, _)| key == name)?;
        let (_, raw) = self.members.swap_remove(position);
        Some(Value { path: self.path_of(name), raw })
    }

    /// Whether the member `name` is there and not `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(key, raw)| key == name && raw.get() != "null")
    }

    /// Takes the member `name`, which has to be there.
    pub(super) fn require(&mut self, name: &str) -> Result<Value<'a>, Rejection> {
        self.take(name).ok_or_else(|| self.missing(name))
    }

    /// The rejection for the absent member `name`.
    pub(super) fn missing(&self, name: &str) -> Rejection {
        Rejection::new(self.path_of(name), "is missing")
    }

    /// All members, their names fit for paths.
    pub(super) fn entries(self) -> Result<Vec<(String, Value<'a>)>, Rejection> {
        let entry = |(name, raw): (String, &'a RawValue)| {
            if !is_plain(&name) {
                return Err(Rejection::new(
                    &self.path,
                    "has a name that is not 1 to 64 letters, digits, _ or $",
                ));
            }
            let path = format!("{}.{name}", self.path);
            Ok((name, Value { path, raw }))
        };
        self.members.into_iter().map(entry).collect()
    }

    /// Refuses whatever was not taken.
    pub(super) fn finish(self) -> Result<(), Rejection> {
        match self.members.first() {
            None => Ok(()),
            Some((key, _)) if is_plain(key) => {
                Err(Rejection::new(self.path_of(key), "is not a known field here: remove it"))
            }
            Some(_) => Err(Rejection::new(self.path, "has an unknown field: remove it")),
        }
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }
}

/// A JSON value and where it was found.
pub(super) struct Value<'a> {
    path: String,
    raw: &'a RawValue,
}

impl<'a> Value<'a> {
    pub(super) fn new(path: &str, raw: &'a RawValue) -> Self {
        Self { path: path.to_owned(), raw }
    }

    pub(super) fn is_null(&self) -> bool {
        self.raw.get() == "null"
    }

    pub(super) fn reject(&self, message: impl Into<String>) -> Rejection {
        Rejection::new(self.path.clone(), message)
    }

    pub(super) fn string(&self) -> Result<String, Rejection> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.reject("must be a string"))
    }

    /// The JSON text.
    pub(super) fn text(&self) -> &'a str {
        self.raw.get()
    }

    pub(super) fn object(self) -> Result<Members<'a>, Rejection> {
        self.object_of(MAX_MEMBERS)
    }

    /// An object of at most `max_members` members, which are compared pairwise: keep it small.
    pub(super) fn object_of(self, max_members: usize) -> Result<Members<'a>, Rejection> {
        let mut deserializer = serde_json::Deserializer::from_str(self.raw.get());
        match deserializer.deserialize_map(PairsVisitor { max_members }) {
            Ok(members) => Ok(Members { path: self.path, members }),
            Err(error) if error.is_data() => {
                Err(self
                    .reject(format!("must be an object of at most {max_members} fields, none of them twice")))
            }
            Err(_) => Err(self.reject("must be an object")),
        }
    }

    /// The items, made one by one: a long array of rubbish costs no more than its first item.
    pub(super) fn array(self) -> Result<impl ExactSizeIterator<Item = Value<'a>>, Rejection> {
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.raw.get()).map_err(|_| self.reject("must be an array"))?;
        let at = move |(index, raw)| Value { path: format!("{}[{index}]", self.path), raw };
        Ok(items.into_iter().enumerate().map(at))
    }

    /// A quantity below 2^256, in one of three forms without leading zeros: `"0x…"` (JSON-RPC; zero is `"0x0"`), a
    /// decimal string, or an integer literal up to 2^53 - 1.
    pub(super) fn quantity(&self) -> Result<U256, Rejection> {
        let text = self.raw.get();
        if text.starts_with('"') {
            return parse_quantity(&self.string()?).map_err(|message| self.reject(message));
        }
        let number: Option<u64> =
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match number {
            Some(number) if number <= MAX_NUMBER => Ok(U256::from(number)),
            _ => Err(self.reject(
                "must be a 0x-hex or decimal string; as a JSON number it must be an integer from 0 to 2^53 - 1",
            )),
        }
    }

    /// A quantity below 2^64, in the forms of [`Self::quantity`].
    pub(super) fn quantity_u64(&self) -> Result<u64, Rejection> {
        u64::try_from(self.quantity()?).map_err(|_| self.reject("must be below 2^64"))
    }

    /// Bytes as `"0x…"`, two hex digits each.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Rejection> {
        parse_bytes(&self.string()?).map_err(|message| self.reject(message))
    }
}

/// `0x` and two hex digits a byte.
pub(super) fn parse_bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    const EXPECTED: &str = "must be 0x followed by two hex digits for each byte";
    let digits = text.strip_prefix("0x").ok_or(EXPECTED)?;
    hex::decode(digits).map_err(|_| EXPECTED)
}

fn parse_quantity(text: &str) -> Result<U256, &'static str> {
    let (digits, radix, max_digits) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16, 64),
        None => (text, 10, 78),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err("must be a quantity: 0x and hex digits, or decimal digits");
    }
    if digits.starts_with('0') && digits.len() > 1 {
        return Err("must not have leading zeros (zero itself is \"0x0\" or \"0\")");
    }
    if digits.len() > max_digits {
        return Err("must be below 2^256");
    }
    U256::from_str_radix(digits, u64::from(radix)).map_err(|_| "must be below 2^256")
}

/// A key that can be shown in a path: anything else stays out of messages and logs.
fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
}

struct PairsVisitor {
    max_members: usize,
}

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.len() >= self.max_members {
                return Err(A::Error::custom("too many members"));
            }
            if members.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom("duplicate member"));
            }
            members.push((key, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(json: &str) -> Option<U256> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        Value::new("q", raw).quantity().ok()
    }

    #[test]
    fn quantities_have_one_spelling_per_form() {
        for json in ["255", "\"255\"", "\"0xff\"", "\"0xFF\"", "\"\\u0030xff\""] {
            assert_eq!(quantity(json), Some(U256::from(255)), "{json}");
        }
        for json in ["0", "\"0\"", "\"0x0\""] {
            assert_eq!(quantity(json), Some(U256::ZERO), "{json}");
        }
        assert_eq!(quantity("9007199254740991"), Some(U256::from(MAX_NUMBER)));
        assert_eq!(quantity(&format!("\"0x{}\"", "f".repeat(64))), Some(U256::MAX));
        assert_eq!(quantity(&format!("\"{}\"", U256::MAX)), Some(U256::MAX));
    }

    #[test]
    fn other_spellings_of_quantities_are_refused() {
        let refused = [
            "\"\"",
            "\"0x\"",
            "\"0x00\"",
            "\"0x0f\"",
            "\"00\"",
            "\"01\"",
            "\"0X1\"",
            "\"+1\"",
            "\"-1\"",
            "\" 1\"",
            "\"1_0\"",
            "\"1.0\"",
            "\"1e3\"",
            "\"ff\"",
            "-1",
            "-0",
            "1.0",
            "1e3",
            "9007199254740992",
            "18446744073709551616",
            "true",
            "null",
            "[]",
            "{}",
            "\"0x1_0\"",
            "\"٣\"",
            "\"115792089237316195423570985008687907853269984665640564039457584007913129639936\"",
            "\"0x10000000000000000000000000000000000000000000000000000000000000000\"",
        ];
        for json in refused {
            assert_eq!(quantity(json), None, "{json}");
        }
    }

    #[test]
    fn objects_refuse_duplicate_unknown_and_countless_members() {
        let parse = |json: &str| {
            let raw = RawValue::from_string(json.to_owned()).unwrap();
            let mut members = Members::parse("t", &raw, 1000)?;
            members.take("a");
            members.finish()
        };
        assert_eq!(parse(r#"{"a":1}"#), Ok(()));
        assert_eq!(parse(r#"{"a":1,"a":1}"#).unwrap_err().field, "t");
        assert_eq!(parse(r#"{"a":1,"\u0061":1}"#).unwrap_err().field, "t");
        assert_eq!(parse(r#"{"a":1,"b":1}"#).unwrap_err().field, "t.b");
        assert_eq!(parse(r#"{"<script>":1}"#).unwrap_err().field, "t");
        assert_eq!(parse("[]").unwrap_err().field, "t");
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":0")).collect();
        assert_eq!(parse(&format!("{{{}}}", many.join(","))).unwrap_err().field, "t");
        assert_eq!(parse(&format!("\"{}\"", "a".repeat(1000))).unwrap_err().field, "t");
    }
}
