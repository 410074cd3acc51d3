//! The whole host in one process, between a real HTTP client's bytes and an enclave of the tests'
//! own that speaks the wire over a Unix socket.

mod client;
mod enclave;
mod forwarding;
mod limits;
mod link;
mod running;
