//! The whole host in one process, between a real HTTP client's bytes and an enclave of the tests'
//! own that speaks the wire over a Unix socket.

// Everything here is this one program's own.
#![allow(unreachable_pub)]

mod client;
mod enclave;
mod forwarding;
mod limits;
mod link;
mod running;
