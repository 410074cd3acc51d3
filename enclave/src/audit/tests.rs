use std::thread::sleep;

use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use signer_rules::audit::{CHECKPOINT_FORMAT, Chain as Verified, Checkpoint, verify_boot};

use super::*;

const BOOT: HexBytes<16> = HexBytes([1; 16]);
const AUTHORITY: AuthorityId = HexBytes([2; 32]);
const LONG: Duration = Duration::from_mins(1);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn identity() -> HexBytes<32> {
    HexBytes(key().verifying_key().to_bytes())
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1)
}

fn entry(version: u64) -> Entry<'static> {
    Entry::Policy { version, digest: HexBytes([0; 32]) }
}

/// A chain of a boot record and others.
fn audit(records: u64) -> Audit {
    let audit = Audit::new(BOOT);
    let boot = Entry::Boot {
        authority: AUTHORITY,
        boot_id: BOOT,
        identity_key: identity(),
        configuration_pcr: hex::encode([4; 48]),
        policy_version: 1,
        policy_digest: HexBytes([5; 32]),
    };
    audit.record(now(), &boot);
    for version in 1..records {
        audit.record(now(), &entry(version));
    }
    audit
}

fn seal(head: Head) -> Option<String> {
    let checkpoint = Checkpoint {
        format: CHECKPOINT_FORMAT.into(),
        authority: AUTHORITY,
        boot_id: BOOT,
        sequence: head.sequence,
        head: head.digest,
        time: now(),
    };
    checkpoint.to_line(|message| HexBytes(key().sign(message).to_bytes()))
}

fn segment(page: &Page) -> Vec<u8> {
    let mut lines = page.records.clone();
    lines.push(page.checkpoint.clone().unwrap().into_bytes());
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

/// Stores everything as a host does; returns the segments and what the verifier says.
fn store(audit: &Audit) -> (usize, Verified) {
    let (mut after, mut segments) = (None, Vec::new());
    while after.is_none_or(|after| after < audit.head().sequence) {
        let page = audit.page(after, seal).unwrap();
        if page.records.is_empty() {
            // The last records are due for a checkpoint a second after the one before.
            sleep(Duration::from_millis(100));
            continue;
        }
        after = Some(page.first + page.records.len() as u64 - 1);
        segments.push(segment(&page));
    }
    audit.page(after, seal).unwrap();
    let chain = verify_boot(segments.iter().map(Vec::as_slice), identity(), AUTHORITY, BOOT).unwrap();
    (segments.len(), chain)
}

#[test]
fn what_the_host_stores_is_what_the_verifier_takes() {
    let audit = audit(2500);
    let (segments, chain) = store(&audit);
    assert_eq!((segments, chain.length(), chain.unsealed), (3, 2500, 0));
    assert_eq!(chain.digest(2499), Some(audit.head().digest));
    assert_eq!((audit.stored(), audit.length()), (Some(audit.head()), 2500));
    let receipt = audit.record(now(), &entry(0));
    assert_eq!((receipt.boot_id, receipt.sequence), (BOOT, 2500));
    assert_eq!(receipt.digest, audit.head().digest);
}

#[test]
fn every_entry_is_a_record_to_the_verifier() {
    let audit = audit(2);
    let (client, rule) = ("backend".parse().unwrap(), "limit".parse().unwrap());
    let facts = serde_json::value::to_raw_value(&json!({"chain": "evm"})).unwrap();
    let digest = HexBytes([6; 32]);
    audit.record(now(), &Entry::PolicyRefused { version: 1, digest, reason: "old \u{2028}\n" });
    let kms_policy = KeyPolicies { digest: Some(digest), deviations: 1 };
    audit.record(now(), &Entry::KeyringCreated { keyring: &client, fingerprint: digest, kms_policy });
    let requests = [KmsRequest { key_arn: "arn".into(), request_id: None }];
    for problem in [None, Some("share 1 cannot be opened")] {
        let (keyring, requests) = (&client, &requests);
        audit.record(
            now(),
            &Entry::KeyringOpened { keyring, fingerprint: digest, requests, kms_policy, problem },
        );
    }
    audit.record(
        now(),
        &Entry::Session {
            client: &client,
            key: Some(&client),
            role: None,
            request_digest: digest,
            allowed: true,
            id: Some(HexBytes([5; 16])),
            expires: Some(now()),
            policy_version: 1,
        },
    );
    let receipt = audit.record(
        now(),
        &Entry::Decision {
            client: &client,
            wallet: None,
            operation: Operation::EvmTransaction,
            account: Some("0x00".into()),
            chain_id: Some(1),
            every_chain: true,
            request_digest: digest,
            allowed: true,
            rule: Some(&rule),
            rejected: Some("a.b"),
            obstacle: Some("limit_reached"),
            facts: Some(&facts),
            item: Some(1),
            policy_version: 1,
            result_digest: Some(digest),
        },
    );
    let (_, chain) = store(&audit);
    assert_eq!(chain.length(), 8);
    assert_eq!(chain.check_receipt(&receipt), Ok(()));
}

#[test]
fn every_record_holds_the_digest_of_the_one_before() {
    let audit = audit(5);
    let mut previous = HexBytes([0; 32]).to_string();
    for (sequence, bytes) in audit.page(None, seal).unwrap().records.iter().enumerate() {
        let record: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!((&record["sequence"], &record["previous"]), (&json!(sequence), &json!(previous)));
        previous = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes));
    }
    assert_eq!(audit.head(), Head { sequence: 4, digest: previous.parse().unwrap() });
}

