//! Signing DSSE envelopes in place, and counting who signed.

use std::{
    path::{Path, PathBuf},
    slice,
};

use crate::{
    Failure, Style,
    files::{self, Access},
    keys::{self, AdminSecret},
};
use clap::Args;
use serde_json::{Value, json};
use signer_rules::{
    authority::AdminKey,
    dsse::{DsseError, Envelope},
};

/// Which file to sign, and with which key.
#[derive(Args)]
pub struct SignArgs {
    /// The file to sign; the signature is added to it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The admin's private key.
    #[arg(long, value_name = "FILE.pem")]
    pub key: PathBuf,
}

/// An envelope in a file.
pub struct EnvelopeFile {
    path: PathBuf,
    envelope: Envelope,
    payload: Vec<u8>,
}

/// Who of the admins signed an envelope.
pub struct Signatures {
    threshold: usize,
    admins: Vec<(AdminKey, SignatureState)>,
}

/// What an envelope holds of one admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// A signature that verifies.
    Valid,
    /// No signature.
    Missing,
    /// A signature that does not verify.
    Invalid,
}

impl EnvelopeFile {
    /// Reads an envelope of this type.
    pub fn read(path: &Path, payload_type: &str) -> Result<Self, Failure> {
        let in_file = |error: DsseError| Failure::new(format!("{}: {error}", path.display()));
        let envelope = Envelope::from_json(&files::read(path)?).map_err(in_file)?;
        if envelope.payload_type() != payload_type {
            let found = crate::clean(envelope.payload_type());
            return Err(Failure::new(format!("{} holds {found}", path.display()))
                .hint(format!("name a file that holds {payload_type}")));
        }
        let payload = envelope.unverified_payload().map_err(in_file)?;
        Ok(Self { path: path.to_owned(), envelope, payload })
    }

    /// What is or will be signed; whether anyone signed it is another question.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The envelope as JSON.
    pub fn to_json(&self) -> Result<String, Failure> {
        json(&self.envelope)
    }

    /// Adds a signature and rewrites the file in one step.
    pub fn sign(&mut self, key: &AdminSecret) -> Result<(), Failure> {
        key.sign(&mut self.envelope).map_err(Failure::new)?;
        files::replace(&self.path, self.to_json()?.as_bytes(), Access::Public)
    }
}

/// An envelope as it is written to files.
pub fn json(envelope: &Envelope) -> Result<String, Failure> {
    envelope.to_json().map_err(Failure::new)
}

impl Signatures {
    /// Checks the signatures of each admin, of whom so many as `threshold` are needed.
    pub fn of(
        envelope: &Envelope,
        payload_type: &'static str,
        admins: &[AdminKey],
        threshold: usize,
    ) -> Self {
        let state = |admin: &AdminKey| match envelope.verify(payload_type, slice::from_ref(admin), 1) {
            Ok(_) => SignatureState::Valid,
            Err(DsseError::Quorum { .. }) => SignatureState::Missing,
            Err(_) => SignatureState::Invalid,
        };
        let admins = admins.iter().map(|admin| (admin.clone(), state(admin))).collect();
        Self { threshold, admins }
    }

    /// How many admins' signatures are there and valid.
    pub fn valid(&self) -> usize {
        self.count(SignatureState::Valid)
    }

    /// Whether an enclave would accept them: enough are valid, and none is invalid.
    pub fn complete(&self) -> bool {
        self.valid() >= self.threshold && self.count(SignatureState::Invalid) == 0
    }

    /// For example `1 of 2 needed (3 admins)`.
    pub fn summary(&self, style: Style) -> String {
        let text =
            format!("{} valid, {} needed, of {} admins", self.valid(), self.threshold, self.admins.len());
        if self.complete() { style.good(&text) } else { style.caution(&text) }
    }

    /// One line for each admin.
    pub fn lines(&self, style: Style) -> String {
        let line = |(admin, state): &(AdminKey, SignatureState)| {
            let state = match state {
                SignatureState::Valid => style.good("signed "),
                SignatureState::Missing => "-      ".to_owned(),
                SignatureState::Invalid => style.bad("INVALID"),
            };
            format!("  {state}  {}", keys::public_hex(admin))
        };
        self.admins.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let admins: Vec<Value> = self
            .admins
            .iter()
            .map(|(admin, state)| {
                json!({ "public_key": keys::public_hex(admin), "key_id": admin.id(), "state": state.as_str() })
            })
            .collect();
        json!({
            "required": self.threshold, "valid": self.valid(), "complete": self.complete(), "admins": admins,
        })
    }

    fn count(&self, wanted: SignatureState) -> usize {
        self.admins.iter().filter(|(_, state)| *state == wanted).count()
    }
}

impl SignatureState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/vnd.test+json";

    #[test]
    fn each_admins_signature_is_told_apart() {
        let keys: Vec<AdminSecret> = (0..3).map(|_| AdminSecret::generate().unwrap()).collect();
        let admins: Vec<AdminKey> = keys.iter().map(AdminSecret::public).collect();
        let mut envelope = Envelope::unsigned(TYPE, b"{}");
        keys[0].sign(&mut envelope).unwrap();
        let signatures = Signatures::of(&envelope, TYPE, &admins, 2);
        assert_eq!((signatures.valid(), signatures.complete()), (1, false));
        keys[1].sign(&mut envelope).unwrap();
        assert!(Signatures::of(&envelope, TYPE, &admins, 2).complete());
        // Over another payload, all that was signed is invalid.
        let forged = envelope.to_json().unwrap().replace("e30=", "eyB9");
        let forged = Signatures::of(&Envelope::from_json(forged.as_bytes()).unwrap(), TYPE, &admins, 2);
        assert_eq!((forged.valid(), forged.complete()), (0, false));
        assert_eq!(forged.admins[1].1, SignatureState::Invalid);
        assert_eq!(forged.admins[2].1, SignatureState::Missing);
    }
}
