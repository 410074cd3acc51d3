//! Who asks.
//!
//! A request that carries proof of who sent it must have that proof checked; a request without any
//! is the anonymous client's, if the quorum wrote one. Proofs are not checked yet, so a request
//! that carries one is refused rather than treated as anonymous.

use signer_rules::{name::Name, policy::Policy};
use signer_shared::message::Header;

/// Headers by which a request claims to be somebody's.
const PROOFS: [&str; 3] = ["authorization", "signature", "signature-input"];

/// The request is nobody's. One error for every reason, so that it tells a forger nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not authenticated")]
pub struct Unauthenticated;

/// The client that a request is from.
pub fn authenticate<'a>(policy: &'a Policy, headers: &[Header]) -> Result<&'a Name, Unauthenticated> {
    if headers.iter().any(|header| PROOFS.contains(&header.name.as_str())) {
        return Err(Unauthenticated);
    }
    policy.anonymous_client().ok_or(Unauthenticated)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use signer_rules::bundle::Bundle;

    use super::*;

    fn policy(clients: &Value) -> Policy {
        let bundle = json!({
            "format": signer_rules::bundle::FORMAT, "authority": "00".repeat(32), "version": 1,
            "previous": null, "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
            "least_configuration_epoch": 0, "keyrings": [], "clients": clients, "wallet_groups": [], "rules": []
        });
        Policy::new(&Bundle::from_json(bundle.to_string().as_bytes()).unwrap())
    }

    fn header(name: &str) -> Vec<Header> {
        vec![Header { name: name.into(), value: "x".into() }]
    }

    #[test]
    fn the_anonymous_client_exists_only_if_the_quorum_wrote_it() {
        let open = policy(&json!([{"id": "backend", "auth": "none"}]));
        assert_eq!(authenticate(&open, &header("content-type")).unwrap().as_str(), "backend");
        assert_eq!(authenticate(&policy(&json!([])), &[]), Err(Unauthenticated));
    }

    #[test]
    fn a_proof_is_never_passed_over() {
        let open = policy(&json!([{"id": "backend", "auth": "none"}]));
        for name in PROOFS {
            assert_eq!(authenticate(&open, &header(name)), Err(Unauthenticated), "{name}");
        }
    }
}
