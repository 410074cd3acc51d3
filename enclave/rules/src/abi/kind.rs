//! Types of the contract ABI, and reading them.

use super::{AbiError, Function, Leaf, MAX_ARGUMENTS, MAX_DEPTH, MAX_SIGNATURE};

/// The longest name of a function, parameter or member, in bytes.
pub(super) const MAX_NAME: usize = 64;
/// The bytes of a word.
pub(super) const WORD: usize = 32;
/// Arguments that need more words than this are longer than what is decoded.
const MAX_WORDS: usize = MAX_ARGUMENTS / WORD;

/// A named parameter of a function, or member of a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) kind: Type,
}

/// A type, with what decoding asks of it again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    /// Its canonical name.
    pub(super) name: String,
    /// Whether its values are behind an offset, in the tail.
    pub(super) dynamic: bool,
    /// Words in the head: all of a static value, or the offset of a dynamic one. Never 0: no type is empty.
    pub(super) head_words: usize,
    /// Words that the smallest value takes, head and tail.
    least_words: usize,
}

/// The shape of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Address,
    String,
    Bytes,
    /// Of so many bytes, 1 to 32.
    FixedBytes(usize),
    /// Of so many bits, 8 to 256.
    Uint(usize),
    /// Of so many bits, 8 to 256.
    Int(usize),
    /// At least one member.
    Tuple(Vec<Parameter>),
    /// Of any length, or of exactly so many elements, at least one.
    Array(Box<Type>, Option<usize>),
}

impl Kind {
    pub(super) const fn leaf(&self) -> Option<Leaf> {
        Some(match self {
            Self::Bool => Leaf::Bool,
            Self::Address => Leaf::Address,
            Self::String => Leaf::String,
            Self::Bytes => Leaf::Bytes,
            Self::FixedBytes(bytes) => Leaf::FixedBytes(*bytes),
            Self::Uint(bits) => Leaf::Uint(*bits),
            Self::Int(bits) => Leaf::Int(*bits),
            Self::Tuple(_) | Self::Array(..) => return None,
        })
    }
}

