//! A key from a case, signing as the enclave's wallets do: RFC 6979, low s.

use k256::ecdsa::SigningKey;
use serde_json::value::RawValue;
use signer_rules::chain::{
    self, RawSignature, SignBody, Signable, Signed, Signer, SigningInput,
    evm::{EvmAddress, address_from_uncompressed},
};

use super::{Error, bytes};

pub(super) struct Key(SigningKey);

impl Key {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self(SigningKey::from_slice(&bytes(text)?)?))
    }

    pub(super) fn address(&self) -> Result<EvmAddress, Error> {
        let point = self.0.verifying_key().to_sec1_point(false);
        Ok(address_from_uncompressed(point.as_bytes().try_into()?)?)
    }

    /// What is sent to the chain, or what the rejection says.
    pub(super) fn sign_transaction(&self, body: &SignBody<'_>) -> Result<Vec<u8>, String> {
        let signable = self.parse_for("evm.transaction", body)?;
        match self.finish(signable.as_ref())? {
            Signed::EvmTransaction(signed) => Ok(signed.signed_transaction),
            other => Err(format!("not a transaction: {other:?}")),
        }
    }

    /// The digest of typed data and the 65-byte signature, or what the rejection says.
    pub(super) fn sign_typed_data(&self, typed_data: &RawValue) -> Result<([u8; 32], [u8; 65]), String> {
        let body = SignBody { typed_data: Some(typed_data), ..SignBody::default() };
        let signable = self.parse_for("evm.typed_data", &body)?;
        match self.finish(signable.as_ref())? {
            Signed::EvmMessage(signed) => Ok((signed.signing_hash, signed.serialized())),
            other => Err(format!("not a message: {other:?}")),
        }
    }

    fn parse_for(&self, kind: &str, body: &SignBody<'_>) -> Result<Box<dyn Signable>, String> {
        let address = self.address().map_err(|error| error.to_string())?;
        let signer = Signer { evm_address: Some(address), ..Signer::default() };
        let signable = chain::parse(kind, body, &signer).map_err(|rejection| rejection.to_string())?;
        // People must be told the same as policy is.
        let described = chain::describe(kind, body).map_err(|rejection| rejection.to_string())?;
        if described != *signable.facts() {
            return Err("described as something else than what is signed".to_owned());
        }
        Ok(signable)
    }

    fn finish(&self, signable: &dyn Signable) -> Result<Signed, String> {
        let SigningInput::Prehash(hash) = signable.signing_input() else {
            return Err("not a hash".to_owned());
        };
        let (signature, recovery) = self.0.sign_prehash_recoverable(&hash);
        let (r, s) = signature.split_bytes();
        let signature = RawSignature::Secp256k1 { r: r.into(), s: s.into(), y_parity: recovery.is_y_odd() };
        signable.finish(&signature).map_err(|rejection| rejection.to_string())
    }
}
