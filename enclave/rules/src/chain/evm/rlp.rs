//! RLP (Ethereum Yellow Paper, appendix B): a strict reader and a small writer.
//!
//! The reader accepts exactly one encoding of every value: shortest lengths, no length prefix on a byte below 0x80, no
//! leading zeros in integers, nothing left over.

use ruint::aliases::U256;

/// Why bytes are not canonical RLP of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RlpError {
    #[error("ends too early")]
    Truncated,
    #[error("is followed by unexpected bytes")]
    Trailing,
    #[error("has a length or a single byte that is not encoded in its shortest form")]
    NotCanonical,
    #[error("must be a byte string, not a list")]
    ExpectedBytes,
    #[error("must be a list, not a byte string")]
    ExpectedList,
    #[error("is an integer with leading zeros")]
    LeadingZero,
    #[error("is too large")]
    TooLarge,
    #[error("has a wrong length")]
    WrongLength,
}

/// Reads items one after another; the contents of a list, or a whole document.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

enum Item<'a> {
    Bytes(&'a [u8]),
    List(&'a [u8]),
}

impl<'a> Reader<'a> {
    /// The contents of the one list that `bytes` consists of.
    pub(super) fn document(bytes: &'a [u8]) -> Result<Self, RlpError> {
        let mut outer = Self { rest: bytes };
        let list = outer.list()?;
        outer.finish()?;
        Ok(list)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Every item must have been read.
    pub(super) const fn finish(self) -> Result<(), RlpError> {
        if self.rest.is_empty() { Ok(()) } else { Err(RlpError::Trailing) }
    }

    /// How many items remain; they must all be well formed on this level.
    pub(super) fn count(&self) -> Result<usize, RlpError> {
        let mut reader = *self;
        let mut count: usize = 0;
        while !reader.is_empty() {
            reader.item()?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RlpError> {
        match self.item()? {
            Item::Bytes(bytes) => Ok(bytes),
            Item::List(_) => Err(RlpError::ExpectedBytes),
        }
    }

    pub(super) fn list(&mut self) -> Result<Self, RlpError> {
        match self.item()? {
            Item::List(rest) => Ok(Self { rest }),
            Item::Bytes(_) => Err(RlpError::ExpectedList),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RlpError> {
        self.bytes()?.try_into().map_err(|_| RlpError::WrongLength)
    }

    pub(super) fn u256(&mut self) -> Result<U256, RlpError> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err(RlpError::LeadingZero);
        }
        U256::try_from_be_slice(bytes).ok_or(RlpError::TooLarge)
    }

    pub(super) fn u64(&mut self) -> Result<u64, RlpError> {
        u64::try_from(self.u256()?).map_err(|_| RlpError::TooLarge)
    }

    fn item(&mut self) -> Result<Item<'a>, RlpError> {
        let (&first, after) = self.rest.split_first().ok_or(RlpError::Truncated)?;
        if first < 0x80 {
            let (item, rest) = self.rest.split_at_checked(1).ok_or(RlpError::Truncated)?;
            self.rest = rest;
            return Ok(Item::Bytes(item));
        }
        let is_list = first >= 0xc0;
        let short = first & 0x3f; // 0-55: the length; 56-63: the length of the length, plus 55
        let (length, after) = match short.checked_sub(55) {
            None | Some(0) => (usize::from(short), after),
            Some(size) => long_length(after, usize::from(size))?,
        };
        let (content, rest) = after.split_at_checked(length).ok_or(RlpError::Truncated)?;
        self.rest = rest;
        match content {
            [byte] if !is_list && *byte < 0x80 => Err(RlpError::NotCanonical),
            _ if is_list => Ok(Item::List(content)),
            _ => Ok(Item::Bytes(content)),
        }
    }
}

/// A length that did not fit into the first byte: `size` big-endian bytes.
fn long_length(bytes: &[u8], size: usize) -> Result<(usize, &[u8]), RlpError> {
    let (digits, rest) = bytes.split_at_checked(size).ok_or(RlpError::Truncated)?;
    if digits.first() == Some(&0) {
        return Err(RlpError::NotCanonical);
    }
    let append = |length: usize, digit: &u8| length.checked_mul(256)?.checked_add(usize::from(*digit));
    let length = digits.iter().try_fold(0, append).ok_or(RlpError::TooLarge)?;
    if length <= 55 {
        return Err(RlpError::NotCanonical);
    }
    Ok((length, rest))
}

/// Builds the contents of a list, item by item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Writer {
    contents: Vec<u8>,
}

impl Writer {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        match bytes {
            [byte] if *byte < 0x80 => {}
            _ => self.header(0x80, bytes.len()),
        }
        self.contents.extend_from_slice(bytes);
    }

    pub(super) fn uint(&mut self, value: U256) {
        self.bytes(significant(&value.to_be_bytes::<32>()));
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(significant(&value.to_be_bytes()));
    }

    pub(super) fn list(&mut self, list: &Self) {
        self.header(0xc0, list.contents.len());
        self.contents.extend_from_slice(&list.contents);
    }

    /// The document that consists of one list with these contents, after `prefix` (an EIP-2718 type byte, or nothing).
    pub(super) fn document(&self, prefix: &[u8]) -> Vec<u8> {
        let mut document = Self { contents: prefix.to_vec() };
        document.list(self);
        document.contents
    }

    /// `base` is 0x80 for byte strings and 0xc0 for lists.
    fn header(&mut self, base: u8, length: usize) {
        match u8::try_from(length) {
            Ok(length) if length <= 55 => self.contents.push(base.saturating_add(length)),
            _ => {
                let digits = length.to_be_bytes();
                let digits = significant(&digits);
                let size = u8::try_from(digits.len()).unwrap_or(u8::MAX); // at most 8
                self.contents.push(base.saturating_add(55).saturating_add(size));
                self.contents.extend_from_slice(digits);
            }
        }
    }
}

/// Big-endian digits without leading zeros.
fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_of(document: &[u8]) -> Result<Vec<u8>, RlpError> {
        let mut reader = Reader { rest: document };
        let bytes = reader.bytes()?.to_vec();
        reader.finish()?;
        Ok(bytes)
    }

    #[test]
    fn every_length_form_round_trips() {
        for length in [0, 1, 2, 55, 56, 57, 255, 256, 65_535, 65_536] {
            let bytes = vec![0x80; length];
            let mut writer = Writer::default();
            writer.bytes(&bytes);
            assert_eq!(bytes_of(&writer.contents).unwrap(), bytes);
            let document = writer.document(&[]);
            let mut list = Reader::document(&document).unwrap();
            assert_eq!(list.count(), Ok(1));
            assert_eq!(list.bytes().unwrap(), bytes);
            assert_eq!(list.finish(), Ok(()));
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        let cases: [(&[u8], RlpError); 12] = [
            (&[], RlpError::Truncated),
            (&[0x81], RlpError::Truncated),
            (&[0x81, 0x7f], RlpError::NotCanonical),
            (&[0x82, 0x80], RlpError::Truncated),
            (&[0x80, 0x00], RlpError::Trailing),
            (&[0xb8, 0x01, 0x80], RlpError::NotCanonical),
            (&[0xb8, 0x37], RlpError::NotCanonical),
            (&[0xb9, 0x00, 0x38], RlpError::NotCanonical),
            (&[0xb8], RlpError::Truncated),
            (&[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], RlpError::Truncated),
            (&[0xc0], RlpError::ExpectedBytes),
            (&[0xf8, 0x00], RlpError::NotCanonical),
        ];
        for (document, error) in cases {
            assert_eq!(bytes_of(document), Err(error), "{document:02x?}");
        }
        assert_eq!(Reader { rest: &[0x00] }.u256(), Err(RlpError::LeadingZero));
        assert_eq!(Reader { rest: &[0x82, 0x00, 0x80] }.u64(), Err(RlpError::LeadingZero));
        assert_eq!(Reader { rest: &[0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0] }.u64(), Err(RlpError::TooLarge));
        assert_eq!(Reader { rest: &[0x80] }.u64(), Ok(0));
        assert_eq!(Reader { rest: &[0x81, 0x80] }.u64(), Ok(128));
    }

    proptest! {
        #[test]
        fn what_reads_writes_back_the_same(document in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut reader = Reader { rest: &document };
            if let Ok(bytes) = reader.bytes() {
                let mut writer = Writer::default();
                writer.bytes(bytes);
                prop_assert_eq!(&writer.contents[..], &document[..document.len() - reader.rest.len()]);
            }
        }

        #[test]
        fn integers_round_trip(value: [u64; 4], small: u64) {
            let value = U256::from_limbs(value);
            let mut writer = Writer::default();
            writer.uint(value);
            writer.u64(small);
            let mut reader = Reader { rest: &writer.contents };
            prop_assert_eq!(reader.u256(), Ok(value));
            prop_assert_eq!(reader.u64(), Ok(small));
        }
    }
}
