//! Documents that nobody signed, as QEMU's NSM makes them.

use minicbor::Encoder;

use super::*;

#[tokio::test]
async fn unsigned_documents_count_only_for_who_asked_for_them() {
    let usual = World::usual().await;
    assert_eq!(usual.ask(&document(b"image", 0)).await, Err("ValidationException".to_owned()));

    let world = World::of(strict_policy(), true).await;
    assert_eq!(world.ask(&document(b"image", 0)).await, Ok(()));
    assert_eq!(world.ask(&document(b"other", 0)).await, Err("AccessDeniedException".to_owned()));
    // Whoever has something that looks like a signature must have a right one.
    assert_eq!(world.ask(&document(b"image", 1)).await, Err("ValidationException".to_owned()));
    let stranger = Enclave::start(Arc::new(AttestationAuthority::generate()), image());
    assert_eq!(world.ask(&stranger.document()).await, Err("ValidationException".to_owned()));
    // Signed ones count as ever.
    assert_eq!(world.ask(&world.enclave(image()).document()).await, Ok(()));
}

impl World {
    async fn ask(&self, document: &[u8]) -> Result<(), String> {
        data_key(&self.parent(), Some(recipient(document.to_vec()))).await.map(|_| ())
    }
}

/// A document of an image, whose signature and certificates are `filler` bytes.
fn document(image: &[u8], filler: u8) -> Vec<u8> {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("an RSA key");
    let spki = key.public_key().as_der().expect("an SPKI");
    let now = u64::try_from(crate::pki::unix_now().as_millis()).expect("a time");
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(9).unwrap().str("module_id").unwrap().str("i-0-enc0").unwrap();
    cbor.str("digest").unwrap().str("SHA384").unwrap().str("timestamp").unwrap().u64(now).unwrap();
    cbor.str("pcrs").unwrap().map(1).unwrap().u8(0).unwrap().bytes(&Pcr::measuring(image).0).unwrap();
    cbor.str("certificate").unwrap().bytes(&[filler; 64]).unwrap();
    cbor.str("cabundle").unwrap().array(1).unwrap().bytes(&[filler; 64]).unwrap();
    cbor.str("public_key").unwrap().bytes(spki.as_ref()).unwrap();
    cbor.str("user_data").unwrap().null().unwrap().str("nonce").unwrap().null().unwrap();
    let payload = cbor.into_writer();
    let mut cbor = Encoder::new(Vec::new());
    cbor.array(4).unwrap().bytes(&[0xa1, 0x01, 0x20]).unwrap().map(0).unwrap();
    cbor.bytes(&payload).unwrap().bytes(&[filler; 64]).unwrap();
    cbor.into_writer()
}
