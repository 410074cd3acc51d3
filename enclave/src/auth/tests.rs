use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use signer_rules::{
    bundle::Bundle,
    http_signature::{Signing, content_digest, signature_header},
};

use super::*;
use crate::{
    secret::{CryptoError, Secret, derive},
    wallet::Keyring,
};

/// Of [`Keyring::for_tests`].
const AUTHORITY: AuthorityId = HexBytes([9; 32]);
const BOOT_MS: u64 = 1_800_000_000_500;
const NOW_S: u64 = 1_800_000_400;
const NOW_MS: u64 = NOW_S * 1000;
const BODY: &[u8] = b"{\"type\":\"evm.message\"}";
const PATH: &str = "/v1/wallets/treasury/sign";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn directory(clients: &Value) -> Directory {
    let bundle = json!({
        "format": signer_rules::bundle::FORMAT, "authority": AUTHORITY, "version": 1,
        "previous": null, "not_before": "2026-01-01T00:00:00Z", "expires": "2036-02-01T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [], "clients": clients, "wallet_groups": [], "rules": []
    });
    Directory::new(&Bundle::from_json(bundle.to_string().as_bytes()).unwrap())
}

fn ed25519(id: &str, key: &SigningKey) -> Value {
    let public_key = hex::encode(key.verifying_key().to_bytes());
    json!({"id": id, "algorithm": "ed25519", "public_key": public_key})
}

fn payroll() -> Value {
    json!({"id": "payroll", "auth": {"keys": [ed25519("payroll-1", &key())]}, "roles": ["payer", "reader"],
           "sessions": {"longest_s": 600}})
}

fn usual() -> Directory {
    directory(&json!([{"id": "backend", "auth": "none"}, payroll()]))
}

fn realm(directory: &Directory) -> Realm<'_> {
    Realm { authority: AUTHORITY, directory, sessions: None }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

fn tag() -> String {
    AUTHORITY.to_string()
}

fn signing<'a>(tag: &'a str, nonce: &'a str) -> Signing<'a> {
    Signing { created: NOW_S, expires: None, keyid: "payroll-1", nonce, tag, alg: None }
}

/// The headers of a request that is signed so.
fn signed(signing: &Signing<'_>, sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Header> {
    let digest = content_digest(BODY);
    let unsigned = signing.prepare("POST", PATH, None, &digest).unwrap();
    vec![
        header("content-digest", &digest),
        header("signature-input", &unsigned.signature_input),
        header("signature", &signature_header(&sign(unsigned.base.as_bytes()))),
    ]
}

fn with_key(base: &[u8]) -> Vec<u8> {
    key().sign(base).to_bytes().to_vec()
}

fn request(headers: &[Header]) -> Request<'_> {
    Request { headers, method: "POST", path: PATH, query: None, body: BODY, digest: HexBytes([0; 32]) }
}

fn authenticate(headers: &[Header]) -> Result<Caller, Unauthenticated> {
    Authenticator::new(BOOT_MS).authenticate(&realm(&usual()), &request(headers), NOW_MS)
}

#[test]
fn the_anonymous_client_exists_only_if_the_quorum_wrote_it() {
    let caller = authenticate(&[header("content-type", "x")]).unwrap();
    assert_eq!((caller.client.as_str(), caller.proof), ("backend", Proof::None));
    let nobody = directory(&json!([payroll()]));
    let found = Authenticator::new(BOOT_MS).authenticate(&realm(&nobody), &request(&[]), NOW_MS);
    assert_eq!(found.unwrap_err(), Unauthenticated);
}

#[test]
fn a_proof_is_never_passed_over() {
    let good = signed(&signing(&tag(), "n"), with_key);
    assert!(authenticate(&good).is_ok());
    for name in PROOFS {
        assert_eq!(authenticate(&[header(name, "x")]).unwrap_err(), Unauthenticated, "{name}");
    }
    for name in ["authorization", profile::TICKET] {
        let more = [good.as_slice(), &[header(name, "x")]].concat();
        assert_eq!(authenticate(&more).unwrap_err(), Unauthenticated, "{name}");
    }
    for missing in 0..good.len() {
        let mut fewer = good.clone();
        fewer.remove(missing);
        assert_eq!(authenticate(&fewer).unwrap_err(), Unauthenticated, "{missing}");
    }
}

