//! What the random pairs have shown, so that a test cannot pass by asking nothing.

use std::collections::BTreeMap;

use signer_tests::policy::naive::{Reading, Truth, Verdict};

/// Counts of what was met.
#[derive(Default)]
pub(crate) struct Coverage {
    outcomes: BTreeMap<&'static str, usize>,
    operations: BTreeMap<String, usize>,
    /// By effect, atom and value.
    atoms: BTreeMap<(bool, String, Truth), usize>,
    /// Those on which a rule hung: every other atom of it held.
    decisive: BTreeMap<(bool, String, Truth), usize>,
}

impl Coverage {
    /// Notes one question.
    pub(crate) fn note(&mut self, operation: &str, readings: &[Reading], verdict: &Verdict) {
        let outcome = match verdict {
            Verdict::NotYetInForce => "not yet in force",
            Verdict::Expired => "expired",
            Verdict::DeniedBy(_) => "denied",
            Verdict::NotAllowed => "not allowed",
            Verdict::Candidates(rules) if rules.len() > 1 => "several candidates",
            Verdict::Candidates(_) => "one candidate",
        };
        *self.outcomes.entry(outcome).or_default() += 1;
        *self.operations.entry(operation.to_owned()).or_default() += 1;
        for reading in readings {
            for (index, (name, truth)) in reading.atoms.iter().enumerate() {
                let key = (reading.denies, name.clone(), *truth);
                *self.atoms.entry(key.clone()).or_default() += 1;
                let mut others = reading.atoms.iter().enumerate().filter(|(other, _)| *other != index);
                if others.all(|(_, (_, truth))| *truth == Truth::True) {
                    *self.decisive.entry(key).or_default() += 1;
                }
            }
        }
    }

    /// Fails if something was met too seldom.
    pub(crate) fn check(&self) {
        for outcome in
            ["not yet in force", "expired", "denied", "not allowed", "several candidates", "one candidate"]
        {
            let count = self.outcomes.get(outcome).copied().unwrap_or_default();
            assert!(count >= 100, "{outcome}: {count} of {:?}", self.outcomes);
        }
        assert!(self.operations.len() >= 9, "{:?}", self.operations);
        for denies in [false, true] {
            for (name, unknown) in ATOMS {
                let met =
                    |truth| self.decisive.get(&(denies, name.to_owned(), truth)).copied().unwrap_or_default();
                for truth in [Truth::True, Truth::False] {
                    assert!(
                        met(truth) >= 10,
                        "{name}, denies: {denies}, {truth:?}: {}\n{}",
                        met(truth),
                        self.table()
                    );
                }
                if unknown {
                    let count = met(Truth::Unknown);
                    assert!(count >= 3, "{name}, denies: {denies}, unknown: {count}\n{}", self.table());
                }
            }
        }
    }

    fn table(&self) -> String {
        let line = |((denies, name, truth), count): (&(bool, String, Truth), &usize)| {
            let decisive = self.decisive.get(&(*denies, name.clone(), *truth)).copied().unwrap_or_default();
            format!(
                "{:5} {name:40} {truth:?}: {count}, decisive {decisive}\n",
                if *denies { "deny" } else { "allow" }
            )
        };
        self.atoms.iter().map(line).collect()
    }
}

/// Every atom, and whether it can be unknown.
const ATOMS: [(&str, bool); 35] = [
    ("operations", false),
    ("clients", false),
    ("roles", false),
    ("wallets", false),
    ("origins", false),
    ("chain_ids", false),
    ("evm_transaction.types", false),
    ("evm_transaction.recipients", false),
    ("evm_transaction.contract_creation", false),
    ("evm_transaction.value", false),
    ("evm_transaction.max_fee", false),
    ("evm_transaction.selectors", false),
    ("evm_transaction.empty_input", false),
    ("evm_transaction.calls", true),
    ("evm_transaction.token", true),
    ("evm_transaction.delegates", false),
    ("evm_authorization.delegates", false),
    ("evm_message.text_prefixes", false),
    ("evm_message.max_bytes", false),
    ("evm_typed_data.names", false),
    ("evm_typed_data.versions", false),
    ("evm_typed_data.verifying_contracts", false),
    ("evm_typed_data.primary_types", false),
    ("evm_typed_data.fields", true),
    ("evm_typed_data.token", true),
    ("solana_transaction.programs", false),
    ("solana_transaction.instructions", true),
    ("solana_transaction.accounts", true),
    ("solana_transaction.recipients", true),
    ("solana_transaction.lamports", true),
    ("solana_transaction.mints", true),
    ("solana_transaction.token_amount", true),
    ("solana_transaction.max_fee", false),
    ("solana_transaction.fee_payers", false),
    ("solana_transaction.lookup_tables", false),
];
