//! A writer for the little of BER (X.690) that KMS's envelopes need.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const NULL: [u8; 2] = [0x05, 0x00];

/// `[number]`, primitive.
pub(super) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// `[number]`, constructed.
pub(super) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// An element with its length before its contents.
pub(super) fn definite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let mut element = vec![tag];
    match contents.len() {
        length @ 0..=0x7f => element.push(to_u8(length)),
        length => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            element.push(0x80 | to_u8(bytes.len()));
            element.extend(bytes);
        }
    }
    element.extend(contents);
    element
}

/// A constructed element of indefinite length, closed by two zero bytes.
pub(super) fn indefinite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80], contents.concat().as_slice(), &[0, 0]].concat()
}

fn to_u8(length: usize) -> u8 {
    u8::try_from(length).expect("bounded by the caller's match")
}
