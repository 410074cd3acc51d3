//! The unsigned serialization of EVM transactions (EIP-155, EIP-1559), decoded strictly and encoded.

use ruint::aliases::U256;

use super::EvmAddress;
use super::rlp::{Reader, RlpError, Writer};
use crate::chain::facts::{AccessListItem, EvmFees, EvmTransactionFacts, EvmTransactionKind};

/// EIP-2718 type byte of EIP-1559.
const TYPE_1559: u8 = 2;
/// The largest chain id whose EIP-155 `v` (35 + 2 x id + parity) fits 64 bits. The same bound for every type.
const MAX_CHAIN_ID: u64 = (u64::MAX - 36) / 2;

/// The fields of an unsigned transaction, before they were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    /// `None`: legacy without EIP-155.
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    pub(super) fees: EvmFees,
    pub(super) gas: u64,
    pub(super) to: Option<EvmAddress>,
    pub(super) value: U256,
    pub(super) input: Vec<u8>,
    /// Empty for legacy.
    pub(super) access_list: Vec<AccessListItem>,
}

/// What is wrong with which field (JSON-RPC name; empty for the whole).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) field: &'static str,
    pub(super) message: String,
}

impl Payload {
    /// Decodes the unsigned serialization of any supported type.
    pub(super) fn decode(unsigned: &[u8]) -> Result<Self, FieldError> {
        match unsigned {
            [TYPE_1559, list @ ..] => decode_1559(list),
            [0xc0..=0xff, ..] => decode_legacy(unsigned),
            [1 | 3 | 4, ..] => {
                Err(error("type", "is not supported yet: send type 0x2 or a legacy transaction"))
            }
            _ => Err(error("type", "is not that of an unsigned transaction: expected 0x02 or an RLP list")),
        }
    }

    /// The unsigned serialization: what Keccak-256 is taken of to sign.
    pub(super) fn encode_unsigned(&self) -> Vec<u8> {
        let mut fields = self.fields();
        if let (EvmTransactionKind::Legacy, Some(chain_id)) = (self.kind(), self.chain_id) {
            fields.u64(chain_id);
            fields.u64(0);
            fields.u64(0);
        }
        fields.document(self.prefix())
    }

    /// The signed serialization. `v` is the parity for typed transactions.
    pub(super) fn encode_signed(&self, v: u64, r: U256, s: U256) -> Vec<u8> {
        let mut fields = self.fields();
        fields.u64(v);
        fields.uint(r);
        fields.uint(s);
        fields.document(self.prefix())
    }

    /// The `v` of a legacy signature; `None` for typed transactions, which carry the parity itself.
    pub(super) fn legacy_v(&self, y_parity: bool) -> Option<u64> {
        let base = match (self.kind(), self.chain_id) {
            (EvmTransactionKind::Legacy, None) => 27,
            (EvmTransactionKind::Legacy, Some(chain_id)) => chain_id.checked_mul(2)?.checked_add(35)?,
            (EvmTransactionKind::Eip1559, _) => return None,
        };
        base.checked_add(u64::from(y_parity))
    }

    /// Checks what holds for every transaction, and describes it.
    pub(super) fn facts(&self) -> Result<EvmTransactionFacts, FieldError> {
        self.check()?;
        let overflow = |field| error(field, "is too large: gas x fee + value must be below 2^256");
        let fee = self.fees.cap().checked_mul(U256::from(self.gas)).ok_or_else(|| overflow("gas"))?;
        let max_cost = fee.checked_add(self.value).ok_or_else(|| overflow("value"))?;
        Ok(EvmTransactionFacts {
            kind: self.kind(),
            chain_id: self.chain_id,
            nonce: self.nonce,
            to: self.to,
            value: self.value,
            gas: self.gas,
            fees: self.fees,
            input: self.input.clone(),
            selector: self.to.and_then(|_| self.input.first_chunk().copied()),
            access_list: self.access_list.clone(),
            creates_contract: self.to.is_none(),
            max_cost,
        })
    }

    const fn kind(&self) -> EvmTransactionKind {
        match self.fees {
            EvmFees::GasPrice { .. } => EvmTransactionKind::Legacy,
            EvmFees::Dynamic { .. } => EvmTransactionKind::Eip1559,
        }
    }

