//! The layout of sealed objects: what can be read of one without its key.
//!
//! ```text
//! "NSO1" ‖ length of the keyring's id ‖ keyring's id ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag
//! ```
//!
//! The store is the host's: these bytes are parsed before anything about them is known.

/// The largest object.
pub const MAX_OBJECT: usize = 64 * 1024;

/// Bytes of the nonce.
pub const NONCE: usize = 12;

const MAGIC: &[u8] = b"NSO1";

/// A sealed object, cut in its parts. None of them is authentic before the ciphertext opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedObject<'a> {
    /// The id of the keyring that it says it is of.
    pub keyring: &'a str,
    /// The nonce.
    pub nonce: [u8; NONCE],
    /// The ciphertext, the tag at its end.
    pub ciphertext: &'a [u8],
}

impl<'a> SealedObject<'a> {
    /// Cuts an object; `None` if it is not of this form, or larger than [`MAX_OBJECT`].
    pub fn read(object: &'a [u8]) -> Option<Self> {
        if object.len() > MAX_OBJECT {
            return None;
        }
        let (length, rest) = object.strip_prefix(MAGIC)?.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        Some(Self { keyring: std::str::from_utf8(id).ok()?, nonce: *nonce, ciphertext })
    }

    /// The object's bytes; `None` if the keyring's id is longer than a name can be.
    pub fn write(&self) -> Option<Vec<u8>> {
        let length = u8::try_from(self.keyring.len()).ok()?;
        Some([MAGIC, &[length], self.keyring.as_bytes(), &self.nonce, self.ciphertext].concat())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_object_is_none() {
        for bytes in
            [&b""[..], b"NSO1", b"NSO1\xff", b"NSO1\x03ab", b"NSO1\x02\xff\xff012345678901", b"NSO2\x01a"]
        {
            assert_eq!(SealedObject::read(bytes), None);
        }
        assert_eq!(SealedObject::read(&vec![b'N'; MAX_OBJECT + 1]), None);
    }

    proptest! {
        #[test]
        fn reading_and_writing_are_inverse(keyring in "[a-z]{1,63}", nonce: [u8; NONCE], ciphertext: Vec<u8>) {
            let object = SealedObject { keyring: &keyring, nonce, ciphertext: &ciphertext };
            let bytes = object.write().unwrap();
            prop_assert_eq!(SealedObject::read(&bytes), Some(object));
        }

        #[test]
        fn whatever_reads_has_one_spelling(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"NSO1".as_slice(), &bytes].concat();
            if let Some(object) = SealedObject::read(&bytes) {
                prop_assert_eq!(object.write().unwrap(), bytes);
            }
        }
    }
}