#[test]
fn a_signature_is_the_clients_whose_key_made_it() {
    let (tag, other_tag) = (tag(), "00".repeat(32));
    let good = signing(&tag, "n");
    for alg in [None, Some("ed25519")] {
        let caller = authenticate(&signed(&Signing { alg, ..good }, with_key)).unwrap();
        assert_eq!((caller.client.as_str(), caller.role), ("payroll", None));
        assert!(matches!(caller.proof, Proof::Key(KeyRef { id, .. }) if id.as_str() == "payroll-1"));
    }
    for bad in [
        Signing { keyid: "payroll-2", ..good },
        Signing { keyid: "Payroll-1", ..good },
        Signing { keyid: "payroll", ..good },
        Signing { tag: &other_tag, ..good },
        Signing { alg: Some("hmac-sha256"), ..good },
        Signing { alg: Some("ecdsa-p256-sha256"), ..good },
    ] {
        assert_eq!(authenticate(&signed(&bad, with_key)).unwrap_err(), Unauthenticated, "{bad:?}");
    }
    let other = SigningKey::from_bytes(&[8; 32]);
    assert!(authenticate(&signed(&good, |base| other.sign(base).to_bytes().to_vec())).is_err());
    assert!(authenticate(&signed(&good, |_| vec![0; 64])).is_err());
    assert!(authenticate(&signed(&good, |_| Vec::new())).is_err());
    // The public key as a MAC key: the record's algorithm decides.
    let confused = |base: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key().verifying_key().to_bytes());
        hmac::sign(&key, base).as_ref().to_vec()
    };
    assert!(authenticate(&signed(&Signing { alg: Some("hmac-sha256"), ..good }, confused)).is_err());
}

#[test]
fn every_part_of_the_request_is_signed() {
    let headers = signed(&signing(&tag(), "n"), with_key);
    let good = request(&headers);
    let directory = usual();
    let judge = |request: &Request<'_>| {
        Authenticator::new(BOOT_MS).authenticate(&realm(&directory), request, NOW_MS).is_ok()
    };
    assert!(judge(&good));
    for other in [
        Request { method: "PUT", ..good },
        Request { path: "/v1/wallets/payroll/sign", ..good },
        Request { query: Some(""), ..good },
        Request { query: Some("a=b"), ..good },
        Request { body: b"{}", ..good },
        Request { body: b"", ..good },
    ] {
        assert!(!judge(&other), "{other:?}");
    }
}

#[test]
fn signatures_hold_for_a_while() {
    let tag = tag();
    let judge = |created: u64, expires: Option<u64>, now_ms: u64| {
        let signing = Signing { created, expires, ..signing(&tag, "n") };
        let headers = signed(&signing, with_key);
        Authenticator::new(BOOT_MS).authenticate(&realm(&usual()), &request(&headers), now_ms).is_ok()
    };
    assert!(judge(NOW_S, None, NOW_MS + 300_000) && !judge(NOW_S, None, NOW_MS + 300_001));
    assert!(judge(NOW_S + 60, None, NOW_MS) && !judge(NOW_S + 61, None, NOW_MS));
    let expires = Some(NOW_S + 10);
    assert!(judge(NOW_S, expires, NOW_MS + 9_999) && !judge(NOW_S, expires, NOW_MS + 10_000));
    // The second of the boot began before it.
    let boot_s = BOOT_MS / 1000;
    assert!(judge(boot_s + 1, None, BOOT_MS) && !judge(boot_s, None, BOOT_MS));
}

#[test]
fn a_nonce_is_used_up_once() {
    let (authenticator, directory, tag) = (Authenticator::new(BOOT_MS), usual(), tag());
    let ask = |nonce: &str, digest: u8| {
        let headers = signed(&signing(&tag, nonce), with_key);
        let request = Request { digest: HexBytes([digest; 32]), ..request(&headers) };
        authenticator.authenticate(&realm(&directory), &request, NOW_MS)
    };
    // Rounds before the last use up nothing.
    let (caller, copy) = (ask("a", 1).unwrap(), ask("a", 1).unwrap());
    authenticator.spend(&caller, NOW_MS, false).unwrap();
    assert!(ask("a", 1).is_err());
    assert_eq!(authenticator.spend(&copy, NOW_MS, false), Err(SpendError::Unauthenticated(Unauthenticated)));
    // What the store has to keep may come again, and nothing else with its nonce.
    let (caller, other) = (ask("b", 1).unwrap(), ask("b", 2).unwrap());
    authenticator.spend(&caller, NOW_MS, true).unwrap();
    authenticator.spend(&ask("b", 1).unwrap(), NOW_MS, true).unwrap();
    assert!(authenticator.spend(&other, NOW_MS, true).is_err() && ask("b", 2).is_err());
    // Nothing to use up.
    let anonymous = authenticator.authenticate(&realm(&directory), &request(&[]), NOW_MS).unwrap();
    for _ in 0..2 {
        authenticator.spend(&anonymous, NOW_MS, false).unwrap();
    }
}

