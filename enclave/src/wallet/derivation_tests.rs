use super::*;

fn slip10(seed: &str, path: &[u32]) -> String {
    // SLIP-10's vectors have short seeds; the functions under test take 64 bytes, so this walks the
    // same steps with theirs.
    let seed = hex::decode(seed).unwrap();
    let mut node = hmac_sha512(b"ed25519 seed", &[&seed]).unwrap();
    for index in path {
        let (key, chain_code) = node.expose().split_at(32);
        node = hmac_sha512(chain_code, &[&[0], key, &(index | HARDENED).to_be_bytes()]).unwrap();
    }
    hex::encode(&node.expose()[..32])
}

#[test]
fn ed25519_follows_slip_10() {
    // SLIP-0010, test vector 1 for ed25519.
    let seed = "000102030405060708090a0b0c0d0e0f";
    assert_eq!(slip10(seed, &[]), "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7");
    assert_eq!(slip10(seed, &[0]), "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3");
    assert_eq!(slip10(seed, &[0, 1]), "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2");
    assert_eq!(
        slip10(seed, &[0, 1, 2, 2, 1_000_000_000]),
        "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793"
    );
}

#[test]
fn a_seed_of_64_bytes_follows_slip_10() {
    // SLIP-0010, test vector 2 for ed25519.
    let seed = "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542";
    let mut bytes = [0; 64];
    hex::decode_to_slice(seed, &mut bytes).unwrap();
    let path: Path = "m/0'/2147483647'/1'/2147483646'/2'".parse().unwrap();
    let key = ed25519(&Secret::copied_from(&bytes), &path.0).unwrap();
    assert_eq!(
        hex::encode(key.to_bytes()),
        "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d"
    );
}

#[test]
fn secp256k1_follows_bip_32() {
    // BIP-32, test vector 2, whose seed has 64 bytes: m/0/2147483647'/1/2147483646'/2.
    let seed = "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542";
    let mut bytes = [0; 64];
    hex::decode_to_slice(seed, &mut bytes).unwrap();
    let path: Path = "m/0/2147483647'/1/2147483646'/2".parse().unwrap();
    let key = secp256k1(&Secret::copied_from(&bytes), &path.0).unwrap();
    assert_eq!(
        hex::encode(compressed(key.verifying_key())),
        "024d902e1a2fc7a8755ab5b694c575fce742c48d9ff192e63df5193e4c7afe1f9c"
    );
}

#[test]
fn paths_have_one_spelling() {
    for text in ["m/0", "m/44'/60'/0'/0/0", "m/2147483647'"] {
        assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "m",
        "m/",
        "/0",
        "0/1",
        "M/0",
        "m/00",
        "m/01",
        "m/-1",
        "m/+1",
        "m/1h",
        "m/1''",
        "m/2147483648",
        "m/99999999999",
        "m/ 1",
        "m/1/",
        "m/0/0/0/0/0/0/0/0/0/0/0",
    ] {
        assert_eq!(text.parse::<Path>(), Err(DerivationError::Path), "{text}");
    }
}

#[test]
fn ed25519_has_hardened_paths_only() {
    let seed = Secret::copied_from(&[1; 64]);
    let path = "m/44'/501'/0'/0".parse().unwrap();
    assert_eq!(DerivedKey::derive(&seed, Curve::Ed25519, &path).err(), Some(DerivationError::NotHardened));
}

#[test]
fn signatures_verify_and_have_a_low_s() {
    use ecdsa::signature::hazmat::PrehashVerifier;
    let seed = Secret::copied_from(&[1; 64]);
    let key = secp256k1(&seed, &[0]).unwrap();
    for byte in 0..64 {
        let hash = [byte; 32];
        let Some(RawSignature::Secp256k1 { r, s, y_parity }) =
            DerivedKey::Secp256k1(key.clone()).sign(SigningInput::Prehash(hash))
        else {
            panic!("wrong kind of signature");
        };
        let signature = ecdsa::Signature::from_scalars(r, s).unwrap();
        key.verifying_key().verify_prehash(&hash, &signature).unwrap();
        assert_eq!(signature.normalize_s(), signature, "low s");
        let recovery = ecdsa::RecoveryId::new(y_parity, false);
        let recovered = ecdsa::VerifyingKey::recover_from_prehash(&hash, &signature, recovery).unwrap();
        assert_eq!(recovered, *key.verifying_key());
    }
}
