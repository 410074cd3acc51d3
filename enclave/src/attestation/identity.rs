//! Who this boot is: a random id and a key that never leaves and is never stored.

use ed25519_dalek::{Signer, SigningKey};
use signer_rules::hex_bytes::HexBytes;

use super::{Nsm, NsmError};

/// The identity of one boot. The attested statement names both parts.
pub struct Identity {
    boot_id: HexBytes<16>,
    key: SigningKey,
}

impl Identity {
    /// Makes a new one.
    pub async fn generate(nsm: &Nsm) -> Result<Self, NsmError> {
        let boot_id = HexBytes(*nsm.random::<16>("boot-id").await?.expose());
        let seed = nsm.random::<32>("identity-key").await?;
        Ok(Self { boot_id, key: SigningKey::from_bytes(seed.expose()) })
    }

    /// Random for each boot.
    pub fn boot_id(&self) -> HexBytes<16> {
        self.boot_id
    }

    /// The Ed25519 public key.
    pub fn public_key(&self) -> HexBytes<32> {
        HexBytes(self.key.verifying_key().to_bytes())
    }

    /// Signs what the enclave says of itself. Each kind of statement begins in a way of its own, so that none passes for
    /// another.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}
