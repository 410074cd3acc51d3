//! `host/openapi.json` as a judge.
//!
//! Every exchange of a test with the appliance is held against the document: an answer that it does not describe is a
//! failure, and so is a request that the appliance accepts and the document does not allow. The harness does it for all
//! of them ([`crate::stack::request`], [`crate::stack::Host::api`]); no test has to ask for it.

mod document;
mod exchange;
mod schema;

pub use document::{Document, Node, Parameters, Route};
pub use exchange::{Exchange, Violation};

impl Exchange<'_> {
    /// Panics unless the document describes this exchange.
    pub fn expect_documented(&self) {
        if let Err(violation) = self.check(Document::committed()) {
            panic!(
                "host/openapi.json does not describe this exchange: {violation}\n{self}\n\
                 Correct whichever of the two is wrong."
            );
        }
    }
}