    const fn prefix(&self) -> &'static [u8] {
        match self.kind() {
            EvmTransactionKind::Legacy => &[],
            EvmTransactionKind::Eip1559 => &[TYPE_1559],
        }
    }

    fn check(&self) -> Result<(), FieldError> {
        if self.nonce == u64::MAX {
            return Err(error("nonce", "must be below 2^64 - 1 (EIP-2681)"));
        }
        match (self.chain_id, self.kind()) {
            (Some(0), _) => return Err(error("chainId", "must not be 0")),
            (Some(id), _) if id > MAX_CHAIN_ID => return Err(error("chainId", "must be at most 2^63 - 19")),
            (None, EvmTransactionKind::Eip1559) => return Err(error("chainId", "is missing")),
            _ => {}
        }
        match self.fees {
            EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas }
                if max_priority_fee_per_gas > max_fee_per_gas =>
            {
                return Err(error("maxPriorityFeePerGas", "must be at most maxFeePerGas"));
            }
            _ => {}
        }
        if self.to.is_none() && self.input.is_empty() {
            return Err(error("input", "must be the init code, since without `to` a contract is created"));
        }
        Ok(())
    }

    /// The fields that the unsigned and the signed serialization have in common.
    fn fields(&self) -> Writer {
        let mut fields = Writer::default();
        match self.fees {
            EvmFees::GasPrice { gas_price } => {
                fields.u64(self.nonce);
                fields.uint(gas_price);
            }
            EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas } => {
                fields.u64(self.chain_id.unwrap_or_default()); // 0 is refused by check()
                fields.u64(self.nonce);
                fields.uint(max_priority_fee_per_gas);
                fields.uint(max_fee_per_gas);
            }
        }
        fields.u64(self.gas);
        fields.bytes(self.to.as_ref().map_or(&[], |to| to.as_bytes().as_slice()));
        fields.uint(self.value);
        fields.bytes(&self.input);
        if matches!(self.fees, EvmFees::Dynamic { .. }) {
            fields.list(&write_access_list(&self.access_list));
        }
        fields
    }
}

fn decode_1559(list: &[u8]) -> Result<Payload, FieldError> {
    let mut fields = in_field("", Reader::document(list))?;
    match in_field("", fields.count())? {
        9 => {}
        12 => return Err(error("", "must be unsigned: leave out yParity, r and s")),
        _ => return Err(error("", "must be a list of the 9 fields of EIP-1559")),
    }
    let chain_id = Some(in_field("chainId", fields.u64())?);
    let nonce = in_field("nonce", fields.u64())?;
    let max_priority_fee_per_gas = in_field("maxPriorityFeePerGas", fields.u256())?;
    let max_fee_per_gas = in_field("maxFeePerGas", fields.u256())?;
    let payload = Payload {
        chain_id,
        nonce,
        fees: EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas },
        gas: in_field("gas", fields.u64())?,
        to: in_field("to", read_to(&mut fields))?,
        value: in_field("value", fields.u256())?,
        input: in_field("input", fields.bytes())?.to_vec(),
        access_list: in_field("accessList", read_access_list(&mut fields))?,
    };
    in_field("", fields.finish())?;
    Ok(payload)
}

fn decode_legacy(list: &[u8]) -> Result<Payload, FieldError> {
    let mut fields = in_field("", Reader::document(list))?;
    let replay_protected = match in_field("", fields.count())? {
        6 => false,
        9 => true,
        _ => return Err(error("", "must be a list of 6 fields, or of 9 with EIP-155")),
    };
    let mut payload = Payload {
        chain_id: None,
        nonce: in_field("nonce", fields.u64())?,
        fees: EvmFees::GasPrice { gas_price: in_field("gasPrice", fields.u256())? },
        gas: in_field("gas", fields.u64())?,
        to: in_field("to", read_to(&mut fields))?,
        value: in_field("value", fields.u256())?,
        input: in_field("input", fields.bytes())?.to_vec(),
        access_list: Vec::new(),
    };
    if replay_protected {
        payload.chain_id = Some(in_field("chainId", fields.u64())?);
        let (r, s) = (in_field("r", fields.u256())?, in_field("s", fields.u256())?);
        if !r.is_zero() || !s.is_zero() {
            return Err(error("", "must be unsigned: its last three fields must be the chain id, 0 and 0"));
        }
    }
    in_field("", fields.finish())?;
    Ok(payload)
}

fn read_to(fields: &mut Reader<'_>) -> Result<Option<EvmAddress>, RlpError> {
    match fields.bytes()? {
        [] => Ok(None),
        bytes => {
            bytes.try_into().map(|bytes| Some(EvmAddress::new(bytes))).map_err(|_| RlpError::WrongLength)
        }
    }
}

fn read_access_list(fields: &mut Reader<'_>) -> Result<Vec<AccessListItem>, RlpError> {
    let mut items = fields.list()?;
    let mut access_list = Vec::new();
    while !items.is_empty() {
        let mut item = items.list()?;
        let address = EvmAddress::new(item.array()?);
        let mut keys = item.list()?;
        item.finish()?;
        let mut storage_keys = Vec::new();
        while !keys.is_empty() {
            storage_keys.push(keys.array()?);
        }
        access_list.push(AccessListItem { address, storage_keys });
    }
    Ok(access_list)
}

fn write_access_list(access_list: &[AccessListItem]) -> Writer {
    let mut items = Writer::default();
    for entry in access_list {
        let mut keys = Writer::default();
        for key in &entry.storage_keys {
            keys.bytes(key);
        }
        let mut item = Writer::default();
        item.bytes(entry.address.as_bytes());
        item.list(&keys);
        items.list(&item);
    }
    items
}

fn error(field: &'static str, message: impl Into<String>) -> FieldError {
    FieldError { field, message: message.into() }
}

fn in_field<T>(field: &'static str, result: Result<T, RlpError>) -> Result<T, FieldError> {
    result.map_err(|cause| error(field, cause.to_string()))
}
