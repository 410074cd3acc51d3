//! Conditions on EVM transactions, authorizations and messages.

use ruint::aliases::U256;

use super::{
    compile::Functions,
    scene::{FunctionNumber, Scene},
    truth::{Each, Truth, all, any},
    value::{Parties, Set, ValueTest},
};
use crate::{
    abi::FieldPath,
    bundle::{
        Call, Effect, EvmAuthorizationWhen, EvmMessageWhen, EvmTransactionWhen, Fields, Range, TokenWhen,
    },
    chain::{
        evm::EvmAddress,
        facts::{
            EvmAuthorizationFacts, EvmMessageFacts, EvmTransactionFacts, EvmTransactionKind, TypedField,
        },
    },
    token::{Movement, Movements, TokenKind},
};

/// One condition on a transaction.
#[derive(Debug)]
pub(super) enum TransactionAtom {
    Types(Vec<EvmTransactionKind>),
    Recipients(Parties<EvmAddress>),
    ContractCreation(bool),
    Value(Range),
    MaxFee(Range),
    Selectors(Set<[u8; 4]>),
    EmptyInput(bool),
    Delegates(Set<EvmAddress>),
    Token(TokenAtom),
    Calls(Vec<CallAtom>),
}

/// What a movement of tokens must be.
#[derive(Debug)]
pub(super) struct TokenAtom {
    kinds: Option<Vec<TokenKind>>,
    contracts: Option<Set<EvmAddress>>,
    recipients: Option<Parties<EvmAddress>>,
    amount: Option<Range>,
}

/// What a call must be.
#[derive(Debug)]
pub(super) struct CallAtom {
    /// `None`: the bundle has no such function, so nothing can be known.
    function: Option<(FunctionNumber, [u8; 4])>,
    arguments: FieldsAtom,
}

/// What named values must be.
#[derive(Debug)]
pub(super) struct FieldsAtom(Vec<(Option<FieldPath>, ValueTest)>);

/// What an authorization must be.
#[derive(Debug)]
pub(super) struct AuthorizationAtom(Option<Set<EvmAddress>>);

/// What a message must be.
#[derive(Debug)]
pub(super) struct MessageAtom {
    prefixes: Option<Vec<String>>,
    max_bytes: Option<u64>,
}

impl TransactionAtom {
    /// Those of a condition, the cheap ones first.
    pub(super) fn compile(when: &EvmTransactionWhen, functions: &Functions<'_>) -> Vec<Self> {
        let calls = |calls: &Vec<Call>| calls.iter().map(|call| CallAtom::new(call, functions)).collect();
        [
            when.types.clone().map(Self::Types),
            when.recipients.as_deref().map(Parties::new).map(Self::Recipients),
            when.contract_creation.map(Self::ContractCreation),
            when.value.map(Self::Value),
            when.max_fee.map(Self::MaxFee),
            when.selectors.as_ref().map(|list| Self::Selectors(list.iter().map(|one| one.0).collect())),
            when.empty_input.map(Self::EmptyInput),
            when.delegates.as_ref().map(|list| Self::Delegates(list.iter().copied().collect())),
            when.token.as_ref().map(TokenAtom::new).map(Self::Token),
            when.calls.as_ref().map(calls).map(Self::Calls),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn judge(&self, facts: &EvmTransactionFacts, effect: Effect, scene: &Scene<'_>) -> Truth {
        match self {
            Self::Types(types) => types.contains(&facts.kind).into(),
            Self::Recipients(parties) => {
                facts.to.map_or(Truth::False, |recipient| parties.judge(&recipient, scene.evm))
            }
            Self::ContractCreation(wanted) => (facts.creates_contract == *wanted).into(),
            Self::Value(range) => range.contains(facts.value).into(),
            Self::MaxFee(range) => max_fee(facts).map_or(Truth::Unknown, |fee| range.contains(fee).into()),
            Self::Selectors(selectors) => {
                facts.selector.is_some_and(|selector| selectors.contains(&selector)).into()
            }
            Self::EmptyInput(wanted) => (facts.input.is_empty() == *wanted).into(),
            Self::Delegates(delegates) => {
                let entries = facts.authorization_list.iter();
                Each::of(
                    effect,
                    entries.map(|entry| delegates.contains(&entry.authorization.delegate).into()),
                )
            }
            Self::Token(token) => token.judge(effect, scene),
            Self::Calls(calls) => any(calls.iter().map(|call| call.judge(facts, effect, scene))),
        }
    }
}

/// The most wei that a transaction can cost in fees, unless that overflows 256 bits.
pub(super) fn max_fee(facts: &EvmTransactionFacts) -> Option<U256> {
    let gas = U256::from(facts.gas).checked_mul(facts.fees.cap())?;
    let blobs = match &facts.blobs {
        Some(blobs) => U256::from(blobs.gas()).checked_mul(blobs.max_fee_per_blob_gas)?,
        None => U256::ZERO,
    };
    gas.checked_add(blobs)
}

impl TokenAtom {
    pub(super) fn new(when: &TokenWhen) -> Self {
        Self {
            kinds: when.kinds.clone(),
            contracts: when.contracts.as_ref().map(|list| list.iter().copied().collect()),
            recipients: when.recipients.as_deref().map(Parties::new),
            amount: when.amount,
        }
    }

    pub(super) fn judge(&self, effect: Effect, scene: &Scene<'_>) -> Truth {
        match scene.movements() {
            Movements::None => Truth::False,
            Movements::Malformed => Truth::Unknown,
            Movements::Known(movements) => {
                Each::of(effect, movements.iter().map(|movement| self.judge_one(movement, scene.evm)))
            }
        }
    }

    fn judge_one(&self, movement: &Movement, own: Option<EvmAddress>) -> Truth {
        let known = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&movement.kind))
            && self.contracts.as_ref().is_none_or(|contracts| contracts.contains(&movement.contract))
            && self.amount.is_none_or(|range| range.contains(movement.amount));
        let recipient = self.recipients.as_ref();
        let recipient = recipient.map_or(Truth::True, |parties| parties.judge(&movement.recipient, own));
        recipient.min(known.into())
    }
}

