//! The measured signing service: a library, so that tests can compose it with emulators of the
//! devices and services around it. What ships is `main.rs`, which composes it with the real ones.
//!
//! Reading order for one signature: [`server`], [`api`], [`auth`], [`wallet`], [`audit`]. For a
//! boot: [`boot`], [`attestation`], [`authority`], [`kms`], [`wallet::keyring`].
//!
//! Ask of every line here: what if the host lies?

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

pub mod api;
pub mod attestation;
pub mod audit;
pub mod auth;
pub mod authority;
pub mod boot;
pub mod clock;
pub mod events;
pub mod guards;
pub mod kms;
pub mod last_words;
pub mod platform;
pub mod secret;
pub mod server;
pub mod wallet;

pub use platform::{Platform, run};