#[test]
fn what_is_not_stored_is_kept_and_stops_everything() {
    let audit = audit(KEPT as u64 - 1);
    assert_eq!(audit.may_sign(LONG), Ok(()));
    audit.record(now(), &entry(1));
    assert_eq!(audit.may_sign(LONG), Err(NotStored::Full(KEPT)));
    // Requests that were under way are recorded all the same.
    audit.record(now(), &entry(2));
    let page = audit.page(None, seal).unwrap();
    assert_eq!(page.records.len(), PAGE);
    assert_eq!(audit.page(None, seal).unwrap(), page, "handing out is not storing");
    assert_eq!(audit.may_sign(LONG), Err(NotStored::Full(KEPT + 1)));
    audit.page(Some(PAGE as u64 - 1), seal).unwrap();
    assert_eq!(audit.may_sign(LONG), Ok(()));
    assert_eq!(audit.stored().map(|stored| stored.sequence), Some(PAGE as u64 - 1));
    assert_eq!(audit.length(), KEPT as u64 + 1);
}

#[test]
fn time_stops_everything_too() {
    let audit = audit(1);
    sleep(Duration::from_millis(20));
    assert_eq!(audit.may_sign(Duration::from_millis(10)), Err(NotStored::Late(0)));
    audit.page(None, seal).unwrap();
    assert!(audit.may_sign(Duration::from_millis(10)).is_err());
    audit.page(Some(0), seal).unwrap();
    assert_eq!(audit.may_sign(Duration::ZERO), Ok(()), "there is nothing to store");
}

#[test]
fn what_is_stored_is_witnessed_and_else_what_waits_too_long() {
    let audit = audit(3);
    assert_eq!(audit.to_witness(LONG), None);
    sleep(Duration::from_millis(5));
    assert_eq!(audit.to_witness(Duration::from_millis(1)), Some(audit.head()));
    audit.page(None, seal).unwrap();
    audit.page(Some(1), seal).unwrap();
    let stored = audit.stored().unwrap();
    assert_eq!((audit.to_witness(LONG), stored.sequence), (Some(stored), 1));
    let (_, chain) = (audit.page(Some(2), seal).unwrap(), self::audit(3));
    assert_eq!(store(&chain).1.digest(1), Some(stored.digest));
}

#[test]
fn nobody_has_what_was_never_given() {
    let audit = audit(3);
    assert_eq!(audit.page(Some(0), seal), Err(NeverGiven(0)));
    audit.page(None, seal).unwrap();
    assert_eq!(audit.page(Some(3), seal), Err(NeverGiven(3)));
    assert!(audit.page(Some(2), seal).unwrap().records.is_empty());
    assert_eq!(audit.page(Some(u64::MAX), seal), Err(NeverGiven(u64::MAX)));
    assert_eq!(audit.page(Some(0), seal), Ok(Page::default()), "what is forgotten stays forgotten");
}

#[test]
fn checkpoints_are_few() {
    let audit = audit(3);
    let first = audit.page(None, seal).unwrap();
    audit.record(now(), &entry(9));
    // Not due yet: the page ends where the last checkpoint was made.
    let again = audit.page(None, |_| unreachable!()).unwrap();
    assert_eq!(again, first);
    assert_eq!(audit.page(Some(2), |_| unreachable!()), Ok(Page::default()));
    sleep(Duration::from_millis(1010));
    assert_eq!(audit.page(Some(2), seal).unwrap().records.len(), 1);
    for version in 0..PAGE as u64 {
        audit.record(now(), &entry(version));
    }
    assert_eq!(audit.page(Some(3), seal).unwrap().records.len(), PAGE, "a full page is due at once");
}

#[test]
fn pages_fit_an_object_of_the_store() {
    let audit = audit(1);
    let reason = "x".repeat(4000);
    for version in 0..400 {
        audit.record(now(), &Entry::PolicyRefused { version, digest: HexBytes([0; 32]), reason: &reason });
    }
    assert!(segment(&audit.page(None, seal).unwrap()).len() <= signer_rules::audit::MAX_SEGMENT);
    let (segments, chain) = store(&audit);
    assert_eq!((segments, chain.length()), (3, 401));
}

#[test]
fn without_a_checkpoint_nothing_is_handed_out() {
    let audit = audit(3);
    assert_eq!(audit.page(None, |_| None), Ok(Page::default()));
    assert_eq!(audit.page(Some(0), seal), Err(NeverGiven(0)));
}