impl CallAtom {
    fn new(call: &Call, functions: &Functions<'_>) -> Self {
        let arguments = call.arguments.as_ref().map(FieldsAtom::new);
        Self {
            function: functions.find(&call.abi, &call.function),
            arguments: arguments.unwrap_or(FieldsAtom(Vec::new())),
        }
    }

    fn judge(&self, facts: &EvmTransactionFacts, effect: Effect, scene: &Scene<'_>) -> Truth {
        let Some((function, selector)) = self.function else { return Truth::Unknown };
        if facts.selector != Some(selector) {
            return Truth::False;
        }
        match scene.arguments(facts, function).as_ref() {
            Some(arguments) => self.arguments.judge(arguments, effect, scene),
            None => Truth::Unknown,
        }
    }
}

impl FieldsAtom {
    pub(super) fn new(fields: &Fields) -> Self {
        let field = |(path, test): (&String, _)| (FieldPath::parse(path).ok(), ValueTest::new(test));
        Self(fields.0.iter().map(field).collect())
    }

    pub(super) fn judge(&self, fields: &[TypedField], effect: Effect, scene: &Scene<'_>) -> Truth {
        all(self.0.iter().map(|(path, test)| {
            let Some(path) = path else { return Truth::Unknown };
            let mut each = Each::new(effect);
            path.select(fields, &mut |value| {
                each.see(value.map_or(Truth::Unknown, |value| test.judge(value, scene.evm)));
            });
            each.truth()
        }))
    }
}

impl AuthorizationAtom {
    pub(super) fn new(when: &EvmAuthorizationWhen) -> Self {
        Self(when.delegates.as_ref().map(|list| list.iter().copied().collect()))
    }

    pub(super) fn judge(&self, facts: &EvmAuthorizationFacts) -> Truth {
        self.0.as_ref().is_none_or(|delegates| delegates.contains(&facts.delegate)).into()
    }
}

impl MessageAtom {
    pub(super) fn new(when: &EvmMessageWhen) -> Self {
        Self { prefixes: when.text_prefixes.clone(), max_bytes: when.max_bytes }
    }

    pub(super) fn judge(&self, facts: &EvmMessageFacts) -> Truth {
        let starts = |prefixes: &Vec<String>| {
            facts.text.as_ref().is_some_and(|text| prefixes.iter().any(|prefix| text.starts_with(prefix)))
        };
        let length = u64::try_from(facts.message.len()).unwrap_or(u64::MAX);
        let holds =
            self.prefixes.as_ref().is_none_or(starts) && self.max_bytes.is_none_or(|most| length <= most);
        holds.into()
    }
}
