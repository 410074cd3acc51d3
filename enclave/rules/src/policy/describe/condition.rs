//! Conditions in plain English, one clause each.

use std::fmt::Display;

use super::{either, range};
use crate::bundle::{
    Call, Effect, EvmAuthorizationWhen, EvmMessageWhen, EvmTransactionWhen, EvmTypedDataWhen, Fields, Party,
    SolanaTransactionWhen, Test, TokenWhen, When,
};

/// The clauses of a condition.
pub(super) fn of(when: &When, effect: Effect) -> Vec<String> {
    match when {
        When::EvmTransaction(when) => transaction(when, effect),
        When::EvmAuthorization(when) => authorization(when),
        When::EvmTypedData(when) => typed_data(when, effect),
        When::EvmMessage(when) => message(when),
        When::SolanaTransaction(when) => solana(when, effect),
    }
}

fn transaction(when: &EvmTransactionWhen, effect: Effect) -> Vec<String> {
    let types = |types: &Vec<_>| either(types.iter().map(|kind| format!("{kind:?}").to_lowercase()));
    let calls = |calls: &Vec<Call>| {
        let texts: Vec<String> = calls.iter().map(|one| call(one, effect)).collect();
        format!("it calls {}", texts.join(", or "))
    };
    [
        when.types.as_ref().map(|list| format!("its type is {}", types(list))),
        when.recipients.as_ref().map(|list| format!("it goes to {}", parties(list))),
        when.contract_creation.map(|it| yes(it, "it creates a contract", "it creates no contract")),
        when.value.map(|value| format!("it sends {} wei", range(value))),
        when.max_fee.map(|fee| format!("its fees are {} wei", range(fee))),
        when.selectors.as_ref().map(|list| format!("its selector is {}", either(list))),
        when.empty_input.map(|it| yes(it, "its input is empty", "its input is not empty")),
        when.calls.as_ref().map(calls),
        when.token.as_ref().map(|when| token(when, effect)),
        when.delegates.as_ref().map(|list| format!("{} delegate is {}", each(effect), either(list))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn authorization(when: &EvmAuthorizationWhen) -> Vec<String> {
    when.delegates.iter().map(|list| format!("it delegates to {}", either(list))).collect()
}

fn typed_data(when: &EvmTypedDataWhen, effect: Effect) -> Vec<String> {
    let contracts = when.verifying_contracts.as_ref();
    [
        when.names.as_ref().map(|list| format!("its domain is named {}", quoted(list))),
        when.versions.as_ref().map(|list| format!("its domain's version is {}", quoted(list))),
        contracts.map(|list| format!("it is for contract {}", either(list))),
        when.primary_types.as_ref().map(|list| format!("its type is {}", quoted(list))),
        when.fields.as_ref().map(|list| fields(list, effect)),
        when.token.as_ref().map(|when| token(when, effect)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn message(when: &EvmMessageWhen) -> Vec<String> {
    let prefixes = when.text_prefixes.as_ref().map(|list| format!("it begins with {}", quoted(list)));
    let length = when.max_bytes.map(|most| format!("it has at most {most} bytes"));
    prefixes.into_iter().chain(length).collect()
}

fn solana(when: &SolanaTransactionWhen, effect: Effect) -> Vec<String> {
    let each = each(effect);
    [
        when.programs.as_ref().map(|list| format!("{each} program is {}", either(list))),
        when.instructions.as_ref().map(|list| format!("{each} instruction is {}", either(list))),
        when.accounts.as_ref().map(|list| format!("{each} account is {}", parties(list))),
        when.recipients.as_ref().map(|list| format!("{each} recipient is {}", parties(list))),
        when.lamports.map(|sum| format!("it moves {} lamports", range(sum))),
        when.mints.as_ref().map(|list| format!("{each} moved token is {}", either(list))),
        when.token_amount.map(|amount| format!("{each} amount of tokens is {}", range(amount))),
        when.max_fee.map(|fee| format!("its fees are {} lamports", range(fee))),
        when.fee_payers.as_ref().map(|list| format!("its fee is paid by {}", parties(list))),
        when.lookup_tables.map(|it| yes(it, "it looks up accounts", "it looks up no accounts")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn call(call: &Call, effect: Effect) -> String {
    let name = format!("{} of {}", call.function, call.abi);
    match &call.arguments {
        Some(arguments) => format!("{name} where {}", fields(arguments, effect)),
        None => name,
    }
}

fn token(when: &TokenWhen, effect: Effect) -> String {
    let kinds = when.kinds.as_ref().map(|kinds| {
        // Their names in bundles.
        let names = kinds.iter().filter_map(|kind| serde_json::to_value(kind).ok());
        format!("by {}", either(names.filter_map(|name| name.as_str().map(str::to_owned))))
    });
    let parts: Vec<String> = [
        kinds,
        when.contracts.as_ref().map(|list| format!("of {}", either(list))),
        when.recipients.as_ref().map(|list| format!("to {}", parties(list))),
        when.amount.map(|amount| format!("of {} units", range(amount))),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("it moves tokens and {} movement is {}", each(effect), parts.join(" "))
}

fn fields(fields: &Fields, effect: Effect) -> String {
    let field = |(path, test): (&String, &Test)| {
        let each = if path.contains("[]") { format!("{} ", each(effect)) } else { String::new() };
        let values = |values: &Vec<_>| either(values.iter().map(|value| format!("{value}")));
        match test {
            Test::In(list) => format!("{each}{path} is {}", values(list)),
            Test::NotIn(list) => format!("{each}{path} is not {}", values(list)),
            Test::Range(bounds) => format!("{each}{path} is {}", range(*bounds)),
        }
    };
    fields.0.iter().map(field).collect::<Vec<_>>().join(" and ")
}

fn parties<A: Display>(parties: &[Party<A>]) -> String {
    either(parties.iter().map(|party| match party {
        Party::Own => "the signing account".to_owned(),
        Party::Address(address) => address.to_string(),
    }))
}

fn quoted(texts: &[String]) -> String {
    either(texts.iter().map(|text| format!("{text:?}")))
}

/// Whoever allows vouches for every value; to whoever denies one is enough.
fn each(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "every",
        Effect::Deny => "some",
    }
}

fn yes(it: bool, so: &str, not_so: &str) -> String {
    if it { so.to_owned() } else { not_so.to_owned() }
}
