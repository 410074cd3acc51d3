//! Everything that crosses vsock between the untrusted host and the enclave, and nothing else.
//!
//! Both sides compile this crate, so it is the trust boundary in code: addresses and the table of
//! ports ([`address`]), bounded frames ([`frame`]), strict canonical CBOR ([`cbor`]), and the
//! messages themselves ([`message`], [`service`], [`last_words`]). It holds no runtime, HTTP, AWS or logging crate;
//! `signer-transport` carries these frames over Tokio streams.

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

pub mod address;
pub mod cbor;
pub mod frame;
pub mod last_words;
pub mod message;
pub mod object_name;
pub mod service;
