//! Attestation documents, measured images, and whoever checks them.
//!
//! [`verify`] decides whether a byte string is a genuine attestation document of an AWS Nitro Enclave, and then whether
//! it is the one that the caller hoped for. It needs no enclave, no AWS account and no network.
//! [`examine`] judges everything at once, for both command lines; [`options`] are what both take.
//!
//! The others are about what enclaves are started from: [`ramdisk`] and [`image`] read and write, [`measure`] says what the
//! hypervisor will attest, [`sign`] who signed an image (PCR8), [`contents`] what our own images hold, and [`manifest`] is
//! what k of n people state about one.
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

pub mod contents;
pub mod examine;
pub mod image;
pub mod manifest;
pub mod measure;
pub mod metadata;
pub mod options;
pub mod ramdisk;
pub mod sign;
pub mod verify;
