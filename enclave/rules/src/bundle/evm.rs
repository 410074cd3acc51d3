//! Conditions on what EVM chains understand.

use serde::{Deserialize, Serialize};

use super::{
    abi::Abis,
    check::{Check, Problem, listed, present, short},
    value::{Fields, Party, Range, Selector},
    when::{MAX_ADDRESSES, MAX_LIST, ranged, texts},
};
use crate::{
    abi::MAX_SIGNATURE,
    chain::{evm::EvmAddress, facts::EvmTransactionKind},
    name::Name,
    token::TokenKind,
};

/// The most calls of a condition.
pub const MAX_CALLS: usize = 256;

/// Conditions on an EVM transaction; each that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmTransactionWhen {
    /// Its type is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub types: Option<Vec<EvmTransactionKind>>,
    /// It goes to one of these. A contract creation goes to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub recipients: Option<Vec<Party<EvmAddress>>>,
    /// Whether it creates a contract.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub contract_creation: Option<bool>,
    /// The wei it sends.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Range>,
    /// The most wei it can cost in fees: gas × fee cap, and blob gas × its cap.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub max_fee: Option<Range>,
    /// Its call data begins with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub selectors: Option<Vec<Selector>>,
    /// Whether its input is empty.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub empty_input: Option<bool>,
    /// It is one of these calls. Arguments that are not encoded canonically are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub calls: Option<Vec<Call>>,
    /// It is a movement of tokens that is recognised, and it is so.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub token: Option<TokenWhen>,
    /// Its EIP-7702 list delegates to these. A transaction without a list delegates to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub delegates: Option<Vec<EvmAddress>>,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The ABI that has the function.
    pub abi: Name,
    /// Its name, if the ABI has one of this name only, or its canonical signature:
    /// `transfer(address,uint256)`.
    pub function: String,
    /// What its arguments are, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub arguments: Option<Fields>,
}

/// Conditions on recognised movements of tokens; at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenWhen {
    /// What moves or lets move.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub kinds: Option<Vec<TokenKind>>,
    /// The tokens' contracts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub contracts: Option<Vec<EvmAddress>>,
    /// Who gets them, or may take them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub recipients: Option<Vec<Party<EvmAddress>>>,
    /// How much in the token's smallest unit, or which one by its number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub amount: Option<Range>,
}

/// Conditions on an EIP-7702 authorization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmAuthorizationWhen {
    /// It delegates to one of these. The zero address stands for itself: it revokes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub delegates: Option<Vec<EvmAddress>>,
}

/// Conditions on EIP-712 typed data; each that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmTypedDataWhen {
    /// The domain has one of these names.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub names: Option<Vec<String>>,
    /// The domain has one of these versions.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub versions: Option<Vec<String>>,
    /// One of these contracts will verify the signature.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub verifying_contracts: Option<Vec<EvmAddress>>,
    /// The message is of one of these types.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub primary_types: Option<Vec<String>>,
    /// What the message's members are, all of them. What is not there is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub fields: Option<Fields>,
    /// It lets somebody move tokens in a way that is recognised, and it is so.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub token: Option<TokenWhen>,
}

/// Conditions on an EIP-191 message; each that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmMessageWhen {
    /// It is UTF-8 and begins with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub text_prefixes: Option<Vec<String>>,
    /// It has at most so many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub max_bytes: Option<u64>,
}

impl EvmTransactionWhen {
    pub(super) fn validate(&self, abis: &Abis<'_>) -> Check {
        listed("types", self.types.as_ref(), MAX_LIST)?;
        listed("recipients", self.recipients.as_ref(), MAX_ADDRESSES)?;
        ranged("value", self.value.as_ref())?;
        ranged("max_fee", self.max_fee.as_ref())?;
        listed("selectors", self.selectors.as_ref(), MAX_LIST)?;
        listed("calls", self.calls.as_ref(), MAX_CALLS)?;
        for (index, call) in self.calls.iter().flatten().enumerate() {
            call.validate(abis).map_err(|problem| problem.within(format_args!("calls[{index}]")))?;
        }
        token(self.token.as_ref())?;
        listed("delegates", self.delegates.as_ref(), MAX_ADDRESSES)
    }
}

impl Call {
    fn validate(&self, abis: &Abis<'_>) -> Check {
        short("function", &self.function, MAX_SIGNATURE)?;
        let function = abis.function(&self.abi, &self.function)?;
        let Some(arguments) = &self.arguments else { return Ok(()) };
        arguments
            .validate(|path| function.check_path(path).map(Some))
            .map_err(|problem| problem.within("arguments"))
    }
}

fn token(when: Option<&TokenWhen>) -> Check {
    let Some(when) = when else { return Ok(()) };
    let checked = || {
        if *when == TokenWhen::default() {
            return Err(Problem::at("", "needs kinds, contracts, recipients or amount"));
        }
        listed("kinds", when.kinds.as_ref(), MAX_LIST)?;
        listed("contracts", when.contracts.as_ref(), MAX_ADDRESSES)?;
        listed("recipients", when.recipients.as_ref(), MAX_ADDRESSES)?;
        ranged("amount", when.amount.as_ref())
    };
    checked().map_err(|problem| problem.within("token"))
}

impl EvmAuthorizationWhen {
    pub(super) fn validate(&self) -> Check {
        listed("delegates", self.delegates.as_ref(), MAX_ADDRESSES)
    }
}

impl EvmTypedDataWhen {
    pub(super) fn validate(&self) -> Check {
        texts("names", self.names.as_ref())?;
        texts("versions", self.versions.as_ref())?;
        listed("verifying_contracts", self.verifying_contracts.as_ref(), MAX_ADDRESSES)?;
        texts("primary_types", self.primary_types.as_ref())?;
        if let Some(fields) = &self.fields {
            fields.validate(|_| Ok(None)).map_err(|problem| problem.within("fields"))?;
        }
        token(self.token.as_ref())
    }
}

impl EvmMessageWhen {
    pub(super) fn validate(&self) -> Check {
        texts("text_prefixes", self.text_prefixes.as_ref())?;
        let empty = self.text_prefixes.iter().flatten().any(String::is_empty);
        if empty {
            Err(Problem::at("text_prefixes", "has an empty text, with which every message begins"))
        } else {
            Ok(())
        }
    }
}
