//! Pure rules: what would be signed, who wrote the policy, and may it be.
//!
//! No I/O, no clock, no randomness, no keys: bytes in, decisions out. The enclave runs this code on
//! what a hostile host hands it, and `signerctl` runs the same code on an operator's machine, so a
//! policy that checks out there means the same thing inside.
//!
//! - [`chain`]: strict parsers from bytes to [`chain::Facts`], and back to signed transactions;
//! - [`abi`], [`token`]: what calls of contracts say;
//! - [`dsse`], [`authority`], [`approval`]: statements signed by k of n;
//! - [`configuration`], [`transition`], [`bundle`]: what the admins sign;
//! - [`policy`]: bundle and facts to a decision;
//! - [`http_signature`]: requests and answers signed by RFC 9421;
//! - [`sealed_object`]: what can be read of a sealed object without its key;
//! - [`statement`]: what an attestation document vouches for;
//! - [`limits`], [`nonce_guard`], [`replay`]: what was decided before, and what follows from it;
//! - [`audit`]: the log of what was decided, and whether it is whole.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod abi;
pub mod approval;
pub mod audit;
pub mod authority;
pub mod bundle;
pub mod chain;
pub mod configuration;
pub mod dsse;
pub mod hex_bytes;
pub mod http_signature;
pub mod keyring_request;
pub mod limits;
pub mod name;
pub mod nonce_guard;
pub mod policy;
pub mod replay;
pub mod request_digest;
pub mod sealed_object;
pub mod statement;
pub mod timestamp;
pub mod token;
pub mod transition;
