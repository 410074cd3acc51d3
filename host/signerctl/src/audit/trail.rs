//! CloudTrail: the log that the host does not own, and the witnesses in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::Deserialize;
use serde_json::Value;
use signer_rules::{audit::Witness, authority::AuthorityId};
use signer_terminal::{Failure, clean, files};

use super::BootId;
use crate::measurements::Pcr;

/// The largest file of events.
const MAX_TRAIL: usize = 512 * 1024 * 1024;

/// What an authority's enclaves asked of KMS.
pub(super) struct Trail {
    witnesses: BTreeMap<BootId, Vec<Witness>>,
    /// Data keys of keyrings that KMS gave, by the id of the request.
    openings: BTreeMap<String, Opening>,
    /// What should not be in it, in words.
    pub(super) strange: Vec<String>,
}

/// A data key of a keyring that KMS gave to an enclave.
struct Opening {
    at: String,
    keyring: String,
}

/// An event of KMS's, as far as it matters. CloudTrail's events have many more members.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "eventName")]
    name: String,
    #[serde(rename = "eventTime")]
    time: Option<String>,
    #[serde(rename = "errorCode")]
    error: Option<String>,
    #[serde(rename = "requestID")]
    request_id: Option<String>,
    #[serde(rename = "requestParameters")]
    parameters: Option<Parameters>,
    #[serde(rename = "additionalEventData")]
    additional: Option<Additional>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    encryption_context: Option<Context>,
}

type Context = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Additional {
    recipient: Option<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    attestation_document_enclave_image_digest: Option<String>,
}

