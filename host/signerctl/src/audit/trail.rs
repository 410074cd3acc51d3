//! CloudTrail: the log that the host does not own, and the witnesses in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::Deserialize;
use signer_rules::{audit::Witness, authority::AuthorityId};
use signer_terminal::{Failure, clean, files};

use super::BootId;
use crate::measurements::Pcr;

/// The largest file of events.
const MAX_TRAIL: usize = 512 * 1024 * 1024;

/// The witnesses of one authority.
pub(super) struct Trail {
    witnesses: BTreeMap<BootId, Vec<Witness>>,
    /// What should not be in it, in words.
    pub(super) strange: Vec<String>,
}

/// An event, as far as it matters. CloudTrail's events have many more members.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "eventSource")]
    source: Option<String>,
    #[serde(rename = "eventName")]
    name: Option<String>,
    #[serde(rename = "eventTime")]
    time: Option<String>,
    #[serde(rename = "errorCode")]
    error: Option<String>,
    #[serde(rename = "requestParameters")]
    parameters: Option<Parameters>,
    #[serde(rename = "additionalEventData")]
    additional: Option<Additional>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    encryption_context: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Additional {
    recipient: Option<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    attestation_document_enclave_image_digest: Option<String>,
}

/// How `CloudTrail` delivers events to a bucket.
#[derive(Deserialize)]
struct Delivered {
    #[serde(rename = "Records")]
    records: Vec<Event>,
}

impl Trail {
    /// Reads files of events. Witnesses count if one of `images` left them.
    pub(super) fn read(paths: &[PathBuf], authority: AuthorityId, images: &[Pcr]) -> Result<Self, Failure> {
        let mut trail = Self { witnesses: BTreeMap::new(), strange: Vec::new() };
        for path in paths {
            let mut content = Vec::new();
            files::read_into(path, MAX_TRAIL, &mut content)?;
            let events = events(&content).map_err(|error| {
                Failure::new(format!("{}: not events of CloudTrail: {error}", path.display()))
            })?;
            for event in &events {
                trail.note(event, authority, images);
            }
        }
        Ok(trail)
    }

    /// What it has of a boot.
    pub(super) fn of(&self, boot: BootId) -> &[Witness] {
        self.witnesses.get(&boot).map_or(&[], Vec::as_slice)
    }

    /// The boots that it has witnesses of.
    pub(super) fn boots(&self) -> BTreeSet<BootId> {
        self.witnesses.keys().copied().collect()
    }

    fn note(&mut self, event: &Event, authority: AuthorityId, images: &[Pcr]) {
        let is_call = event.source.as_deref() == Some("kms.amazonaws.com")
            && event.name.as_deref() == Some("GenerateDataKey")
            && event.error.is_none();
        let context = event.parameters.as_ref().and_then(|it| it.encryption_context.as_ref());
        let Some(context) = context.filter(|_| is_call) else { return };
        let at = clean(event.time.as_deref().unwrap_or("an unknown time"));
        let witness = match Witness::from_context(context) {
            Ok(Some(witness)) if witness.authority == authority => witness,
            Ok(_) => return,
            Err(error) => {
                self.strange.push(format!("the event of {at} claims to be a witness: {error}"));
                return;
            }
        };
        let image = event
            .additional
            .as_ref()
            .and_then(|data| data.recipient.as_ref())
            .and_then(|recipient| recipient.attestation_document_enclave_image_digest.as_deref());
        if image
            .is_some_and(|image| images.iter().any(|known| known.to_string() == image.to_ascii_lowercase()))
        {
            self.witnesses.entry(witness.boot_id).or_default().push(witness);
        } else {
            let image = image
                .map_or_else(|| "without an attestation".to_owned(), |it| format!("by image {}", clean(it)));
            self.strange.push(format!(
                "the witness of {at} for boot {} was left {image}: check the key policy, or add its --measurements",
                witness.boot_id
            ));
        }
    }
}

fn events(content: &[u8]) -> serde_json::Result<Vec<Event>> {
    let mut events = Vec::new();
    match serde_json::from_slice::<Delivered>(content) {
        Ok(delivered) => return Ok(delivered.records),
        // One object for each event. That is checked below, with an error of its own.
        Err(_) => {
            for event in serde_json::Deserializer::from_slice(content).into_iter() {
                events.push(event?);
            }
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use signer_rules::hex_bytes::HexBytes;

    use super::*;

    const AUTHORITY: AuthorityId = HexBytes([1; 32]);
    const IMAGE: Pcr = HexBytes([2; 48]);

    fn event(change: impl Fn(&mut Value)) -> Value {
        let witness = Witness {
            authority: AUTHORITY,
            boot_id: HexBytes([3; 16]),
            sequence: 7,
            head: HexBytes([4; 32]),
        };
        let mut event = json!({
            "eventSource": "kms.amazonaws.com",
            "eventName": "GenerateDataKey",
            "eventTime": "2026-01-31T12:00:00Z",
            "requestParameters": {"encryptionContext": witness.encryption_context(), "keyId": "x"},
            "additionalEventData": {"recipient": {"attestationDocumentEnclaveImageDigest": IMAGE}},
        });
        change(&mut event);
        event
    }

    fn read(content: &str) -> Trail {
        let path = crate::config::tests::test_directory().join("trail.json");
        std::fs::write(&path, content).unwrap();
        Trail::read(&[path], AUTHORITY, &[IMAGE]).unwrap()
    }

    #[test]
    fn both_forms_are_read() {
        let one = event(|_| ());
        for content in [format!("{one}\n{one}\n"), json!({"Records": [one, one]}).to_string()] {
            let trail = read(&content);
            assert_eq!((trail.of(HexBytes([3; 16])).len(), trail.strange.len()), (2, 0), "{content}");
            assert_eq!(trail.of(HexBytes([3; 16]))[0].sequence, 7);
        }
        assert!(read("").boots().is_empty());
        assert!(events(b"not json").is_err());
    }

    #[test]
    fn only_witnesses_of_our_images_count() {
        type Change = fn(&mut Value);
        let cases: [(usize, Change); 7] = [
            (0, |event| event["eventName"] = json!("Decrypt")),
            (0, |event| event["errorCode"] = json!("AccessDenied")),
            (0, |event| event["requestParameters"] = Value::Null),
            (0, |event| {
                event["requestParameters"]["encryptionContext"]["nitro-signer:purpose"] =
                    json!("keyring-share");
            }),
            (1, |event| {
                event["requestParameters"]["encryptionContext"]["nitro-signer:sequence"] = json!("x");
            }),
            (1, |event| event["additionalEventData"] = Value::Null),
            (1, |event| {
                event["additionalEventData"]["recipient"]["attestationDocumentEnclaveImageDigest"] =
                    json!("ab");
            }),
        ];
        for (strange, change) in cases {
            let trail = read(&event(change).to_string());
            assert_eq!((trail.boots().len(), trail.strange.len()), (0, strange), "{}", event(change));
        }
    }
}
