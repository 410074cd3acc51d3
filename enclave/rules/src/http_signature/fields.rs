//! The structured fields that signatures are written in: as much of RFC 8941 as the profile has.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{MAX_HEADER, Malformed};

/// The longest label.
const MAX_LABEL: usize = 64;
/// The most digits of an integer (RFC 8941, 3.3.1).
const MAX_DIGITS: usize = 15;

/// Reads a header from left to right. Never looks at what it has passed.
pub(super) struct Scanner<'a>(&'a str);

/// `("a" "b");created=1;keyid="k"`: covered components and parameters.
pub(super) struct SignatureInput<'a> {
    /// The dictionary's only key.
    pub label: &'a str,
    /// All of the member's value, as signed.
    pub text: &'a str,
    /// What is between the parentheses.
    pub covered: &'a str,
    /// The parameters.
    pub parameters: Parameters<'a>,
}

/// The parameters of a signature.
#[derive(Default)]
pub(super) struct Parameters<'a> {
    /// Unix seconds.
    pub created: Option<u64>,
    /// Unix seconds.
    pub expires: Option<u64>,
    /// The key's name.
    pub keyid: Option<&'a str>,
    /// Different for every request.
    pub nonce: Option<&'a str>,
    /// What the signature is for.
    pub tag: Option<&'a str>,
    /// How it was made.
    pub alg: Option<&'a str>,
}

impl<'a> SignatureInput<'a> {
    /// Reads a `signature-input` with one label.
    pub(super) fn read(header: &'a str) -> Result<Self, Malformed> {
        let mut scanner = Scanner::new(header)?;
        let label = scanner.label()?;
        let text = scanner.0;
        scanner.expect("(")?;
        let covered = scanner.until(')').ok_or(Malformed("signature-input: the list is not closed"))?;
        let parameters = scanner.parameters()?;
        Ok(Self { label, text, covered, parameters })
    }
}

/// Reads a `signature` with one label: the label and the signature's bytes.
pub(super) fn read_signature(header: &str) -> Result<(&str, Vec<u8>), Malformed> {
    let mut scanner = Scanner::new(header)?;
    let label = scanner.label()?;
    scanner.expect(":")?;
    let encoded = scanner.until(':').ok_or(Malformed("signature: it is not closed by a colon"))?;
    if !scanner.0.is_empty() {
        return Err(Malformed("signature: send one label, without parameters"));
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| Malformed("signature: it is not base64"))?;
    Ok((label, bytes))
}

impl<'a> Scanner<'a> {
    fn new(header: &'a str) -> Result<Self, Malformed> {
        if header.len() > MAX_HEADER {
            return Err(Malformed("the header is too long"));
        }
        Ok(Self(header))
    }

    /// `label=`
    fn label(&mut self) -> Result<&'a str, Malformed> {
        let label = self.until('=').ok_or(Malformed("there is no label"))?;
        let mut bytes = label.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'*');
        let rest =
            bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte));
        if first && rest && label.len() <= MAX_LABEL {
            Ok(label)
        } else {
            Err(Malformed("the label is not a key"))
        }
    }

    /// `;name=value` until the end, each name once.
    fn parameters(&mut self) -> Result<Parameters<'a>, Malformed> {
        let mut parameters = Parameters::default();
        while !self.0.is_empty() {
            self.expect(";")?;
            let name = self.until('=').ok_or(Malformed("a parameter has no value"))?;
            let repeated = match name {
                "created" => parameters.created.replace(self.integer()?).is_some(),
                "expires" => parameters.expires.replace(self.integer()?).is_some(),
                "keyid" => parameters.keyid.replace(self.string()?).is_some(),
                "nonce" => parameters.nonce.replace(self.string()?).is_some(),
                "tag" => parameters.tag.replace(self.string()?).is_some(),
                "alg" => parameters.alg.replace(self.string()?).is_some(),
                _ => return Err(Malformed("a parameter is unknown")),
            };
            if repeated {
                return Err(Malformed("a parameter is there twice"));
            }
        }
        Ok(parameters)
    }

    /// Digits without leading zeros.
    fn integer(&mut self) -> Result<u64, Malformed> {
        const BAD: Malformed = Malformed("a number is not a plain integer");
        let end = self.0.find(|character: char| !character.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at_checked(end).ok_or(BAD)?;
        if digits.len() > MAX_DIGITS || (digits.starts_with('0') && digits != "0") {
            return Err(BAD);
        }
        self.0 = rest;
        digits.parse().map_err(|_| BAD)
    }

    /// Visible ASCII in quotes. What would need an escape is refused: nobody has to write it.
    fn string(&mut self) -> Result<&'a str, Malformed> {
        const BAD: Malformed =
            Malformed("a string is not visible ASCII in quotes, without quotes or backslashes");
        self.expect("\"").map_err(|_| BAD)?;
        let value = self.until('"').ok_or(BAD)?;
        let plain = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if plain && !value.is_empty() { Ok(value) } else { Err(BAD) }
    }

    fn expect(&mut self, text: &str) -> Result<(), Malformed> {
        self.0 = self
            .0
            .strip_prefix(text)
            .ok_or(Malformed("the header is not spelled as a serialiser writes it"))?;
        Ok(())
    }

    /// What comes before a delimiter, which is passed too.
    fn until(&mut self, delimiter: char) -> Option<&'a str> {
        let (before, after) = self.0.split_once(delimiter)?;
        self.0 = after;
        Some(before)
    }
}
