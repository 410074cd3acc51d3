use ed25519_dalek::{Signer, SigningKey};
use proptest::{prelude::*, sample::Index};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;
use crate::{authority::AuthorityId, timestamp::Timestamp};

const AUTHORITY: AuthorityId = HexBytes([1; 32]);
const BOOT: HexBytes<16> = HexBytes([2; 16]);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn identity() -> HexBytes<32> {
    HexBytes(key().verifying_key().to_bytes())
}

/// Writes a log as an enclave and a host would.
struct Writer {
    next: u64,
    head: [u8; 32],
}

impl Writer {
    fn record(&mut self, entry: &serde_json::Value) -> String {
        let (kind, content) = entry.as_object().unwrap().iter().next().unwrap();
        let line = format!(
            "{{\"sequence\":{},\"time\":\"2026-01-31T23:59:59Z\",\"previous\":\"{}\",\"{kind}\":{content}}}",
            self.next,
            hex::encode(self.head),
        );
        self.head = Sha256::digest(&line).into();
        self.next += 1;
        line
    }

    fn checkpoint(&self, key: &SigningKey) -> String {
        let checkpoint = Checkpoint {
            format: CHECKPOINT_FORMAT.into(),
            authority: AUTHORITY,
            boot_id: BOOT,
            sequence: self.next - 1,
            head: HexBytes(self.head),
            time: Timestamp::from_seconds(1),
        };
        checkpoint.to_line(|message| HexBytes(key.sign(message).to_bytes())).unwrap()
    }
}

fn boot_entry(identity_key: HexBytes<32>) -> serde_json::Value {
    json!({"boot": {
        "authority": AUTHORITY, "boot_id": BOOT, "identity_key": identity_key,
        "configuration_pcr": HexBytes([4; 48]), "policy_version": 1, "policy_digest": HexBytes([5; 32]),
    }})
}

/// Segments of as many records, each as lines.
fn log(lengths: &[usize]) -> Vec<Vec<String>> {
    let mut writer = Writer { next: 0, head: [0; 32] };
    let mut segments = Vec::new();
    for length in lengths {
        let mut lines = Vec::new();
        for _ in 0..*length {
            let entry = match writer.next {
                0 => boot_entry(identity()),
                n => json!({"policy": {"version": n, "digest": HexBytes([6; 32])}}),
            };
            lines.push(writer.record(&entry));
        }
        lines.push(writer.checkpoint(&key()));
        segments.push(lines);
    }
    segments
}

fn verify(segments: &[Vec<String>]) -> Result<Chain, AuditError> {
    let segments: Vec<String> = segments.iter().map(|lines| lines.join("\n") + "\n").collect();
    verify_boot(segments.iter().map(String::as_bytes), identity(), AUTHORITY, BOOT)
}

/// Whether the log is what the enclave wrote, to its last record.
fn holds(segments: &[Vec<String>], records: u64) -> bool {
    verify(segments).is_ok_and(|chain| chain.unsealed == 0 && chain.length() == records)
}

#[test]
fn a_log_as_it_was_written_holds() {
    let chain = verify(&log(&[1, 3, 2])).unwrap();
    assert_eq!((chain.length(), chain.unsealed), (6, 0));
    assert_eq!(chain.checkpoint.as_ref().unwrap().sequence, 5);
    assert_eq!(chain.boot.boot_id, BOOT);
    assert_eq!(Some(chain.checkpoint.as_ref().unwrap().head), chain.digest(5));
}

