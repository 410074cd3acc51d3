//! PID 1 of our own images: what an enclave needs before it starts and after it ends.
//!
//! In order: [`mounts`], [`modules`], [`heartbeat`], [`supervise`] the enclave, and when it has ended
//! [`report`] why to the console and the host, and reboot. A PID 1 that ends panics the kernel, so
//! every way out of here leads to a reboot.
//!
//! Under nitro-cli's own init this program is absent; the enclave's last words come from itself then.
//!
//! One thread, no runtime, no `unsafe`: system calls go through `nix`.

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

pub mod console;
pub mod death;
pub mod heartbeat;
pub mod limiter;
pub mod lines;
pub mod modules;
pub mod mounts;
pub mod report;
pub mod supervise;
