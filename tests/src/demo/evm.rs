//! A signed EIP-1559 transaction, read by other code than the signer's, and its sender.

use secp256k1::{
    Message, Secp256k1,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use sha3::{Digest as _, Keccak256};

use super::Error;

/// The type of EIP-1559 transactions.
const TYPE: u8 = 2;
/// Chain id, nonce, two fees, gas, recipient, value, data, access list; then y parity, r, s.
const ITEMS: usize = 12;
const SIGNED_ITEMS: usize = 9;

/// What is looked at of a signed transaction.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) chain_id: u64,
    pub(crate) to: Vec<u8>,
    pub(crate) value: u128,
    /// Keccak-256 of what was signed.
    pub(crate) signing_hash: [u8; 32],
    y_parity: u8,
    signature: [u8; 64],
}

impl Signed {
    /// Reads a signed serialisation.
    pub(crate) fn parse(transaction: &[u8]) -> Result<Self, Error> {
        let (TYPE, list) =
            transaction.split_first().ok_or("an empty transaction").map(|(kind, rest)| (*kind, rest))?
        else {
            return Err("not an EIP-1559 transaction".into());
        };
        let outer = Item::read(list)?;
        if outer.whole.len() != list.len() {
            return Err("bytes after the transaction".into());
        }
        let mut items = Vec::new();
        let mut rest = outer.content;
        while !rest.is_empty() {
            let item = Item::read(rest)?;
            rest = &rest[item.whole.len()..];
            items.push(item);
        }
        let [chain_id, _, _, _, _, to, value, _, _, y_parity, r, s] = items.as_slice() else {
            return Err(format!("{} items instead of {ITEMS}", items.len()).into());
        };
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&padded(r.content)?);
        signature[32..].copy_from_slice(&padded(s.content)?);
        let unsigned: Vec<u8> =
            items.iter().take(SIGNED_ITEMS).flat_map(|item| item.whole).copied().collect();
        Ok(Self {
            chain_id: number(chain_id.content)?.try_into()?,
            to: to.content.to_vec(),
            value: number(value.content)?,
            signing_hash: keccak256(
                &[&[TYPE], rlp_list_header(unsigned.len()).as_slice(), &unsigned].concat(),
            ),
            y_parity: number(y_parity.content)?.try_into()?,
            signature,
        })
    }

    /// The address of whoever signed it.
    pub(crate) fn sender(&self) -> Result<Vec<u8>, Error> {
        let recovery = RecoveryId::try_from(i32::from(self.y_parity))?;
        let signature = RecoverableSignature::from_compact(&self.signature, recovery)?;
        let key = Secp256k1::verification_only()
            .recover_ecdsa(Message::from_digest(self.signing_hash), &signature)?;
        Ok(keccak256(&key.serialize_uncompressed()[1..])[12..].to_vec())
    }
}

/// Keccak-256, as Ethereum has it.
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// An item of RLP: its content, and the whole with its header.
pub(crate) struct Item<'a> {
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

impl<'a> Item<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let first = *bytes.first().ok_or("an item is missing")?;
        let long = |base: u8| -> Result<(usize, usize), Error> {
            let digits = usize::from(first - base);
            let length = number(bytes.get(1..1 + digits).ok_or("a length is cut off")?)?;
            Ok((1 + digits, length.try_into()?))
        };
        let (header, length) = match first {
            ..0x80 => (0, 1),
            0x80..0xb8 => (1, usize::from(first - 0x80)),
            0xb8..0xc0 => long(0xb7)?,
            0xc0..0xf8 => (1, usize::from(first - 0xc0)),
            0xf8.. => long(0xf7)?,
        };
        let end = header.checked_add(length).ok_or("a length is too large")?;
        let whole = bytes.get(..end).ok_or("an item is cut off")?;
        Ok(Self { content: &whole[header..], whole })
    }
}

fn number(digits: &[u8]) -> Result<u128, Error> {
    if digits.len() > 16 {
        return Err("a number is too large".into());
    }
    Ok(digits.iter().fold(0, |value, digit| value << 8 | u128::from(*digit)))
}

fn padded(digits: &[u8]) -> Result<[u8; 32], Error> {
    let mut padded = [0; 32];
    let start = 32_usize.checked_sub(digits.len()).ok_or("more than 32 bytes")?;
    padded[start..].copy_from_slice(digits);
    Ok(padded)
}

pub(crate) fn rlp_list_header(length: usize) -> Vec<u8> {
    if let Ok(length @ ..56) = u8::try_from(length) {
        return vec![0xc0 + length];
    }
    let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
    let count = u8::try_from(digits.len()).expect("a usize has few bytes");
    [vec![0xf7 + count], digits].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_no_transaction() {
        for bytes in [&[][..], &[2], &[1, 0xc0], &[2, 0xc0], &[2, 0xf8], &[2, 0xc2, 1], &[2, 0xc0, 0]] {
            assert!(Signed::parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn headers_are_rlp() {
        assert_eq!(rlp_list_header(0), [0xc0]);
        assert_eq!(rlp_list_header(55), [0xf7]);
        assert_eq!(rlp_list_header(56), [0xf8, 56]);
        assert_eq!(rlp_list_header(1024), [0xf9, 4, 0]);
        assert_eq!(Item::read(&[0x83, 1, 2, 3, 9]).unwrap().content, [1, 2, 3]);
        assert_eq!(Item::read(&[0x7f]).unwrap().content, [0x7f]);
    }
}