#[test]
fn p256_keys_sign_with_fixed_signatures() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public_key = hex::encode(pair.public_key().as_ref());
    let key = json!({"id": "p", "algorithm": "ecdsa-p256-sha256", "public_key": public_key});
    let off_curve =
        json!({"id": "q", "algorithm": "ecdsa-p256-sha256", "public_key": format!("04{}", "01".repeat(64))});
    let directory = directory(&json!([{"id": "mobile", "auth": {"keys": [key, off_curve]}}]));
    let tag = tag();
    let judge = |keyid, alg, change: u8| {
        let sign = |base: &[u8]| {
            let mut signature = pair.sign(&SystemRandom::new(), base).unwrap().as_ref().to_vec();
            *signature.last_mut().unwrap() ^= change;
            signature
        };
        let headers = signed(&Signing { keyid, alg, ..signing(&tag, "n") }, sign);
        Authenticator::new(BOOT_MS).authenticate(&realm(&directory), &request(&headers), NOW_MS).is_ok()
    };
    assert!(judge("p", None, 0) && judge("p", Some("ecdsa-p256-sha256"), 0));
    assert!(!judge("p", None, 1) && !judge("p", Some("ed25519"), 0) && !judge("q", None, 0));
}

/// A session as a client opens it: its MAC key, and what it was told.
fn open(sessions: &SessionKeys, role: Option<&str>, lifetime_s: u64) -> (Secret<32>, Opened) {
    let private = PrivateKey::generate(&X25519).unwrap();
    let public_key = HexBytes(private.compute_public_key().unwrap().as_ref().try_into().unwrap());
    let (client, role) = ("payroll".parse().unwrap(), role.map(|role| role.parse().unwrap()));
    let key = KeyRef {
        id: "payroll-1".parse().unwrap(),
        digest: HexBytes(sha256(&key().verifying_key().to_bytes())),
    };
    let expires = NOW_S + lifetime_s;
    let opening =
        Opening { client: &client, role: role.as_ref(), key: &key, public_key, opened: NOW_S, expires };
    let opened = sessions.open(&opening).unwrap();
    let info = profile::MacKey {
        authority: AUTHORITY,
        keyring: sessions.keyring(),
        client: &client,
        client_key: public_key,
        enclave_key: sessions.public_key(),
        expires,
        id: opened.id,
    };
    let peer = UnparsedPublicKey::new(&X25519, sessions.public_key().0);
    let mac_key = agree(&private, peer, CryptoError, |shared| {
        derive(profile::SALT, &[shared], &Info::of_parts(info.info()))
    });
    (mac_key.unwrap(), opened)
}

fn with_session(mac_key: &Secret<32>, opened: &Opened, ticket: &str, signing: &Signing<'_>) -> Vec<Header> {
    let keyid = profile::keyid(opened.id);
    let key = hmac::Key::new(hmac::HMAC_SHA256, mac_key.expose());
    let keyid = if signing.keyid == "payroll-1" { &keyid } else { signing.keyid };
    let mut headers = signed(&Signing { keyid, ..*signing }, |base| hmac::sign(&key, base).as_ref().to_vec());
    headers.push(header(profile::TICKET, ticket));
    headers
}

#[test]
fn sessions_are_the_same_in_every_enclave() {
    let (one, other) = (SessionKeys::new(&Keyring::for_tests(1)), SessionKeys::new(&Keyring::for_tests(1)));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.public_key(), other.public_key());
    assert_ne!(one.public_key(), SessionKeys::new(&Keyring::for_tests(2)).unwrap().public_key());
    let (mac_key, opened) = open(&one, Some("payer"), 600);
    let tag = tag();
    let headers = with_session(&mac_key, &opened, &opened.ticket, &signing(&tag, "n"));
    let directory = usual();
    let realm = Realm { sessions: Some(&other), ..realm(&directory) };
    let caller = Authenticator::new(BOOT_MS).authenticate(&realm, &request(&headers), NOW_MS).unwrap();
    assert_eq!((caller.client.as_str(), caller.proof), ("payroll", Proof::Session));
    assert_eq!(caller.role.unwrap().as_str(), "payer");
}

