//! What is answered in which phase: one table.

use signer_shared::message::Phase;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Hello`.
    Hello,
    /// `Status`.
    Status,
    /// `Provision`.
    Provision,
    /// `Audit`.
    Audit,
    /// `Api`: every answer says why not, and each route has a row of its own.
    Api,
    /// `POST /v1/policy`.
    PushPolicy,
    /// `POST /v1/keyrings`.
    CreateKeyring,
    /// `Attest`.
    Attest,
    /// Everything about wallets.
    Wallets,
}

/// | asked | booting | configured | ready |
const TABLE: [(Kind, [bool; 3]); 9] = [
    (Kind::Hello, [true, true, true]),
    (Kind::Status, [true, true, true]),
    (Kind::Provision, [true, true, true]),
    (Kind::Audit, [false, true, true]),
    (Kind::Api, [true, true, true]),
    (Kind::PushPolicy, [false, true, true]),
    (Kind::CreateKeyring, [false, true, true]),
    (Kind::Attest, [false, false, true]),
    (Kind::Wallets, [false, false, true]),
];

/// Whether the table allows it.
pub fn is_allowed(kind: Kind, phase: Phase) -> bool {
    TABLE.iter().any(|(row, [booting, configured, ready])| {
        *row == kind
            && match phase {
                Phase::Booting => *booting,
                Phase::Configured => *configured,
                Phase::Ready => *ready,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_used_when_ready_only() {
        for phase in [Phase::Booting, Phase::Configured] {
            assert!(!is_allowed(Kind::Wallets, phase) && !is_allowed(Kind::Attest, phase));
        }
        assert!(is_allowed(Kind::Wallets, Phase::Ready));
        assert!(!is_allowed(Kind::CreateKeyring, Phase::Booting));
    }

    #[test]
    fn every_kind_has_one_row() {
        for (index, (kind, _)) in TABLE.iter().enumerate() {
            assert!(TABLE.iter().skip(index + 1).all(|(other, _)| other != kind));
        }
    }
}
