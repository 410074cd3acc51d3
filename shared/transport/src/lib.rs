//! The wire of `signer-shared` over Tokio streams.
//!
//! `signer-shared` says what crosses the boundary and stays free of any runtime; this crate moves
//! it: [`dial`] and [`Listener`] for every form of [`Address`], [`read_frame`] and [`write_frame`];
//! [`send_and_forget`] does without the runtime.

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

mod frames;
mod last_chance;
mod stream;

pub use frames::{ReadError, read_body, read_frame, read_header, write_frame};
pub use last_chance::send_and_forget;
pub use signer_shared::address::Address;
pub use stream::{Listener, Stream, dial};