#[test]
fn a_ticket_is_good_for_its_session_only() {
    let sessions = SessionKeys::new(&Keyring::for_tests(1)).unwrap();
    let (mac_key, opened) = open(&sessions, None, 600);
    let (other_key, other) = open(&sessions, None, 600);
    let (tag, directory) = (tag(), usual());
    let judge = |headers: &[Header], now_ms| {
        let realm = Realm { sessions: Some(&sessions), ..realm(&directory) };
        Authenticator::new(BOOT_MS).authenticate(&realm, &request(headers), now_ms).is_ok()
    };
    let good = signing(&tag, "n");
    assert!(judge(&with_session(&mac_key, &opened, &opened.ticket, &good), NOW_MS));
    let named = Signing { alg: Some(profile::ALGORITHM), ..good };
    assert!(judge(&with_session(&mac_key, &opened, &opened.ticket, &named), NOW_MS));
    let misnamed = Signing { alg: Some("ed25519"), ..good };
    assert!(!judge(&with_session(&mac_key, &opened, &opened.ticket, &misnamed), NOW_MS));
    assert!(!judge(&with_session(&other_key, &opened, &opened.ticket, &good), NOW_MS));
    assert!(!judge(&with_session(&mac_key, &opened, &other.ticket, &good), NOW_MS));
    assert!(!judge(&with_session(&mac_key, &other, &opened.ticket, &good), NOW_MS));
    assert!(!judge(&with_session(&mac_key, &opened, "", &good), NOW_MS));
    let by_name = Signing { keyid: "payroll", ..good };
    assert!(!judge(&with_session(&mac_key, &opened, &opened.ticket, &by_name), NOW_MS));
    // The client's own key does not stand in for the session's.
    let mut headers = signed(&Signing { keyid: &profile::keyid(opened.id), ..good }, with_key);
    assert!(!judge(&headers, NOW_MS));
    headers.push(header(profile::TICKET, &opened.ticket));
    assert!(!judge(&headers, NOW_MS));
    // Until it expires.
    let late = Signing { created: NOW_S + 500, ..good };
    let late = with_session(&mac_key, &opened, &opened.ticket, &late);
    assert!(judge(&late, NOW_MS + 599_999) && !judge(&late, NOW_MS + 600_000));
}

#[test]
fn a_session_ends_with_what_it_rests_on() {
    let sessions = SessionKeys::new(&Keyring::for_tests(1)).unwrap();
    let (mac_key, opened) = open(&sessions, Some("payer"), 600);
    let tag = tag();
    let headers = with_session(&mac_key, &opened, &opened.ticket, &signing(&tag, "n"));
    let judge = |client: Value| {
        let directory = directory(&json!([client]));
        let realm = Realm { sessions: Some(&sessions), ..realm(&directory) };
        Authenticator::new(BOOT_MS).authenticate(&realm, &request(&headers), NOW_MS).is_ok()
    };
    let with = |member: &str, value: Value| {
        let mut client = payroll();
        client[member] = value;
        client
    };
    assert!(judge(payroll()));
    assert!(!judge(with("id", json!("other"))), "another client");
    assert!(!judge(with("roles", json!(["reader"]))), "without its role");
    assert!(!judge(with("sessions", json!({"longest_s": 599}))), "longer than allowed now");
    let new_key = SigningKey::from_bytes(&[8; 32]);
    assert!(
        !judge(with("auth", json!({"keys": [ed25519("payroll-1", &new_key)]}))),
        "another key of the name"
    );
    assert!(!judge(with("auth", json!({"keys": [ed25519("payroll-2", &key())]}))), "another name");
    let mut without = payroll();
    without.as_object_mut().unwrap().remove("sessions");
    assert!(!judge(without), "without sessions");
}

#[test]
fn every_changed_character_of_a_ticket_is_noticed() {
    let sessions = SessionKeys::new(&Keyring::for_tests(1)).unwrap();
    let (mac_key, opened) = open(&sessions, None, 600);
    let (tag, directory) = (tag(), usual());
    let realm = Realm { sessions: Some(&sessions), ..realm(&directory) };
    for at in 0..opened.ticket.len() {
        let mut changed = opened.ticket.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for ticket in [changed.as_str(), &opened.ticket[..at]] {
            let headers = with_session(&mac_key, &opened, ticket, &signing(&tag, "n"));
            let found = Authenticator::new(BOOT_MS).authenticate(&realm, &request(&headers), NOW_MS);
            assert!(found.is_err(), "{at}");
        }
    }
}

#[test]
fn a_secret_that_everybody_knows_opens_nothing() {
    let sessions = SessionKeys::new(&Keyring::for_tests(1)).unwrap();
    let (client, key) =
        ("payroll".parse().unwrap(), KeyRef { id: "k".parse().unwrap(), digest: HexBytes([0; 32]) });
    for public_key in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let opening = Opening {
            client: &client,
            role: None,
            key: &key,
            public_key: HexBytes(public_key),
            opened: NOW_S,
            expires: NOW_S + 60,
        };
        assert!(sessions.open(&opening).is_err());
    }
}
