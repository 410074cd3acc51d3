//! Solana's wire primitives: fixed-size fields and compact-u16 ("short vec") lengths, read strictly.

use super::SolanaAddress;

/// Why bytes are not what the wire format demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("ends too early")]
    Truncated,
    #[error("is followed by unexpected bytes")]
    Trailing,
    #[error("has a length that is not a compact-u16 in its shortest form")]
    NotCanonical,
}

/// Reads fields one after another.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Every byte must have been read.
    pub(super) const fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    /// Little-endian, like all numbers here.
    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn address(&mut self) -> Result<SolanaAddress, WireError> {
        self.array().map(SolanaAddress::new)
    }

    /// Bytes preceded by their number.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.length()?;
        self.take(length)
    }

    /// This many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Items preceded by their number. The buffer grows with what is really there, not with what the number claims.
    pub(super) fn items<T, E: From<WireError>>(
        &mut self,
        mut read: impl FnMut(&mut Self, usize) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let length = self.length()?;
        let mut items = Vec::new();
        for index in 0..length {
            items.push(read(self, index)?);
        }
        Ok(items)
    }

    /// A compact-u16: seven bits a byte, lowest first, the top bit set on all but the last; one to three bytes.
    fn length(&mut self) -> Result<usize, WireError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let low = usize::from(first & 0x7f);
        let second = self.byte()?;
        if second == 0 {
            return Err(WireError::NotCanonical);
        }
        let middle = usize::from(second & 0x7f) << 7;
        if second < 0x80 {
            return Ok(middle | low);
        }
        match self.byte()? {
            third @ 1..=3 => Ok((usize::from(third) << 14) | middle | low),
            _ => Err(WireError::NotCanonical),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The canonical compact-u16 of `value`.
    pub(in crate::chain) fn compact_u16(mut value: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        bytes.push(value.to_le_bytes()[0]);
        bytes
    }

    #[test]
    fn every_compact_u16_has_one_encoding() {
        for value in 0..=u16::MAX {
            let bytes = compact_u16(value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.length(), Ok(usize::from(value)));
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let cases: [(&[u8], WireError); 8] = [
            (&[], WireError::Truncated),
            (&[0x80], WireError::Truncated),
            (&[0x80, 0x80], WireError::Truncated),
            (&[0x80, 0x00], WireError::NotCanonical),
            (&[0xff, 0x00], WireError::NotCanonical),
            (&[0x80, 0x80, 0x00], WireError::NotCanonical),
            (&[0x80, 0x80, 0x04], WireError::NotCanonical),
            (&[0x80, 0x80, 0x80, 0x01], WireError::NotCanonical),
        ];
        for (bytes, error) in cases {
            assert_eq!(Reader::new(bytes).length(), Err(error), "{bytes:02x?}");
        }
    }
}
