//! Which policy bundle may follow which. Signatures and form are `signer-rules`' business; this is
//! about order: versions only rise while an enclave runs.

use signer_rules::{bundle::SignedBundle, hex_bytes::HexBytes, name::Name, timestamp::Timestamp};

/// What a candidate is to the bundle in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// The very same bundle.
    Same,
    /// A later one.
    Successor,
}

/// Why a bundle may not follow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// An older bundle.
    #[error("the bundle has version {candidate}, and version {current} is in force")]
    Rollback {
        /// In force.
        current: u64,
        /// Offered.
        candidate: u64,
    },
    /// Another bundle of the same version: the quorum signed two, or somebody tries something.
    #[error("another bundle of version {version} is in force, with digest {current}")]
    Rival {
        /// Of both.
        version: u64,
        /// Digest of the one in force.
        current: HexBytes<32>,
    },
    /// The next version, but not made from the one in force.
    #[error("the bundle does not name {current}, the digest of the bundle in force, as its previous")]
    NotAfter {
        /// Digest of the one in force.
        current: HexBytes<32>,
    },
    /// A keyring's name with another fingerprint: its wallets would become others.
    #[error("the bundle gives keyring {0} another fingerprint; a new keyring needs a new name")]
    KeyringChanged(Name),
    /// Too late.
    #[error("the bundle expired at {0}")]
    Expired(Timestamp),
    /// Too early.
    #[error("the bundle is in force from {0} on")]
    NotYetInForce(Timestamp),
}

/// Judges a candidate whose signatures and form are good.
pub fn succession(
    current: Option<&SignedBundle>,
    candidate: &SignedBundle,
    now: Timestamp,
) -> Result<Succession, SuccessionError> {
    if let Some(current) = current {
        let (old, new) = (current.bundle.version, candidate.bundle.version);
        if current.digest == candidate.digest {
            return Ok(Succession::Same);
        }
        if new < old {
            return Err(SuccessionError::Rollback { current: old, candidate: new });
        }
        if new == old {
            return Err(SuccessionError::Rival { version: old, current: current.digest });
        }
        let next = old.checked_add(1) == Some(new);
        if next && candidate.bundle.previous != Some(current.digest) {
            return Err(SuccessionError::NotAfter { current: current.digest });
        }
        let keyrings = &current.bundle.keyrings;
        let changed = candidate.bundle.keyrings.iter().find(|keyring| {
            keyrings.iter().any(|old| old.id == keyring.id && old.fingerprint != keyring.fingerprint)
        });
        if let Some(changed) = changed {
            return Err(SuccessionError::KeyringChanged(changed.id.clone()));
        }
    }
    if now >= candidate.bundle.expires {
        return Err(SuccessionError::Expired(candidate.bundle.expires));
    }
    if now < candidate.bundle.not_before {
        return Err(SuccessionError::NotYetInForce(candidate.bundle.not_before));
    }
    Ok(Succession::Successor)
}

#[cfg(test)]
mod tests {
    use signer_rules::bundle::{Bundle, FORMAT, Keyring};

    use super::*;

    fn bundle(version: u64, digest: u8, previous: Option<u8>) -> SignedBundle {
        let bundle = Bundle {
            format: FORMAT.into(),
            authority: HexBytes([0; 32]),
            version,
            previous: previous.map(|byte| HexBytes([byte; 32])),
            not_before: at(100),
            expires: at(200),
            least_configuration_epoch: 0,
            keyrings: Vec::new(),
            clients: Vec::new(),
            approvers: Vec::new(),
            abis: Vec::new(),
            wallet_groups: Vec::new(),
            rules: Vec::new(),
        };
        SignedBundle { bundle, digest: HexBytes([digest; 32]) }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn versions_only_rise() {
        let current = bundle(5, 1, None);
        let judge = |candidate: &SignedBundle| succession(Some(&current), candidate, at(150));
        assert_eq!(judge(&current), Ok(Succession::Same));
        assert_eq!(judge(&bundle(6, 2, Some(1))), Ok(Succession::Successor));
        assert_eq!(judge(&bundle(9, 2, None)), Ok(Succession::Successor));
        assert!(matches!(judge(&bundle(4, 2, None)), Err(SuccessionError::Rollback { .. })));
        assert!(matches!(judge(&bundle(5, 2, None)), Err(SuccessionError::Rival { .. })));
        assert!(matches!(judge(&bundle(6, 2, None)), Err(SuccessionError::NotAfter { .. })));
        assert!(matches!(judge(&bundle(6, 2, Some(3))), Err(SuccessionError::NotAfter { .. })));
    }

    #[test]
    fn a_keyrings_name_stays_with_its_key() {
        let with = |version, digest, fingerprint| {
            let mut bundle = bundle(version, digest, Some(1));
            let id = "default".parse().unwrap();
            bundle.bundle.keyrings.push(Keyring { id, fingerprint: HexBytes([fingerprint; 32]) });
            bundle
        };
        let judge = |next| succession(Some(&with(5, 1, 7)), &next, at(150));
        assert_eq!(judge(with(6, 2, 7)), Ok(Succession::Successor));
        assert!(matches!(judge(with(6, 2, 8)), Err(SuccessionError::KeyringChanged(_))));
    }

    #[test]
    fn a_bundle_is_taken_in_its_time_only() {
        let judge = |now| succession(None, &bundle(1, 1, None), at(now));
        assert_eq!(judge(99), Err(SuccessionError::NotYetInForce(at(100))));
        assert_eq!(judge(100), Ok(Succession::Successor));
        assert_eq!(judge(200), Err(SuccessionError::Expired(at(200))));
    }
}
