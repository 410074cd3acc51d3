//! Attestation documents, measured images, and whoever checks them.
//!
//! [`verify`] decides whether a byte string is a genuine attestation document of an AWS Nitro Enclave, and then whether
//! it is the one that the caller hoped for. It needs no enclave, no AWS account and no network.
//! [`examine`] judges everything at once, for both command lines; [`options`] are what both take.
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

pub mod examine;
pub mod options;
pub mod verify;