impl Trail {
    /// Reads files of events. Witnesses and openings are an enclave's if one of `images` asked for them.
    pub(super) fn read(paths: &[PathBuf], authority: AuthorityId, images: &[Pcr]) -> Result<Self, Failure> {
        let mut trail = Self { witnesses: BTreeMap::new(), openings: BTreeMap::new(), strange: Vec::new() };
        for path in paths {
            let mut content = Vec::new();
            files::read_into(path, MAX_TRAIL, &mut content)?;
            let read = trail.read_events(&content, authority, images);
            read.map_err(|error| {
                Failure::new(format!("{}: not events of CloudTrail: {error}", path.display()))
                    .hint("give files as CloudTrail delivers them, decompressed, or one event a line")
            })?;
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

    /// Whether it has this opening.
    pub(super) fn has_opening(&self, request_id: &str) -> bool {
        self.openings.contains_key(request_id)
    }

    /// Openings that no record claims, in words: of an enclave that died before its record was stored, or of one whose
    /// log is kept back.
    pub(super) fn unclaimed(&self, claimed: &BTreeSet<String>) -> Vec<String> {
        let unclaimed = self.openings.iter().filter(|(id, _)| !claimed.contains(*id));
        unclaimed
            .map(|(id, opening)| {
                format!(
                    "KMS gave a data key of keyring {} at {} (request {}), and no attested log has it: the log of the \
                     enclave that got it was hidden, or it died or failed before it was ready",
                    opening.keyring,
                    opening.at,
                    clean(id)
                )
            })
            .collect()
    }

    /// Files as `CloudTrail` delivers them, one or several after another, or events without anything around them.
    fn read_events(&mut self, content: &[u8], authority: AuthorityId, images: &[Pcr]) -> Result<(), String> {
        for value in serde_json::Deserializer::from_slice(content).into_iter::<Value>() {
            let mut value = value.map_err(|error| error.to_string())?;
            let events = match value.get_mut("Records").map(Value::take) {
                Some(Value::Array(records)) => records,
                Some(_) => return Err("Records is no list".to_owned()),
                None => vec![value],
            };
            for event in events {
                self.read_event(event, authority, images)?;
            }
        }
        Ok(())
    }

    /// An event of KMS's that cannot be read is strange: what it says would be missing.
    fn read_event(&mut self, event: Value, authority: AuthorityId, images: &[Pcr]) -> Result<(), String> {
        let (source, name) = (event["eventSource"].as_str(), event["eventName"].as_str());
        let (Some(source), Some(name)) = (source, name) else {
            return Err("an event has no eventSource or eventName".to_owned());
        };
        if source != "kms.amazonaws.com" || !["GenerateDataKey", "Decrypt"].contains(&name) {
            return Ok(());
        }
        match Event::deserialize(event) {
            Ok(event) => self.note(&event, authority, images),
            Err(error) => {
                self.strange.push(format!("an event of KMS cannot be read: {}", clean(&error.to_string())));
            }
        }
        Ok(())
    }

    fn note(&mut self, event: &Event, authority: AuthorityId, images: &[Pcr]) {
        let context = event.parameters.as_ref().and_then(|it| it.encryption_context.as_ref());
        let Some(context) = context.filter(|_| event.error.is_none()) else { return };
        if event.name == "Decrypt" {
            self.note_opening(event, context, authority, images);
        } else {
            self.note_witness(event, context, authority, images);
        }
    }

    fn note_opening(&mut self, event: &Event, context: &Context, authority: AuthorityId, images: &[Pcr]) {
        if context.get("nitro-signer:authority") != Some(&authority.to_string()) {
            return;
        }
        let (at, keyring) =
            (event.at(), clean(context.get("nitro-signer:keyring").map_or("?", String::as_str)));
        if let Err(image) = event.known_image(images) {
            self.strange.push(format!(
                "a data key of keyring {keyring} was given at {at} {image}: check the key policy, or add its \
                 --measurements"
            ));
            return;
        }
        let id = event.request_id.clone().unwrap_or_default();
        self.openings.insert(id, Opening { at, keyring });
    }

    fn note_witness(&mut self, event: &Event, context: &Context, authority: AuthorityId, images: &[Pcr]) {
        let at = event.at();
        let witness = match Witness::from_context(context) {
            Ok(Some(witness)) if witness.authority == authority => witness,
            Ok(_) => return,
            Err(error) => {
                self.strange.push(format!("the event of {at} claims to be a witness: {error}"));
                return;
            }
        };
        match event.known_image(images) {
            Ok(()) => self.witnesses.entry(witness.boot_id).or_default().push(witness),
            Err(image) => self.strange.push(format!(
                "the witness of {at} for boot {} was left {image}: check the key policy, or add its --measurements",
                witness.boot_id
            )),
        }
    }
}

impl Event {
    fn at(&self) -> String {
        clean(self.time.as_deref().unwrap_or("an unknown time"))
    }

    /// Whether one of these images asked. Otherwise who did, in words.
    fn known_image(&self, images: &[Pcr]) -> Result<(), String> {
        let recipient = self.additional.as_ref().and_then(|data| data.recipient.as_ref());
        let image = recipient.and_then(|it| it.attestation_document_enclave_image_digest.as_deref());
        match image {
            None => Err("without an attestation".to_owned()),
            Some(image) if images.iter().any(|known| known.to_string() == image.to_ascii_lowercase()) => {
                Ok(())
            }
            Some(image) => Err(format!("by image {}", clean(image))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
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
        try_read(content).unwrap()
    }

    fn try_read(content: &str) -> Result<Trail, Failure> {
        let path = crate::config::tests::test_directory().join("trail.json");
        std::fs::write(&path, content).unwrap();
        Trail::read(&[path], AUTHORITY, &[IMAGE])
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
        let delivered = json!({"Records": [one]}).to_string();
        let several = read(&format!("{delivered}{delivered}\n{delivered}"));
        assert_eq!(several.of(HexBytes([3; 16])).len(), 3, "as zcat makes of several files");
    }

    #[test]
    fn what_is_no_trail_is_an_error() {
        for content in
            ["not json", "{}", "[]", r#"{"Events": []}"#, r#"{"Records": {}}"#, r#"{"Records": [1]}"#]
        {
            assert!(try_read(content).is_err(), "{content}");
        }
    }

    #[test]
    fn one_odd_event_hides_no_other() {
        let other =
            json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "requestParameters": "x"});
        let odd = event(|event| event["requestParameters"]["encryptionContext"] = json!({"a": 1}));
        let trail = read(&json!({"Records": [other, event(|_| ())]}).to_string());
        assert_eq!((trail.boots().len(), trail.strange.len()), (1, 0));
        let trail = read(&json!({"Records": [odd, event(|_| ())]}).to_string());
        assert_eq!((trail.boots().len(), trail.strange.len()), (1, 1));
    }

    /// KMS gave a data key.
    fn opening(change: impl Fn(&mut Value)) -> Value {
        event(|event| {
            event["eventName"] = json!("Decrypt");
            event["requestID"] = json!("r-1");
            event["requestParameters"]["encryptionContext"] = json!({
                "nitro-signer:authority": AUTHORITY, "nitro-signer:keyring": "default",
                "nitro-signer:purpose": "keyring-share", "nitro-signer:v": "1",
            });
            change(event);
        })
    }

    #[test]
    fn openings_that_no_record_claims_are_named() {
        type Change = fn(&mut Value);
        let unclaimed = |trail: &Trail, claimed: &[&str]| {
            trail.unclaimed(&claimed.iter().map(ToString::to_string).collect()).len()
        };
        let trail = read(&opening(|_| ()).to_string());
        assert_eq!((unclaimed(&trail, &["r-1", "r-2"]), unclaimed(&trail, &["r-2"])), (0, 1));
        assert!(trail.strange.is_empty() && trail.boots().is_empty());
        // An empty id is nobody's.
        let nameless = read(&opening(|event| event["requestID"] = Value::Null).to_string());
        assert_eq!(unclaimed(&nameless, &["r-1"]), 1);
        let cases: [(usize, Change); 4] = [
            (0, |event| event["errorCode"] = json!("AccessDenied")),
            (0, |event| {
                event["requestParameters"]["encryptionContext"]["nitro-signer:authority"] = json!("00");
            }),
            (1, |event| event["additionalEventData"] = Value::Null),
            (1, |event| {
                event["additionalEventData"]["recipient"]["attestationDocumentEnclaveImageDigest"] =
                    json!("ab");
            }),
        ];
        for (strange, change) in cases {
            let trail = read(&opening(change).to_string());
            assert_eq!((unclaimed(&trail, &[]), trail.strange.len()), (0, strange), "{}", opening(change));
        }
    }

    #[test]
    fn only_witnesses_of_our_images_count() {
        type Change = fn(&mut Value);
        let cases: [(usize, Change); 7] = [
            (0, |event| event["eventName"] = json!("Encrypt")),
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
