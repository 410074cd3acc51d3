//! Encoding of the unsigned and the signed serializations.

use ruint::aliases::U256;

use super::{Payload, type_byte};
use crate::chain::evm::authorization;
use crate::chain::evm::rlp::Writer;
use crate::chain::facts::{AccessListItem, EvmFees, EvmTransactionKind};

impl Payload {
    /// The unsigned serialization: what Keccak-256 is taken of to sign.
    pub(in crate::chain::evm) fn encode_unsigned(&self) -> Vec<u8> {
        let mut fields = self.fields();
        if let (EvmTransactionKind::Legacy, Some(chain_id)) = (self.kind, self.chain_id) {
            fields.u64(chain_id);
            fields.u64(0);
            fields.u64(0);
        }
        fields.document(type_byte(self.kind).as_slice())
    }

    /// The signed serialization; of EIP-4844, the one without sidecar. `v` is the parity for typed transactions.
    pub(in crate::chain::evm) fn encode_signed(&self, v: u64, r: U256, s: U256) -> Vec<u8> {
        let mut fields = self.fields();
        fields.u64(v);
        fields.uint(r);
        fields.uint(s);
        fields.document(type_byte(self.kind).as_slice())
    }

    /// The `v` of a legacy signature; `None` for typed transactions, which carry the parity itself.
    pub(in crate::chain::evm) fn legacy_v(&self, y_parity: bool) -> Option<u64> {
        let base = match (self.kind, self.chain_id) {
            (EvmTransactionKind::Legacy, None) => 27,
            (EvmTransactionKind::Legacy, Some(chain_id)) => chain_id.checked_mul(2)?.checked_add(35)?,
            _ => return None,
        };
        base.checked_add(u64::from(y_parity))
    }

    /// The fields that the unsigned and the signed serialization have in common.
    fn fields(&self) -> Writer {
        let typed = type_byte(self.kind).is_some();
        let mut fields = Writer::default();
        if typed {
            fields.u64(self.chain_id.unwrap_or_default()); // 0 is refused by check()
        }
        fields.u64(self.nonce);
        match self.fees {
            EvmFees::GasPrice { gas_price } => fields.uint(gas_price),
            EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas } => {
                fields.uint(max_priority_fee_per_gas);
                fields.uint(max_fee_per_gas);
            }
        }
        fields.u64(self.gas);
        fields.bytes(self.to.as_ref().map_or(&[], |to| to.as_bytes().as_slice()));
        fields.uint(self.value);
        fields.bytes(&self.input);
        if typed {
            fields.list(&write_access_list(&self.access_list));
        }
        if let Some(blobs) = &self.blobs {
            fields.uint(blobs.max_fee_per_blob_gas);
            fields.list(&write_words(&blobs.blob_versioned_hashes));
        }
        if self.kind == EvmTransactionKind::Eip7702 {
            fields.list(&authorization::write_list(&self.authorization_list));
        }
        fields
    }
}

fn write_access_list(access_list: &[AccessListItem]) -> Writer {
    let mut items = Writer::default();
    for entry in access_list {
        let mut item = Writer::default();
        item.bytes(entry.address.as_bytes());
        item.list(&write_words(&entry.storage_keys));
        items.list(&item);
    }
    items
}

fn write_words(words: &[[u8; 32]]) -> Writer {
    let mut items = Writer::default();
    for word in words {
        items.bytes(word);
    }
    items
}
