use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::configuration::{
    Configuration, ConfigurationError, SignedConfiguration,
    tests::{envelope, sample},
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn admins(seeds: &[u8]) -> Vec<AdminKey> {
    let mut admins: Vec<AdminKey> = seeds.iter().map(|seed| key(*seed).verifying_key().into()).collect();
    admins.sort_by_key(|admin| admin.key().to_bytes());
    admins
}

fn statement(tip: &Tip, seeds: &[u8], threshold: u8) -> Transition {
    Transition {
        format: FORMAT.into(),
        authority: tip.authority,
        number: tip.number + 1,
        previous: tip.digest,
        admins: admins(seeds),
        threshold,
    }
}

fn signed(statement: &impl Serialize, seeds: &[u8]) -> Envelope {
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, &serde_json::to_vec(statement).unwrap());
    for seed in seeds {
        envelope.sign(&key(*seed)).unwrap();
    }
    envelope
}

/// Of the sample's genesis: admins 1, 2 and 3, of whom two sign.
fn start() -> Tip {
    Tip::of_genesis(&sample().genesis).unwrap()
}

/// 1, 2, 3 by two; then 3, 4 by two; then 4, 5, 6 by one.
fn chain() -> Vec<Envelope> {
    let first = signed(&statement(&start(), &[3, 4], 2), &[1, 3, 4]);
    let tip = start().after(&first).unwrap();
    let second = signed(&statement(&tip, &[4, 5, 6], 1), &[3, 4, 5, 6]);
    vec![first, second]
}

fn configuration(transitions: Vec<Envelope>) -> Configuration {
    Configuration { epoch: transitions.len() as u64, transitions, ..sample() }
}

fn verify(transitions: Vec<Envelope>, seeds: &[u8]) -> Result<SignedConfiguration, ConfigurationError> {
    SignedConfiguration::verify(envelope(&configuration(transitions), seeds).as_bytes())
}

#[test]
fn admins_change_and_the_authority_does_not() {
    let tip = tip(&sample().genesis, &chain()).unwrap();
    assert_eq!((tip.authority, tip.number), (start().authority, 2));
    assert_eq!((tip.quorum.admins(), tip.quorum.threshold()), (&*admins(&[4, 5, 6]), 1));
    let signed = verify(chain(), &[5]).unwrap();
    assert_eq!((signed.authority, signed.quorum), (start().authority, tip.quorum));
    let json = serde_json::to_value(&signed.configuration).unwrap();
    assert_eq!(json["transitions"][0]["payloadType"], PAYLOAD_TYPE);
    assert_eq!(serde_json::from_value::<Configuration>(json).unwrap(), signed.configuration);
}

#[test]
fn a_configuration_without_transitions_has_no_such_field() {
    assert!(serde_json::to_value(sample()).unwrap().get("transitions").is_none());
}

#[test]
fn former_admins_sign_no_configuration() {
    for seeds in [&[1, 2][..], &[1, 2, 3], &[3]] {
        let refused = verify(chain(), seeds);
        assert!(matches!(refused, Err(ConfigurationError::Envelope(DsseError::Quorum { .. }))), "{seeds:?}");
    }
}

#[test]
fn every_lie_is_told() {
    type Check = fn(&TransitionError) -> bool;
    let honest = || serde_json::to_value(statement(&start(), &[3, 4], 2)).unwrap();
    let with = |member: &str, value: Value| {
        let mut statement = honest();
        statement[member] = value;
        statement
    };
    let reversed: Vec<AdminKey> = admins(&[3, 4]).into_iter().rev().collect();
    let all = &[1, 2, 3, 4][..];
    let cases: Vec<(&str, Value, &[u8], Check)> = vec![
        ("below the quorum", honest(), &[3, 4], |e| {
            matches!(e, TransitionError::Before(DsseError::Quorum { required: 2, found: 1 }))
        }),
        ("by nobody before", honest(), &[4], |e| matches!(e, TransitionError::Before(_))),
        ("by nobody", honest(), &[], |e| matches!(e, TransitionError::Before(_))),
        ("no possession", honest(), &[1, 2], |e| matches!(e, TransitionError::Possession(_))),
        ("possession of one", honest(), &[1, 2, 3], |e| {
            matches!(e, TransitionError::Possession(DsseError::Quorum { required: 2, found: 1 }))
        }),
        ("foreign authority", with("authority", json!("00".repeat(32))), all, |e| {
            matches!(e, TransitionError::ForeignAuthority { .. })
        }),
        ("number 0", with("number", json!(0)), all, |e| matches!(e, TransitionError::Number { .. })),
        ("number 2", with("number", json!(2)), all, |e| {
            matches!(e, TransitionError::Number { expected: 1, found: 2 })
        }),
        ("previous", with("previous", json!("00".repeat(32))), all, |e| {
            matches!(e, TransitionError::Previous { .. })
        }),
        ("format", with("format", json!("other")), all, |e| matches!(e, TransitionError::Malformed(_))),
        ("unknown member", with("note", json!("")), all, |e| matches!(e, TransitionError::Malformed(_))),
        ("order", with("admins", json!(reversed)), all, |e| {
            matches!(e, TransitionError::Quorum(GenesisError::Order))
        }),
        ("duplicate admin", with("admins", json!([admins(&[3])[0], admins(&[3])[0]])), all, |e| {
            matches!(e, TransitionError::Quorum(GenesisError::Order))
        }),
        ("no admins", with("admins", json!([])), all, |e| {
            matches!(e, TransitionError::Quorum(GenesisError::Admins))
        }),
        ("threshold 0", with("threshold", json!(0)), all, |e| {
            matches!(e, TransitionError::Quorum(GenesisError::Threshold))
        }),
        ("threshold 3", with("threshold", json!(3)), all, |e| {
            matches!(e, TransitionError::Quorum(GenesisError::Threshold))
        }),
    ];
    assert!(start().after(&signed(&honest(), &[1, 2, 3, 4])).is_ok());
    for (name, statement, seeds, expected) in cases {
        let error = start().after(&signed(&statement, seeds)).unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
    }
}

