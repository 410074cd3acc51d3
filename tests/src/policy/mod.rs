//! A second opinion on policy: an evaluator that shares nothing with `signer_rules::policy` but the meaning
//! ([`naive`]), bundles and requests that are made at random ([`generate`]), and the worked policies of
//! `docs/policy.md` ([`worked`]).

pub mod compare;
pub mod generate;
pub mod naive;
pub mod worked;