#[test]
fn what_is_wrong_is_named() {
    type Change = fn(&mut Vec<Vec<String>>);
    let cases: [(&str, Change); 13] = [
        ("no record", Vec::clear),
        ("records 4 to 5 are missing", |log| drop(log.remove(1))),
        ("records 2 to 2 are missing", |log| drop(log[0].remove(2))),
        ("record 4 stands where record 6 should be", |log| {
            let again = log[1].clone();
            log.insert(2, again);
        }),
        ("records 2 to 2 are missing", |log| log[0].swap(2, 3)),
        ("record 3 does not hold", |log| {
            log[0][2] = log[0][2].replace("\"version\":2", "\"version\":9");
        }),
        ("the record was changed", |log| {
            log[0][3] = log[0][3].replace("\"version\":3", "\"version\":9");
        }),
        ("not the beginning", |log| log[0][0] = log[0][0].replace("\"boot\"", "\"foot\"")),
        ("after record 3 is missing", |log| drop(log[0].pop())),
        ("the last line", |log| {
            let seal = log[0][4].clone();
            log[0].push(seal);
        }),
        ("not signed by the boot", |log| {
            log[0][4] = Writer { next: 4, head: [0; 32] }.checkpoint(&SigningKey::from_bytes(&[9; 32]));
        }),
        ("records were dropped", |log| {
            let all = log[1].pop().unwrap();
            *log[0].last_mut().unwrap() = all;
        }),
        ("no record before it", |log| {
            let seal = log[0][4].clone();
            log.insert(1, vec![seal]);
        }),
    ];
    for (expected, change) in cases {
        let mut log = log(&[4, 2, 1]);
        change(&mut log);
        let error = verify(&log).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_log_is_of_the_attested_boot() {
    let other = HexBytes(SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes());
    let log: Vec<String> = log(&[2]).iter().map(|lines| lines.join("\n") + "\n").collect();
    let verify = |key, authority, boot| verify_boot(log.iter().map(String::as_bytes), key, authority, boot);
    assert!(verify(identity(), AUTHORITY, BOOT).is_ok());
    for result in [
        verify(other, AUTHORITY, BOOT),
        verify(identity(), HexBytes([9; 32]), BOOT),
        verify(identity(), AUTHORITY, HexBytes([9; 16])),
    ] {
        assert!(matches!(result, Err(AuditError::Beginning(_))), "{result:?}");
    }
}

#[test]
fn records_without_a_checkpoint_are_unsealed() {
    let mut log = log(&[2, 3]);
    log[1].pop();
    let chain = verify(&log).unwrap();
    assert_eq!((chain.unsealed, chain.checkpoint.unwrap().sequence), (3, 1));
}

#[test]
fn lines_are_read_strictly() {
    let good = &log(&[1])[0][0];
    assert!(record::Record::parse(good).is_ok());
    for (from, to) in [
        ("\"sequence\":0,", ""),
        ("\"sequence\":0,", "\"sequence\":0,\"sequence\":0,"),
        ("\"sequence\":0,", "\"sequence\":-1,"),
        ("\"sequence\":0,", "\"other\":{},\"sequence\":0,"),
        ("{\"sequence\"", "[{\"sequence\""),
        ("23:59:59Z", "23:59:60Z"),
    ] {
        assert!(record::Record::parse(&good.replacen(from, to, 1)).is_err(), "{to}");
    }
    let long = good.replace("\"boot\":", &format!("\"{}\":", "a".repeat(70_000)));
    assert!(record::Record::parse(&long).is_err());
    let mut spaced = log(&[1]);
    spaced[0][1] = spaced[0][1].replace(",\"signature\"", ", \"signature\"");
    assert!(verify(&spaced).unwrap_err().to_string().contains("spelt"));
    for segment in [&b""[..], b"\n", b"\xff\n", b"{}"] {
        assert!(verify_boot([segment], identity(), AUTHORITY, BOOT).is_err());
    }
    let large = vec![b'a'; MAX_SEGMENT + 1];
    let large = verify_boot([large.as_slice()], identity(), AUTHORITY, BOOT);
    assert_eq!(large, Err(AuditError::TooLarge { sequence: 0 }));
}

#[test]
fn receipts_and_witnesses_are_held_against_the_log() {
    let chain = verify(&log(&[2, 3])).unwrap();
    let receipt = Receipt { boot_id: BOOT, sequence: 3, digest: chain.digest(3).unwrap() };
    assert_eq!(receipt.to_string().parse(), Ok(receipt));
    assert_eq!(chain.check_receipt(&receipt), Ok(()));
    let beyond = chain.check_receipt(&Receipt { sequence: 5, ..receipt });
    assert_eq!(beyond, Err(AuditError::Truncated { sequence: 5 }));
    let other = chain.check_receipt(&Receipt { sequence: 2, ..receipt });
    assert_eq!(other, Err(AuditError::OtherRecord { sequence: 2 }));
    let boot = chain.check_receipt(&Receipt { boot_id: HexBytes([9; 16]), ..receipt });
    assert!(matches!(boot, Err(AuditError::OtherBoot { .. })));
    for text in ["", "a:b:c", "00:1:00", &receipt.to_string().replace(":3:", ":03:"), &format!("{receipt}:")]
    {
        assert_eq!(text.parse::<Receipt>(), Err(ReceiptError), "{text}");
    }

    let witness =
        Witness { authority: AUTHORITY, boot_id: BOOT, sequence: 4, head: chain.digest(4).unwrap() };
    let context = witness.encryption_context();
    assert_eq!(Witness::from_context(&context), Ok(Some(witness)));
    assert_eq!(chain.check_witness(&witness), Ok(()));
    let mut share = context.clone();
    share.insert("nitro-signer:purpose".into(), "keyring-share".into());
    assert_eq!(Witness::from_context(&share), Ok(None));
    for change in ["nitro-signer:head", "nitro-signer:v", "nitro-signer:sequence", "more"] {
        let mut changed = context.clone();
        changed.insert(change.into(), "01".into());
        assert!(Witness::from_context(&changed).is_err(), "{change}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_change_of_a_line_is_found(
        lengths in prop::collection::vec(1usize..5, 1..4),
        place in any::<Index>(),
        other in any::<Index>(),
        change in 0u8..4,
        byte in any::<Index>(),
        bit in 0u8..7,
    ) {
        let written = log(&lengths);
        let records = lengths.iter().sum::<usize>() as u64;
        prop_assert!(holds(&written, records));
        let places: Vec<(usize, usize)> = written
            .iter()
            .enumerate()
            .flat_map(|(segment, lines)| (0..lines.len()).map(move |line| (segment, line)))
            .collect();
        let (segment, line) = places[place.index(places.len())];
        let (to_segment, to_line) = places[other.index(places.len())];
        let mut changed = written.clone();
        match change {
            0 => {
                let mut bytes = changed[segment][line].clone().into_bytes();
                let at = byte.index(bytes.len());
                bytes[at] ^= 1 << bit;
                changed[segment][line] = String::from_utf8(bytes).unwrap();
            }
            1 => drop(changed[segment].remove(line)),
            2 => {
                let copy = changed[segment][line].clone();
                changed[to_segment].insert(to_line, copy);
            }
            _ => {
                let (one, two) = (changed[segment][line].clone(), changed[to_segment][to_line].clone());
                changed[segment][line] = two;
                changed[to_segment][to_line] = one;
            }
        }
        prop_assume!(changed != written);
        prop_assert!(!holds(&changed, records), "{changed:#?}");
        // Found by what the log itself says, too.
        prop_assert!(verify(&changed).map_or(true, |chain| chain.unsealed > 0));
    }

    #[test]
    fn a_log_without_its_last_segments_is_a_shorter_log(lengths in prop::collection::vec(1usize..4, 2..5)) {
        let written = log(&lengths);
        let chain = verify(&written).unwrap();
        let newest = chain.length() - 1;
        let witness = Witness {
            authority: AUTHORITY, boot_id: BOOT, sequence: newest, head: chain.digest(newest).unwrap(),
        };
        let cut = verify(&written[..written.len() - 1]).unwrap();
        prop_assert_eq!(cut.unsealed, 0);
        prop_assert_eq!(cut.check_witness(&witness), Err(AuditError::Truncated { sequence: newest }));
    }

    #[test]
    fn no_bytes_make_it_panic(segment in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = verify_boot([segment.as_slice()], identity(), AUTHORITY, BOOT);
    }
}
