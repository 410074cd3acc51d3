//! Misbehaviour on demand, for the tests in which KMS's answers are not KMS's.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// One way to answer wrongly. Several may be set for an operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Send `Plaintext` besides `CiphertextForRecipient`.
    PlaintextBesideEnvelope,
    /// Send `Plaintext` and no `CiphertextForRecipient`: a KMS that ignores `Recipient`.
    PlaintextInsteadOfEnvelope,
    /// Send neither `Plaintext` nor `CiphertextForRecipient`.
    OmitEnvelope,
    /// Send another `KeyId`.
    WrongKeyId(String),
    /// Say something else of a member of `KeyMetadata`.
    Metadata(&'static str, &'static str),
    /// Encrypt to an RSA key that is not the recipient's, and say so in the envelope.
    EnvelopeForAnotherKey,
    /// Encrypt to the recipient's RSA key, and name another in the envelope.
    ForeignKeyIdentifier,
    /// An envelope for the recipient, whose content was not made with its content key.
    GarbageContent,
    /// Random bytes in place of the envelope.
    GarbageEnvelope,
    /// Encrypt other bytes than the data key to the recipient: what an attacker in KMS's place can do.
    WrongDataKey,
    /// Answer `KMSInternalException`, HTTP 500.
    InternalFailure,
    /// Answer `ThrottlingException`.
    Throttle,
    /// Answer as ever, but late.
    Delay(Duration),
}

/// The faults set, by operation.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<BTreeMap<String, Vec<Injected>>>);

#[derive(Debug)]
struct Injected {
    fault: Fault,
    /// Answers still to spoil; `None` is all of them.
    left: Option<usize>,
}

impl Faults {
    pub(super) fn inject(&self, operation: &str, fault: Fault, times: Option<usize>) {
        let mut faults = self.0.lock().expect("no holder panics");
        faults.entry(operation.to_owned()).or_default().push(Injected { fault, left: times });
    }

    pub(super) fn clear(&self) {
        self.0.lock().expect("no holder panics").clear();
    }

    /// The faults for one call of `operation`, counted as used.
    pub(super) fn take(&self, operation: &str) -> Vec<Fault> {
        let mut faults = self.0.lock().expect("no holder panics");
        let Some(injected) = faults.get_mut(operation) else { return Vec::new() };
        injected.retain(|injected| injected.left != Some(0));
        for injected in injected.iter_mut() {
            injected.left = injected.left.map(|left| left - 1);
        }
        injected.iter().map(|injected| injected.fault.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_for_each_operation() {
        let faults = Faults::default();
        faults.inject("Decrypt", Fault::Throttle, Some(2));
        faults.inject("Decrypt", Fault::OmitEnvelope, None);
        assert_eq!(faults.take("Encrypt"), []);
        assert_eq!(faults.take("Decrypt"), [Fault::Throttle, Fault::OmitEnvelope]);
        assert_eq!(faults.take("Decrypt"), [Fault::Throttle, Fault::OmitEnvelope]);
        assert_eq!(faults.take("Decrypt"), [Fault::OmitEnvelope]);
        faults.clear();
        assert_eq!(faults.take("Decrypt"), []);
    }
}
