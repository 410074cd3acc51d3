//! The authority: who may decide for an appliance, named by a digest.

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::hex_bytes::HexBytes;

/// The most admins that a quorum may name.
pub const MAX_ADMINS: usize = 32;

/// Names an authority: [`Genesis::authority_id`].
pub type AuthorityId = HexBytes<32>;

/// An admin's Ed25519 public key, shown as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminKey(VerifyingKey);

impl AdminKey {
    /// The key.
    pub fn key(&self) -> &VerifyingKey {
        &self.0
    }

    /// SHA-256 of the public key's 32 bytes: the `keyid` of its signatures.
    pub fn id(&self) -> HexBytes<32> {
        HexBytes(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl From<VerifyingKey> for AdminKey {
    fn from(key: VerifyingKey) -> Self {
        Self(key)
    }
}

impl Serialize for AdminKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        HexBytes(self.0.to_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AdminKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = HexBytes::<32>::deserialize(deserializer)?;
        match VerifyingKey::from_bytes(&bytes.0) {
            Ok(key) if !key.is_weak() => Ok(Self(key)),
            _ => Err(de::Error::custom("not an Ed25519 public key")),
        }
    }
}

/// How an appliance began: its random id and first admins. Everything that the appliance makes is
/// bound to the digest of this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// 32 random bytes, so that the same admins can run several appliances.
    pub appliance_id: HexBytes<32>,
    /// The admins' keys, in ascending order, each once.
    pub admins: Vec<AdminKey>,
    /// How many of them must sign.
    pub threshold: u8,
}

/// Whose signatures decide, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    admins: Vec<AdminKey>,
    threshold: u8,
}

/// Why a [`Genesis`] is no authority, or keys and a threshold no [`Quorum`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// None, or more than [`MAX_ADMINS`].
    #[error("there must be 1 to {MAX_ADMINS} admin keys")]
    Admins,
    /// Out of order or repeated.
    #[error("admin keys must be in ascending order, each once")]
    Order,
    /// Zero or more than there are admins.
    #[error("the threshold must be between 1 and the number of admin keys")]
    Threshold,
}

impl Genesis {
    /// Checks the genesis and computes
    /// `SHA-256("nitro-signer/authority/v1" ‖ appliance id ‖ threshold ‖ number of admins ‖ keys)`.
    ///
    /// Every field has a fixed width, and the order of keys is fixed, so one authority has one id.
    pub fn authority_id(&self) -> Result<AuthorityId, GenesisError> {
        let quorum = self.quorum()?;
        let count = u8::try_from(quorum.admins.len()).map_err(|_| GenesisError::Admins)?;
        let mut digest = Sha256::new_with_prefix(b"nitro-signer/authority/v1");
        digest.update(self.appliance_id.0);
        digest.update([self.threshold, count]);
        for admin in &self.admins {
            digest.update(admin.0.as_bytes());
        }
        Ok(HexBytes(digest.finalize().into()))
    }

    /// The first admins, of whom the first threshold must sign.
    pub fn quorum(&self) -> Result<Quorum, GenesisError> {
        Quorum::new(self.admins.clone(), self.threshold)
    }
}

impl Quorum {
    /// So many of these admins, whose keys are in ascending order, each once.
    pub fn new(admins: Vec<AdminKey>, threshold: u8) -> Result<Self, GenesisError> {
        if admins.is_empty() || admins.len() > MAX_ADMINS {
            return Err(GenesisError::Admins);
        }
        if !admins.is_sorted_by(|one, next| one.0.as_bytes() < next.0.as_bytes()) {
            return Err(GenesisError::Order);
        }
        if threshold == 0 || usize::from(threshold) > admins.len() {
            return Err(GenesisError::Threshold);
        }
        Ok(Self { admins, threshold })
    }

    /// The admins' keys, in ascending order.
    pub fn admins(&self) -> &[AdminKey] {
        &self.admins
    }

    /// How many of them must sign.
    pub fn threshold(&self) -> usize {
        usize::from(self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn genesis(count: u8, threshold: u8) -> Genesis {
        let mut admins: Vec<AdminKey> =
            (0..count).map(|seed| SigningKey::from_bytes(&[seed; 32]).verifying_key().into()).collect();
        admins.sort_by_key(|admin| admin.0.to_bytes());
        Genesis { appliance_id: HexBytes([7; 32]), admins, threshold }
    }

    #[test]
    fn every_part_changes_the_id() {
        let id = genesis(3, 2).authority_id().unwrap();
        assert_ne!(genesis(3, 1).authority_id().unwrap(), id);
        assert_ne!(genesis(2, 2).authority_id().unwrap(), id);
        let other = Genesis { appliance_id: HexBytes([8; 32]), ..genesis(3, 2) };
        assert_ne!(other.authority_id().unwrap(), id);
    }

    #[test]
    fn the_id_is_fixed_by_its_definition() {
        let mut bytes = b"nitro-signer/authority/v1".to_vec();
        bytes.extend([7; 32]);
        bytes.extend([1, 1]);
        bytes.extend(SigningKey::from_bytes(&[0; 32]).verifying_key().to_bytes());
        let expected: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(genesis(1, 1).authority_id().unwrap(), HexBytes(expected));
    }

    #[test]
    fn what_cannot_be_an_authority_is_refused() {
        assert_eq!(genesis(0, 0).authority_id(), Err(GenesisError::Admins));
        assert_eq!(genesis(33, 2).authority_id(), Err(GenesisError::Admins));
        assert_eq!(genesis(2, 0).authority_id(), Err(GenesisError::Threshold));
        assert_eq!(genesis(2, 3).authority_id(), Err(GenesisError::Threshold));
        let mut swapped = genesis(2, 1);
        swapped.admins.reverse();
        assert_eq!(swapped.authority_id(), Err(GenesisError::Order));
        let mut repeated = genesis(1, 1);
        repeated.admins.push(repeated.admins[0].clone());
        assert_eq!(repeated.authority_id(), Err(GenesisError::Order));
    }

    #[test]
    fn a_weak_key_is_no_admin() {
        let identity = format!("\"01{}\"", "00".repeat(31));
        assert!(serde_json::from_str::<AdminKey>(&identity).is_err());
    }
}
