//! The enclave's evaluator against a second one, and against the worked policies of `docs/policy.md`.

#[path = "policy/agreement.rs"]
mod agreement;
#[path = "policy/coverage.rs"]
mod coverage;
#[path = "policy/worked.rs"]
mod worked;
