//! LocalStack's KMS in the place of AWS's: a second opinion from code that is not ours. `scripts/test-localstack` starts
//! it.
//!
//! LocalStack speaks plain HTTP, and writes envelopes in a form that the enclave refuses, rightly. So [`Forwarder`] ends
//! TLS in front of it, and can put an envelope's parts, encrypted by LocalStack, into KMS's form. The enclave's code is
//! as it ships and does not know of any of this: LocalStack's form is read here and nowhere else.

mod envelope;
mod forwarder;

pub use self::forwarder::{Answer, Change, Forwarder};
