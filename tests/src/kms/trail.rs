//! The log of all calls, in `CloudTrail`'s form: what an auditor reads who trusts AWS and not the host.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/ct-nitro-enclave.html>

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Map, Value, json};

use super::error::KmsError;
use super::principal::Caller;
use super::recipient::Attested;
use super::time::rfc3339;

/// The registers that `CloudTrail` shows beside the image's digest.
const SHOWN_PCRS: [u8; 5] = [1, 2, 3, 4, 8];

/// What an operation lets the log say about it.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) request_parameters: Map<String, Value>,
    /// The ARN of the key that was used.
    pub(super) key_arn: Option<String>,
    /// `additionalEventData.recipient`, if an attestation document was accepted.
    pub(super) recipient: Option<Value>,
}

impl Entry {
    pub(super) fn parameter(&mut self, name: &str, value: impl Into<Value>) {
        self.request_parameters.insert(name.to_owned(), value.into());
    }

    pub(super) fn attested_by(&mut self, document: &Attested) {
        let mut recipient = Map::new();
        recipient.insert("attestationDocumentModuleId".to_owned(), document.module_id.clone().into());
        let mut show = |name: String, index: u8| {
            if let Some(value) = document.pcrs.get(&index) {
                recipient.insert(name, hex::encode(value).into());
            }
        };
        show("attestationDocumentEnclaveImageDigest".to_owned(), 0);
        for index in SHOWN_PCRS {
            show(format!("attestationDocumentEnclavePCR{index}"), index);
        }
        self.recipient = Some(recipient.into());
    }
}

/// All calls since the emulator's start.
#[derive(Debug)]
pub(super) struct Trail {
    region: String,
    events: Mutex<Vec<Value>>,
    file: Option<Mutex<File>>,
}

impl Trail {
    /// A log in memory, and in `file` too: one JSON object a line, appended.
    pub(super) fn open(region: &str, file: Option<&Path>) -> io::Result<Self> {
        let file = file.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { region: region.to_owned(), events: Mutex::default(), file: file.map(Mutex::new) })
    }

    pub(super) fn record(
        &self,
        (request_id, now): (&str, u64),
        operation: &str,
        caller: &Caller,
        entry: Entry,
        error: Option<&KmsError>,
    ) {
        let mut event = json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": caller.kind(),
                "arn": caller.arn,
                "accountId": caller.account,
                "accessKeyId": caller.access_key_id,
            },
            "eventTime": rfc3339(now),
            "eventSource": "kms.amazonaws.com",
            "eventName": operation,
            "awsRegion": self.region,
            "requestParameters": entry.request_parameters,
            "responseElements": null,
            "requestID": request_id,
            "eventType": "AwsApiCall",
        });
        if let Some(recipient) = entry.recipient.filter(|_| error.is_none()) {
            event["additionalEventData"] = json!({"recipient": recipient});
        }
        if let Some(arn) = entry.key_arn {
            event["resources"] = json!([{"type": "AWS::KMS::Key", "ARN": arn}]);
        }
        if let Some(error) = error {
            // CloudTrail shortens this one name and no other.
            let code = if error.code == "AccessDeniedException" { "AccessDenied" } else { error.code };
            event["errorCode"] = code.into();
            event["errorMessage"] = error.message.clone().into();
        }
        if let Some(file) = &self.file {
            let mut file = file.lock().expect("no writer panics");
            writeln!(file, "{event}").expect("the log of the emulator can be written");
        }
        self.events.lock().expect("no writer panics").push(event);
    }

    pub(super) fn events(&self) -> Vec<Value> {
        self.events.lock().expect("no writer panics").clone()
    }
}
