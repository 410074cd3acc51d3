//! Quorums, and every lie that an approval can tell.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn approvers() -> Vec<Approver> {
    let named = [("ann", 1), ("ben", 2), ("cat", 3)];
    named.map(|(id, seed)| Approver { id: name(id), key: key(seed).verifying_key().into() }).into()
}

fn approval() -> Approval {
    Approval {
        format: FORMAT.to_owned(),
        authority: HexBytes([1; 32]),
        client: name("desk"),
        request_digest: HexBytes([2; 32]),
        rule: name("payments"),
        policy_digest: HexBytes([3; 32]),
        not_after: Timestamp::from_seconds(1_600),
    }
}

fn signed_bytes(payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, payload);
    for seed in seeds {
        envelope.sign(&key(*seed)).unwrap();
    }
    envelope.to_json().unwrap().into_bytes()
}

fn signed(approval: &Approval, seeds: &[u8]) -> Vec<u8> {
    signed_bytes(&serde_json::to_vec(approval).unwrap(), seeds)
}

/// Verifies with a threshold of two, at second 1000, for a rule that accepts ten minutes.
fn verify(envelope: &[u8]) -> Result<Vec<Name>, ApprovalError> {
    verify_by(envelope, &approvers(), 2, 1_000)
}

fn verify_by(
    envelope: &[u8],
    approvers: &[Approver],
    threshold: usize,
    now: u64,
) -> Result<Vec<Name>, ApprovalError> {
    let expected = Expected {
        authority: HexBytes([1; 32]),
        client: &name("desk"),
        request_digest: HexBytes([2; 32]),
        rule: &name("payments"),
        policy_digest: HexBytes([3; 32]),
        now: Timestamp::from_seconds(now),
        longest_s: 600,
    };
    Approval::verify(envelope, approvers, threshold, &expected)
}

#[test]
fn enough_approvers_approve() {
    assert_eq!(verify(&signed(&approval(), &[3, 1])), Ok(vec![name("ann"), name("cat")]));
    let all_and_a_stranger = signed(&approval(), &[1, 2, 3, 9]);
    assert_eq!(verify(&all_and_a_stranger).unwrap().len(), 3);
    let mut envelope = approval().unsigned().unwrap();
    envelope.sign(&key(1)).unwrap();
    envelope.sign(&key(2)).unwrap();
    assert!(verify(envelope.to_json().unwrap().as_bytes()).is_ok());
}

#[test]
fn too_few_do_not() {
    let quorum = |required, found| Err(ApprovalError::Quorum { required, found });
    assert_eq!(verify(&signed(&approval(), &[])), quorum(2, 0));
    assert_eq!(verify(&signed(&approval(), &[1])), quorum(2, 1));
    assert_eq!(verify(&signed(&approval(), &[1, 1])), quorum(2, 1));
    assert_eq!(verify(&signed(&approval(), &[1, 8, 9])), quorum(2, 1));
    assert_eq!(verify_by(&signed(&approval(), &[]), &approvers(), 0, 1_000), quorum(1, 0));
    assert_eq!(verify_by(&signed(&approval(), &[1]), &[], 1, 1_000), quorum(1, 0));
    // One key under two names is one approver.
    let mut twice = approvers();
    twice[1].key = twice[0].key.clone();
    assert_eq!(verify_by(&signed(&approval(), &[1]), &twice, 2, 1_000), quorum(2, 1));
}

type Change = fn(&mut Approval);

#[test]
fn every_lie_is_found() {
    let lies: [(&str, Change); 6] = [
        ("format", |lie| lie.format = "nitro-signer/approval/v2".into()),
        ("authority", |lie| lie.authority = HexBytes([9; 32])),
        ("client", |lie| lie.client = name("desk-2")),
        ("request_digest", |lie| lie.request_digest = HexBytes([9; 32])),
        ("rule", |lie| lie.rule = name("payments-2")),
        ("policy_digest", |lie| lie.policy_digest = HexBytes([9; 32])),
    ];
    for (member, change) in lies {
        let mut lie = approval();
        change(&mut lie);
        assert_eq!(verify(&signed(&lie, &[1, 2])), Err(ApprovalError::Differs(member)));
    }
}

