//! Key policies: IAM's language, as far as a key policy for enclaves needs it, and refused beyond that.
//!
//! An emulator that ignored what it does not know would pass policies that real KMS would read differently: an unknown
//! element, operator or condition key is a `MalformedPolicyDocumentException`.
//!
//! There are no identity policies. A statement for an account's root therefore admits everyone of that account, as if
//! each had an IAM policy allowing `kms:*`: the case to fear.

mod condition;
mod document;
mod evaluate;
#[cfg(test)]
mod tests;

pub(super) use self::document::Policy;
pub(super) use self::evaluate::{Context, Decision, Question};