#[test]
fn signatures_are_of_a_transition_and_counted_once() {
    let payload = serde_json::to_vec(&statement(&start(), &[3, 4], 2)).unwrap();
    let mut other = Envelope::unsigned(crate::configuration::PAYLOAD_TYPE, &payload);
    for seed in [1, 2, 3, 4] {
        other.sign(&key(seed)).unwrap();
    }
    assert!(matches!(start().after(&other), Err(TransitionError::Before(DsseError::WrongType { .. }))));
    let mut twice = serde_json::to_value(&chain()[0]).unwrap();
    let repeated = twice["signatures"][0].clone();
    twice["signatures"].as_array_mut().unwrap().push(repeated);
    let twice: Envelope = serde_json::from_value(twice).unwrap();
    assert!(start().after(&twice).is_err());
    let mut many = serde_json::to_value(&chain()[0]).unwrap();
    let stranger = many["signatures"][0].clone();
    many["signatures"].as_array_mut().unwrap().extend(vec![stranger; 65]);
    assert!(start().after(&serde_json::from_value(many).unwrap()).is_err());
}

#[test]
fn a_transition_of_another_appliance_or_branch_does_not_fit() {
    let mut other = sample();
    other.genesis.appliance_id = HexBytes([8; 32]);
    other.transitions = chain();
    assert!(matches!(
        other.validate(),
        Err(ConfigurationError::Transition { index: 0, cause: TransitionError::ForeignAuthority { .. } })
    ));
    // The same admins and number, after another first link.
    let fork = signed(&statement(&start(), &[3, 4], 1), &[1, 2, 3, 4]);
    let refused = configuration(vec![fork, chain().remove(1)]).validate();
    assert!(matches!(
        refused,
        Err(ConfigurationError::Transition { index: 1, cause: TransitionError::Previous { .. } })
    ));
}

#[test]
fn there_are_64_transitions_at_most() {
    let refused = configuration(vec![chain().remove(0); MAX_TRANSITIONS + 1]).validate();
    assert!(matches!(refused, Err(ConfigurationError::Field { field, .. }) if field == "transitions"));
}

proptest! {
    /// Links may be left out at the end, which is an older configuration with its own quorum; any
    /// other choice or order of them is none.
    #[test]
    fn no_selection_of_links_verifies_under_another_quorum(
        picks in prop::collection::vec(0usize..3, 0..5),
    ) {
        let tip = tip(&sample().genesis, &chain()).unwrap();
        let third = signed(&statement(&tip, &[7], 1), &[4, 7]);
        let links = [chain(), vec![third]].concat();
        let chosen: Vec<Envelope> = picks.iter().map(|at| links[*at].clone()).collect();
        let found = configuration(chosen).current().ok().map(|quorum| quorum.admins().to_vec());
        let prefix = picks.iter().copied().eq(0..picks.len());
        let intended = [&[1, 2, 3][..], &[3, 4], &[4, 5, 6], &[7]];
        let expected = prefix.then(|| admins(intended[picks.len()]));
        prop_assert_eq!(found, expected);
    }

    /// Changing any byte of a signed statement leaves no transition.
    #[test]
    fn a_changed_statement_is_no_transition(at in 0usize..400, bit in 0u8..8) {
        let envelope = chain().remove(0);
        let mut payload = envelope.unverified_payload().unwrap();
        let at = at % payload.len();
        payload[at] ^= 1 << bit;
        let mut changed = serde_json::to_value(&envelope).unwrap();
        let unsigned = serde_json::to_value(Envelope::unsigned(PAYLOAD_TYPE, &payload)).unwrap();
        changed["payload"] = unsigned["payload"].clone();
        let changed: Envelope = serde_json::from_value(changed).unwrap();
        prop_assert!(start().after(&changed).is_err());
    }
}
