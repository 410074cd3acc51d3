//! Noise and near misses: never a panic, never a verified document.

use proptest::{collection::vec, prelude::*, sample::Index};
use std::sync::LazyLock;

use super::{Builder, verify};
use crate::verify::Root;

/// A good document and its root.
static GOOD: LazyLock<(Vec<u8>, Root)> = LazyLock::new(|| {
    let mut builder = Builder::new();
    builder.indefinite = true;
    (builder.build(), builder.root())
});

#[test]
fn every_bit_of_the_envelope_matters() {
    let (good, root) = &*GOOD;
    verify(good, root).unwrap();
    // Everything but the payload: 10 bytes before it, 98 after.
    let envelope = (0..10).chain(good.len() - 98..good.len());
    for (position, bit) in envelope.flat_map(|p| (0..8).map(move |b| (p, b))) {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << bit;
        assert!(verify(&bytes, root).is_err(), "byte {position}, bit {bit}");
    }
}

proptest! {
    #[test]
    fn noise_is_refused(bytes in vec(any::<u8>(), 0..2048)) {
        prop_assert!(verify(&bytes, &GOOD.1).is_err());
    }

    #[test]
    fn noise_in_a_good_envelope_is_refused(payload in vec(any::<u8>(), 0..2048)) {
        let builder = Builder::new();
        prop_assert!(verify(&builder.build_with(&payload), &GOOD.1).is_err());
    }

    #[test]
    fn one_changed_byte_is_refused(at in any::<Index>(), mask in 1..=u8::MAX) {
        let (good, root) = &*GOOD;
        let mut bytes = good.clone();
        bytes[at.index(good.len())] ^= mask;
        prop_assert!(verify(&bytes, root).is_err());
    }

    /// The payload is signed again after the change: whatever parses, no parser or chain builder may panic.
    #[test]
    fn one_changed_byte_signed_again_does_not_panic(at in any::<Index>(), mask in 1..=u8::MAX) {
        let mut builder = Builder::new();
        builder.indefinite = true;
        let mut payload = builder.payload();
        let position = at.index(payload.len());
        payload[position] ^= mask;
        let _ = verify(&builder.build_with(&payload), &GOOD.1);
    }

    #[test]
    fn a_cut_document_is_refused(at in any::<Index>()) {
        let (good, root) = &*GOOD;
        prop_assert!(verify(&good[..at.index(good.len())], root).is_err());
    }

    #[test]
    fn an_inserted_byte_is_refused(at in any::<Index>(), byte in any::<u8>()) {
        let (good, root) = &*GOOD;
        let mut bytes = good.clone();
        bytes.insert(at.index(good.len() + 1), byte);
        prop_assert!(verify(&bytes, root).is_err());
    }
}