/// Reads a function's signature.
pub(super) fn parse(signature: &str) -> Result<Function, AbiError> {
    if signature.len() > MAX_SIGNATURE {
        return Err(AbiError::Signature("it is longer than 2048 bytes"));
    }
    let mut reader = Reader { rest: signature };
    let name = reader.name()?;
    let parameters = reader.parameters(MAX_DEPTH)?;
    if !reader.rest.is_empty() {
        return Err(AbiError::Signature("it ends with the parameters: no modifiers, no results"));
    }
    let sum = |words: fn(&Type) -> usize| {
        parameters.iter().fold(0, |sum: usize, next| sum.saturating_add(words(&next.kind)))
    };
    if sum(|kind| kind.least_words) > MAX_WORDS {
        return Err(AbiError::Signature("its arrays have more elements than call data has room for"));
    }
    let head_words = sum(|kind| kind.head_words);
    Ok(Function { name, parameters, head_words })
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// `(type name, …)`, with spaces around the commas as people like.
    fn parameters(&mut self, depth_left: usize) -> Result<Vec<Parameter>, AbiError> {
        if !self.take("(") {
            return Err(AbiError::Signature("the name is followed by `(`"));
        }
        let mut parameters: Vec<Parameter> = Vec::new();
        self.spaces();
        if self.take(")") {
            return Ok(parameters);
        }
        loop {
            self.spaces();
            let kind = self.kind(depth_left)?;
            if self.spaces() == 0 {
                return Err(AbiError::Signature("every parameter is a type, a space and a name"));
            }
            let name = self.name()?;
            if parameters.iter().any(|parameter| parameter.name == name) {
                return Err(AbiError::Signature("two parameters have the same name"));
            }
            parameters.push(Parameter { name, kind });
            self.spaces();
            if self.take(")") {
                return Ok(parameters);
            }
            if !self.take(",") {
                return Err(AbiError::Signature("parameters are separated by `,` and end with `)`"));
            }
        }
    }

    /// `uint256`, `(address a, bytes b)[2][]`
    fn kind(&mut self, depth_left: usize) -> Result<Type, AbiError> {
        let deeper = |left: usize| {
            left.checked_sub(1).ok_or(AbiError::Signature("arrays and tuples are nested at most 8 deep"))
        };
        let (mut kind, mut depth) = if self.rest.starts_with('(') {
            let members = self.parameters(deeper(depth_left)?)?;
            if members.is_empty() {
                return Err(AbiError::Signature("a tuple has members"));
            }
            let depth = members.iter().map(|member| member.kind.depth()).max().unwrap_or_default();
            (Type::tuple(members), depth.saturating_add(1))
        } else {
            let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(end);
            let atomic = Kind::atomic(name).ok_or(AbiError::Signature(
                "types are bool, address, string, bytes, bytes1 to bytes32, uint8 to uint256, int8 to int256, \
                 and arrays and tuples of them (write uint256 for uint)",
            ))?;
            self.rest = rest;
            (Type::atomic(atomic, name), 0)
        };
        // The last dimension is the outermost: `T[2][]` is any number of pairs.
        while self.take("[") {
            depth = depth.saturating_add(1);
            if depth > depth_left {
                return Err(AbiError::Signature("arrays and tuples are nested at most 8 deep"));
            }
            let wrong =
                AbiError::Signature("arrays are T[] or T[n], n from 1 to 32768, without leading zeros");
            let (length, rest) = self.rest.split_once(']').ok_or(wrong)?;
            let length = if length.is_empty() {
                None
            } else {
                Some(canonical_number(length).filter(|length| *length <= MAX_WORDS).ok_or(wrong)?)
            };
            self.rest = rest;
            kind = Type::array(kind, length);
        }
        Ok(kind)
    }

    fn name(&mut self) -> Result<String, AbiError> {
        let end = self.rest.find(|c: char| !is_name_character(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.len() > MAX_NAME || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(AbiError::Signature(
                "names have 1 to 64 letters, digits, _ and $, and start with no digit",
            ));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// How many spaces there were.
    fn spaces(&mut self) -> usize {
        let rest = self.rest.trim_start_matches(' ');
        let count = self.rest.len().saturating_sub(rest.len());
        self.rest = rest;
        count
    }
}

pub(super) const fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$')
}

impl Type {
    fn atomic(kind: Kind, name: &str) -> Self {
        let dynamic = matches!(kind, Kind::Bytes | Kind::String);
        // The offset and the length.
        let least_words = if dynamic { 2 } else { 1 };
        Self { kind, name: name.to_owned(), dynamic, head_words: 1, least_words }
    }

    fn tuple(members: Vec<Parameter>) -> Self {
        let names: Vec<&str> = members.iter().map(|member| member.kind.name.as_str()).collect();
        let name = format!("({})", names.join(","));
        let dynamic = members.iter().any(|member| member.kind.dynamic);
        let words = members.iter().fold(0, |sum: usize, member| sum.saturating_add(member.kind.least_words));
        Self::composite(Kind::Tuple(members), name, dynamic, words)
    }

    fn array(item: Self, length: Option<usize>) -> Self {
        let (name, dynamic) = match length {
            None => (format!("{}[]", item.name), true),
            Some(length) => (format!("{}[{length}]", item.name), item.dynamic),
        };
        // Without a fixed length, the length is there instead of elements.
        let words = length.map_or(1, |length| item.least_words.saturating_mul(length));
        Self::composite(Kind::Array(Box::new(item), length), name, dynamic, words)
    }

    fn composite(kind: Kind, name: String, dynamic: bool, words: usize) -> Self {
        let (head_words, least_words) = if dynamic { (1, words.saturating_add(1)) } else { (words, words) };
        Self { kind, name, dynamic, head_words, least_words }
    }

    /// How deep arrays and tuples are nested in it.
    fn depth(&self) -> usize {
        match &self.kind {
            Kind::Array(item, _) => item.depth().saturating_add(1),
            Kind::Tuple(members) => {
                let inner = members.iter().map(|member| member.kind.depth()).max();
                inner.unwrap_or_default().saturating_add(1)
            }
            _ => 0,
        }
    }
}

impl Kind {
    fn atomic(name: &str) -> Option<Self> {
        match name {
            "bool" => return Some(Self::Bool),
            "address" => return Some(Self::Address),
            "string" => return Some(Self::String),
            "bytes" => return Some(Self::Bytes),
            _ => {}
        }
        let bits = |digits| canonical_number(digits).filter(|bits| *bits <= 256 && bits.is_multiple_of(8));
        if let Some(digits) = name.strip_prefix("uint") {
            bits(digits).map(Self::Uint)
        } else if let Some(digits) = name.strip_prefix("int") {
            bits(digits).map(Self::Int)
        } else {
            canonical_number(name.strip_prefix("bytes")?).filter(|size| *size <= WORD).map(Self::FixedBytes)
        }
    }
}

/// A positive number in decimal digits, its only spelling.
fn canonical_number(digits: &str) -> Option<usize> {
    let canonical = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| canonical)
}
