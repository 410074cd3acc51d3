//! The untrusted front of the enclave: it moves bytes and decides nothing.
//!
//! Read in the order of a request: [`config`], [`http`], [`enclave_link`], [`object_store`]. Beside
//! that path stand the services that the enclave dials: [`kms_tunnel`], [`credentials`],
//! [`enclave_events`]; [`last_death`] puts together why an enclave ended, and [`audit_store`] keeps its log. [`lifecycle`]
//! owns every task. The enclave trusts nothing here; operators do, so every wait has a deadline, every queue a bound, and every task an end.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod accept;
pub mod audit_store;
pub mod config;
pub mod credentials;
pub mod enclave_events;
pub mod enclave_link;
pub mod health;
pub mod http;
pub mod kms_tunnel;
pub mod last_death;
pub mod lifecycle;
pub mod logging;
pub mod object_store;
pub mod random;