#[test]
fn an_approval_is_good_for_a_while() {
    let envelope = signed(&approval(), &[1, 2]);
    let at = |now| verify_by(&envelope, &approvers(), 2, now);
    let (found, latest) = (approval().not_after, Timestamp::from_seconds(1_599));
    assert_eq!(at(999), Err(ApprovalError::TooLong { found, latest }));
    assert!(at(1_000).is_ok() && at(1_599).is_ok());
    assert_eq!(at(1_600), Err(ApprovalError::Expired(found)));
    assert_eq!(at(u64::MAX), Err(ApprovalError::Expired(found)));
}

#[test]
fn the_payload_is_strict_json() {
    let json = serde_json::to_string(&approval()).unwrap();
    let values: Vec<serde_json::Value> =
        serde_json::to_value(approval()).unwrap().as_object().unwrap().values().cloned().collect();
    let bad = [
        json.replacen('{', "{\"more\":1,", 1),
        json.replacen('{', "{\"client\":\"desk\",", 1),
        json.replacen("\"rule\":\"payments\",", "", 1),
        json.replace("\"desk\"", "\"Desk\""),
        json.replace(&"02".repeat(32), &"02".repeat(31)),
        format!("{json}{json}"),
        serde_json::to_string(&values).unwrap(),
        String::new(),
    ];
    for payload in bad {
        let result = verify(&signed_bytes(payload.as_bytes(), &[1, 2]));
        assert!(matches!(result, Err(ApprovalError::Malformed(_))), "{payload}: {result:?}");
    }
}

#[test]
fn the_envelope_is_strict_and_small() {
    let good = String::from_utf8(signed(&approval(), &[1, 2])).unwrap();
    assert!(matches!(
        verify(good.replacen('{', "{\"more\":1,", 1).as_bytes()),
        Err(ApprovalError::Envelope(_))
    ));
    let other_type = good.replace(PAYLOAD_TYPE, crate::bundle::PAYLOAD_TYPE);
    let result = verify(other_type.as_bytes());
    assert!(matches!(result, Err(ApprovalError::Envelope(DsseError::WrongType { .. }))));
    let result =
        verify_by(good.replacen("\"sig\": \"", "\"sig\": \"AA", 1).as_bytes(), &approvers(), 1, 1_000);
    assert!(matches!(result, Err(ApprovalError::Envelope(DsseError::BadSignature(_)))));
    assert!(matches!(verify(b"[]"), Err(ApprovalError::Malformed(_))));
    let long = good + &" ".repeat(MAX_APPROVAL);
    assert_eq!(verify(long.as_bytes()), Err(ApprovalError::TooLarge(long.len())));
}

#[test]
fn as_many_signatures_fit_as_envelopes_may_have() {
    let seeds: Vec<u8> = (1..=64).collect();
    let long_names = Approval { client: name(&"c".repeat(63)), rule: name(&"r".repeat(63)), ..approval() };
    let pretty = signed(&long_names, &seeds);
    let compact = serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(&pretty).unwrap()).unwrap();
    assert!(compact.len() <= MAX_APPROVAL, "{}", compact.len());
    assert!(matches!(verify(&compact), Err(ApprovalError::Differs("client"))));
}

proptest! {
    #[test]
    fn any_edit_is_found(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = signed(&approval(), &[1, 2]);
        let mut edited = good.clone();
        let place = place.index(edited.len());
        edited[place] = byte;
        // White space may be other white space, of JSON's kinds.
        let spaces = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().copied().filter(|byte| !b" \n\r\t".contains(byte)).collect()
        };
        prop_assert_eq!(verify(&edited).is_ok(), spaces(&edited) == spaces(&good));
    }
}
