//! Published cases of BIP-32, SLIP-10 and HD nodes, and signatures over Wycheproof's messages. `scripts/test-vectors`
//! fetches them; without `NITRO_SIGNER_DERIVATION_VECTORS`, the folder that it makes, there is nothing to run.

use std::{env, fs, path::PathBuf};

use aws_lc_rs::signature::{ECDSA_P256K1_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, de::DeserializeOwned};

use super::*;
use crate::wallet::account::Account;

#[derive(Deserialize)]
struct Node {
    curve: Curve,
    seed: String,
    path: String,
    private: String,
    public: String,
}

#[derive(Deserialize)]
struct EthersCase {
    name: String,
    seed: String,
    hdnodes: Vec<EthersNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EthersNode {
    path: String,
    private_key: String,
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wycheproof {
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    tests: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    msg: String,
}

#[test]
fn keys_of_bip_32_and_slip_10_are_derived() {
    let Some(nodes) = read::<Vec<Node>>("derivation.json") else { return };
    for node in &nodes {
        let key = derive(&node.seed, node.curve, &node.path);
        let (private, public) = match &key {
            DerivedKey::Secp256k1(key) => {
                (hex::encode(key.to_bytes()), hex::encode(compressed(key.verifying_key())))
            }
            // SLIP-10 writes public keys of Ed25519 with a byte 0 before them.
            DerivedKey::Ed25519(key) => {
                (hex::encode(key.to_bytes()), format!("00{}", hex::encode(key.verifying_key())))
            }
        };
        assert_eq!((&private, &public), (&node.private, &node.public), "{} of {}", node.path, node.seed);
    }
    let count = |curve| nodes.iter().filter(|node| node.curve == curve).count();
    let (bip_32, slip_10) = (count(Curve::Secp256k1), count(Curve::Ed25519));
    assert_eq!((bip_32, slip_10), (14, 12));
    eprintln!("ok     BIP-32: {bip_32} nodes, all as published");
    eprintln!("ok     SLIP-10 Ed25519: {slip_10} nodes, all as published");
}

#[test]
fn ethers_hd_nodes_are_derived() {
    let Some(cases) = read::<Vec<EthersCase>>("ethers/hdnode.json") else { return };
    let mut nodes = 0;
    for case in &cases {
        for node in &case.hdnodes {
            let key = derive(&case.seed, Curve::Secp256k1, &node.path);
            let DerivedKey::Secp256k1(private) = &key else { unreachable!("asked for") };
            assert_eq!(format!("0x{}", hex::encode(private.to_bytes())), node.private_key, "{}", case.name);
            let path = Path(indexes(&node.path));
            let address = Account::of(path, &key.public_key()).address();
            assert_eq!(address.to_ascii_lowercase(), node.address, "{}", case.name);
            nodes += 1;
        }
    }
    assert_eq!((cases.len(), nodes), (1409, 6289));
    eprintln!("ok     ethers hdnode: {} cases with {nodes} nodes, all as published", cases.len());
}

#[test]
fn signatures_over_wycheproofs_messages_verify() {
    // The files hold public keys only, so these keys are our own.
    let seed = "46".repeat(64);
    for (curve, file, algorithm) in [
        (
            Curve::Secp256k1,
            "ecdsa_secp256k1_sha256_test",
            &ECDSA_P256K1_SHA256_FIXED as &'static dyn VerificationAlgorithm,
        ),
        (Curve::Ed25519, "ed25519_test", &ED25519),
    ] {
        let Some(cases) = read::<Wycheproof>(&format!("wycheproof/{file}.json")) else { return };
        let mut count: u32 = 0;
        for test in cases.test_groups.iter().flat_map(|group| &group.tests) {
            let key = derive(&seed, curve, &format!("m/{count}'"));
            let message = hex::decode(&test.msg).unwrap();
            let digest = Sha256::digest(&message).into();
            let (input, public) = match &key {
                DerivedKey::Secp256k1(key) => (
                    SigningInput::Prehash(digest),
                    key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
                ),
                DerivedKey::Ed25519(key) => {
                    (SigningInput::Message(&message), key.verifying_key().to_bytes().to_vec())
                }
            };
            let signature = match key.sign(input).unwrap() {
                RawSignature::Secp256k1 { r, s, .. } => [r, s].concat(),
                RawSignature::Ed25519(signature) => signature.to_vec(),
            };
            UnparsedPublicKey::new(algorithm, &public).verify(&message, &signature).unwrap();
            count += 1;
        }
        eprintln!("ok     {curve} over Wycheproof's messages: {count} signatures, all verified by AWS-LC");
    }
}

fn derive(seed: &str, curve: Curve, path: &str) -> DerivedKey {
    fn at<const N: usize>(seed: &[u8], curve: Curve, path: &[u32]) -> DerivedKey {
        let seed = Secret::<N>::copied_from(seed.try_into().expect("a seed of this length"));
        match curve {
            Curve::Secp256k1 => DerivedKey::Secp256k1(secp256k1(&seed, path).unwrap()),
            Curve::Ed25519 => DerivedKey::Ed25519(ed25519(&seed, path).unwrap()),
        }
    }
    let seed = hex::decode(seed.trim_start_matches("0x")).unwrap();
    let path = indexes(path);
    match seed.len() {
        16 => at::<16>(&seed, curve, &path),
        32 => at::<32>(&seed, curve, &path),
        64 => at::<64>(&seed, curve, &path),
        other => panic!("a seed of {other} bytes"),
    }
}

/// The root is no path of an account, but has cases of its own.
fn indexes(path: &str) -> Vec<u32> {
    if path == "m" { Vec::new() } else { path.parse::<Path>().unwrap().0 }
}

fn read<T: DeserializeOwned>(name: &str) -> Option<T> {
    let Some(folder) = env::var_os("NITRO_SIGNER_DERIVATION_VECTORS") else {
        eprintln!("SKIPPED: {name} is not here (see scripts/test-vectors --help)");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
