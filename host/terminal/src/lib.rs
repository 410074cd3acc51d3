//! What `signerctl` and `signer-eif` share: how a command line prints, fails, reads and writes files,
//! asks a server, and keeps the keys of those who sign statements.
//!
//! Whatever comes from elsewhere is bounded before it is read ([`files`], [`http`]) and made harmless
//! before it is shown ([`clean`]). A command returns a [`Report`] or a [`Failure`], and nothing else
//! prints; [`Terminal`] does, for people or, with `--json`, for programs.

pub mod client_keys;
pub mod envelope;
mod failure;
pub mod files;
pub mod http;
pub mod keys;
mod output;
mod problem;

pub use failure::{EXIT_FAILED, EXIT_USAGE, Failure};
pub use output::{Report, Style, Terminal, clean, fields, indented};
