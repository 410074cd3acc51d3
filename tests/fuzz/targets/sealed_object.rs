//! What the host's store gives back: no panic before the key decides, and one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signer_rules::sealed_object::{MAX_OBJECT, SealedObject};

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    if let Some(object) = SealedObject::read(data) {
        assert!(data.len() <= MAX_OBJECT);
        assert_eq!(object.write().as_deref(), Some(data));
    }
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let object = SealedObject { keyring: "default", nonce: [1; 12], ciphertext: &[2; 48] };
    vec![("object", object.write().expect("a short name"))]
}
